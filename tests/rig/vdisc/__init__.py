"""Optical burners and a disc changer as real SCSI devices of a Linux guest, served from Python.

Through ``target_core_user`` and ``tcm_loop`` of Debian's kernel: xorriso, growisofs, mount and mtx work on
``/dev/sr*``, ``/dev/sg*`` and ``/dev/sch*`` unchanged. For tests in the guest of ``tests/rig``; runs as root there.

A disc is two files in a folder: NAME (its sectors) and NAME.json (``type``, ``capacity`` in sectors, what is written,
and faults). Discs found at start fill the slots in the order of their names. Faults are read anew each time, so that a
test may set them meanwhile: ``bad_read`` [[first, last], ...] and ``bad_write`` SECTOR in NAME.json are medium errors;
``jam`` true, ``fail_to`` [address] and ``delay`` SECONDS in robot.json are the changer's.

Not a model of time: nothing spins up, a burn is as fast as the host. No power calibration, no SAO for CD.
"""
