"""``odarchive import``: another archive, or discs made by other programs, join this one."""

import hashlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from odarchive.cli import output, progress
from odarchive.cli.opening import open_archive
from odarchive.cli.settings import Settings, common_options
from odarchive.errors import ExitCode, SourceMissing

if TYPE_CHECKING:
    from odarchive.ancestor import ForeignFile
    from odarchive.catalogue.foreign import ForeignSet, Imported, Read
    from odarchive.opened import Archive

_SUMS = ("SHA512SUMS", "SHA256SUMS", "sha512sum.txt", "sha256sum.txt")
_JSON = "catalogue.json"


@dataclass(slots=True)
class _Beside:
    """What the files beside a catalogue told."""

    sizes: dict[bytes, int] = field(default_factory=dict)
    times: dict[bytes, int] = field(default_factory=dict)
    read: "dict[bytes, Read]" = field(default_factory=dict)
    damaged: list[tuple[bytes, str]] = field(default_factory=list)


@click.command("import")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--as", "name", metavar="NAME", help="Where it appears at the root of the mount; a path is fine.")
@click.option("--label", metavar="TEXT", help="What the disc is called; default: the job's or the folder's name.")
@click.option("--read", "reading", is_flag=True, help="Read every file that lies beside the catalogue, and compare.")
@common_options()
@click.pass_obj
def import_(settings: Settings, path: Path, name: str | None, label: str | None, reading: bool) -> int:
    """Take over an archive (its folder), or what a disc made earlier says of itself.

    PATH is an archive's folder, a mounted disc, a catalogue.json (versions 1 and 2) or a checksum file (SHA256SUMS,
    SHA512SUMS, *.sha512sum). Nothing of PATH is changed, and nothing is imported by halves. The files of such discs can
    be listed and found, whereis names the disc, and they are not burned again. With --read every file that is there is
    compared with its digest; the damaged ones are named, left out, and the exit code is 1.
    """
    archive = open_archive(settings.root())
    if (path / "archive.toml").is_file():
        from odarchive.catalogue import coalesce  # noqa: PLC0415

        merged = coalesce.take_over(
            archive.catalogue, path / "catalogue.db", None if name is None else os.fsencode(name), time.time_ns()
        )
        if settings.json:
            output.document({"sources": [output.named("name", one) for one in merged.sources], "discs": merged.discs})
        else:
            names = ", ".join(map(output.visible, merged.sources))
            output.line(f"{names}: {merged.snapshots} snapshots, {merged.discs} discs")
        return ExitCode.OK
    return _foreign(settings, archive, path, (name, label, reading))


def _foreign(settings: Settings, archive: "Archive", path: Path, wishes: tuple[str | None, str | None, bool]) -> int:
    from odarchive import ancestor  # noqa: PLC0415
    from odarchive.catalogue import foreign  # noqa: PLC0415

    name, label, reading = wishes
    file = _catalogue_file(path)
    try:
        data = file.read_bytes()
    except OSError as error:
        raise SourceMissing(f"{file}: {error.strerror}; name a catalogue.json or a checksum file") from error
    parse = ancestor.parse_json if file.suffix == ".json" else ancestor.parse_sums
    catalogue = parse(data, str(file))
    folder = file.absolute().parent
    beside = _look(folder, catalogue.files, reading=reading)
    damaged = {path for path, _ in beside.damaged}
    title = label or catalogue.job or folder.name or "disc"
    given = foreign.ForeignSet(
        origin=str(file),
        label=title,
        source=os.fsencode(name if name is not None else title.replace("/", "_")),
        path=os.fsencode(folder),
        files=[one for one in catalogue.files if one.path not in damaged],
        sizes=beside.sizes,
        times=beside.times,
        read=beside.read,
        now_ns=time.time_ns(),
    )
    with archive.catalogue.write() as connection:
        imported = foreign.record(connection, given)
    _print(settings, given, imported, beside)
    return ExitCode.WARNINGS if beside.damaged else ExitCode.OK


def _catalogue_file(path: Path) -> Path:
    if not path.is_dir():
        return path
    for name in (_JSON, *_SUMS):
        if (path / name).is_file():
            return path / name
    found = sorted(path.glob("*.sha512sum")) + sorted(path.glob("*.sha256sum"))
    if not found:
        raise SourceMissing(f"{path} has neither archive.toml nor {_JSON} nor a checksum file; name the file itself")
    return found[0]


def _look(folder: Path, files: "tuple[ForeignFile, ...]", *, reading: bool) -> _Beside:
    """Stat, or read, what lies beside a catalogue; what does not lie there is left as it is."""
    beside = _Beside()
    with progress.bar("import") as tell:
        done = 0
        for file, place in _present(folder, files):
            status = os.stat(place)
            beside.sizes[file.path], beside.times[file.path] = status.st_size, status.st_mtime_ns
            if file.size is not None and file.size != status.st_size:
                beside.damaged.append((file.path, f"has {status.st_size} bytes, the catalogue says {file.size}"))
            elif reading:
                _read(beside, file, place, status)
            done += status.st_size
            tell(done, None, output.visible(file.path))
    return beside


def _present(folder: Path, files: "tuple[ForeignFile, ...]") -> "Iterator[tuple[ForeignFile, bytes]]":
    top = os.fsencode(folder)
    for file in files:
        place = os.path.join(top, file.on_disc)
        if os.path.isfile(place) and not os.path.islink(place):
            yield file, place


def _read(beside: _Beside, file: "ForeignFile", place: bytes, status: os.stat_result) -> None:
    from blake3 import blake3  # noqa: PLC0415

    from odarchive.catalogue.foreign import Read  # noqa: PLC0415
    from odarchive.digest import BLOCK  # noqa: PLC0415

    told, ours = hashlib.new(file.algorithm), blake3()
    try:
        with open(place, "rb", buffering=0) as opened:
            while block := opened.read(BLOCK):
                told.update(block)
                ours.update(block)
    except OSError as error:
        beside.damaged.append((file.path, f"cannot be read: {error.strerror}"))
        return
    if told.digest() != file.digest:
        beside.damaged.append((file.path, f"its bytes are others than its {file.algorithm} says"))
    else:
        beside.read[file.path] = Read(ours.digest(), status.st_size, status.st_mtime_ns)


def _print(settings: Settings, given: "ForeignSet", imported: "Imported", beside: _Beside) -> None:
    for path, reason in beside.damaged:
        output.note(f"odarchive: left out: {output.visible(path)}: {reason}")
    if settings.json:
        output.document(
            {
                **output.named("name", given.source),
                "snapshot": imported.snapshot,
                "files": imported.files,
                "bytes": imported.bytes,
                "new_contents": imported.new,
                "read": len(beside.read),
                "discs": list(imported.discs),
                "damaged": [{**output.named("path", path), "reason": reason} for path, reason in beside.damaged],
            }
        )
        return
    output.line(
        f"{output.visible(given.source)}: {imported.files} files, {output.size(imported.bytes)} on "
        f"{', '.join(imported.discs)}; {len(beside.read)} read and right, {len(beside.damaged)} damaged"
    )
