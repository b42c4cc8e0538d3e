"""Discs made by other programs join the archive: their names as a source, their contents by the digests they tell.

A content that nobody has read here has no BLAKE3 yet. Its row holds a stand-in, the BLAKE3 of the digest that is known
(``stand_in``), and ``content_alias.unread`` says so; it never equals the BLAKE3 of any file's bytes. When the bytes
have been read beside the catalogue (``Read``), the row holds the truth, and equal files are never burned again.

Everything is recorded in one transaction: half a catalogue is never imported.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from stat import S_IFDIR, S_IFREG

from sqlalchemy import Connection, insert, select

from odarchive.ancestor import ForeignFile
from odarchive.catalogue import contents, schema, sources, words
from odarchive.catalogue.database import driver
from odarchive.catalogue.entries import INO_BLOCK
from odarchive.catalogue.sources import Seen
from odarchive.digest import content_digest
from odarchive.errors import OdarchiveError
from odarchive.model import SnapshotId


@dataclass(frozen=True, slots=True)
class Read:
    """A file whose bytes were read and are right."""

    blake3: bytes
    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class ForeignSet:
    """What is to be imported. ``sizes``, ``times``: by path where the catalogue does not tell. ``read``: by path."""

    origin: str
    label: str
    source: bytes
    path: bytes
    files: Sequence[ForeignFile]
    sizes: Mapping[bytes, int]
    times: Mapping[bytes, int]
    read: Mapping[bytes, Read]
    now_ns: int


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import recorded. ``new``: contents that the archive did not know."""

    snapshot: SnapshotId
    files: int
    bytes: int
    new: int
    discs: tuple[str, ...]


def stand_in(algorithm: str, digest: bytes) -> bytes:
    """In the place of the BLAKE3 of a content that was not read."""
    return content_digest(b"odarchive: not read, known by its " + algorithm.encode() + b"\0" + digest)


def record(connection: Connection, given: ForeignSet) -> Imported:
    """Record discs of another program, in the caller's write transaction.

    Raises:
        OdarchiveError: it was imported already, its name is taken, or a size is not known.
    """
    table = schema.source
    if connection.execute(select(table.c.id).where(table.c.name == given.source)).first() is not None:
        raise OdarchiveError(
            f"the archive has a source {sources.printable(given.source)} already; choose another name (--as)"
        )
    source = sources.claim(connection, given.path, given.source, given.source, given.now_ns)
    snapshot = sources.begin(connection, source.id, given.now_ns)
    discs = _discs(connection, given)
    contents, new = _contents(connection, given, discs)
    parent, _ = sources.surroundings(connection, source)
    writer = _Names(connection, snapshot, given)
    writer.write(parent, source.name.rsplit(b"/", 1)[-1], contents)
    total = sum(size_of(given, file) for file in given.files)
    sources.finish(connection, snapshot, Seen(len(given.files), total), given.now_ns)
    return Imported(snapshot, len(given.files), total, new, tuple(discs))


def size_of(given: ForeignSet, file: ForeignFile) -> int:
    """The size of a file.

    Raises:
        OdarchiveError: nobody tells.
    """
    read = given.read.get(file.path)
    size = read.size if read is not None else file.size if file.size is not None else given.sizes.get(file.path)
    if size is None:
        raise OdarchiveError(
            f"{given.origin}: the size of {sources.printable(file.path)} is not known; checksum files tell none, so "
            "import them from the mounted disc, where the files lie beside them"
        )
    return size


def _discs(connection: Connection, given: ForeignSet) -> dict[str, int]:
    """Foreign discs by label."""
    found: dict[str, int] = {}
    for number in sorted({file.disc for file in given.files}, key=lambda one: (one is not None, one or "")):
        label = given.label if number is None else f"{given.label}-{number}"
        values = {"label": label, "origin": given.origin, "imported_ns": given.now_ns}
        row = connection.execute(insert(schema.foreign_disc).values(values).returning(schema.foreign_disc.c.id))
        found[label] = row.scalar_one()
    return found


