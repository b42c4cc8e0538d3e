"""The texts that every disc carries about itself; ``odarchive/FORMAT.md`` specifies them. Pure: values in, bytes out.

Two of them depend on where the data ends up and on what was read (catalogue.json: sectors and SHA-256; SHA256SUMS), yet
their sizes must be known before: sectors have a fixed width, so that any sectors and digests give texts of one size.
"""

import importlib.resources
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from odarchive.image.readme_sealed import readme_sealed
from odarchive.image.spec import DiscPath

README, CATALOGUE, DISC_INFO, SUMS, RESTORE, UNSEAL = (
    "README.MD",
    "catalogue.json",
    "disc_info.json",
    "SHA256SUMS",
    "restore.py",
    "unseal.py",
)
AGE, SEALED_SUFFIX = "age", ".age"
DATA, SET = "DATA", "SET"
ENTRIES, SET_CATALOGUE = "entries.jsonl", "catalogue.jsonl.gz"
INFO_SIZE = 2048
"""``disc_info.json`` always has this size, so that a stamp can rewrite it in place."""
FORMAT_VERSION = 3

_HEADS = 4096
"""What catalogue.json and the entry list have before their first line, and the own lines in SHA256SUMS."""

NO_SHA256 = "0" * 64
_SECTOR_WIDTH = 10
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Placed:
    """A content, or a part of one, on this disc. ``start`` is None for a whole content."""

    digest: bytes
    size: int
    mtime_ns: int
    start: int | None
    length: int
    paths: tuple[DiscPath, ...]


class Read(NamedTuple):
    """What reading brought of a content or a part of one, in hexadecimal: SHA-256, and chunk digests if it has any."""

    sha256: str
    chunks: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the entry list: a name in a source, with what a file system on a disc cannot be trusted to keep."""

    path: bytes
    kind: str
    mode: int
    uid: int
    gid: int
    mtime_ns: int
    ino: int
    size: int = 0
    digest: bytes | None = None
    target: bytes | None = None
    parts: tuple[tuple[int, int, DiscPath], ...] = ()
    """Files on this disc: start, length and path of each range; a whole file has one."""
    place: DiscPath = ()
    """Where a directory or symlink is on this disc."""
    differs: tuple[str, ...] = ()
    """What the disc's file systems do not show as it is, as ``view:reason``."""


def pad_json(value: Mapping[str, Any], size: int) -> bytes:
    """JSON of exactly ``size`` bytes: spaces, then a newline, behind it.

    Raises:
        ValueError: it does not fit.
    """
    text = json.dumps(value, indent=4, sort_keys=True, ensure_ascii=False).encode()
    if len(text) >= size:
        raise ValueError(f"{len(text)} bytes of JSON do not fit into {size}")
    return text.ljust(size - 1) + b"\n"


def catalogue_json(
    header: Mapping[str, Any],
    placed: Callable[[int], Placed],
    order: Iterable[int],
    sectors: Callable[[int], int],
    read: Callable[[int, Placed], Read],
) -> Iterator[bytes]:
    """The disc's ``catalogue.json`` in pieces; contents, sectors and digests by number.

    Args:
        header: What is said of the disc.
        placed: The contents, or parts of them.
        order: Their numbers, by digest and start.
        sectors: First sector of each.
        read: Digests of each.
    """
    value = {**header, "version": FORMAT_VERSION, "digest": "blake3", "iso_path_root": f"/{DATA}", "files": {}}
    head, tail = json.dumps(value, indent=4, sort_keys=True, ensure_ascii=False).split('"files": {}')
    yield f'{head}"files": {{'.encode()
    mark = "\n"
    listed = ((number, placed(number)) for number in order)
    for digest, same in itertools.groupby(listed, key=lambda one: one[1].digest):
        found = [(piece, sectors(number), read(number, piece)) for number, piece in same]
        yield f'{mark}        "{digest.hex()}": {_record(found)}'.encode()
        mark = ",\n"
    end = "" if mark == "\n" else "\n    "
    yield f"{end}}}{tail}\n".encode()


