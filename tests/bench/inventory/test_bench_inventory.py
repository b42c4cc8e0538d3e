"""The inventory of 600 slots at 115,200 baud, beside the time of its bytes on the wire; writes ``RESULTS.md``.

The simulated machine tells the barcode of every disc, as large machines do, so that there is something to tell; the
line lets bytes through no faster than a real one: 10 bits for each byte.
"""

import os
import time
from dataclasses import replace
from pathlib import Path
from statistics import median

import trio

from robot.changers.odjp import OdjpChanger
from robot.ports import ByteStream, ElementKind, Fill
from robot.sim.arm import Timing
from robot.sim.openjuke import OpenJuke
from robot.sim.world import DiscKind, World
from robot.transport import memory_pair
from tests.bench import table

HERE = Path(__file__).parent
BAUD = 115_200
BYTE = 10 / BAUD
"""Seconds of one byte: start bit, eight bits, stop bit."""
SLOTS = 600
ROUNDS = 5
PIECE = 256
"""Bytes that come out of the line at once, as an adapter of USB gathers them."""


class SlowLine:
    """A line that takes as long as its bytes do."""

    def __init__(self, line: ByteStream) -> None:
        self._line = line
        self._waiting = b""
        self._heard = 0.0
        self.sent = self.received = 0

    async def send(self, data: bytes) -> None:
        self.sent += len(data)
        await trio.sleep(len(data) * BYTE)
        await self._line.send(data)

    async def receive(self) -> bytes:
        if not self._waiting:
            self._waiting = await self._line.receive()
            self._heard = max(self._heard, trio.current_time())
        piece, self._waiting = self._waiting[:PIECE], self._waiting[PIECE:]
        self._heard += len(piece) * BYTE
        self.received += len(piece)
        await trio.sleep_until(self._heard)
        return piece

    async def aclose(self) -> None:
        await self._line.aclose()


class Reader(OpenJuke):
    """A jukebox with a barcode reader."""

    def _status(self):
        status = super()._status()
        tagged = [
            replace(one, volume_tag=f"ARC{one.element.number:06}") if one.fill is Fill.FULL else one
            for one in status.elements
        ]
        return replace(status, elements=tuple(tagged))


async def _inventory(world: World):
    near, far = memory_pair()
    line, found = SlowLine(near), []
    quick = Timing(**dict.fromkeys(Timing.__dataclass_fields__, 0.0))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(Reader(world, timing=quick).serve, far)
        changer = OdjpChanger(line)
        await changer.initialize()
        for _ in range(ROUNDS):
            before, begin = line.sent + line.received, trio.current_time()
            status = await changer.status()
            found.append((trio.current_time() - begin, line.sent + line.received - before, status))
        nursery.cancel_scope.cancel()
    return found


def test_an_inventory_takes_as_long_as_its_bytes(tmp_path: Path, capsys):
    kind = DiscKind(25_025_314_816, "bd-r")
    world = World.create(tmp_path / "world", slots=SLOTS, drives=2, blanks=range(1, SLOTS + 1), kind=kind)
    found = trio.run(_inventory, world)
    for _, _, status in found:
        slots = [one for one in status.elements if one.element.kind is ElementKind.SLOT]
        assert [one.volume_tag for one in slots] == [f"ARC{number:06}" for number in range(1, SLOTS + 1)]
    ratio = median(seconds / (count * BYTE) for seconds, count, _ in found)
    text = [
        f"# The inventory of {SLOTS} slots through the open protocol",
        "",
        f"`pytest tests/bench/inventory` on {time.strftime('%Y-%m-%d')}: {SLOTS} discs with barcodes at {BAUD:,} baud,",
        f"{len(os.sched_getaffinity(0))} processors, load {os.getloadavg()[0]:.1f}.",
        "",
        "| bytes | s on the wire | s in all |",
        "|---|---|---|",
        *(f"| {count:,} | {count * BYTE:.3f} | {seconds:.3f} |" for seconds, count, _ in found),
        "",
        f"Median ratio {ratio:.3f} (goal: at most 1.1).",
    ]
    row = (f"inventory of {SLOTS} slots", "its bytes on the wire", "1.1 times their time", f"{ratio:.3f} times")
    with capsys.disabled():
        table.tell(HERE, "\n".join(text), usual=True)
    table.put("inventory", [row], "pytest tests/bench/inventory")
    assert ratio <= 1.1
