"""Every simulated machine, by name, and how to switch it on.

What is on its port: ``openjuke``, ``generic``, ``ras13`` and ``odrobot`` speak their own protocols, ``manual`` is a
person at a terminal, and behind ``mtx`` and ``script`` there is ``python -m robot.sim.client`` to run in place of the
program: ``client mtx -f DIR/tty status``, ``client script DIR/tty listall``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from robot.ports import ByteStream
from robot.sim.arm import Timing
from robot.sim.commands import CommandMachine
from robot.sim.faults import FaultPlan
from robot.sim.mtxsim import MtxCommands
from robot.sim.odrobot import OdRobotMachine
from robot.sim.oneletter import OneLetterMachine
from robot.sim.openjuke import OpenJuke
from robot.sim.person import SimulatedPerson
from robot.sim.ras13 import Ras13Machine
from robot.sim.scriptsim import ScriptCommands
from robot.sim.world import World


class Machine(Protocol):
    """Anything that can be at the far end of a line."""

    async def serve(self, line: ByteStream) -> None:
        """Be the machine until cancelled."""
        ...


@dataclass(frozen=True, slots=True)
class Make:
    """A kind of machine."""

    switch_on: Callable[[World, Timing, FaultPlan], Machine]
    stacked: int = 0
    """The most drives a machine with bins in place of slots has; 0: it has slots."""


MACHINES: dict[str, Make] = {
    "openjuke": Make(lambda world, timing, faults: OpenJuke(world, timing=timing, faults=faults)),
    "mtx": Make(lambda world, timing, faults: CommandMachine(MtxCommands(world, timing), faults)),
    "generic": Make(lambda world, timing, faults: OneLetterMachine(world, timing=timing, faults=faults), stacked=1),
    "ras13": Make(lambda world, timing, faults: Ras13Machine(world, timing=timing, faults=faults), stacked=4),
    "odrobot": Make(lambda world, timing, faults: OdRobotMachine(world, timing=timing, faults=faults), stacked=1),
    "script": Make(lambda world, timing, faults: CommandMachine(ScriptCommands(world, timing), faults)),
    "manual": Make(lambda world, timing, faults: SimulatedPerson(world, timing=timing, faults=faults)),
}
"""Every machine there is, by name."""
