"""The driver of the Open Disc Jukebox Protocol where the contract suite does not look: sessions, restarts, noise."""

from __future__ import annotations

import tempfile
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from robot.changers.odjp import OdjpChanger
from robot.changers.odjp_link import Patience
from robot.errors import BadAddress, Busy, ChangerError, CommunicationLost, MachineFault, PickFailed, PositionUnknown
from robot.ports import Element, ElementKind, Fill, MachineState, slot
from robot.sim.arm import Timing
from robot.sim.faults import FOR_EVER, LINE_FAULTS, Fault, FaultKind, FaultPlan
from robot.sim.openjuke import OpenJuke
from robot.sim.world import World
from robot.transport import MemoryStream, memory_pair
from robot.wire.lines import HOST_LINE_LIMIT, MACHINE_LINE_LIMIT, LineSplitter
from robot.wire.odjp import (
    Ack,
    Boot,
    Command,
    Failed,
    Hello,
    Info,
    More,
    Nak,
    Ok,
    Reply,
    decode_command,
    encode_reply,
)

INFO = Ok((("slots", "9"), ("drives", "1"), ("movetime", "20")))


class Script:
    """The far end of a line, played by the test: takes commands, says what it is told to."""

    def __init__(self, stream: MemoryStream) -> None:
        self.stream = stream
        self.splitter = LineSplitter(HOST_LINE_LIMIT)
        self.lines: list[bytes] = []

    async def hear(self) -> Command:
        while not self.lines:
            data = await self.stream.receive()
            self.lines += self.splitter.feed(data)
        return decode_command(self.lines.pop(0))

    async def say(self, number: int, *bodies) -> None:
        for body in bodies:
            await self.stream.send(encode_reply(Reply(number, body)))

    async def greet(self) -> Command:
        """Answer HELLO and INFO; return the first command after them."""
        while True:
            command = await self.hear()
            match command.request:
                case Hello(session):
                    await self.say(command.number, Ok((("session", f"{session:08X}"),)))
                case Info():
                    await self.say(command.number, INFO)
                case _:
                    return command


@asynccontextmanager
async def scripted(play):
    near, far = memory_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(play, Script(far))
        yield OdjpChanger(near, patience=Patience(silence=3.0, repeats=2), session=lambda: 0xABCD)
        nursery.cancel_scope.cancel()


async def test_a_move_that_meets_a_restarted_machine_at_once_has_not_begun(autojump_clock):
    async def play(far):
        command = await far.greet()
        await far.say(0, Boot("2.0"))
        await far.say(command.number, Failed("NoSession"))
        command = await far.greet()
        await far.say(command.number, Ok((("state", "uninitialised"), ("epoch", "2.0"))))

    async with scripted(play) as changer:
        with pytest.raises(MachineFault, match="not begun"):
            await changer.move(slot(1), slot(2))
        assert (await changer.status()).epoch == "2.0"


async def test_a_second_copy_that_meets_a_restarted_machine_proves_nothing(autojump_clock):
    async def play(far):
        first = await far.greet()
        second = await far.hear()
        assert second == first
        await far.say(second.number, Failed("NoSession"))

    async with scripted(play) as changer:
        with pytest.raises(PositionUnknown, match="restarted"):
            await changer.move(slot(1), slot(2))


async def test_a_restart_after_the_beginning_is_noticed_at_once(autojump_clock):
    async def play(far):
        command = await far.greet()
        await far.say(command.number, Ack())
        await far.say(0, Boot("2.0"))

    async with scripted(play) as changer:
        begun = trio.current_time()
        with pytest.raises(PositionUnknown, match="restarted"):
            await changer.move(slot(1), slot(2))
        assert trio.current_time() - begun < 1


async def test_a_machine_that_shows_life_for_ever_is_given_up_after_movetime(autojump_clock):
    async def play(far):
        command = await far.greet()
        while True:
            await far.say(command.number, Ack())
            await trio.sleep(1)

    async with scripted(play) as changer:
        with trio.fail_after(25), pytest.raises(PositionUnknown, match="not ended after 20 s"):
            await changer.move(slot(1), slot(2))


async def test_a_damaged_command_is_repeated_at_once_but_a_burst_of_naks_is_one(autojump_clock):
    copies = []

    async def play(far):
        copies.append(await far.greet())
        await far.say(0, *[Nak("CRC")] * 10)
        copies.append(await far.hear())
        await far.say(copies[-1].number, Ok((("state", "ready"),)))
        copies.append(await far.hear())

    async with scripted(play) as changer:
        assert (await changer.status()).state is MachineState.READY
        assert trio.current_time() < 1
        await trio.sleep(10)
    assert len(copies) == 2
    assert copies[0] == copies[1]


async def test_an_answer_with_a_part_missing_is_asked_again(autojump_clock):
    async def play(far):
        command = await far.greet()
        await far.say(command.number, More(1, (("S1", "F2"),)), Ok((("more", "2"), ("state", "ready"))))
        command = await far.hear()
        await far.say(
            command.number,
            More(1, (("S1", "F2"),)),
            More(2, (("S3", "E"),)),
            Ok((("more", "2"), ("state", "ready"))),
        )

    async with scripted(play) as changer:
        assert [e.fill for e in (await changer.status()).elements] == [Fill.FULL, Fill.FULL, Fill.EMPTY]


async def test_a_machine_that_never_answers_is_named(autojump_clock):
    async def play(far):
        await trio.sleep_forever()

    async with scripted(play) as changer:
        with trio.fail_after(10), pytest.raises(CommunicationLost, match="HELLO"):
            await changer.identify()


