"""The writer's side of the cache: fill, keep, evict, account.

A file appears under its name only when all its bytes are there and its BLAKE3 digest is right (write to ``partial/``,
check, rename): what has the name is the content. Of large contents the chunks that are there can be read before
(``parts``). A content whose digest is a name in ``pinned/`` is never evicted; the mark may be there before the content.

Evicted is by last use, in groups: what lies near together on a disc was read together and will be again, so a group
goes when the last use of any of it is the oldest. Small files and the heads of large ones may be set to stay: they go
when nothing else is left. A disk has ``Keeping.free`` bytes left over, or what is here goes until it has.

Concurrency: used from one thread at a time (the librarian's); readers need no lock: an evicted file stays readable
through an open descriptor.
"""

import heapq
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from itertools import count
from pathlib import Path

from odarchive.cache.files import HAVE, PARTIAL, PINNED, filling_place, partial_place, place, throw_out, writing
from odarchive.cache.filling import Filling
from odarchive.cache.parts import Partial
from odarchive.cache.stock import note_near, partials, wholes
from odarchive.chunks import CHUNK, Grid
from odarchive.errors import DamageFound, NoSpace

_SHARE_FREE = 20
"""Never more than this part of a disk is left free for others."""


class CacheOrder(StrEnum):
    """What a person may ask for a content."""

    PIN = "pin"
    UNPIN = "unpin"
    EVICT = "evict"


@dataclass(frozen=True, slots=True)
class Keeping:
    """What is kept, in bytes."""

    quota: int
    """How much there may be in all; one content that is larger is let in alone."""
    free: int = 0
    """How much of the disk is left for others."""
    small: int = 0
    """Contents of at most this size go last."""
    head: int = 0
    """This much of the beginning of a large content stays when it goes, and goes last."""


@dataclass(slots=True)
class _File:
    size: int
    """Bytes it takes."""
    used_ns: int
    near: str
    part: bool
    """Only some chunks of it are here."""
    last: bool = False
    """It goes when nothing else is left."""


