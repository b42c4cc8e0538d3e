"""The librarian's HTTP against clients that leave in the middle, and against faults of a single connection."""

import random
import socket
from contextlib import asynccontextmanager

import httpx
import trio
from hypercorn.trio.tcp_server import TCPServer
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from odarchive.service.connections import answer

SEED = 20261129
RUDE = 300


async def echo(request: Request) -> Response:
    return PlainTextResponse(await request.body())


@asynccontextmanager
async def listening(tmp_path):
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(path)
        listener.listen(RUDE)
        async with trio.open_nursery() as nursery:
            await nursery.start(answer, Starlette(routes=[Route("/", echo, methods=["POST"])]), listener)
            yield path
            nursery.cancel_scope.cancel()


async def said(path: str) -> str:
    transport = httpx.AsyncHTTPTransport(uds=path)
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
        return (await client.post("/", content=b"hello")).text


async def test_clients_that_leave_in_the_middle_end_nobody_else(tmp_path):
    print(f"seed {SEED}")
    chance = random.Random(SEED)
    whole = b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 28\r\n\r\n" + bytes(28)

    async def rude(path: str, words: bytes, half: bool) -> None:
        stream = await trio.open_unix_socket(path)
        async with stream:
            await stream.send_all(words)
            if half:
                await stream.send_eof()
            for _ in range(chance.randrange(4)):
                await trio.lowlevel.checkpoint()

    with trio.fail_after(60):
        async with listening(tmp_path) as path, trio.open_nursery() as nursery:
            for _ in range(RUDE):
                nursery.start_soon(rude, path, whole[: chance.randrange(len(whole))], chance.random() < 0.7)
                if chance.random() < 0.1:
                    assert await said(path) == "hello"
            assert await said(path) == "hello"


async def test_a_fault_of_one_connection_ends_that_one_alone(tmp_path, monkeypatch, caplog):
    run, faults = TCPServer.run, [trio.BusyResourceError("another task is sending")]

    async def faulty(self):
        if faults:
            raise ExceptionGroup("", [faults.pop()])
        await run(self)

    monkeypatch.setattr(TCPServer, "run", faulty)
    with trio.fail_after(60), caplog.at_level("INFO"):
        async with listening(tmp_path) as path:
            async with await trio.open_unix_socket(path) as stream:
                assert await stream.receive_some() == b""
            assert await said(path) == "hello"
    assert "a connection ended badly" in caplog.text
