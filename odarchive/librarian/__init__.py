"""What the librarian does with robot, drives, discs and catalogue: burn, read back, recall, settle.

From the inside out: ``workroom`` (collaborators), ``journal``, ``settle`` (what disc is it?), ``bay`` (one drive),
``burn`` and ``recall`` (one job), ``scheduler`` (one task per drive). Not for HTTP (``service``) nor for commands.
"""
