"""``odarchive scan``: record a file tree in the catalogue."""

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import click

from odarchive.cli import output, progress
from odarchive.cli.opening import open_archive
from odarchive.cli.settings import Settings, common_options
from odarchive.errors import ExitCode

if TYPE_CHECKING:
    from odarchive.scan.report import ScanProgress, ScanResult

_LISTED = 20
"""Problems named on stderr before the rest is counted."""


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--as", "name", metavar="NAME", help="The tree's name at the root of the mount; default: its own.")
@click.option("--one-file-system", "-x", is_flag=True, help="Do not enter other file systems mounted inside.")
@click.option("--allow-empty", is_flag=True, help="Believe that the tree is empty now (it may be an unmounted drive).")
@common_options()
@click.pass_obj
def scan(settings: Settings, path: Path, name: str | None, one_file_system: bool, allow_empty: bool) -> int:
    """Record the tree under PATH: names, attributes and digests. Equal contents count once.

    Sockets, pipes and devices are reported and left out. So is what cannot be read; then the exit code is 1.
    """
    from odarchive import scan as scanning  # noqa: PLC0415  needs the catalogue's packages

    archive = open_archive(settings.root())
    avoid = tuple(os.fsencode(folder.absolute()) for folder in (archive.config.staging, archive.config.cache))
    options = scanning.Options(one_file_system=one_file_system, allow_empty=allow_empty, avoid=avoid)
    with progress.bar("scan") as tell:

        def moved(at: "ScanProgress") -> None:
            tell(at.bytes, None, f"{at.files} files, {output.visible(at.path)}")

        result = scanning.scan(
            archive.catalogue,
            os.fsencode(path),
            name=None if name is None else os.fsencode(name),
            options=options,
            progress=moved,
        )
    _print(settings, result)
    missed = any(not _is_special(os.path.join(os.fsencode(path), one.path)) for one in result.problems)
    return ExitCode.WARNINGS if missed else ExitCode.OK


def _is_special(path: bytes) -> bool:
    """Whether there is something that no archive has bytes of: a socket, pipe or device."""
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode))


def _print(settings: Settings, result: "ScanResult") -> None:
    for problem in result.problems[:_LISTED]:
        output.note(f"odarchive: left out: {output.visible(problem.path)}: {problem.reason}")
    if result.problem_count > _LISTED:
        output.note(f"odarchive: {result.problem_count - _LISTED} more are left out")
    if settings.json:
        output.document(
            {
                "snapshot": result.snapshot,
                **output.named("name", result.name),
                "files": result.files,
                "bytes": result.bytes,
                "new_files": result.new_files,
                "new_bytes": result.new_bytes,
                "problem_count": result.problem_count,
                "problems": [{**output.named("path", one.path), "reason": one.reason} for one in result.problems],
            }
        )
        return
    output.line(
        f"{output.visible(result.name)}: {result.files} files, {output.size(result.bytes)}; "
        f"new: {result.new_files} files, {output.size(result.new_bytes)}; left out: {result.problem_count}"
    )
