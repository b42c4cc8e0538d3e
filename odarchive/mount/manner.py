"""What may be chosen about a mount. Needs no FUSE, so that the command line can name it on any machine."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MountManner:
    """How a mount behaves."""

    allow_other: bool = False
    """Other users may look in; permissions are checked all the same."""
    recall: bool = True
    """Reading may have discs loaded (never for known indexers and thumbnailers)."""
