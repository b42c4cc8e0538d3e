"""``odarchive scan``: record file trees in the catalogue."""

import os
import re
import stat
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from odarchive.cli import output, progress
from odarchive.cli.opening import open_archive
from odarchive.cli.settings import Settings, common_options
from odarchive.collector import seldom_collected
from odarchive.errors import ConfigError, ExitCode

if TYPE_CHECKING:
    from odarchive.opened import Archive
    from odarchive.reading.rules import Rules
    from odarchive.scan.report import Options, ScanProgress, ScanResult

_LISTED = 20
"""Problems named on stderr before the rest is counted."""
WORKERS = 3
"""Processes that read. More than processors, too: from a cold disk three take a fifth less time than two (measured with
two processors), from memory no more; six take longer again."""
_AGE = re.compile(r"([0-9]{1,9})([smhdwy])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "y": 31_557_600}


@dataclass(frozen=True, slots=True)
class Limits:
    """What the command line says is to be left out."""

    exclude: tuple[str, ...]
    include: tuple[str, ...]
    exclude_from: tuple[Path, ...]
    exclude_caches: bool
    min_size: str | None
    max_size: str | None
    newer: str | None
    older: str | None


@click.command()
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--as", "name", metavar="NAME", help="The tree's name at the root of the mount, or a path such as usb/1.")
@click.option("--one-file-system", "-x", is_flag=True, help="Do not enter other file systems mounted inside.")
@click.option("--allow-empty", is_flag=True, help="Believe that the tree is empty now (it may be an unmounted drive).")
@click.option("--check", is_flag=True, help="Read every file again, also those that did not change.")
@click.option("--exclude", multiple=True, metavar="PATTERN", help="Leave out, as in .gitignore; repeat.")
@click.option("--include", multiple=True, metavar="PATTERN", help="But keep these of them; repeat.")
@click.option(
    "--exclude-from", multiple=True, metavar="FILE", type=click.Path(path_type=Path), help="Patterns, one a line."
)
@click.option("--exclude-caches", is_flag=True, help="Leave out what is in folders with a CACHEDIR.TAG.")
@click.option("--min-size", metavar="SIZE", help="Leave out smaller files.")
@click.option("--max-size", metavar="SIZE", help="Leave out larger files, such as 10GB.")
@click.option("--newer-than", "newer", metavar="AGE", help="Only files changed in the last AGE: 30d, 12h, 2y.")
@click.option("--older-than", "older", metavar="AGE", help="Only files not changed in the last AGE.")
@click.option("--workers", type=click.IntRange(0, 64), help="Processes that read; default: 3.")
@common_options()
@click.pass_obj
def scan(  # noqa: PLR0913  click gives every option by name
    settings: Settings,
    /,
    paths: tuple[Path, ...],
    *,
    name: str | None,
    one_file_system: bool,
    allow_empty: bool,
    check: bool,
    workers: int | None,
    **limits: Any,  # noqa: ANN401  the fields of Limits
) -> int:
    """Record the trees under PATH...: names, attributes and digests. Equal contents count once.

    Sockets, pipes and devices are reported and left out. So is what cannot be read; then the exit code is 1. What was
    archived and is left out now, by an option, counts as deleted.
    """
    if name is not None and len(paths) > 1:
        raise click.UsageError("--as names one tree; scan the others by themselves")
    with seldom_collected():
        from odarchive.scan import Options  # noqa: PLC0415  needs the catalogue's packages

        archive = open_archive(settings.root())
        options = Options(
            one_file_system=one_file_system,
            allow_empty=allow_empty,
            check=check,
            rules=rules_of(Limits(**limits)),
            workers=WORKERS if workers is None else workers,
        )
        results = [scan_one(archive, path, None if name is None else os.fsencode(name), options) for path in paths]
    _print(settings, results)
    return (
        ExitCode.WARNINGS if any(missed(path, one) for path, one in zip(paths, results, strict=True)) else ExitCode.OK
    )


def scan_one(archive: "Archive", path: Path, name: bytes | None, options: "Options") -> "ScanResult":
    """Scan one tree with progress on stderr."""
    from dataclasses import replace  # noqa: PLC0415

    from odarchive import scan as scanning  # noqa: PLC0415  needs the catalogue's packages

    avoid = tuple(os.fsencode(folder.absolute()) for folder in (archive.config.staging, archive.config.cache))
    began = time.monotonic()
    with progress.bar("scan") as tell:

        def moved(at: "ScanProgress") -> None:
            tell(at.hashed_bytes, None, f"{pace(at, time.monotonic() - began)}, {output.visible(at.path)}")

        return scanning.scan(
            archive.catalogue,
            os.fsencode(path),
            name=name,
            options=replace(options, avoid=(*options.avoid, *avoid)),
            progress=moved,
        )


def pace(at: "ScanProgress", seconds: float) -> str:
    """How fast it goes, and how long it may still take if the tree is as large as last time."""
    seconds = max(seconds, 0.001)
    text = f"{at.files} files ({at.files / seconds:.0f}/s, {at.hashed_bytes / seconds / 1e6:.0f} MB/s)"
    if at.expected_files is not None and 0 < at.files < at.expected_files:
        left = int(seconds * (at.expected_files - at.files) / at.files)
        text += f", {left // 3600}:{left // 60 % 60:02}:{left % 60:02} left"
    return text


def rules_of(limits: Limits) -> "Rules":
    """What is left out.

    Raises:
        ConfigError: a pattern is none; a file of patterns cannot be read.
        OdarchiveError: a size or an age is none.
    """
    from odarchive.reading.rules import Rules, compiled  # noqa: PLC0415  needs what reads

    patterns: list[str] = []
    for file in limits.exclude_from:
        try:
            lines = file.read_bytes().decode("utf-8", "surrogateescape").splitlines()
        except OSError as error:
            raise ConfigError(f"{file}: {error.strerror}; give a file of patterns, one a line") from error
        compiled(lines, str(file))
        patterns += lines
    compiled(limits.exclude, "--exclude")
    compiled(limits.include, "--include")
    patterns += [*limits.exclude, *(f"!{pattern}" for pattern in limits.include)]
    now = time.time_ns()
    return Rules(
        patterns=tuple(patterns),
        caches=limits.exclude_caches,
        smallest=0 if limits.min_size is None else _size(limits.min_size),
        largest=None if limits.max_size is None else _size(limits.max_size),
        modified_after=None if limits.newer is None else now - _age(limits.newer),
        modified_before=None if limits.older is None else now - _age(limits.older),
    )


def _size(text: str) -> int:
    from odarchive.media import parse_size  # noqa: PLC0415

    return parse_size(text)


def _age(text: str) -> int:
    match = _AGE.fullmatch(text.strip().lower())
    if match is None:
        raise click.UsageError(f"{text!r} is no age; write a number and s, m, h, d, w or y, such as 30d")
    return int(match[1]) * _SECONDS[match[2]] * 1_000_000_000


def missed(path: Path, result: "ScanResult") -> bool:
    """Whether something was left out that has bytes."""
    top = os.fsencode(path)
    return any(not one.expected and not _is_special(os.path.join(top, one.path)) for one in result.problems)


def _is_special(path: bytes) -> bool:
    """Whether there is something that no archive has bytes of: a socket, pipe or device."""
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode))


def tell_problems(result: "ScanResult") -> None:
    """Name what was left out, on stderr."""
    for problem in result.problems[:_LISTED]:
        output.note(f"odarchive: left out: {output.visible(problem.path)}: {problem.reason}")
    if result.problem_count > _LISTED:
        output.note(f"odarchive: {result.problem_count - _LISTED} more are left out")


def _print(settings: Settings, results: "Sequence[ScanResult]") -> None:
    for result in results:
        tell_problems(result)
    if settings.json:
        documents = [_document(result) for result in results]
        output.document(documents[0] if len(documents) == 1 else {"scans": documents})
        return
    for result in results:
        output.line(
            f"{output.visible(result.name)}: {result.files} files, {output.size(result.bytes)}; "
            f"new: {result.new_files} files, {output.size(result.new_bytes)}; left out: {result.problem_count}"
        )


def _document(result: "ScanResult") -> dict[str, Any]:
    return {
        "snapshot": result.snapshot,
        **output.named("name", result.name),
        "files": result.files,
        "bytes": result.bytes,
        "new_files": result.new_files,
        "new_bytes": result.new_bytes,
        "problem_count": result.problem_count,
        "problems": [{**output.named("path", one.path), "reason": one.reason} for one in result.problems],
    }
