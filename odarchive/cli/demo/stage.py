"""The steps of a demonstration up to the mount; each is the command that a person would type, in its own process."""

import contextlib
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from odarchive.cli import output
from odarchive.cli.demo import folder
from odarchive.cli.demo.folder import Places
from odarchive.cli.demo.processes import Running, Word, command, run, staying
from odarchive.cli.demo.selection import Source
from odarchive.errors import MediumTooSmall, OdarchiveError

SLOTS = 600
SPARE_BLANKS = 10
DISCS = 5
"""Discs that are needed at least, if the source is large enough for so many."""
SPEED = 20.0
"""Times faster than a real arm: short enough to wait for, long enough to notice."""
_SMALLEST = 500_000
"""Bytes of the smallest disc that is tried."""
_START_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Order:
    """What is archived, and on which discs; ``media`` None: found out."""

    sources: Sequence[Source]
    media: str | None


@dataclass(frozen=True, slots=True)
class Stage:
    """A demonstration that is up."""

    order: Order
    places: Places
    discs: int
    robot: Running
    librarian: Running
    mount: Running

    def check(self) -> None:
        """Raise StepFailed if a process has ended."""
        for process in (self.robot, self.librarian, self.mount):
            process.check()

    def robot_status(self) -> dict[str, Any]:
        """``odarchive robot status``."""
        status: dict[str, Any] = json.loads(run("robot", "status", "--json", archive=self.places.archive))
        return status


def say(text: str) -> None:
    """Tell the person where the demonstration is."""
    output.note(f"demo: {text}")


def prepare(order: Order, places: Places) -> int:
    """Make the archive, scan and plan; answers the capacity of the discs in bytes."""
    from odarchive.media import parse_medium  # noqa: PLC0415  the command line starts without it

    drives = [f"--drive=file:{places.world / 'drives' / str(number)}" for number in (0, 1)]
    port = f"--port={places.world / 'tty'}"
    run("init", "--robot=odjp", port, *drives, archive=places.archive)
    for source in order.sources:
        say(f"scanning {output.visible(source.path)}")
        run("scan", b"--as=" + source.name, b"--", source.path, archive=places.archive)
    media = order.media or str(_capacity(places))
    run("plan", f"--media={media}", archive=places.archive)
    return parse_medium(media).capacity


def _capacity(places: Places) -> int:
    """Nearly the largest discs of which the new contents need enough; found by plans that write nothing."""
    new_bytes, _ = _dry_run(places, 10**12) or (0, 0)
    size, best = max(new_bytes // DISCS, _SMALLEST), None
    for _ in range(20):
        planned = _dry_run(places, size)
        if planned is None:  # not even what must be on every disc has room
            if best is not None:
                break
            size = size * 3 // 2
            continue
        best = size
        if planned[1] >= DISCS or size == _SMALLEST:
            break
        size = max(size * 9 // 10, _SMALLEST)
    if best is None:
        raise MediumTooSmall("no size of disc was found for this source; name one with --media SIZE")
    return best


def _dry_run(places: Places, capacity: int) -> tuple[int, int] | None:
    """New bytes and discs of a plan; None if the discs are too small. In this process, being asked several times."""
    from odarchive.media import parse_medium  # noqa: PLC0415
    from odarchive.opened import open_archive  # noqa: PLC0415  needs the catalogue's packages
    from odarchive.planning import make_plan  # noqa: PLC0415

    catalogue = open_archive(places.archive).catalogue
    try:
        result = make_plan(catalogue, parse_medium(str(capacity)), dry_run=True)
    except MediumTooSmall:
        return None
    finally:
        catalogue.close()
    return result.new_bytes, len(result.segments)


def start(order: Order, places: Places, capacity: int, stack: contextlib.ExitStack) -> Stage:
    """Robot, librarian, discs, mount, each when the one before is ready; ``stack`` takes them down in reverse."""
    segments = len(json.loads(run("info", "--json", archive=places.archive))["segments"])
    if segments > SLOTS:
        raise OdarchiveError(f"{segments} discs are more than the robot's {SLOTS} slots; name larger ones with --media")
    blanks = min(SLOTS, segments + SPARE_BLANKS)
    say(f"starting a simulated robot: {SLOTS} slots, 2 drives, {blanks} blank discs of {output.size(capacity)}")
    robot = stack.enter_context(staying("robot", _robot(places, capacity, blanks), places.log("robot"), patience=10))
    robot.wait_for((places.world / "tty").exists, "the robot's serial port", _START_SECONDS)
    serve = command("serve", archive=places.archive)
    librarian = stack.enter_context(staying("librarian", serve, places.log("librarian"), patience=120))
    librarian.wait_for((places.archive / "librarian.sock").exists, "the librarian", _START_SECONDS)
    say(f"burning and verifying {segments} discs")
    run("burn", "all", "--wait", "--json", archive=places.archive)
    mount = stack.enter_context(_mounted(places))
    say(f"mounted on {places.mount}")
    return Stage(order, places, segments, robot, librarian, mount)


def _robot(places: Places, capacity: int, blanks: int) -> list[Word]:
    argv: list[Word] = [sys.executable, "-m", "robot.sim", "openjuke", "--world", str(places.world)]
    argv += ["--slots", str(SLOTS), "--drives", "2", "--blanks", f"1-{blanks}", "--capacity", str(capacity)]
    return [*argv, "--speed", str(SPEED)]


@contextlib.contextmanager
def _mounted(places: Places) -> Iterator[Running]:
    from odfs.mountpoint import mounted_at  # noqa: PLC0415  the command line starts without it

    argv = command("mount", "--foreground", str(places.mount), archive=places.archive)
    with staying("mount", argv, places.log("mount"), patience=10) as running:
        try:
            running.wait_for(lambda: mounted_at(places.mount) is not None, "the mount", _START_SECONDS)
            yield running
        finally:
            folder.unmount(places.mount)
