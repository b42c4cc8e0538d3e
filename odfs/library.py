"""The connection to the kernel by libfuse and pyfuse3: for machines where ``direct`` cannot work, and as its measure.

One mount per process: pyfuse3 holds its session in module variables.
"""

import os
from pathlib import Path

import pyfuse3

from odfs import loop
from odfs.errors import MountFailed
from odfs.operations import Operations
from odfs.options import MountOptions
from odfs.ports import Annotations, Contents, Namespace

SPARE = 64
"""Tasks beside those of reads that wait. With no more than pyfuse3's 99, 150 waiting readers stop every ``stat``."""


class LibrarySession:
    """One connection to the kernel. As ``direct.DirectSession``."""

    def __init__(
        self,
        namespace: Namespace,
        contents: Contents,
        options: MountOptions,
        annotations: Annotations | None,
    ) -> None:
        self._options = options
        self._operations = Operations(namespace, contents, options, annotations)

    def mount(self, path: Path, words: set[str]) -> None:
        """Mount; requests wait for ``main``. Never with ``max_read``: with pyfuse3 the mount then fails.

        Raises:
            MountFailed: the kernel refused, or this process has a mount.
        """
        if pyfuse3.trio_token is not None:
            raise MountFailed(f"{path}: this process serves a mount already: start another process")
        try:
            pyfuse3.init(self._operations, os.fspath(path), words)
        except RuntimeError as error:
            raise MountFailed(f"{path} cannot be mounted: FUSE has written the reason on standard error") from error

    async def main(self) -> None:
        """Answer until the file system is unmounted or the connection cut."""
        with loop.installed(self._options.spin_us / 1e6):
            await pyfuse3.main(1, self._options.max_tasks + SPARE)

    def notify_entry(self, parent: int, name: bytes) -> None:
        """The kernel shall look a name up again. May wait for a lookup under way: not for the trio thread."""
        try:
            pyfuse3.invalidate_entry(parent, name)
        except FileNotFoundError:
            return  # the kernel does not know it

    def notify_inode(self, ino: int) -> None:
        """The kernel shall ask for attributes again."""
        try:
            pyfuse3.invalidate_inode(ino, attr_only=True)
        except FileNotFoundError:
            return

    def close(self, path: Path, device_number: int, *, unmount: bool) -> None:
        """Give the descriptor back, which answers all waiting clients with an error, and unmount if asked to."""
        del path, device_number
        pyfuse3.close(unmount=unmount)
