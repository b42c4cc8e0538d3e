"""The folder a demonstration works in: made anew each time, never made of a folder that holds anything else."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from odarchive.errors import Locked, OdarchiveError

_MARK = "odarchive-demo.lock"


@dataclass(frozen=True, slots=True)
class Places:
    """Where things are in the folder of a demonstration."""

    root: Path

    @property
    def archive(self) -> Path:
        """The archive."""
        return self.root / "archive"

    @property
    def world(self) -> Path:
        """The simulated robot with its discs."""
        return self.root / "robot"

    @property
    def mount(self) -> Path:
        """Where the archive is mounted."""
        return self.root / "mnt"

    def log(self, name: str) -> Path:
        """Where a process writes."""
        return self.root / f"{name}.log"


@contextmanager
def fresh(root: Path) -> Iterator[Places]:
    """Empty the folder of an earlier demonstration, or make a new one, and hold it for this process.

    Raises:
        Locked: another demonstration runs in it.
        OdarchiveError: the folder holds something else.
    """
    root = root.absolute()
    mark = root / _MARK
    if root.exists() and not mark.exists() and any(root.iterdir()):
        raise OdarchiveError(f"{root} is no folder of an earlier demo and not empty; name another with --dir")
    root.mkdir(parents=True, exist_ok=True)
    with mark.open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Locked(f"another demo runs in {root}; end it, or name another folder with --dir") from None
        places = Places(root)
        clear(places)
        places.mount.mkdir()
        yield places


def clear(places: Places) -> None:
    """Remove everything a demonstration made but the mark, which is locked."""
    unmount(places.mount)
    for path in places.root.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name != _MARK:
            path.unlink()


def unmount(mountpoint: Path) -> None:
    """Detach whatever of ours is mounted there, dead or alive; harmless when nothing is."""
    from odfs.errors import NotMounted  # noqa: PLC0415  the command line starts without it
    from odfs.mountpoint import unmount as detach  # noqa: PLC0415

    try:
        detach(mountpoint, lazy=True)
    except NotMounted:
        return


def is_empty(folder: Path) -> bool:
    """Whether there is no file anywhere below a folder."""
    return not any(files for _, _, files in os.walk(folder))
