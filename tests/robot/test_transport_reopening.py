"""A lost line is told once and opened again."""

import pytest
import trio

from robot.errors import CommunicationLost
from robot.transport import ReopeningStream, memory_pair


async def test_a_lost_line_is_opened_again(autojump_clock):
    far_ends = []

    def open_line():
        near, far = memory_pair()
        far_ends.append(far)
        return near

    line = ReopeningStream(open_line)
    await line.send(b"one")
    assert await far_ends[0].receive() == b"one"
    await far_ends[0].aclose()
    with pytest.raises(CommunicationLost):
        await line.receive()
    with trio.move_on_after(0.01):
        await line.receive()  # protocols without numbers listen before they speak
    await line.send(b"two")
    assert await far_ends[1].receive() == b"two"
    await far_ends[1].send(b"three")
    assert await line.receive() == b"three"
    await line.aclose()


async def test_while_it_cannot_be_opened_every_command_says_so():
    ends = [memory_pair()]

    def open_line():
        if not ends:
            raise CommunicationLost("no such port")
        return ends.pop()[0]

    far = ends[0][1]
    line = ReopeningStream(open_line)
    await far.aclose()
    with pytest.raises(CommunicationLost):
        await line.send(b"x")
    with pytest.raises(CommunicationLost, match="no such port"):
        await line.send(b"x")
    with pytest.raises(CommunicationLost, match="no such port"):
        await line.receive()
    ends.append(memory_pair())
    await line.send(b"x")
