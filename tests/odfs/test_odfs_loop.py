"""The loop's stand-in for trio: what it does at once, what it leaves to trio, and that others get their turn."""

import os
import socket
import time
from collections.abc import Iterator

import pyfuse3
import pytest
import trio

from odfs import loop


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = socket.socketpair()
    reader.setblocking(False)
    yield reader.fileno(), writer.fileno()
    reader.close()
    writer.close()


async def steps_until(event: trio.Event, counted: list[int]) -> None:
    while not event.is_set():
        counted[0] += 1
        await trio.lowlevel.checkpoint()


async def test_what_is_readable_is_not_waited_for(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    waits = loop.Waits(1e-6)
    os.write(writer, b"x")
    await waits.wait_readable(reader)  # the first one gives the turn away
    counted, done = [0], trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(steps_until, done, counted)
        await trio.lowlevel.checkpoint()
        counted[0] = 0
        waits._turn = time.perf_counter() + 100  # no slice ends meanwhile
        for _ in range(100):
            await waits.wait_readable(reader)
        assert counted[0] == 0
        done.set()


async def test_others_get_their_turn_however_many_requests_come(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, writer = pipe
    waits = loop.Waits(1e-6)
    monkeypatch.setattr(loop, "SLICE", -1.0)  # every slice is over at once
    os.write(writer, b"x")
    counted, done = [0], trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(steps_until, done, counted)
        for _ in range(50):
            await waits.wait_readable(reader)
        assert counted[0] >= 49
        done.set()


async def test_what_is_not_readable_is_left_to_trio(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    waits = loop.Waits(1e-6)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(waits.wait_readable, reader)
        await trio.testing.wait_all_tasks_blocked()
        assert nursery.child_tasks
        os.write(writer, b"x")


async def test_closing_ends_the_wait(pipe: tuple[int, int]) -> None:
    reader, _ = pipe
    waits = loop.Waits(1e-6)

    async def wait() -> None:
        with pytest.raises(trio.ClosedResourceError):
            await waits.wait_readable(reader)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        waits.notify_closing(reader)


async def test_the_lock_lets_one_in_at_a_time() -> None:
    lock, inside, most = loop.FreeLock(), [0], [0]

    async def enter() -> None:
        for _ in range(20):
            async with lock:
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                await trio.lowlevel.checkpoint()
                inside[0] -= 1

    async with trio.open_nursery() as nursery:
        for _ in range(10):
            nursery.start_soon(enter)
    assert most == [1]


async def test_a_cancelled_waiter_does_not_keep_the_lock() -> None:
    lock = loop.FreeLock()
    async with trio.open_nursery() as nursery, lock:
        nursery.start_soon(lock.__aenter__)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    with trio.fail_after(60):
        async with lock:
            pass


async def test_a_started_worker_gets_its_first_turn(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    stand_in = loop.LoopTrio(1e-6)
    os.write(writer, b"x")
    await stand_in.lowlevel.wait_readable(reader)
    started: list[str] = []

    async def worker() -> None:
        started.append("worker")

    async with stand_in.open_nursery() as nursery:
        nursery.start_soon(worker, name="worker")
        await stand_in.lowlevel.wait_readable(reader)
        assert started == ["worker"]


def test_it_is_installed_for_the_block_alone() -> None:
    with loop.installed(50e-6) as fast:
        assert fast
        assert isinstance(pyfuse3.trio, loop.LoopTrio)
        assert pyfuse3.trio.ClosedResourceError is trio.ClosedResourceError
        assert pyfuse3.trio.lowlevel.current_task is trio.lowlevel.current_task
        assert pyfuse3.trio.from_thread is trio.from_thread
    assert pyfuse3.trio is trio


@pytest.mark.parametrize("version", ["3.6.0", ""])
def test_an_unknown_pyfuse3_keeps_plain_trio(
    version: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(pyfuse3, "__version__", version)
    with loop.installed(50e-6) as fast:
        assert not fast
        assert pyfuse3.trio is trio
    assert "requests are answered more slowly" in caplog.text


def test_no_spinning_means_plain_trio() -> None:
    with loop.installed(0) as fast:
        assert not fast
        assert pyfuse3.trio is trio