def _record(found: Sequence[tuple[Placed, int, Read]]) -> str:
    """One content: whole, or the parts of it that are here."""
    first = found[0][0]
    mtime = f'"mtime": "{stamp_text(first.mtime_ns)}"'
    size = f'"size": {first.size}'
    if first.start is None:
        _, sector, read = found[0]
        return _object([*_chunks(read), _filenames(first, 12), mtime, *_where(sector, read), size], 8)
    parts = ",\n".join(itertools.starmap(_part, found))
    return _object([mtime, f'"parts": [\n{parts}\n            ]', size], 8)


def _part(part: Placed, sector: int, read: Read) -> str:
    names, length = _filenames(part, 20), f'"length": {part.length}'
    fields = [*_chunks(read), names, length, *_where(sector, read), f'"start": {part.start}']
    return 16 * " " + _object(fields, 16)


def _where(sector: int, read: Read) -> tuple[str, str]:
    return f'"sector": {sector:{_SECTOR_WIDTH}}', f'"sha256": "{read.sha256}"'


def _chunks(read: Read) -> tuple[str, ...]:
    return (f'"chunks": "{read.chunks}"',) if read.chunks else ()


def _filenames(placed: Placed, indent: int) -> str:
    names = [f"{json.dumps(disc_path(path), ensure_ascii=False)}: null" for path in placed.paths]
    return f'"filenames": {_object(names, indent)}'


def _object(fields: Iterable[str], indent: int) -> str:
    """An object whose fields stand one a line, four blanks further in than its own line."""
    inner = "\n" + (indent + 4) * " "
    return "{" + inner + ("," + inner).join(fields) + "\n" + indent * " " + "}"


def sums_line(path: DiscPath, sha256: str) -> bytes:
    r"""A line of SHA256SUMS. As in coreutils 9: names with ``\``, newline or CR are escaped and the line says so."""
    name = "/".join(path)
    escaped = name.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    return f"{'' if escaped == name else chr(92)}{sha256}  {escaped}\n".encode()


def entry_line(entry: Entry) -> bytes:
    """A line of the entry list: ASCII JSON; bytes of names that are no UTF-8 appear as U+DC80 to U+DCFF."""
    value: dict[str, Any] = {
        "path": _text(entry.path),
        "type": entry.kind,
        "mode": f"{entry.mode:o}",
        "uid": entry.uid,
        "gid": entry.gid,
        "mtime_ns": entry.mtime_ns,
    }
    if entry.kind == "file":
        value |= {"size": entry.size, "ino": entry.ino}
    if entry.digest is not None:
        value["blake3"] = entry.digest.hex()
    if entry.target is not None:
        value["target"] = _text(entry.target)
    own = _text(entry.path)
    if entry.differs:
        value["differs"] = entry.differs
    if entry.place and "/".join(entry.place) != f"{DATA}/{own}":
        value["disc"] = "/".join(entry.place)
    if [(start, length) for start, length, _ in entry.parts] == [(0, entry.size)]:
        path = "/".join(entry.parts[0][2])
        if path != f"{DATA}/{own}":
            value["disc"] = path
    elif entry.parts:
        value["parts"] = [[start, length, "/".join(path)] for start, length, path in entry.parts]
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"


def entries_text(entries: Iterable[Entry]) -> Iterator[bytes]:
    """The lines of the entry list, its head line first."""
    yield json.dumps({"format": "odarchive entries", "version": 1}).encode() + b"\n"
    yield from map(entry_line, entries)


def disc_path(path: DiscPath) -> str:
    """A path as texts on the disc name it: from the root, with a leading slash."""
    return "/" + "/".join(path)


