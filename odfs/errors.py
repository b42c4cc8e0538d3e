"""What the file system may answer besides bytes, and why a mount cannot be made, kept or ended.

The answers to single requests each map to one errno in ``operations.py``; the mount errors reach whoever mounts.
"""


class OdfsError(Exception):
    """Base; ``str()`` names the file or disc for the log."""


class ContentUnavailable(OdfsError):
    """The bytes cannot be had now: no librarian, robot broken, disc missing or damaged (EIO)."""


class ContentDamaged(OdfsError):
    """Bytes were read but their digest is wrong everywhere (EIO). They are never handed out."""


class RecallTimedOut(OdfsError):
    """The disc did not arrive before the deadline; the recall goes on and a later try can succeed (ETIMEDOUT)."""


class RecallRefused(OdfsError):
    """Policy forbids this reader to make the robot move (EAGAIN)."""


class RecallForbidden(RecallRefused):
    """The same reader was refused before and asks again and again, as if EAGAIN would pass (EACCES)."""


class MountError(OdfsError):
    """Base of what goes wrong with a mount as a whole; ``str()`` is one line: what is wrong and what to do."""


class FuseUnavailable(MountError):
    """This machine cannot mount by FUSE as it stands: device, helper program or permission missing."""


class MountpointUnusable(MountError):
    """The directory to mount on is missing, not a directory, not empty or not permitted."""


class AlreadyMounted(MountError):
    """A live file system is mounted there: one of ours, or another."""


class NotMounted(MountError):
    """There is no mount of ours to end."""


class MountBusy(MountError):
    """The mount is in use and stays."""


class MountFailed(MountError):
    """The kernel or its helper refused to mount or unmount, or the new mount never answered."""


class MountAborted(MountError):
    """A running mount died. Its dead mount stays in place, so that nobody takes an empty directory for the archive."""
