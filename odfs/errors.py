"""What the file system may answer besides bytes; each maps to one errno in ``operations.py``."""


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