async def test_a_machine_of_another_version_is_refused(autojump_clock):
    async def play(far):
        command = await far.hear()
        await far.say(command.number, Failed("BadVersion", (("version", "2"),)))

    async with scripted(play) as changer:
        with pytest.raises(MachineFault, match="version"):
            await changer.identify()


async def test_a_machine_that_keeps_restarting_is_given_up(autojump_clock):
    async def play(far):
        while True:
            command = await far.greet()
            await far.say(command.number, Failed("NoSession"))

    async with scripted(play) as changer:
        with pytest.raises(CommunicationLost, match="restarting"):
            await changer.status()


async def test_nonsense_in_a_whole_line_is_lost_communication(autojump_clock):
    async def play(far):
        command = await far.greet()
        await far.say(command.number, Ok((("state", "ready"), ("S1", "Q9"))))

    async with scripted(play) as changer:
        with pytest.raises(CommunicationLost, match="STATUS"):
            await changer.status()


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (Failed("Busy"), Busy),
        (Failed("WingBroken"), MachineFault),
        (Failed("BadSequence"), PositionUnknown),
        (Failed("PickFailed", (("held", "?"),)), PickFailed),
    ],
)
async def test_errors_have_their_names(autojump_clock, body, error):
    async def play(far):
        await far.say((await far.greet()).number, body)

    async with scripted(play) as changer:
        with pytest.raises(error) as caught:
            await changer.move(slot(1), slot(2))
        if isinstance(caught.value, PickFailed):
            assert caught.value.held is None


async def test_a_place_the_protocol_cannot_name_is_refused_unsent(autojump_clock):
    async def play(far):
        await far.hear()
        raise AssertionError

    async with scripted(play) as changer:
        with pytest.raises(BadAddress):
            await changer.move(Element(ElementKind.REJECT_BIN, 1), slot(2))


async def test_replies_of_the_past_and_noise_are_passed_over(autojump_clock):
    async def play(far):
        command = await far.greet()
        await far.say(command.number - 1, Ok((("state", "fault"),)))
        await far.stream.send(b"\x00\xfe<9 OK*0000\n" + b"z" * 2 * MACHINE_LINE_LIMIT + b"\n")
        await far.say(command.number + 7, Failed("Fault"))
        await far.say(command.number, Ok((("state", "ready"),)))

    async with scripted(play) as changer:
        assert (await changer.status()).state is MachineState.READY


@asynccontextmanager
async def simulated(directory: Path, faults=()):
    plan = FaultPlan(faults)
    machine = OpenJuke(World.create(directory, slots=6, drives=1, blanks=[1, 2]), faults=plan, timing=Timing())
    near, far = memory_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(machine.serve, far)
        yield OdjpChanger(near), machine.world, plan
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("command", ["HELLO", "INFO", "STATUS", "INIT", "MOVE"])
@pytest.mark.parametrize("kind", sorted(LINE_FAULTS))
async def test_every_command_survives_every_disturbance(autojump_clock, tmp_path, command, kind):
    """Loop over N = 1, 2, 3... until the fault at the Nth occurrence no longer happens."""
    fired = 0
    for nth in range(1, 20):
        order = Fault(kind, command, nth=nth)
        async with simulated(tmp_path / str(nth), [order]) as (changer, world, _):
            await changer.initialize()
            await changer.move(slot(1), slot(3))
            await changer.move(slot(2), slot(4))
            await changer.move(slot(3), slot(5))
            assert (await changer.status()).moves == 3
            assert world.discs() == {"disc-0001": "slot 5", "disc-0002": "slot 4"}
        if not order.fired:
            break
        fired += 1
    assert fired >= 1
    assert not order.fired, "the loop has seen every occurrence"


orders = st.builds(
    Fault,
    st.sampled_from([kind for kind in FaultKind if kind is not FaultKind.DOOR]),
    st.sampled_from(["MOVE", "STATUS", "INIT", "HELLO"]),
    nth=st.integers(1, 6),
    times=st.sampled_from([1, 2, FOR_EVER]),
    seconds=st.sampled_from([1.0, 4.0, 30.0]),
    at=st.sampled_from(["start", "held", "placed"]),
)


@settings(derandomize=True, deadline=None, max_examples=60)
@given(
    faults=st.lists(orders, max_size=4),
    moves=st.lists(st.tuples(st.integers(1, 6), st.integers(1, 6)), min_size=1, max_size=6),
)
def test_whatever_goes_wrong_discs_stay_where_the_host_can_find_them(faults, moves):
    """What returned is done; what was refused has moved nothing; a disc is only ever at an end of its last motion."""
    for fault in faults:
        fault.fired = 0

    async def host(directory: Path) -> None:
        async with simulated(directory, faults) as (changer, world, _):
            done = 0
            for a, b in moves:
                before = world.discs()
                try:
                    await changer.initialize()
                    await changer.move(slot(a), slot(b))
                    done += 1
                    assert world.at(slot(b))
                    assert not world.at(slot(a)) or any(f.kind is FaultKind.WRONG_SLOT and f.fired for f in faults)
                except ChangerError:
                    await trio.sleep(300)
                after = world.discs()
                assert after.keys() == before.keys()
                moved = {name for name in after if after[name] != before[name]}
                allowed = 2 if any(f.kind is FaultKind.DOUBLE and f.fired for f in faults) else 1
                assert len(moved) <= allowed, "one order moves one disc"
            assert done <= int(world.memory.get("moves", "0")) <= len(moves)

    with tempfile.TemporaryDirectory() as directory:
        trio.run(host, Path(directory), clock=trio.testing.MockClock(autojump_threshold=0))
