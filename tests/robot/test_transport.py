"""Lines: a real terminal (a pseudo-terminal stands in for the port) and the pair in memory."""

from __future__ import annotations

import os
import tty

import pytest
import trio

from robot.errors import CommunicationLost
from robot.sim.pty import PtyLine, published
from robot.transport import DescriptorStream, SerialStream, memory_pair


async def test_a_pair_in_memory_carries_bytes_both_ways():
    a, b = memory_pair()
    await a.send(b"one")
    await a.send(b"two")
    assert await b.receive() == b"one"
    assert await b.receive() == b"two"
    await b.send(b"back")
    assert await a.receive() == b"back"
    assert (a.sent, b.sent) == (6, 4)


async def test_a_closed_pair_is_lost_communication_after_what_was_sent():
    a, b = memory_pair("a line")
    await a.send(b"last words")
    await a.aclose()
    await a.aclose()
    assert await b.receive() == b"last words"
    with pytest.raises(CommunicationLost, match="a line"):
        await b.receive()
    with pytest.raises(CommunicationLost):
        await b.send(b"x")
    with pytest.raises(CommunicationLost):
        await a.send(b"x")


async def test_a_port_that_is_not_there_is_named():
    with pytest.raises(CommunicationLost, match="/dev/no-such-port"):
        SerialStream("/dev/no-such-port")


async def test_a_serial_port_carries_every_byte_and_is_ours_alone():
    line = PtyLine()
    port = SerialStream(line.path)
    everything = bytes(range(256)) * 8
    await port.send(everything)
    heard = b""
    with trio.fail_after(60):
        while len(heard) < len(everything):
            data = await line.receive()
            heard += data
    assert heard == everything
    await line.send(b"\x00\xff\n")
    with trio.fail_after(60):
        assert await port.receive() == b"\x00\xff\n"
    with pytest.raises(CommunicationLost, match="lock"):
        SerialStream(line.path)
    await port.aclose()
    await port.aclose()
    with pytest.raises(CommunicationLost, match="closed"):
        await port.send(b"x")
    await line.aclose()


async def test_a_cancelled_receive_loses_nothing():
    line = PtyLine()
    port = SerialStream(line.path)
    with trio.move_on_after(0.01) as scope:
        await port.receive()
    assert scope.cancelled_caught
    await line.send(b"still here")
    with trio.fail_after(60):
        assert await port.receive() == b"still here"
    await port.aclose()
    await line.aclose()


async def test_a_port_that_hangs_up_while_somebody_reads_is_lost_communication():
    master, slave = os.openpty()
    tty.setraw(slave)
    os.set_blocking(master, False)
    line = DescriptorStream(master, "the far end")
    port = SerialStream(os.ttyname(slave))
    os.close(slave)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(line.aclose)
        with trio.fail_after(60), pytest.raises(CommunicationLost, match="/dev/pts/"):
            await port.receive()
    await port.aclose()


async def test_closing_wakes_the_reader():
    line = PtyLine()

    async def close() -> None:
        await trio.testing.wait_all_tasks_blocked()
        await line.aclose()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(close)
        with trio.fail_after(60), pytest.raises(CommunicationLost):
            await line.receive()


async def test_a_line_outlives_its_hosts_and_drops_what_nobody_reads(autojump_clock):
    line = PtyLine()
    for _ in range(50):
        await line.send(b"x" * 1000)
    for _ in range(3):
        port = SerialStream(line.path)
        await port.send(b"hello")
        assert await line.receive() == b"hello"
        await port.aclose()
    await line.aclose()


def test_the_published_name_goes_with_the_line(tmp_path):
    async def body() -> None:
        line, other = PtyLine(), PtyLine()
        link = tmp_path / "tty"
        link.symlink_to("/nowhere")
        with published(line, link):
            assert str(link.readlink()) == line.path
        assert not link.is_symlink()
        with published(line, link):
            link.unlink()
            link.symlink_to(other.path)
        assert str(link.readlink()) == other.path, "a successor's link is left alone"
        await line.aclose()
        await other.aclose()

    trio.run(body)
