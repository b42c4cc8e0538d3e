"""``python -m robot.sim``: run a simulated machine behind a serial port of its own.

``--list`` prints the names of the machines, one a line. ``NAME --world DIR`` makes the world in DIR if there is none,
makes ``DIR/tty`` a link to the port, prints one line when a driver may open it, and is the machine until SIGTERM or
SIGINT. All that lasts is in DIR: a killed machine started again is a machine that had a power failure.

Exit status: 0 ended by signal, 1 the world cannot be used, 2 wrong arguments.
"""

from __future__ import annotations

import argparse
import fcntl
import math
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import trio

from robot.sim.arm import Timing
from robot.sim.bins import stacked_world
from robot.sim.faults import FaultPlan, load_plan
from robot.sim.machines import MACHINES, Machine
from robot.sim.pty import PtyLine, published
from robot.sim.world import BD_R_CAPACITY, DiscKind, World, WorldError


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    options = _parser().parse_args(arguments)
    if options.list:
        sys.stdout.write("".join(f"{name}\n" for name in MACHINES))
        return 0
    if options.machine is None or options.world is None:
        _parser().error("name a machine (see --list) and its --world DIR")
    try:
        faults = load_plan(options.faults) if options.faults else FaultPlan()
        options.world.mkdir(parents=True, exist_ok=True)
        with _alone(options.world):
            machine = MACHINES[options.machine].switch_on(_world(options), _timing(options), faults)
            trio.run(_serve, machine, options.machine, options.world)
    except (WorldError, ValueError, OSError) as error:
        sys.stderr.write(f"robot.sim: {error}\n")
        return 1
    for fault in faults.unfired():
        sys.stderr.write(f"robot.sim: never happened: {fault}\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m robot.sim", description="Simulated disc robots on serial ports.")
    parser.add_argument("machine", nargs="?", choices=tuple(MACHINES), help="which machine to be")
    parser.add_argument("--list", action="store_true", help="print the names of the machines and end")
    parser.add_argument("--world", type=Path, metavar="DIR", help="where the machine and its discs are kept")
    parser.add_argument("--faults", type=Path, metavar="FILE", help="JSON list of faults to commit")
    new = parser.add_argument_group("a new world (no effect on one that exists)")
    new.add_argument("--slots", type=int, default=600)
    new.add_argument("--drives", type=int, default=2)
    new.add_argument("--mailslots", type=int, default=1)
    new.add_argument(
        "--blanks",
        type=_span,
        default=range(1, 41),
        metavar="FIRST-LAST",
        help="slots with a blank disc; for stack machines their number counts",
    )
    new.add_argument("--capacity", type=int, default=BD_R_CAPACITY, metavar="BYTES", help="of each blank disc")
    new.add_argument("--profile", default="bd-r", help="kind of each blank disc, such as bd-r or dvd+r")
    pace = parser.add_mutually_exclusive_group()
    pace.add_argument("--speed", type=float, default=1.0, metavar="FACTOR", help="times faster than a real machine")
    pace.add_argument("--instant", action="store_true", help="motions take no time")
    return parser


def _span(text: str) -> range:
    first, _, last = text.partition("-")
    try:
        return range(int(first), int(last or first) + 1) if text != "none" else range(0)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not FIRST-LAST, one slot, or none") from error


def _timing(options: argparse.Namespace) -> Timing:
    return Timing().scaled(math.inf if options.instant else options.speed)


def _world(options: argparse.Namespace) -> World:
    if (options.world / "machine.json").exists():
        return World.open(options.world)
    drives = MACHINES[options.machine].stacked
    if drives:
        kind = DiscKind(options.capacity, options.profile)
        return stacked_world(options.world, drives=min(options.drives, drives), blanks=len(options.blanks), kind=kind)
    return World.create(
        options.world,
        slots=options.slots,
        drives=options.drives,
        mailslots=options.mailslots,
        blanks=options.blanks,
        kind=DiscKind(options.capacity, options.profile),
    )


@contextmanager
def _alone(world: Path) -> Iterator[None]:
    """Hold the world for this process alone.

    Raises:
        WorldError: another simulator has it.
    """
    with (world / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise WorldError(f"{world} is in use by another simulator; end that one first") from error
        yield


async def _serve(machine: Machine, name: str, world: Path) -> None:
    line = PtyLine()
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals, published(line, world / "tty"):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(machine.serve, line)
            sys.stdout.write(f"{name} ready on {world / 'tty'}\n")
            sys.stdout.flush()
            async for _ in signals:
                nursery.cancel_scope.cancel()
                break
    await line.aclose()


if __name__ == "__main__":
    sys.exit(main())
