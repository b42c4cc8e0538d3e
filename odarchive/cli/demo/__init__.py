"""``odarchive demo``: the main job with a simulated robot, as real processes, on real files.

Not a test double of anything: every step is the command a person would type, in a process of its own. ``compare`` looks
at source and mount with nothing of this program but the file system.
"""
