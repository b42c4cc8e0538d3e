"""A librarian, a simulated machine and a small archive in one process, under a virtual clock, without threads.

Everything is the real code except what stands on the far side: the machine (``robot.sim``), the drives (files) and the
burning program (:class:`SimBurner`). For tests only.
"""

import os
import random
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import trio

from odarchive.bootstrap import open_cache
from odarchive.catalogue import archive as facts
from odarchive.catalogue import discs, jobs
from odarchive.catalogue.check import check
from odarchive.catalogue.database import Catalogue
from odarchive.librarian.journal import CatalogueJournal
from odarchive.librarian.scheduler import Librarian
from odarchive.librarian.workroom import Workroom
from odarchive.media import parse_medium as parse
from odarchive.opened import Archive, open_archive
from odarchive.planning import make_plan
from odarchive.scan import scan
from odarchive.seal import keys
from odarchive.seal.keyring import Keyring
from robot.changers.odjp import OdjpChanger
from robot.drives.file import FileDrive
from robot.errors import BurnError, NotBlank, TooSmall
from robot.jukebox import Jukebox
from robot.ports import BurnReport, Changer, DriveId
from robot.sim.faults import FaultPlan
from robot.sim.openjuke import OpenJuke
from robot.sim.world import DiscKind, World
from robot.transport import memory_pair

ARCHIVE_UUID = "00000000-0000-4000-8000-000000000001"
MEDIUM = "10MB"


class HostCrashError(BaseException):
    """The host dies here: nothing after it runs, as after kill -9."""


class InlineDrive(FileDrive):
    """A file drive without threads."""

    async def _in_thread(self, function):
        await trio.lowlevel.checkpoint()
        return function()


class SimBurner:
    """The far side of a burning program: copies bytes onto the disc's file, and fails as the disc's sheet says.

    Args:
        spoil: labels' attempts (from 0) whose bytes are silently wrong.
    """

    def __init__(self, spoil: set[int] | None = None) -> None:
        self.spoil = spoil or set()
        self.burns = 0

    async def burn(self, target, image, size, *, progress=None):
        medium = await target.medium()
        if not medium.blank:
            raise NotBlank("the medium is not blank")
        if medium.capacity < size:
            raise TooSmall("the image does not fit")
        limit = await target.write_limit()
        data = bytearray((image.read_bytes() if isinstance(image, Path) else made(image))[:limit])
        if self.burns in self.spoil:
            data[-1] ^= 1
        self.burns += 1
        await trio.sleep(size / 20e6)
        Path(target.device.removeprefix("stdio:")).resolve().write_bytes(data)
        if limit < size:
            raise BurnError(f"write error after {limit} bytes", medium_touched=True)
        return BurnReport("sim", size, 1.0)

    async def wait_idle(self, target, timeout):
        return True


def made(image):
    """The bytes of an image that is made while it is burned."""
    with tempfile.TemporaryFile() as file:
        try:
            image.write_to(file.fileno())
        except Exception as error:
            raise BurnError(f"the image could not be made to its end: {error}", medium_touched=True) from error
        return os.pread(file.fileno(), 1 << 30, 0)


async def inline(function):
    """``Blocking`` without a thread."""
    await trio.lowlevel.checkpoint()
    return function()


class CrashingCatalogue(Catalogue):
    """The same catalogue; the host crashes at transaction ``at``, before or after its commit."""

    def __init__(self, path: Path, at: int | None = None, moment: str = "after") -> None:
        super().__init__(path)
        self.at = at
        self.moment = moment
        self.count = 0

    @contextmanager
    def write(self):
        self.count += 1
        if self.at is not None and (self.count > self.at or (self.count == self.at and self.moment == "before")):
            raise HostCrashError
        with super().write() as connection:
            yield connection
        if self.count == self.at:
            raise HostCrashError


