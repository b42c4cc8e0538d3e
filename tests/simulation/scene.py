"""The place of one seed: folders, machine, burner, clock and ids, and the lives of the librarian in it.

For putting the real controller together with the far side. Not for what happens (``story``) nor for judging.

The archive of a scene is copied from a model that is made once for each process: three segments, imaged.
"""

import dataclasses
import random
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import trio

from odarchive import config as configuration
from odarchive.cache import Cache
from odarchive.catalogue import archive as facts
from odarchive.catalogue import discs, jobs
from odarchive.catalogue.database import Catalogue
from odarchive.digest import content_digest
from odarchive.errors import MediumTooSmall
from odarchive.imaging import build_image
from odarchive.librarian.journal import CatalogueJournal
from odarchive.librarian.scheduler import Librarian
from odarchive.librarian.workroom import Workroom
from odarchive.media import Medium
from odarchive.model import ContentId, SegmentId
from odarchive.planning import make_plan
from odarchive.scan import scan
from robot.changers.odjp import OdjpChanger
from robot.drives.file import FileDrive
from robot.jukebox import Jukebox
from robot.ports import DriveId, SlotId
from robot.sim.openjuke import OpenJuke
from robot.sim.world import DiscKind
from robot.transport import memory_pair
from tests.simulation.chance import Dice, DicePlan
from tests.simulation.parts import Host, HostCatalogue, HostLine, SimBurner, SimDrive, TracedWorld, trace_events

ARCHIVE_UUID = "00000000-0000-4000-8000-000000000001"
SLOTS, DRIVES, PARKING = 10, 2, 10
BASE_NS = 1_700_000_000_000_000_000


@cache
def shared_memory() -> Path:
    """A folder in memory for what a seed writes: hundreds of fsyncs that prove nothing here."""
    root = Path("/dev/shm") if Path("/dev/shm").is_dir() else None  # noqa: S108 - a fresh private folder inside it
    return Path(mkdtemp(prefix="odarchive-simulation-", dir=root))


@cache
def model() -> Path:
    """The archive every scene begins with."""
    root = shared_memory() / "model"
    chance = random.Random(7)
    for folder in range(3):
        where = root / "photos" / f"{folder:02}"
        where.mkdir(parents=True)
        for number in range(2):
            (where / f"{number}.jpg").write_bytes(chance.randbytes(250_000))
    archive = root / "archive"
    (archive / "staging").mkdir(parents=True)
    (archive / "archive.toml").write_text("[cache]\nbytes = 50_000_000\n")
    facts.create(archive / "catalogue.db", facts.Facts(uuid=ARCHIVE_UUID, label_prefix="SIM", created_ns=0))
    catalogue = Catalogue(archive / "catalogue.db")
    scan(catalogue, root / "photos")
    make_plan(catalogue, _medium(catalogue), now_ns=BASE_NS)
    with catalogue.write() as connection:
        queued = jobs.enqueue_burns(connection, None, now_ns=BASE_NS)
    for number in range(1, len(queued) + 1):
        build_image(catalogue, SegmentId(number), archive / "staging")
    assert len(queued) == 3, len(queued)
    with catalogue.write() as connection:
        connection.exec_driver_sql("SELECT 1")
    catalogue.close()
    return root


def _medium(catalogue: Catalogue) -> Medium:
    """The smallest kind of disc of which three carry everything."""
    for capacity in range(600_000, 4_000_000, 1 << 16):
        medium = Medium("sim", capacity, capacity)
        with suppress(MediumTooSmall):
            if len(make_plan(catalogue, medium, dry_run=True).segments) == 3:
                return medium
    raise AssertionError("no medium fits")


@cache
def disc_kind() -> DiscKind:
    """The discs of a scene."""
    with Catalogue(model() / "archive" / "catalogue.db").read() as connection:
        return DiscKind(discs.segment(connection, SegmentId(1)).capacity, "dvd+r")


@dataclasses.dataclass(frozen=True)
class Site:
    """What a scene is built with."""

    copies: int
    blanks: int
    use_parking: bool = True
    lose_images: bool = False