def readme(
    *, label: str, segment: int, archive: str, created_ns: int, has_set_catalogue: bool, sealed: bool = False
) -> bytes:
    """The disc in plain words."""
    if sealed:
        return readme_sealed(label, segment, archive, stamp_text(created_ns))
    whole = (
        f"- {SET}/{SET_CATALOGUE}: the catalogue of the whole archive as known when this disc was made: every name of\n"
        "  every source and on which disc it lies (gzip, one JSON object per line).\n"
        if has_set_catalogue
        else ""
    )
    return (
        f"# {label}\n\n"
        f"This is disc {segment} of an archive of files, made {stamp_text(created_ns)} UTC by odarchive.\n"
        f"The archive's id is {archive}.\n\n"
        "You need no special software to read it: the files lie in the folder DATA under their names, as ordinary\n"
        "files. Two file systems lead to the same bytes: UDF, which any current system shows, and ISO 9660 with Rock\n"
        "Ridge, which Unix systems show; whatever knows neither sees numbered names in plain ISO 9660.\n\n"
        "## What is here\n\n"
        f"- {DATA}/: the files, one folder per archived source.\n"
        f"- {SUMS}: SHA-256 of every file. Check them: sha256sum -c {SUMS}\n"
        f"- {RESTORE}: rebuilds the original folders from this and the other discs of the set, with the names, times,\n"
        f"  links and permissions that a disc cannot hold. It needs Python 3 only: python3 {RESTORE} --help\n"
        f"- {CATALOGUE}: per content: BLAKE3 and SHA-256, size, names, and the first sector on this disc, so that its\n"
        "  bytes can be read at sector x 2048 even if the file systems are damaged.\n"
        f"- {DISC_INFO}: who this disc is.\n"
        f"- {SET}/{ENTRIES}: every name this disc carries with all its attributes (one JSON object per line). Names\n"
        "  that a disc cannot hold appear in DATA as prefix~digits; the line has the original and the reason.\n"
        "  Symbolic links are shown by ISO 9660 with Rock Ridge and listed here.\n"
        f"{whole}\n"
        "## Files in parts\n\n"
        "A file larger than a disc lies in parts on several discs: name~at0000000000000000 begins at byte 0,\n"
        "name~at0000000025000000 at byte 25000000. Put them together in the order of their names with cat, or let\n"
        f"{RESTORE} do it.\n"
    ).encode()


def restore_script() -> bytes:
    """The program that rebuilds trees from discs, as it stands on each of them."""
    return importlib.resources.files(__package__).joinpath("restore_script.py").read_bytes()


def unseal_script() -> bytes:
    """The program that decrypts, as it stands on each encrypted disc."""
    return importlib.resources.files(__package__).joinpath("unseal_script.py").read_bytes()


def fixed_bytes(*, sealed: bool = False) -> int:
    """Upper bound of the bytes of the own files of a disc that holds nothing."""
    text = readme(label="X" * 32, segment=10**9, archive="X" * 36, created_ns=0, has_set_catalogue=True, sealed=sealed)
    scripts = len(restore_script()) + (len(unseal_script()) if sealed else 0)
    return len(text) + scripts + INFO_SIZE + _HEADS * (2 if sealed else 1)


def disc_info(*, label: str, segment: int, archive: str, disc: str, created_ns: int, sealed: bool = False) -> bytes:
    """Who the disc is, in the size that a stamp keeps. ``disc_num`` and ``num_discs`` are words, as the ancestor's."""
    facts = {
        "date": stamp_text(created_ns),
        "disc_num": str(segment),
        "num_discs": "unknown",
        "archive_id": archive,
        "disc_id": disc,
        "label": label,
        "format_version": FORMAT_VERSION,
        "software": "odarchive",
    }
    if sealed:
        facts["encrypted"] = AGE
    return pad_json(facts, INFO_SIZE)


def stamp_text(time_ns: int) -> str:
    """UTC, without zone, seconds; times a date cannot express become its nearest."""
    seconds = min(max(time_ns // 10**9, -62_135_596_800), 253_402_300_799)
    return (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")
