"""What a disc says of itself, from bytes to checked values: its ``disc_info.json``, ``catalogue.json`` and lists.

``odarchive/FORMAT.md`` specifies them. Hostile bytes give BadDisc, never another error and never more memory than a
few times their own size; lists are read line by line.
"""

import json
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from odarchive.chunks import CHUNK, CHUNK_DIGEST
from odarchive.digest import DIGEST_SIZE
from odarchive.image.identity import DiscIdentity
from odarchive.offline.errors import BadDisc

LONGEST_LINE = 1 << 20
MOST_RATIO = 400
"""A compressed catalogue that grows by more than this is a bomb; real ones grow five- to tenfold."""
_SLACK = 1 << 20
_HEX = re.compile("[0-9a-f]{64}", re.ASCII)
_MOST = 2**62

Row = Mapping[str, Any]
"""A line of a list: an object of whatever somebody wrote."""


@dataclass(frozen=True, slots=True)
class OnDisc:
    """A content, or a range of one, as a disc's ``catalogue.json`` has it."""

    digest: bytes
    size: int
    start: int
    length: int
    sector: int
    sha256: bytes
    """Of the range."""
    paths: tuple[str, ...]
    """From the root of the disc, without leading slash."""
    chunks: bytes
    """Chunk digests of the range, joined; empty if the disc has none."""
    stored: bytes = b""
    """BLAKE3 of the age file that stands there; empty if it is not encrypted."""
    stored_size: int = 0


@dataclass(frozen=True, slots=True)
class DiscCatalogue:
    """A disc's ``catalogue.json``."""

    archive: str
    segment: int
    label: str
    capacity: int
    date: str
    contents: tuple[OnDisc, ...]
    encrypted: bool = False
    """It tells of age files; another catalogue, itself encrypted, of what is in them."""
    recipients: tuple[str, ...] = ()
    """Whom the archive is encrypted to, in the inner one."""


def disc_info(text: bytes) -> DiscIdentity:
    """Who a disc is, by its ``disc_info.json``; without the image's size."""
    value = _object(_json(text, "disc_info.json"), "disc_info.json")
    try:
        return DiscIdentity(_string(value, "archive_id"), _string(value, "disc_id"), _string(value, "label"))
    except ValueError as error:
        raise BadDisc(f"disc_info.json: {error}") from None


def encrypted(text: bytes) -> bool:
    """Whether a disc is encrypted, by its ``disc_info.json``."""
    return _object(_json(text, "disc_info.json"), "disc_info.json").get("encrypted") is not None


def age(text: bytes) -> tuple[str, int]:
    """Date and number of a disc by its ``disc_info.json``: what is newer is greater."""
    value = _object(_json(text, "disc_info.json"), "disc_info.json")
    number = _string(value, "disc_num")
    return _string(value, "date"), int(number) if number.isascii() and number.isdigit() and len(number) < 16 else 0


def catalogue(text: bytes) -> DiscCatalogue:
    """Read ``catalogue.json`` of format version 3."""
    value = _object(_json(text, "catalogue.json"), "catalogue.json")
    if value.get("version") != 3 or value.get("digest") != "blake3":
        raise BadDisc(f"catalogue.json is of version {value.get('version')!r}; only version 3 is known")
    contents: list[OnDisc] = []
    for name, record in _object(value.get("files"), "files").items():
        contents += _contents(name, _object(record, "a file"))
    return DiscCatalogue(
        archive=_string(value, "guid"),
        segment=_number(value, "job_id", least=1),
        label=_string(value, "job_name"),
        capacity=_number(value, "segment_size"),
        date=_string(value, "date"),
        contents=tuple(contents),
        encrypted=value.get("encrypted") is not None,
        recipients=_words(value, "recipients"),
    )


def _words(value: Mapping[str, Any], key: str) -> tuple[str, ...]:
    found = value.get(key, [])
    if not isinstance(found, list) or not all(isinstance(word, str) and word.isascii() for word in found):
        raise BadDisc(f"catalogue.json: {key} are no words")
    return tuple(found)


def _contents(name: str, record: Mapping[str, Any]) -> Iterator[OnDisc]:
    if _HEX.fullmatch(name) is None:
        raise BadDisc("catalogue.json: a key is no digest")
    size = _number(record, "size", least=1)
    whole = {"start": 0, "length": size, **record}
    parts = record.get("parts", [whole])
    if not isinstance(parts, list):
        raise BadDisc("catalogue.json: parts are no list")
    for part in parts:
        found = _object(part, "a part")
        start, length = _number(found, "start"), _number(found, "length", least=1)
        if start + length > size:
            raise BadDisc("catalogue.json: a part lies outside its content")
        names = _object(found.get("filenames"), "filenames")
        paths = tuple(path.removeprefix("/") for path in names)
        chunks = _chunks(found, length)
        sector, sha256 = _number(found, "sector"), digest(found, "sha256")
        yield OnDisc(bytes.fromhex(name), size, start, length, sector, sha256, paths, chunks)


