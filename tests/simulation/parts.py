"""The far side of everything the librarian touches: computer, drives, burning program, line, catalogue with crashes.

For standing in for hardware and operating system in virtual time, under dice. Not for judging (``judge``).

A host that died does nothing any more: each of its ways out (line, drives, catalogue, files) raises
:class:`HostCrashError`. The machine, a burning program and the discs live on, as they do in reality.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import trio
from sqlalchemy import event

from odarchive.catalogue.database import Catalogue
from odarchive.errors import NoSpace
from robot.drives.file import FileDrive
from robot.errors import (
    BurnerMissing,
    BurnError,
    CommunicationLost,
    DriveError,
    MediumRefused,
    NotBlank,
    NotReady,
    ReadFailed,
    TooSmall,
)
from robot.ports import SECTOR, BurnReport, DriveId, Tray
from robot.sim.world import World
from tests.simulation.chance import Dice


class HostCrashError(BaseException):
    """The host dies here: nothing after it runs, as after kill -9."""


class Host:
    """One life of the computer."""

    def __init__(self, dice: Dice) -> None:
        self.dice = dice
        self.alive = True
        self.on_death: list[Callable[[], None]] = []

    def check(self) -> None:
        """Raises HostCrashError when it is dead."""
        if not self.alive:
            raise HostCrashError

    def die(self, why: str) -> None:
        """Stop here."""
        self.alive = False
        self.dice.count(f"crash {why}")
        self.dice.log(f"host dies: {why}")
        for act in self.on_death:
            act()
        raise HostCrashError

    async def inline(self, function):
        """``Blocking`` without a thread."""
        self.check()
        await trio.lowlevel.checkpoint()
        self.check()
        return function()

    async def heavy(self, function):
        """The same for what fills the disk."""
        if self.dice.strikes("disk-full"):
            raise NoSpace("the disk is full")
        return await self.inline(function)


class HostCatalogue(Catalogue):
    """The catalogue of a host that may die right before or right after a commit."""

    def __init__(self, opened: Catalogue, host: Host) -> None:
        """``opened``: the same catalogue; its prepared statements are shared by all lives, to save time."""
        self.path, self._engine = opened.path, opened._engine
        self.host = host

    @contextmanager
    def write(self) -> Iterator[object]:
        self.host.check()
        if self.host.dice.strikes("crash-before-commit"):
            self.host.die("before commit")
        with super().write() as connection:
            yield connection
        if self.host.dice.strikes("crash-after-commit"):
            self.host.die("after commit")

    @contextmanager
    def read(self) -> Iterator[object]:
        self.host.check()
        with super().read() as connection:
            yield connection


def trace_events(catalogue: Catalogue, dice: Dice) -> None:
    """Let the diary, motions, discs, jobs and beliefs of slots appear in the trace."""

    @event.listens_for(catalogue._engine, "before_cursor_execute")
    def _tell(_connection, _cursor, statement, parameters, _context, _many):
        verb, *words = statement.split()
        table = words[verb == "INSERT"] if len(words) > 1 else ""
        if verb in ("INSERT", "UPDATE") and table in ("event", "slot", "motion", "disc", "job"):
            shown = [value for value in parameters if not isinstance(value, bytes | memoryview)]
            dice.log(f"{verb} {table} {shown}")


class HostLine:
    """The host's end of the line. It notices motions that are commanded again without a look at the machine."""

    def __init__(self, line, host: Host, violations: list[str]) -> None:
        self._line, self.host, self._violations = line, host, violations
        self._move, self._number = b"", b""
        self._gone_until = 0.0

    def _plugged(self) -> None:
        if self.host.dice.strikes("unplugged"):
            self._gone_until = trio.current_time() + self.host.dice.random.choice([5, 60, 900])
        if trio.current_time() < self._gone_until:
            raise CommunicationLost("the line is gone")

    async def send(self, data: bytes) -> None:
        self.host.check()
        self._plugged()
        number, _, words = data.rpartition(b"*")[0].partition(b" ")
        if words.startswith(b"MOVE"):
            if words == self._move and number != self._number:
                self._violations.append(f"{words.decode()} was commanded again without a look at the machine")
            self._move, self._number = words, number
        elif words.startswith(b"STATUS"):
            self._move = b""
        await self._line.send(data)

    async def receive(self) -> bytes:
        self.host.check()
        data = await self._line.receive()
        self.host.check()
        if b"ERR Busy" in data:  # proven not to have begun
            self._move = b""
        return data

    async def aclose(self) -> None:
        await self._line.aclose()


