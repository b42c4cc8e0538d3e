"""The simulated jukebox at the level of lines: the conversation of the specification, and the rule of numbers."""

from __future__ import annotations

import re
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

import robot
from robot.ports import drive, slot
from robot.sim.arm import Timing
from robot.sim.openjuke import OpenJuke
from robot.sim.world import World
from robot.transport import MemoryStream, memory_pair
from robot.wire.lines import seal

PROTOCOL = (Path(robot.__file__).parent / "PROTOCOL.md").read_text()


class Terminal:
    """A person who types lines and reads what comes."""

    def __init__(self, stream: MemoryStream) -> None:
        self.stream = stream
        self.said: list[str] = []

    async def next(self) -> str:
        """The next line the machine says, with its checksum."""
        while not self.said:
            data = await self.stream.receive()
            self.said += data.decode().splitlines()
        return self.said.pop(0)

    async def during(self, seconds: float) -> list[str]:
        """The bodies of what comes within ``seconds``, without signs of life."""
        bodies = []
        with trio.move_on_after(seconds):
            while True:
                bodies.append((await self.next()).partition("*")[0][1:])
        return [body for body in bodies if " RUN " not in body]

    async def type(self, body: str, wait: float = 0.1) -> list[str]:
        """Send one command and return the bodies of what comes within ``wait`` seconds, without signs of life."""
        await self.stream.send(seal(f">{body}"))
        return await self.during(wait)


@asynccontextmanager
async def terminal(world: World, **options):
    near, far = memory_pair()
    machine = OpenJuke(world, **options)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(machine.serve, far)
        person = Terminal(near)
        assert (await person.next()).startswith("<0 BOOT 1.0")
        yield person
        nursery.cancel_scope.cancel()


async def test_the_conversation_of_the_specification_is_what_the_machine_says(autojump_clock, tmp_path):
    (block,) = re.findall(r"```odjp-conversation\n(.*?)```", PROTOCOL, re.DOTALL)
    world = World.create(tmp_path / "juke")
    world.set_tray(0, is_open=True)
    async with terminal(world, timing=Timing(home=1.5, count=0.001)) as person:
        boot, *lines = block.splitlines()
        assert boot.startswith("<0 BOOT 1.0")
        for line in lines:
            if line.startswith("<"):
                with trio.fail_after(3):
                    assert await person.next() == line
            else:
                assert await person.during(0.01) == [], "the machine says more than the specification shows"
                await person.stream.send(line.encode() + b"\n")
        assert await person.during(30) == []
    assert world.at(drive(0)) == ("disc-0007",)


async def test_without_a_session_nothing_is_done(autojump_clock, tmp_path):
    async with terminal(World.create(tmp_path, slots=9, blanks=[1])) as person:
        for command in ("INFO", "STATUS", "INIT", "MOVE S1 S2"):
            assert await person.type(f"3 {command}") == ["3 ERR NoSession"]
        assert await person.type("4 HELLO 2 00000001") == ["4 ERR BadVersion version=1"]
        assert await person.type("5 STATUS") == ["5 ERR NoSession"]


async def test_the_rule_of_numbers(autojump_clock, tmp_path):
    world = World.create(tmp_path, slots=9, blanks=[1, 2, 3])
    async with terminal(world) as person:
        await person.type("1 HELLO 1 0000000A")
        assert await person.type("2 INIT", 30) == ["2 ACK", "2 OK"]
        assert await person.type("10 MOVE S1 S5") == ["10 ACK"]
        assert await person.type("10 MOVE S1 S5") == ["10 ACK"], "still moving"
        assert await person.type("10 MOVE S1 S6") == ["10 ERR BadSequence"]
        assert await person.type("12 MOVE S2 S6") == ["12 ERR Busy"]
        assert await person.type("11 MOVE S2 S6") == ["11 ERR BadSequence"]
        assert (await person.type("13 STATUS"))[0].startswith("13 OK state=busy")
        assert await person.during(30) == ["10 OK"]
        assert await person.type("10 MOVE S1 S5", 30) == ["10 OK"], "from memory"
        assert await person.type("12 MOVE S2 S6", 30) == ["12 ERR Busy"], "once refused, refused for ever"
        assert await person.type("9 MOVE S2 S6", 30) == ["9 ERR BadSequence"]
        assert await person.type("14 MOVE S2 S6", 30) == ["14 ACK", "14 OK"]
        assert await person.type("10 MOVE S1 S5", 30) == ["10 ERR BadSequence"], "the memory holds one"
        assert world.discs() == {"disc-0001": "slot 5", "disc-0002": "slot 6", "disc-0003": "slot 3"}


