"""``odarchive mount`` and ``odarchive umount``: the archive as a drive of this machine.

Without ``--foreground`` a process of its own serves the mount, and the command returns when that answers, or tells why
it ended. Its later words go to ``mount.log`` in the archive.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, cast

import click

from odarchive.cli import output
from odarchive.cli.serve import start_log
from odarchive.cli.settings import Settings, common_options
from odarchive.errors import MountFailed, OdarchiveError

_READY = b"1"
_DIRECTORY = click.Path(path_type=Path)


class _Octal(click.ParamType[int]):
    """Permission bits as mount(8) writes them."""

    name = "octal"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """An integer from octal digits."""
        try:
            bits = value if isinstance(value, int) else int(str(value), 8)
        except ValueError:
            bits = -1
        if not 0 <= bits <= 0o777:
            self.fail(f"{value!r} is no umask: write octal digits, such as 027", param, ctx)
        return bits


@click.command()
@click.argument("directory", type=_DIRECTORY)
@click.option("--foreground", "-f", is_flag=True, help="Serve in this process, until unmounted, SIGTERM or Ctrl-C.")
@click.option("--allow-other", is_flag=True, help="Let other users in; needs user_allow_other in /etc/fuse.conf.")
@click.option(
    "--recall",
    type=click.Choice(["auto", "ask", "never"]),
    default="auto",
    show_default=True,
    help="Who may have discs loaded by reading: everybody but known indexers and thumbnailers; those, each time after "
    "a person has allowed it (odarchive asked); or nobody. [mount] in archive.toml says more.",
)
@click.option("--uid", type=click.IntRange(min=0), help="Show everything as owned by this user number.")
@click.option("--gid", type=click.IntRange(min=0), help="Show everything as of this group number.")
@click.option("--umask", type=_Octal(), help="Permission bits (octal) that nobody shall have.")
@click.option("--ready-fd", type=int, hidden=True)
@common_options(json=False)
@click.pass_obj
def mount(
    settings: Settings, /, directory: Path, foreground: bool, ready_fd: int | None, **manner: int | str | bool | None
) -> int:
    """Mount everything that is on verified discs, read-only, on the empty folder DIRECTORY.

    Reading a file that is not in the cache has its disc loaded and waits for it; a reader that may not have discs
    loaded (EACCES if it goes on trying), or opened the file with O_NONBLOCK, gets EAGAIN instead, as do all beyond
    4,000 that wait at once; one that waited too long gets ETIMEDOUT, one whose bytes no disc gives EIO. The folder
    .odarchive in it, which no listing shows, has snapshots/, dates/, discs/ and status.json.
    """
    return mount_on(settings.root().absolute(), directory, foreground=foreground, ready_fd=ready_fd, manner=manner)


def mount_on(root: Path, directory: Path, *, foreground: bool, ready_fd: int | None, manner: Mapping[str, Any]) -> int:
    """Mount an archive; returns the exit code. ``manner``: values of ``MountManner``, None for its defaults."""
    if not foreground:
        return _in_background(root, directory.absolute(), manner)
    from odarchive import bootstrap  # noqa: PLC0415  needs FUSE and the catalogue's packages
    from odarchive.mount.manner import MountManner  # noqa: PLC0415

    def ready() -> None:
        if ready_fd is not None:
            os.write(ready_fd, _READY)
            os.close(ready_fd)
        else:
            output.note(f"mounted on {directory}; Ctrl-C unmounts")

    start_log(verbose=False)
    chosen = MountManner(**{name: value for name, value in manner.items() if value is not None})
    bootstrap.mount(root, directory.absolute(), chosen, ready=ready)
    return 0


def _options(manner: Mapping[str, Any]) -> list[str]:
    """The command line that says the same."""
    words = []
    for name, value in manner.items():
        option = f"--{name.replace('_', '-')}"
        if value is True:
            words.append(option)
        elif value is not None and value is not False:
            words += [option, f"{value:o}" if name == "umask" else str(value)]
    return words


def _in_background(root: Path, directory: Path, manner: Mapping[str, Any]) -> int:
    """Start the serving process and wait for its word; returns the exit code."""
    command = [sys.executable, "-m", "odarchive", "--archive", str(root), "mount", "--foreground", *_options(manner)]
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