class TracedWorld(World):
    """The world, telling the trace of every disc that moves."""

    dice: Dice

    def shift(self, source, destination) -> None:
        self.dice.log(f"{'+'.join(self.at(source))}: {source} > {destination}")
        super().shift(source, destination)


class SimDrive(FileDrive):
    """A drive with times and moods, in the hands of one host."""

    def __init__(self, number: DriveId, directory: Path, host: Host, burner: "SimBurner") -> None:
        super().__init__(number, directory)
        self.host = host
        self._burner = burner
        self._mood: dict[str, int] = {}

    async def _in_thread(self, function):
        self.host.check()
        await trio.lowlevel.checkpoint()
        return function()

    def _moody(self, name: str) -> bool:
        """A mood, once fallen into, lasts some calls, and the next one does not follow at once.

        A reading fails twice in a row at most (a speck of dust): three failures condemn a disc, and rightly.
        """
        left = self._mood.get(name, 0)
        if left == 0 and self.host.dice.strikes(name):
            left = self.host.dice.random.randint(1, 2 if name == "read-error" else 4)
        elif left < 0:
            self._mood[name] = left + 1
        if left <= 0 or not self.host.dice.storm:
            return False
        self._mood[name] = left - 1 if left > 1 else -4
        return True

    async def _turn(self, move, tray: Tray) -> None:
        if await self.tray() is tray:
            return
        if self._burner.writes_to(self.number):
            raise DriveError(f"drive {self.number}: locked while a program writes")
        await trio.sleep(2)
        if self._moody("tray-stuck"):
            raise DriveError(f"drive {self.number}: the tray is stuck")
        await move()
        self._burner.remembered.pop(int(self.number), None)
        if tray is Tray.OPEN and self.host.dice.strikes("tray-closes"):  # a daemon of the host opened the device
            await super().close_tray()

    async def open_tray(self) -> None:
        await self._turn(super().open_tray, Tray.OPEN)

    async def close_tray(self) -> None:
        await self._turn(super().close_tray, Tray.CLOSED)

    async def medium(self, timeout=60.0):
        self.host.check()
        await trio.sleep(8)
        if self._burner.writes_to(self.number) or self._moody("not-ready"):
            await trio.sleep(timeout)
            raise NotReady(f"drive {self.number}: not ready after {timeout:g} s")
        return await super().medium(timeout)

    async def read(self, sector: int, count: int) -> bytes:
        await trio.sleep(0.1 + count * SECTOR / 18e6)
        if self._moody("read-error"):
            raise ReadFailed(f"drive {self.number}: sector {sector} cannot be read", sector=sector)
        memory = self._burner.remembered.get(int(self.number))
        if memory is not None:
            return memory[sector * SECTOR : (sector + count) * SECTOR]
        return await super().read(sector, count)


@dataclass
class _Program:
    """One running burning program."""

    disc: Path
    data: bytes
    ended: trio.Event = field(default_factory=trio.Event)
    woken: trio.Event = field(default_factory=trio.Event)
    power_failed: bool = False
    problem: str | None = None


