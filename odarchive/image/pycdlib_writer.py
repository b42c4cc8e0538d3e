"""Images by pycdlib: the first ImageWriter, with guard rails around what the library does not check itself.

Known of pycdlib 1.22 (read and measured): a duplicate UDF name is accepted and corrupts the volume; siblings with equal
raw bytes do too; a refused name leaves its accounting wrong; a short source becomes zeros without an error; the last
anchor need not end a burn unit; unsorted insertion is quadratic. So everything is checked before the library is called,
names are numbered in order, and sources are read through a file object that knows its size. The volume is UDF 1.02,
whatever the option is called.

No Rock Ridge (its relocation of deep trees breaks several readers) and no symlinks (7-Zip refuses a UDF volume that
holds one): both are in the disc's entry list.
"""

import io
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO

from pycdlib.pycdlib import PyCdlib

from odarchive.image.identity import is_label
from odarchive.image.names import MAX_LATIN1, MAX_UTF16
from odarchive.image.spec import Attributes, DiscPath, File, ImageTree
from odarchive.image.writer import ImageRefused, Progress
from odarchive.model import SECTOR

_UNIT_SECTORS = 32
_BLOCK = 1 << 20
_ISO_DEPTH = 7
"""Components of the deepest path of plain ISO 9660 (ECMA-119 6.8.2.1); what lies deeper is in UDF only."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_OLDEST, _NEWEST = -62_135_596_800, 253_402_300_799
"""The years 1 and 9999, in seconds."""


class PycdlibWriter:
    """An :class:`odarchive.image.writer.ImageWriter`."""

    def prepare(self, tree: ImageTree) -> "PycdlibImage":
        """See the port. The image needs a seekable file and memory for its directories (about 4 KB a file)."""
        _check(tree)
        return PycdlibImage(tree)


class PycdlibImage:
    """A laid-out image; see the port."""

    def __init__(self, tree: ImageTree) -> None:
        self._tree = tree
        self._iso: Any = PyCdlib()
        self._iso.new(interchange_level=3, udf="2.60", vol_ident=tree.volume.label, app_ident_str="ODARCHIVE")
        self._sources = [_Source(file) for file in tree.files]
        self._iso_paths = _IsoPaths()
        self._add_directories()
        for file, source in zip(tree.files, self._sources, strict=True):
            self._add_file(file, source)
        self._iso.force_consistency()  # before any get_record: that lays everything out anew after each addition
        self._set_all_attributes()
        self._end_on_unit()
        self.size: int = self._iso.pvd.space_size * SECTOR
        self.sectors: Sequence[int] = [self._sector(file) for file in tree.files]

    def write(self, out: BinaryIO, progress: Progress | None = None) -> None:
        """See the port."""
        total = self.size

        def told(done: int, _total: int) -> None:
            if progress is not None:
                progress(done, total)

        self._iso.write_fp(out, blocksize=_BLOCK, progress_cb=told)
        out.flush()

    def _add_directories(self) -> None:
        for directory in sorted(self._tree.directories, key=lambda directory: directory.path):
            udf = _text(directory.path)
            self._iso.add_directory(iso_path=self._iso_paths.directory(directory.path), udf_path=udf)

    def _add_file(self, file: File, source: "_Source") -> None:
        first, *others = file.paths
        iso = self._iso_paths.file(first, file.iso_name)
        self._iso.add_fp(source, file.size, iso_path=iso, udf_path=_text(first))
        for path in others:
            self._iso.add_hard_link(udf_old_path=_text(first), udf_new_path=_text(path))
            other = self._iso_paths.file(path, "")
            if other is not None and file.size <= 0xFFFFF800:  # larger files are several records: not for a link
                self._iso.add_hard_link(udf_old_path=_text(first), iso_new_path=other)

    def _set_all_attributes(self) -> None:
        for directory in self._tree.directories:
            record = self._iso.get_record(udf_path=_text(directory.path))
            _set_attributes(record, directory.attributes, is_directory=True)
        for file in self._tree.files:
            for path in file.paths:  # all share one File Entry on the disc; whichever is written must be right
                record = self._iso.get_record(udf_path=_text(path))
                record.file_link_count = len(file.paths)
                _set_attributes(record, file.attributes, is_directory=False)

    def _end_on_unit(self) -> None:
        """Move the last anchor to the end of a burn unit: readers look for it in the last block of the medium."""
        iso = self._iso
        used = iso.pvd.space_size
        size = -(-used // _UNIT_SECTORS) * _UNIT_SECTORS
        main, reserve = iso.udf_main_descs, iso.udf_reserve_descs
        iso.udf_anchors[-1].set_extent_location(
            size - 1, main.pvds[0].extent_location(), reserve.pvds[0].extent_location()
        )
        for pvd in iso.pvds:
            pvd.space_size = size
        start = main.partitions[0].part_start_location
        for sequence in (main, reserve):
            sequence.partitions[0].part_length = used - 1 - start
        iso.udf_logical_volume_integrity.size_tables[0] = used - 1 - start

    def _sector(self, file: File) -> int:
        if file.size == 0:
            return 0
        return int(self._iso.get_record(udf_path=_text(file.paths[0])).inode.extent_location())


class _Source(io.RawIOBase):
    """What pycdlib reads a file from: opened late, closed at its end, and never short without an error."""

    def __init__(self, file: File) -> None:
        super().__init__()
        self._file = file
        self._open: BinaryIO | None = None
        self._left = file.size

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Only to the beginning, which is what the library asks for before it copies."""
        if offset != 0 or whence != io.SEEK_SET:
            raise io.UnsupportedOperation("this file is read once, from its beginning")
        self._done()
        self._left = self._file.size
        return 0

    def read(self, size: int = -1, /) -> bytes:
        """Exactly ``size`` bytes, or what is left of the file.

        Raises:
            ImageRefused: the source ended early.
        """
        wanted = self._left if size < 0 else min(size, self._left)
        if self._open is None:
            self._open = self._file.open()
        blocks = []
        while wanted > 0:
            block = self._open.read(wanted)
            if not block:
                raise ImageRefused(f"{_text(self._file.paths[0])!r} ended {self._left} bytes early; scan it again")
            blocks.append(block)
            wanted -= len(block)
            self._left -= len(block)
        if self._left == 0:
            self._done()
        return blocks[0] if len(blocks) == 1 else b"".join(blocks)

    def _done(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None


class _IsoPaths:
    """Numbered ISO 9660 names, as deep as plain ISO 9660 goes."""

    def __init__(self) -> None:
        self._directories: dict[DiscPath, str] = {(): ""}
        self._count = 0

    def directory(self, path: DiscPath) -> str | None:
        """The ISO path of a directory; None: too deep, it is in UDF only."""
        parent = self._directories.get(path[:-1])
        if parent is None or len(path) >= _ISO_DEPTH:
            return None
        name = path[0] if len(path) == 1 else f"D{self._next()}"
        self._directories[path] = f"{parent}/{name}"
        return self._directories[path]

    def file(self, path: DiscPath, name: str) -> str | None:
        """The ISO path of a file; None as above."""
        parent = self._directories.get(path[:-1])
        return None if parent is None else f"{parent}/{name or f'F{self._next()}.'};1"

    def _next(self) -> str:
        self._count += 1
        return f"{self._count:07d}"


def _text(path: DiscPath) -> str:
    return "/" + "/".join(path)


def _set_attributes(record: Any, attributes: Attributes, *, is_directory: bool) -> None:  # noqa: ANN401  untyped library
    """Times exact to the microsecond, owner and permissions (ECMA-167 1/7.3 and 4/14.9.5)."""
    record.uid, record.gid = (min(max(number, 0), 0xFFFFFFFE) for number in (attributes.uid, attributes.gid))
    record.perms = _permissions(attributes.mode, is_directory=is_directory)
    seconds, rest = divmod(attributes.mtime_ns, 10**9)
    moment = _EPOCH + timedelta(seconds=min(max(seconds, _OLDEST), _NEWEST))
    micro = rest // 1000
    for stamp in (record.mod_time, record.access_time, record.attr_time):
        stamp.tz, stamp.timetype = 0, 1
        stamp.year, stamp.month, stamp.day = moment.year, moment.month, moment.day
        stamp.hour, stamp.minute, stamp.second = moment.hour, moment.minute, moment.second
        stamp.centiseconds, micros = divmod(micro, 10_000)
        stamp.hundreds_microseconds, stamp.microseconds = divmod(micros, 100)


def _permissions(mode: int, *, is_directory: bool) -> int:
    """UDF keeps five bits per class: execute, write, read, change attributes, delete; the last two follow write."""
    found = 0
    for place, bits in enumerate((mode & 7, mode >> 3 & 7, mode >> 6 & 7)):
        write = bits >> 1 & 1
        word = (bits & 1) | write << 1 | bits & 4 | (write << 4 if is_directory else 0)
        found |= word << (5 * place)
    return found


def _check(tree: ImageTree) -> None:
    """Every rule the library does not hold itself, before it is called."""
    if not is_label(tree.volume.label):
        raise ImageRefused(f"{tree.volume.label!r} is no volume label")
    directories = {directory.path for directory in tree.directories} | {()}
    siblings: set[tuple[DiscPath, bytes]] = set()
    for path in _paths(tree):
        if not path or path[:-1] not in directories:
            raise ImageRefused(f"{_text(path)!r} lies in no directory of the image")
        key = (path[:-1], _raw(path[-1]))
        if key in siblings:
            raise ImageRefused(f"{_text(path)!r} is in the image twice")
        siblings.add(key)


def _paths(tree: ImageTree) -> Iterator[DiscPath]:
    for directory in tree.directories:
        yield directory.path
    for file in tree.files:
        if not file.paths or file.size < 0:
            raise ImageRefused("a file of an image needs a name and a size")
        yield from file.paths


def _raw(name: str) -> bytes:
    """What UDF stores of a name; the names of ``names`` always pass."""
    try:
        raw, most = name.encode("latin-1"), MAX_LATIN1
    except UnicodeEncodeError:
        raw, most = name.encode("utf-16-be", "surrogatepass"), 2 * MAX_UTF16
    if not raw or len(raw) > most or {"/", "\0"} & set(name) or name in (".", ".."):
        raise ImageRefused(f"{name!r} is no name for a disc")
    return raw
