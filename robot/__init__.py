"""The machine: changers, drives, burners. Knows nothing of the archive.

Terms are those of the SCSI Media Changer standard (SMC): slot, drive, mailslot, picker.
"""