@dataclass
class Shop:
    """The folders, and what is in them between two lives of the librarian."""

    root: Path
    copies: int = 1
    burner: SimBurner = field(default_factory=SimBurner)
    contents: dict[bytes, bytes] = field(default_factory=dict)
    ids: count = field(default_factory=count)
    cache_bytes: int = 50_000_000
    staging: str = "file"
    sealed: bool = False
    """Its discs are encrypted; the key lies in ``root / "key"``."""

    @property
    def archive(self) -> Archive:
        return open_archive(self.root / "archive")

    def build(self, folders: int = 1, files: int = 4, size: int = 30_000, *, blanks: range = range(1, 6)) -> None:
        """A source, an archive with a plan, and burn jobs for all segments."""
        chance = random.Random(7)
        root = self.root / "archive"
        for folder in range(folders):
            where = self.root / "photos" / f"{folder:02}"
            where.mkdir(parents=True)
            for number in range(files):
                body = self.contents[f"{folder:02}/{number}.jpg".encode()] = chance.randbytes(size)
                (where / f"{number}.jpg").write_bytes(body)
        root.mkdir()
        (root / "archive.toml").write_text(
            f'[burn]\ncopies = {self.copies}\nstaging = "{self.staging}"\n[cache]\nbytes = {self.cache_bytes}\n'
        )
        (root / "staging").mkdir()
        to = (keys.new_identity(self.root / "key", created="today"),) if self.sealed else ()
        new = facts.Facts(uuid=ARCHIVE_UUID, label_prefix="SHOP", created_ns=0, recipients=to)
        facts.create(root / "catalogue.db", new)
        catalogue = self.archive.catalogue
        scan(catalogue, self.root / "photos")
        make_plan(catalogue, parse(MEDIUM))
        with catalogue.write() as connection:
            jobs.enqueue_burns(connection, None, now_ns=0)
        self.make_world(blanks, DiscKind(parse(MEDIUM).capacity))

    def make_world(self, blanks: range, kind: DiscKind) -> None:
        """The machine's world: eight slots, two drives."""
        World.create(self.root / "world", slots=8, drives=2, blanks=blanks, kind=kind)

    def connect(self, nursery: trio.Nursery, drives, faults) -> Changer:
        """Switch the machine on and open its driver."""
        del drives
        host, far = memory_pair()
        nursery.start_soon(OpenJuke(World.open(self.root / "world"), faults=FaultPlan(faults)).serve, far)
        return OdjpChanger(host)

    @asynccontextmanager
    async def life(self, *, at: int | None = None, moment: str = "after", faults=()) -> AsyncIterator[Librarian]:
        """One life of the librarian, ended when the block ends."""
        opened = self.archive
        key = self.root / "key" if (self.root / "key").exists() else None
        with opened.catalogue.read() as connection:
            keyring = Keyring.of(facts.facts(connection).recipients, key)
        catalogue = CrashingCatalogue(opened.config.catalogue, at, moment)
        places = sorted((self.root / "world" / "drives").iterdir())
        drives = {DriveId(n): InlineDrive(DriveId(n), place) for n, place in enumerate(places)}
        journal = CatalogueJournal(catalogue, inline, lambda: round(trio.current_time() * 1e9))
        async with trio.open_nursery() as nursery:
            room = Workroom(
                config=opened.config,
                archive_uuid=ARCHIVE_UUID,
                catalogue=catalogue,
                jukebox=Jukebox(self.connect(nursery, drives, faults), drives, journal),
                drives=drives,
                burner=self.burner,
                cache=open_cache(opened.config, catalogue),
                now_ns=lambda: round(trio.current_time() * 1e9),
                new_uuid=lambda: f"00000000-0000-4000-9000-{next(self.ids):012}",
                database=inline,
                heavy=inline,
                keyring=keyring,
            )
            librarian = Librarian(room)
            await nursery.start(librarian.run)
            yield librarian
            nursery.cancel_scope.cancel()

    async def work(self, librarian: Librarian, seconds: float = 7200) -> None:
        """Let the librarian work until the queue is empty or everything waits for a person."""
        with trio.move_on_after(seconds):
            while any(job.state.value in ("queued", "running") for job in self.jobs()):
                await trio.sleep(1)

    def jobs(self):
        with self.archive.catalogue.read() as connection:
            return jobs.jobs(connection)

    def tally(self):
        with self.archive.catalogue.read() as connection:
            return discs.tally(connection)

    def slots(self):
        with self.archive.catalogue.read() as connection:
            return discs.slots(connection)

    def violations(self):
        return list(check(self.archive.catalogue))

    def disc_file(self, label: str) -> Path:
        """The file behind the verified disc with this label, found by looking into the world's discs."""
        for disc in sorted((self.root / "world" / "discs").glob("*.disc")):
            if label.encode() in disc.read_bytes()[16 * 2048 : 17 * 2048]:
                return disc
        raise KeyError(label)
