"""``odarchive mount`` and ``odarchive umount``: the archive as a drive of this machine.

Without ``--foreground`` a process of its own serves the mount, and the command returns when that answers, or tells why
it ended. Its later words go to ``mount.log`` in the archive.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import BinaryIO, cast

import click

from odarchive.cli import output
from odarchive.cli.serve import start_log
from odarchive.cli.settings import Settings, common_options
from odarchive.errors import MountFailed, OdarchiveError

_READY = b"1"
_DIRECTORY = click.Path(path_type=Path)


@click.command()
@click.argument("directory", type=_DIRECTORY)
@click.option("--foreground", "-f", is_flag=True, help="Serve in this process, until unmounted, SIGTERM or Ctrl-C.")
@click.option("--allow-other", is_flag=True, help="Let other users in; needs user_allow_other in /etc/fuse.conf.")
@click.option(
    "--recall",
    type=click.Choice(["auto", "never"]),
    default="auto",
    show_default=True,
    help="Who may have discs loaded by reading: everybody but known indexers and thumbnailers, or nobody.",
)
@click.option("--ready-fd", type=int, hidden=True)
@common_options(json=False)
@click.pass_obj
def mount(
    settings: Settings, directory: Path, foreground: bool, allow_other: bool, recall: str, ready_fd: int | None
) -> int:
    """Mount everything that is on verified discs, read-only, on the empty folder DIRECTORY.

    Reading a file that is not in the cache has its disc loaded and waits for it; a reader that may not have discs
    loaded, or opened the file with O_NONBLOCK, gets EAGAIN instead, one that waited too long ETIMEDOUT.
    """
    root = settings.root().absolute()
    if not foreground:
        return _in_background(root, directory.absolute(), allow_other=allow_other, recall=recall)
    from odarchive import bootstrap  # noqa: PLC0415  needs FUSE and the catalogue's packages
    from odarchive.mount.manner import MountManner  # noqa: PLC0415

    def ready() -> None:
        if ready_fd is not None:
            os.write(ready_fd, _READY)
            os.close(ready_fd)
        else:
            output.note(f"mounted on {directory}; Ctrl-C unmounts")

    start_log(verbose=False)
    manner = MountManner(allow_other=allow_other, recall=recall != "never")
    bootstrap.mount(root, directory.absolute(), manner, ready=ready)
    return 0


def _in_background(root: Path, directory: Path, *, allow_other: bool, recall: str) -> int:
    """Start the serving process and wait for its word; returns the exit code."""
    command = [sys.executable, "-m", "odarchive", "--archive", str(root), "mount", "--foreground"]
    command += ["--recall", recall, *(["--allow-other"] if allow_other else [])]
    reader, writer = os.pipe()
    with _log(root) as log, os.fdopen(reader, "rb") as news:
        start = log.seek(0, os.SEEK_END)
        child = subprocess.Popen(
            [*command, "--ready-fd", str(writer), "--", str(directory)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
            pass_fds=(writer,),
            start_new_session=True,
            cwd="/",
        )
        os.close(writer)
        try:
            if news.read(1) == _READY:
                return 0
            code = child.wait()
        except BaseException:
            child.terminate()
            raise
        log.seek(start)
        sys.stderr.write(log.read().decode("utf-8", "backslashreplace"))
    if code <= 0:
        raise MountFailed(f"{directory}: the process that was to serve the mount ended early ({code})")
    return code


def _log(root: Path) -> BinaryIO:
    """Where the background process writes; thrown away if the archive is not ours to write in."""
    try:
        return (root / "mount.log").open("a+b")
    except OSError:
        return cast("BinaryIO", tempfile.TemporaryFile())


@click.command()
@click.argument("directory", type=_DIRECTORY)
@click.option("--lazy", "-l", is_flag=True, help="Detach it now although it is in use.")
@common_options(json=False)
def umount(directory: Path, lazy: bool) -> None:
    """Unmount DIRECTORY."""
    from odfs.errors import OdfsError  # noqa: PLC0415  the command line starts without it
    from odfs.mountpoint import unmount  # noqa: PLC0415

    try:
        unmount(directory, lazy=lazy)
    except OdfsError as error:
        raise MountFailed(str(error)) from error
    except OSError as error:
        raise OdarchiveError(f"{directory}: {error.strerror}") from error