def _chunks(record: Mapping[str, Any], length: int) -> bytes:
    """The chunk digests of a range, if there are any; discs made before there were, have none."""
    text = record.get("chunks", "")
    if text == "":
        return b""
    if not isinstance(text, str) or len(text) != 2 * (-(-length // CHUNK)) * CHUNK_DIGEST:
        raise BadDisc("catalogue.json: chunks are of another length than what they are of")
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise BadDisc("catalogue.json: chunks are no digests") from None


def inflated(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The bytes of a gzip file, in pieces of at most a MiB."""
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
    packed = grown = 0
    for chunk in chunks:
        packed += len(chunk)
        waiting = chunk
        while waiting:
            try:
                data = unpacker.decompress(waiting, 1 << 20)
            except zlib.error as error:
                raise BadDisc(f"the compressed catalogue is damaged: {error}") from None
            waiting = unpacker.unconsumed_tail
            grown += len(data)
            if grown > packed * MOST_RATIO + _SLACK:
                raise BadDisc("the compressed catalogue grows beyond all measure; it is not read")
            yield data
    if not unpacker.eof:
        raise BadDisc("the compressed catalogue is cut off")


def set_catalogue(chunks: Iterable[bytes]) -> Iterator[Row]:
    """The rows of the catalogue of a whole archive, from its file on a disc."""
    return lines(inflated(chunks), "odarchive catalogue")


def lines(chunks: Iterable[bytes], kind: str) -> Iterator[Row]:
    """The objects of a JSON-lines list whose head line says ``kind``, without the head."""
    rows = (_object(_line(line, kind), kind) for line in _split(chunks, kind))
    head = next(rows, None)
    if head is None or head.get("format") != kind or head.get("version") != 1:
        raise BadDisc(f"this is no list of kind {kind!r}, or of a version that is not known")
    return rows


def name(value: Mapping[str, Any], key: str) -> bytes:
    """A name: bytes that are not UTF-8 stand as U+DC80 to U+DCFF."""
    try:
        return _string(value, key).encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise BadDisc(f"{key} is no name") from None


def digest(value: Mapping[str, Any], key: str) -> bytes:
    """A digest in hexadecimal."""
    text = _string(value, key)
    if _HEX.fullmatch(text) is None or len(text) != 2 * DIGEST_SIZE:
        raise BadDisc(f"{key} is no digest")
    return bytes.fromhex(text)


def octal(value: Mapping[str, Any], key: str) -> int:
    """Permissions as octal digits."""
    text = _string(value, key)
    if re.fullmatch("[0-7]{1,4}", text, re.ASCII) is None:
        raise BadDisc(f"{key} is no permissions")
    return int(text, 8)


def number(value: Mapping[str, Any], key: str, *, least: int = 0) -> int:
    """A whole number of at least ``least`` that fits into 62 bits."""
    return _number(value, key, least=least)


def _split(chunks: Iterable[bytes], kind: str) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        if len(rest) > LONGEST_LINE:
            raise BadDisc(f"{kind}: a line is longer than any that is written here")
        yield from whole
    if rest:
        yield rest


_decode = json.JSONDecoder().raw_decode
"""What ``json.loads`` does in the end, without the calls around it: lists have millions of lines."""


def _line(text: bytes, where: str) -> Any:  # noqa: ANN401  whatever somebody wrote
    """As `_json`, for lines."""
    try:
        line = text.decode("utf-8", "surrogatepass")
        value, end = _decode(line)
    except (ValueError, RecursionError):
        return _json(text, where)
    return value if end == len(line) else _json(text, where)


def _json(text: bytes, where: str) -> Any:  # noqa: ANN401  whatever somebody wrote
    try:
        return json.loads(text.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError):
        raise BadDisc(f"{where} is not JSON") from None


def _object(value: Any, where: str) -> Mapping[str, Any]:  # noqa: ANN401  whatever somebody wrote
    if not isinstance(value, dict):
        raise BadDisc(f"{where} is no object")
    return value


def _string(value: Mapping[str, Any], key: str) -> str:
    found = value.get(key)
    if not isinstance(found, str):
        raise BadDisc(f"{key} is missing or no text")
    return found


def _number(value: Mapping[str, Any], key: str, *, least: int = 0) -> int:
    found = value.get(key)
    if not isinstance(found, int) or isinstance(found, bool) or not least <= found < _MOST:
        raise BadDisc(f"{key} is missing or no number in range")
    return found