class SimBurner:
    """Burning programs: processes of their own; they outlive the host that started them, but not the power."""

    def __init__(self, dice: Dice, nursery: trio.Nursery) -> None:
        self._dice = dice
        self._nursery = nursery
        self._running: dict[int, _Program] = {}
        self.violations: list[str] = []
        self.checks_blank = True
        self.refused: set[str] = set()
        """Blanks that no drive writes."""
        self.remembered: dict[int, bytes] = {}
        """What a drive or the kernel tells from memory until the tray moves: what was meant to be written."""

    def writes_to(self, number: int) -> bool:
        """Whether a program writes to this drive now."""
        return number in self._running

    def host_died(self) -> None:
        """Nobody waits for the programs any more; they go on."""
        for program in self._running.values():
            program.woken.set()

    def power_cut(self) -> None:
        """All programs die."""
        for program in self._running.values():
            program.power_failed = True
            program.ended.set()
            program.woken.set()
        self._running.clear()

    async def wait_idle(self, target, timeout: float) -> bool:
        program = self._running.get(target.number)
        if program is not None:
            self._dice.count("branch waited for an orphaned burner")
            with trio.move_on_after(timeout):
                await program.ended.wait()
        await trio.lowlevel.checkpoint()
        return target.number not in self._running

    async def burn(self, target, image, size, *, progress=None):
        if self._dice.strikes("burner-missing"):
            raise BurnerMissing("the burning program could not be started")
        if self.checks_blank:
            medium = await target.medium()
            if not medium.blank:
                raise NotBlank("the medium is not blank")
            if medium.capacity < size:
                raise TooSmall("the image does not fit")
        target.host.check()
        disc = Path(target.device.removeprefix("stdio:")).resolve()
        if self._dice.strikes("refused"):
            self.refused.add(disc.stem)
        if disc.stem in self.refused:
            raise MediumRefused("the drive cannot write this medium")
        program = self._running[target.number] = _Program(disc, image.read_bytes()[:size])
        self._nursery.start_soon(self._write, int(target.number), program)
        with trio.CancelScope(shield=True):
            await program.woken.wait()
        target.host.check()
        if program.problem:
            raise BurnError(program.problem, medium_touched=True)
        return BurnReport("sim", size, 1.0)

    async def _write(self, number: int, program: _Program) -> None:
        if program.disc.stat().st_size:
            self.violations.append(f"wrote on {program.disc.stem}, which was written already")
        self._dice.log(f"burn {program.disc.stem} begins in drive {number}")
        program.problem = await self._pour(program)
        self._dice.log(f"burn {program.disc.stem} ends: {program.problem or 'well'}")
        if self._running.get(number) is program:
            del self._running[number]
            if not program.problem and self._dice.strikes("reads-memory"):
                self.remembered[number] = program.data
        program.ended.set()
        program.woken.set()

    async def _pour(self, program: _Program) -> str:
        data, stop, problem = program.data, len(program.data), ""
        for name, words in (("write-error", "write error"), ("burner-killed", "the program was killed")):
            if not problem and self._dice.strikes(name):
                stop = self._dice.random.randrange(0, len(data)) // SECTOR * SECTOR
                problem = f"{words} after {stop} bytes"
        if not problem and self._dice.strikes("bad-burn"):
            at = self._dice.random.randrange(0, len(data))
            data = data[:at] + bytes([data[at] ^ 0x40]) + data[at + 1 :]
        minutes = self._dice.random.choice([3, 9, 20])
        if not problem and self._dice.strikes("not-closed"):
            stop = len(data) - SECTOR * self._dice.random.randint(1, 16)
        if self._dice.strikes("slow-burn"):
            minutes = 120
        if not problem and self._dice.strikes("burner-hangs"):
            stop, minutes, problem = len(data) // 2 // SECTOR * SECTOR, 60, "the burn stalled"
        for part in range(1, 5):
            await trio.sleep(minutes * 15)
            if program.power_failed:
                return "the power failed"
            program.disc.write_bytes(data[: min(stop, len(data) * part // 4 // SECTOR * SECTOR)])
        program.disc.write_bytes(data[:stop])
        return problem