class Scene:
    """One seed's place."""

    def __init__(self, root: Path, dice: Dice, site: Site, nursery: trio.Nursery) -> None:
        shutil.copytree(model() / "archive", root / "archive")
        self.root, self.dice, self.site, self._nursery = root, dice, site, nursery
        self.skew_ns = 0
        self._uuids = 0
        config = configuration.load(root / "archive")
        robot = dataclasses.replace(config.robot, parking=PARKING if site.use_parking else 0)
        self.config = dataclasses.replace(config, copies=site.copies, robot=robot)
        if site.lose_images:
            for image in self.config.staging.glob("*.iso"):
                image.unlink()
        self._lives = Catalogue(self.config.catalogue)
        trace_events(self._lives, dice)
        self.judges = Catalogue(self.config.catalogue)
        """The catalogue as a judge or a command sees it, whether a host lives or not."""
        self.contents = self._contents()
        blanks = range(1, site.blanks + 1)
        world = TracedWorld.create(root / "world", slots=SLOTS, drives=DRIVES, blanks=blanks, kind=disc_kind())
        assert isinstance(world, TracedWorld)
        world.dice = dice
        self.world = world
        self.burner = SimBurner(dice, nursery)
        self._power = trio.CancelScope()
        self.machine = self._switch_on()
        self.host: Host | None = None

    def _switch_on(self) -> OpenJuke:
        return OpenJuke(self.world, faults=DicePlan(self.dice))  # type: ignore[arg-type]

    def now_ns(self) -> int:
        """The wall clock, which may be set wrong."""
        return BASE_NS + round(trio.current_time() * 1e9) + self.skew_ns

    def _new_uuid(self) -> str:
        self._uuids += 1
        return f"00000000-0000-4000-9000-{self._uuids:012}"

    def power_cut(self) -> None:
        """Machine and burning programs lose power; the host is the caller's business."""
        self._power.cancel()
        self.burner.power_cut()
        self.machine = self._switch_on()

    async def _serve(self, far) -> None:
        with trio.CancelScope() as self._power:
            await self.machine.serve(far)

    @asynccontextmanager
    async def life(self, change: Callable[[Workroom], Workroom] = lambda room: room) -> AsyncIterator[Librarian]:
        """One life of the librarian; raises HostCrashError (in groups) when the host dies in it."""
        host = self.host = Host(self.dice)
        near, far = memory_pair()
        host.on_death += [self.burner.host_died, lambda: self._nursery.start_soon(near.aclose)]
        self._nursery.start_soon(self._serve, far)
        catalogue = HostCatalogue(self._lives, host)
        drives = {
            DriveId(n): SimDrive(DriveId(n), self.root / "world" / "drives" / str(n), host, self.burner)
            for n in range(DRIVES)
        }
        journal = CatalogueJournal(catalogue, host.inline, self.now_ns)
        parking = SlotId(PARKING) if self.site.use_parking else None
        changer = OdjpChanger(
            HostLine(near, host, self.burner.violations), session=lambda: self.dice.random.getrandbits(32)
        )
        room = Workroom(
            config=self.config,
            archive_uuid=ARCHIVE_UUID,
            catalogue=catalogue,
            jukebox=Jukebox(changer, drives, journal, parking=parking),
            drives=drives,
            burner=self.burner,
            cache=Cache(self.config.cache, self.config.cache_bytes),
            now_ns=self.now_ns,
            new_uuid=self._new_uuid,
            database=host.inline,
            heavy=host.heavy,
        )
        for drive in drives.values():
            if not self.burner.writes_to(int(drive.number)) and self.dice.strikes("reboot-ejects"):
                await FileDrive.open_tray(drive)
        try:
            async with trio.open_nursery() as nursery:
                librarian = Librarian(change(room), patience=300.0, glance=900.0)
                await nursery.start(librarian.run)
                yield librarian
                nursery.cancel_scope.cancel()
        finally:
            host.alive = False
            await near.aclose()

    def look(self, function, *arguments):
        """Ask the catalogue directly, as a judge does."""
        with self.judges.read() as connection:
            return function(connection, *arguments)

    def change(self, function, *arguments, **more):
        """Change the catalogue directly, as a command does."""
        with self.judges.write() as connection:
            return function(connection, *arguments, **more)

    def _contents(self) -> dict[ContentId, bytes]:
        """Every content and its bytes."""
        bodies = {content_digest(path.read_bytes()): path.read_bytes() for path in (model() / "photos").glob("*/*")}
        found: dict[ContentId, bytes] = {}
        for number in range(1, len(bodies) + 1):
            known = self.look(discs.content, ContentId(number))
            if known is not None:
                found[ContentId(number)] = bodies[known[0]]
        return found
