"""What may be chosen about a mount. Needs no FUSE, so that the command line can name it on any machine."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MountManner:
    """How a mount behaves."""

    allow_other: bool = False
    """Other users may look in; permissions are checked all the same."""
    recall: str = "auto"
    """Whether reading has discs loaded: ``auto``, ``ask`` (a person allows it each time) or ``never``. Known indexers
    and thumbnailers never have."""
    uid: int | None = None
    """Show everything as this user's; None: as recorded."""
    gid: int | None = None
    umask: int | None = None
    """Permission bits that nobody shall have."""