class Cache:
    """The checked contents of one folder."""

    def __init__(
        self, directory: Path, keeping: Keeping | int, grid_of: Callable[[bytes], Grid | None] | None = None
    ) -> None:
        """Take stock of ``directory`` (made if missing).

        Args:
            directory: the cache folder.
            keeping: how much may be there; a number is the quota.
            grid_of: the chunks of the content with a digest, for heads that stay.
        """
        self.directory = directory
        self.keeping = Keeping(keeping) if isinstance(keeping, int) else keeping
        self.used = 0
        """Bytes of all that is here."""
        self.pinned: set[bytes] = set()
        """Digests that are never evicted, here or not yet."""
        self._grid_of = grid_of or (lambda _: None)
        self._files: dict[bytes, _File] = {}
        self._open: dict[bytes, Partial] = {}
        self._fillings = count(1)
        (directory / PARTIAL).mkdir(parents=True, exist_ok=True)
        self._take_stock()
        self._read_pins()

    def __len__(self) -> int:
        return len(self._files)

    def __contains__(self, digest: bytes) -> bool:
        """Whether the whole content is here."""
        file = self._files.get(digest)
        if file is None or file.part:
            return False
        if os.path.exists(f"{self.directory}/{place(digest)}"):  # a Path raises when the disk is broken
            return True
        self._forget(digest)  # somebody emptied the folder by hand
        return False

    @property
    def quota(self) -> int:
        """Bytes that may be here."""
        return self.keeping.quota

    def parts(self) -> tuple[int, int]:
        """How many contents are here in part, and how many bytes of them."""
        sizes = [file.size for file in self._files.values() if file.part]
        return len(sizes), sum(sizes)

    def partly(self, most: int) -> list[tuple[bytes, int]]:
        """Contents that are here in part, with the bytes that are: ``most`` of them, the last used first."""
        found = [(file.used_ns, digest, file.size) for digest, file in self._files.items() if file.part and file.size]
        return [(digest, size) for _, digest, size in heapq.nlargest(most, found)]

    def begin(self, digest: bytes, size: int, near: str = "") -> Filling:
        """Make room for a content that comes as a whole and open it for writing. ``near``: its group.

        It has a file of its own: the chunks that are here of it, and whoever adds to them or fills it as well, are not
        touched before it is admitted.

        Raises:
            NoSpace: the disk has no room even with everything evicted.
        """
        path = self.directory / filling_place(digest, next(self._fillings))
        with writing(self.directory):
            self._make_room(size, digest)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        return Filling(digest, size, path, descriptor, lambda: self._admit(digest, path, descriptor, near))

    def partial(self, digest: bytes, grid: Grid, near: str = "") -> Partial:
        """The chunks that are here of a content, to be added to with `put`; it is not evicted before `release`.

        Raises:
            NoSpace: there is no room, or no folder.
        """
        part = self._open.get(digest)
        if part is None:
            with writing(self.directory):
                part = Partial(self.directory, digest, grid)
                if digest not in self:
                    self._remember(digest, _File(part.bytes, part.path.stat().st_mtime_ns, near, part=True))
            self._open[digest] = part
            note_near(part.path, near)
        return part

    def put(self, part: Partial, number: int, data: bytes) -> None:
        """Add a chunk to a content; there is nothing to do if it is there, or all has come as a whole meanwhile.

        Raises:
            DamageFound: these are not its bytes.
            NoSpace: there is no room.
        """
        if number in part or part.digest in self:
            return
        with writing(self.directory):
            self._make_room(len(data), part.digest)
            part.put(number, data)
        self._account(part)

    def recheck(self, part: Partial, numbers: Iterable[int]) -> None:
        """Chunks that a reader found wrong are no longer claimed, if they are."""
        part.recheck(numbers)
        self._account(part)

    def finish(self, part: Partial) -> None:
        """Let a content in under its name that is all there and was checked, or has come as a whole meanwhile.

        Raises:
            NoSpace: the disk is full, or gone.
        """
        if part.digest not in self:
            file = self._files.get(part.digest)
            self._admit(part.digest, part.path, part.descriptor, file.near if file else "")
        self.release(part)

    def release(self, part: Partial) -> None:
        """Nothing is added to it for now: it may be evicted."""
        part.close()
        self._open.pop(part.digest, None)
        if part.digest in self:
            self._drop_part(part.digest)
        elif not part.bytes:
            self.drop(part.digest)

    def order(self, digest: bytes, what: CacheOrder, head: int = 0) -> bool:
        """Pin, unpin or evict a content; returns whether that changed anything. What is pinned is not evicted.

        ``head``: bytes of its beginning that stay when it is evicted.

        Raises:
            NoSpace: the mark or the head cannot be written.
        """
        match what:
            case CacheOrder.EVICT:
                if digest not in self._files or digest in self.pinned or digest in self._open:
                    return False
                with writing(self.directory):
                    self._evict(digest, head)
                return True
            case CacheOrder.PIN:
                return self._pin(digest)
            case CacheOrder.UNPIN:
                with writing(self.directory):
                    (self.directory / PINNED / digest.hex()).unlink(missing_ok=True)
                known = digest in self.pinned
                self.pinned.discard(digest)
                return known

    def _pin(self, digest: bytes) -> bool:
        known = digest in self.pinned
        with writing(self.directory):
            (self.directory / PINNED).mkdir(exist_ok=True)
            (self.directory / PINNED / digest.hex()).touch()
        self.pinned.add(digest)
        return not known

    def _read_pins(self) -> None:
        with suppress(FileNotFoundError):
            for mark in (self.directory / PINNED).iterdir():
                with suppress(ValueError):
                    self.pinned.add(bytes.fromhex(mark.name))

    def drop(self, digest: bytes) -> None:
        """Throw one content out, whole or in part; harmless if it is not there."""
        self._forget(digest)
        throw_out(self.directory / place(digest))
        self._drop_part(digest)

    def _drop_part(self, digest: bytes) -> None:
        path = self.directory / partial_place(digest)
        throw_out(path.with_name(path.name + HAVE))  # the claim first
        throw_out(path)

    def _evict(self, digest: bytes, head: int) -> int:
        """Throw one out but for its head; returns the bytes that came free."""
        file = self._files[digest]
        grid = self._grid_of(digest) if head else None
        kept = [] if grid is None else self._copied(digest, grid, grid.over(0, head), part=file.part)
        self.drop(digest)
        if not kept or grid is None:
            return file.size
        with Partial(self.directory, digest, grid) as part:
            for number, data in kept:
                with suppress(DamageFound):
                    part.put(number, data)
            note_near(part.path, file.near)
            self._remember(digest, _File(part.bytes, file.used_ns, file.near, part=True, last=True))
            os.utime(part.path, ns=(file.used_ns, file.used_ns))
        return file.size - part.bytes

    def _copied(self, digest: bytes, grid: Grid, numbers: range, *, part: bool) -> list[tuple[int, bytes]]:
        """Chunks of what is here."""
        if part:
            with Partial(self.directory, digest, grid) as there:
                return [(number, there.read(number)) for number in numbers if number in there]
        try:
            with (self.directory / place(digest)).open("rb") as whole:
                return [
                    (number, os.pread(whole.fileno(), grid[number].length, grid[number].start)) for number in numbers
                ]
        except OSError:
            return []

    def _forget(self, digest: bytes) -> None:
        file = self._files.pop(digest, None)
        self.used -= file.size if file is not None else 0

    def _remember(self, digest: bytes, file: _File) -> None:
        self._forget(digest)
        self._files[digest] = file
        self.used += file.size

    def _account(self, part: Partial) -> None:
        file = self._files.get(part.digest)
        if file is None or not file.part:
            return  # it has come as a whole, or somebody emptied the folder by hand
        self.used += part.bytes - file.size
        file.size, file.last = part.bytes, self._is_head(part.bytes)

    def _is_head(self, held: int) -> bool:
        return 0 < held <= -(-self.keeping.head // CHUNK) * CHUNK

    def _admit(self, digest: bytes, path: Path, descriptor: int, near: str) -> None:
        """Give a file its name whose bytes were checked through ``descriptor``."""
        target = self.directory / place(digest)
        with writing(self.directory):
            checked = os.fstat(descriptor)
            if not os.path.samestat(checked, path.stat()):
                raise NoSpace(f"{path} is another file than was filled; leave the folder to the librarian, try again")
            target.parent.mkdir(exist_ok=True)
            path.rename(target)
            self._drop_part(digest)
            note_near(target, near)
            self._remember(digest, self._whole(checked.st_size, checked.st_mtime_ns, near))

    def _whole(self, size: int, used_ns: int, near: str) -> _File:
        return _File(size, used_ns, near, part=False, last=size <= self.keeping.small)

    def _make_room(self, size: int, digest: bytes) -> None:
        """Evict until ``size`` more bytes of a content fit quota and disk.

        Raises:
            NoSpace: the disk has too little left with everything evicted.
        """
        excess = max(self.used + size - self.quota, self._short(size))
        if excess <= 0:
            return
        excess += self.quota // 20  # some more at once, so that a full cache is not sorted for every fill
        for victim in self._by_last_use():
            if victim != digest and victim not in self._open:
                excess -= self._evict_quietly(victim)
                if excess <= 0:
                    return
        if self._short(size) > 0:
            raise NoSpace(f"the disk of the cache {self.directory} is full; free some space or name another place")

    def _evict_quietly(self, digest: bytes) -> int:
        try:
            return self._evict(digest, 0 if self._files[digest].last else self.keeping.head)
        except (NoSpace, OSError):
            size = self._files[digest].size if digest in self._files else 0
            self.drop(digest)
            return size

    def _short(self, size: int) -> int:
        """Bytes that the disk lacks for ``size`` more."""
        disk = os.statvfs(self.directory)
        keep = min(self.keeping.free, disk.f_blocks * disk.f_frsize // _SHARE_FREE)
        return size + keep - disk.f_bavail * disk.f_frsize

    def _by_last_use(self) -> list[bytes]:
        """What may go, in the order of going."""
        youngest: dict[str, int] = {}
        for digest, file in list(self._files.items()):
            where = partial_place(digest) if file.part else place(digest)
            try:
                file.used_ns = (self.directory / where).stat().st_mtime_ns
            except FileNotFoundError:
                if digest not in self._open:
                    self._forget(digest)
                continue
            if file.near:
                youngest[file.near] = max(youngest.get(file.near, 0), file.used_ns)

        def rank(digest: bytes) -> tuple[bool, int, str, int]:
            file = self._files[digest]
            return file.last, youngest.get(file.near, file.used_ns), file.near, file.used_ns

        return sorted(self._files.keys() - self.pinned, key=rank)

    def _take_stock(self) -> None:
        for one in wholes(self.directory):
            self._remember(one.digest, self._whole(one.size, one.used_ns, one.near))
        for one in partials(self.directory, self._files):
            file = _File(one.size, one.used_ns, one.near, part=True, last=self._is_head(one.size))
            self._remember(one.digest, file)
