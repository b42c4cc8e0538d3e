"""A person who is reached in several ways, some of which are lost for a time."""

import pytest
import trio

from robot.changers.manual import ManualChanger, TerminalPerson
from robot.changers.people import PAUSE, Board, Several
from robot.errors import CommunicationLost, SourceEmpty
from robot.ports import MachineState, drive, slot
from robot.transport import MemoryStream, ReopeningStream, memory_pair
from robot.wire.errand import Answer


class Socket:
    """Where a terminal is plugged in; ``far`` is the person's side of it."""

    def __init__(self) -> None:
        self.far: MemoryStream | None = None
        self.is_plugged = True

    def open(self) -> MemoryStream:
        if not self.is_plugged:
            raise CommunicationLost("/dev/ttyUSB0: No such file or directory")
        host, self.far = memory_pair()
        return host

    async def unplug(self) -> None:
        self.is_plugged = False
        await self.far.aclose()


async def test_a_terminal_that_was_unplugged_is_asked_again(autojump_clock, caplog):
    socket, board = Socket(), Board()
    changer = ManualChanger(Several([TerminalPerson(ReopeningStream(socket.open)), board]), slots=3, drives=1)

    async def unplug_and_plug() -> None:
        assert b"errand 1" in await socket.far.receive()
        await socket.unplug()
        await trio.sleep(3600)
        assert board.asked is not None
        socket.is_plugged = True
        await trio.sleep(PAUSE + 1)
        assert b"errand 1" in await socket.far.receive()  # shown anew, though nobody asked for that
        await socket.far.send(b"1 empty\n")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(unplug_and_plug)
        with pytest.raises(SourceEmpty):
            await changer.move(slot(1), drive(0))
    assert board.asked is None
    assert [record.levelname for record in caplog.records].count("WARNING") == 1  # not one each time it is tried


async def test_a_terminal_that_is_back_before_the_next_errand_shows_it(autojump_clock):
    socket, board = Socket(), Board()
    changer = ManualChanger(Several([board, TerminalPerson(ReopeningStream(socket.open))]), slots=3, drives=1)
    await socket.unplug()
    with trio.move_on_after(1):
        await changer.move(slot(1), drive(0))
    assert board.say(1, Answer.DONE)
    socket.is_plugged = True
    async with trio.open_nursery() as nursery:
        nursery.start_soon(changer.move, slot(2), drive(0))
        await trio.sleep(1)
        assert b"errand 2" in await socket.far.receive()
        await socket.far.send(b"2 done\n")


async def test_when_no_way_is_left_the_loss_is_told_and_the_next_call_tries_them_all(autojump_clock):
    sockets = [Socket(), Socket()]
    changer = ManualChanger(
        Several([TerminalPerson(ReopeningStream(socket.open)) for socket in sockets]), slots=3, drives=1
    )
    async with trio.open_nursery() as nursery:

        async def unplug() -> None:
            for socket in sockets:
                await trio.sleep(5)
                await socket.unplug()

        nursery.start_soon(unplug)
        with pytest.raises(CommunicationLost):
            await changer.move(slot(1), drive(0))
    with pytest.raises(CommunicationLost):
        await changer.status()
    sockets[0].is_plugged = True
    assert (await changer.status()).state is MachineState.BUSY
    assert b"errand 1" in await sockets[0].far.receive()
    await sockets[0].far.send(b"1 done\n")
    assert (await changer.status()).state is MachineState.READY