async def test_a_session_is_forgotten_for_another_but_not_for_itself(autojump_clock, tmp_path):
    world = World.create(tmp_path, slots=9, blanks=[1, 2])
    async with terminal(world) as person:
        await person.type("1 HELLO 1 0000000A")
        await person.type("2 INIT", 30)
        await person.type("3 MOVE S1 S5", 30)
        await person.type("4 HELLO 1 0000000A")
        assert await person.type("3 MOVE S1 S5", 30) == ["3 OK"]
        assert await person.type("5 MOVE S5 S6", 2) == ["5 ACK"]
        assert (await person.type("1 HELLO 1 0000000B"))[0].startswith("1 OK")
        assert await person.type("2 MOVE S2 S7") == ["2 ERR Busy"]
        (status,) = await person.type("3 STATUS", 30)
        assert status.startswith("3 OK"), "and the answer to the earlier host's motion is not said"
        assert await person.type("5 MOVE S2 S7", 30) == ["5 ACK", "5 OK"], "a number means nothing across sessions"
        assert world.at(slot(6)) == ("disc-0001",)
        assert world.at(slot(7)) == ("disc-0002",)


async def test_an_answer_to_an_earlier_host_is_not_given_to_a_new_one(autojump_clock, tmp_path):
    async with terminal(World.create(tmp_path, slots=9, blanks=[1])) as person:
        await person.type("1 HELLO 1 0000000A")
        await person.type("2 INIT", 30)
        assert await person.type("3 MOVE S1 S5", 30) == ["3 ACK", "3 OK"]
        await person.type("1 HELLO 1 0000000B")
        assert await person.type("3 MOVE S1 S5", 30) == ["3 ACK", "3 ERR SourceEmpty"]


async def test_damaged_and_unknown_lines_are_answered_and_change_nothing(autojump_clock, tmp_path):
    async with terminal(World.create(tmp_path, slots=9, blanks=[1])) as person:
        await person.stream.send(b">1 HELLO 1 0000000A*0000\n")
        assert await person.next() == "<0 NAK CRC*7A3C"
        assert await person.type("7 DANCE") == ["7 ERR BadCommand"]


async def test_a_tray_that_closes_under_the_arm_keeps_the_disc_in_the_picker(autojump_clock, tmp_path):
    world = World.create(tmp_path, slots=9, blanks=[1])
    world.set_tray(0, is_open=True)
    async with terminal(world) as person:
        await person.type("1 HELLO 1 0000000A")
        await person.type("2 INIT", 30)
        await person.type("3 MOVE S1 D0", 2)
        world.set_tray(0, is_open=False)
        assert await person.during(30) == ["3 ERR PickFailed held=1"]
        assert world.discs() == {"disc-0001": "picker 0"}
        (status,) = await person.type("4 STATUS")
        assert "P0=F P0.from=S1" in status


async def test_a_line_that_is_gone_lets_the_arm_finish(autojump_clock, tmp_path):
    world = World.create(tmp_path, slots=9, blanks=[1])
    near, far = memory_pair()
    machine = OpenJuke(world)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(machine.serve, far)
        for body in (">1 HELLO 1 0000000A", ">2 INIT"):
            await near.send(seal(body))
        await trio.sleep(30)
        await near.send(seal(">3 MOVE S1 S2"))
        await trio.sleep(1)
        await near.aclose()
    assert world.at(slot(2)) == ("disc-0001",)


@pytest.mark.parametrize("speed", [1.0, 4.0, float("inf")])
async def test_motions_take_the_time_they_are_given(autojump_clock, tmp_path, speed):
    async with terminal(World.create(tmp_path, slots=9, blanks=[1]), timing=Timing().scaled(speed)) as person:
        await person.type("1 HELLO 1 0000000A")
        await person.type("2 INIT", 30)
        begun = trio.current_time()
        await person.stream.send(seal(">3 MOVE S1 S2"))
        while not (await person.next()).startswith("<3 OK"):
            pass
        assert trio.current_time() - begun == pytest.approx(7.5 / speed, abs=0.01)