def _contents(connection: Connection, given: ForeignSet, discs: Mapping[str, int]) -> tuple[dict[bytes, int], int]:
    """Contents by path; how many of them are new."""
    raw = driver(connection)
    found: dict[bytes, int] = {}
    new = 0
    for file in given.files:
        size = size_of(given, file)
        if size == 0:
            continue
        read = given.read.get(file.path)
        known = raw.execute(
            "SELECT content, size, unread FROM content_alias JOIN content ON content.id = content"
            " WHERE algorithm = ? AND content_alias.digest = ?",
            (file.algorithm, file.digest),
        ).fetchone()
        if known is not None and known[1] != size:
            raise OdarchiveError(
                f"{given.origin}: {sources.printable(file.path)} has {size} bytes, the archive knows the same digest "
                f"with {known[1]}; one of the two catalogues is damaged"
            )
        blake3 = stand_in(file.algorithm, file.digest) if read is None else read.blake3
        if known is not None:
            content = _better(connection, known, read)
        else:
            content, added = contents.keep(raw, blake3, size)
            new += added
            row = (file.algorithm, file.digest, content, int(read is None))
            raw.execute("INSERT INTO content_alias (algorithm, digest, content, unread) VALUES (?, ?, ?, ?)", row)
        label = given.label if file.disc is None else f"{given.label}-{file.disc}"
        place = (content, discs[label], file.on_disc, None if read is None else given.now_ns)
        raw.execute("INSERT OR IGNORE INTO foreign_place (content, disc, path, checked_ns) VALUES (?, ?, ?, ?)", place)
        found[file.path] = content
    return found, new


def _better(connection: Connection, known: tuple[int, int, int], read: Read | None) -> int:
    """The content of a known digest; its BLAKE3 is recorded if it was not known and no other content has it."""
    content, _, unread = known
    if read is not None and unread:
        raw = driver(connection)
        twin = contents.number_of(raw, read.blake3)
        if twin is not None:
            return twin
        raw.execute("UPDATE content SET digest = ? WHERE id = ?", (read.blake3, content))
        raw.execute("UPDATE content_alias SET unread = 0 WHERE content = ?", (content,))
    return content


class _Names:
    """Writes the tree of one import."""

    def __init__(self, connection: Connection, snapshot: SnapshotId, given: ForeignSet) -> None:
        self._raw = driver(connection)
        self._snapshot, self._given = snapshot, given
        self._next = self._last = 0

    def write(self, parent: int, name: bytes, numbers: Mapping[bytes, int]) -> None:
        """All entries below the source's directory."""
        folders = {b"": self._put(parent, name, (S_IFDIR | 0o755, 2, 0, self._given.now_ns, None))}
        for file in sorted(self._given.files, key=lambda one: one.path):
            above, _, last = file.path.rpartition(b"/")
            read = self._given.read.get(file.path)
            mtime = file.mtime_ns if file.mtime_ns is not None else self._given.times.get(file.path, 0)
            mtime = read.mtime_ns if read is not None and file.mtime_ns is None else mtime
            size = size_of(self._given, file)
            state = (S_IFREG | 0o644, 1, size, mtime, numbers.get(file.path))
            self._put(self._folder(folders, above), last, state)

    def _folder(self, folders: dict[bytes, int], path: bytes) -> int:
        if path not in folders:
            above, _, last = path.rpartition(b"/")
            parent = self._folder(folders, above)
            folders[path] = self._put(parent, last, (S_IFDIR | 0o755, 2, 0, self._given.now_ns, None))
        return folders[path]

    def _put(self, parent: int, name: bytes, state: tuple[int, int, int, int, int | None]) -> int:
        if self._next >= self._last:
            self._raw.execute("UPDATE counter SET value = value + ? WHERE name = 'ino'", (INO_BLOCK,))
            (self._last,) = self._raw.execute("SELECT value FROM counter WHERE name = 'ino'").fetchone()
            self._next = self._last - INO_BLOCK
        ino = self._next
        self._next += 1
        mode, nlink, size, mtime, content = state
        # Names that a scan cannot find again are carried by the next catalogue, as a disc of their own is elsewhere.
        carrier = 0 if content is None else None
        self._raw.execute(
            "INSERT INTO entry (parent, name, since, ino, mode, nlink, uid, gid, size, mtime_ns, ctime_ns, src_dev,"
            " src_ino, content, carrier) VALUES (?, ?, ?, ?, ?, ?, 0, 0, ?, ?, 0, 0, 0, ?, ?)",
            (parent, name, self._snapshot, ino, mode, nlink, size, mtime, content, carrier),
        )
        words.add(self._raw, [(ino, name.decode("utf-8", "replace"))], [])
        return ino


def places(connection: Connection, content: int) -> list[tuple[str, bytes, bool]]:
    """Discs of other programs that carry a content: label, path on the disc, whether it was read there."""
    rows = driver(connection).execute(
        "SELECT label, path, checked_ns IS NOT NULL FROM foreign_place JOIN foreign_disc ON foreign_disc.id = disc"
        " WHERE content = ? ORDER BY disc",
        (content,),
    )
    return [(row[0], row[1], bool(row[2])) for row in rows]
