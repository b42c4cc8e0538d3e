"""Catalogues of discs made earlier by other programs, as values: ``catalogue.json`` and checksum files. Pure.

``catalogue.json`` (FORMAT.md has its history): version 1 ``{"version": 1, "files": {HASH: {"filenames": {PATH: null},
"size": N, "mtime": ...}}}``, version 2 with names below ``iso_path_root``, times as ``YYYY-mm-ddTHH:MM:SS`` and
``disc_num``. Hashes are SHA-512. Checksum files are those of coreutils: ``HASH  NAME`` or ``HASH *NAME``, a leading
backslash says that the name is escaped. What is not understood is an error with its place; nothing is guessed.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from odarchive.errors import DamageFound

LENGTHS = {"sha1": 40, "sha256": 64, "sha512": 128}
"""Hexadecimal digits of the digests that are understood."""
MAX_SIZE = 1 << 62
_HEX = re.compile(r"[0-9a-fA-F]+")
_LINE = re.compile(rb"(\\?)([0-9a-fA-F]{40,128}) [ *](.+)")
_ESCAPES = {b"\\\\": b"\\", b"\\n": b"\n", b"\\r": b"\r"}


@dataclass(frozen=True, slots=True)
class ForeignFile:
    """One name on a disc. ``size``, ``mtime_ns`` and ``disc`` are None where the catalogue does not tell."""

    path: bytes
    """Relative to the tree that was archived."""
    on_disc: bytes
    """Relative to the disc."""
    algorithm: str
    digest: bytes
    size: int | None
    mtime_ns: int | None
    disc: str | None


@dataclass(frozen=True, slots=True)
class ForeignCatalogue:
    """What one catalogue file tells; ``job`` names the set if it has a name."""

    files: tuple[ForeignFile, ...]
    job: str


def parse_json(data: bytes, where: str) -> ForeignCatalogue:
    """A ``catalogue.json`` of version 1 or 2.

    Raises:
        DamageFound: it is none; names ``where`` and what is wrong.
    """
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise DamageFound(f"{where}: no JSON ({error}); copy it from the disc again") from error
    if not isinstance(document, dict):
        raise DamageFound(f"{where}: no catalogue: it is a {type(document).__name__}, not an object")
    version = document.get("version")
    if version not in (1, 2) or isinstance(version, bool):
        raise DamageFound(f"{where}: version {version!r} of a catalogue is not known; versions 1 and 2 are read")
    files = document.get("files")
    if not isinstance(files, dict):
        raise DamageFound(f'{where}: no catalogue: "files" is missing or no object')
    root = document.get("iso_path_root", "/DATA")
    if not isinstance(root, str):
        raise DamageFound(f'{where}: "iso_path_root" is {root!r}, not a path')
    job = document.get("job_name")
    found = [file for digest, record in files.items() for file in _files(digest, record, root, where)]
    _once(found, where)
    return ForeignCatalogue(tuple(found), job if isinstance(job, str) else "")


def _files(digest: str, record: Any, root: str, where: str) -> Iterator[ForeignFile]:  # noqa: ANN401  anything JSON has
    here = f"{where}: files: {digest[:16]}..."
    algorithm = next((name for name, length in LENGTHS.items() if length == len(digest)), None)
    if algorithm is None or not _HEX.fullmatch(digest):
        raise DamageFound(f"{here}: no SHA-512 digest")
    if not isinstance(record, dict) or not isinstance(record.get("filenames"), dict) or not record["filenames"]:
        raise DamageFound(f'{here}: no "filenames"')
    size = record.get("size")
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= MAX_SIZE:
        raise DamageFound(f'{here}: "size" is {size!r}')
    number = record.get("disc_num")
    if number is not None and not isinstance(number, int | str):
        raise DamageFound(f'{here}: "disc_num" is {number!r}')
    mtime = _time(record.get("mtime"), here)
    for name in record["filenames"]:
        path = name.removeprefix(root.rstrip("/")) if name.startswith(root.rstrip("/") + "/") else name
        yield ForeignFile(
            path=_path(_bytes(path, here), here),
            on_disc=_path(_bytes(name, here), here),
            algorithm=algorithm,
            digest=bytes.fromhex(digest),
            size=size,
            mtime_ns=mtime,
            disc=None if number is None else str(number),
        )


def _time(value: Any, here: str) -> int | None:  # noqa: ANN401  anything JSON has
    """Times were written without a zone; they are taken as UTC, so that every machine imports the same."""
    if value is None:
        return None
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return int(value) * 1_000_000_000 if abs(value) < 9e9 else None
        moment = datetime.fromisoformat(value)
        return int(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()) * 1_000_000_000
    except (TypeError, ValueError, OverflowError) as error:
        raise DamageFound(f'{here}: "mtime" is {value!r}') from error


def parse_sums(data: bytes, where: str) -> ForeignCatalogue:
    """A checksum file as sha256sum and sha512sum write it.

    Raises:
        DamageFound: a line is none; names ``where`` and the line.
    """
    found = []
    for number, line in enumerate(data.split(b"\n"), 1):
        if not line.strip() or line.startswith(b"#"):
            continue
        here = f"{where}, line {number}"
        match = _LINE.fullmatch(line.rstrip(b"\r"))
        algorithm = next((name for name, length in LENGTHS.items() if match and length == len(match[2])), None)
        if match is None or algorithm is None:
            raise DamageFound(f"{here}: no checksum; a line is a SHA-1, SHA-256 or SHA-512 digest and a name")
        name = re.sub(rb"\\[\\nr]", lambda one: _ESCAPES[one[0]], match[3]) if match[1] else match[3]
        path = _path(name, here)
        found.append(ForeignFile(path, path, algorithm, bytes.fromhex(match[2].decode()), None, None, None))
    if not found:
        raise DamageFound(f"{where}: no checksums in it")
    _once(found, where)
    return ForeignCatalogue(tuple(found), "")


def _bytes(text: str, here: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise DamageFound(f"{here}: {text!r} is no name") from error


def _path(name: bytes, here: str) -> bytes:
    parts = [part for part in name.split(b"/") if part not in (b"", b".")]
    if not parts or b".." in parts or b"\0" in name or any(len(part) > 255 for part in parts):
        raise DamageFound(f"{here}: {name[:80]!r} is no path below the disc")
    return b"/".join(parts)


def _once(files: list[ForeignFile], where: str) -> None:
    """No name twice, and none that is also a folder."""
    seen: dict[bytes, ForeignFile] = {}
    for file in files:
        if file.path in seen:
            raise DamageFound(f"{where}: {file.path!r} is in it twice")
        seen[file.path] = file
    for path in seen:
        above = path
        while b"/" in above:
            above = above.rsplit(b"/", 1)[0]
            if above in seen:
                raise DamageFound(f"{where}: {above!r} is a file and a folder at once")
