"""The librarian's HTTP: documents for commands and the mount, and the status page. Thin: decides nothing.

Whoever may open the unix socket is trusted (mode 0660). On TCP there is the status page alone, on loopback, behind its
key (``guard``). Bodies are small JSON documents; anything else is refused with 400 and one line.
"""

import logging
import os
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from odarchive.cache import CacheOrder
from odarchive.config import LOOPBACK
from odarchive.errors import Locked, NoSpace
from odarchive.librarian.asking import Answer, Asked
from odarchive.librarian.scheduler import Librarian
from odarchive.model import ContentId
from odarchive.service.address import reachable
from odarchive.service.asked import asked_routes
from odarchive.service.bodies import json_body
from odarchive.service.connections import answer
from odarchive.service.descriptors import raise_limit
from odarchive.service.doors import doors
from odarchive.service.errands import errand_routes
from odarchive.service.guard import Guard, Hardened
from odarchive.service.key import key_of
from odarchive.service.report import cache_report, robot_report, status_report
from odarchive.service.web import StatusPages, enter_routes
from robot.errors import RobotError

log = logging.getLogger(__name__)

LONGEST_WAIT = 60.0
BACKLOG = 4096
"""Connections that may wait to be taken: every reader of a mount that waits for a disc has one."""


def application(librarian: Librarian, key: str) -> Starlette:
    """What answers on the unix socket; ``key``: of the status page, whose forms carry what is made from it."""

    async def status(_request: Request) -> Response:
        return JSONResponse(await status_report(librarian))

    async def robot(_request: Request) -> Response:
        try:
            return JSONResponse(await robot_report(librarian))
        except RobotError as error:
            return PlainTextResponse(f"the robot does not answer: {error}", 503)

    async def wake(_request: Request) -> Response:
        await librarian.look_again()
        return JSONResponse({})

    async def recall(request: Request) -> Response:
        try:
            content, part, wait = _recall_order(await json_body(request))
        except ValueError as error:
            return PlainTextResponse(str(error), 400)
        if part is None:
            state, why = await librarian.recall(content, wait)
            answer = Answer(state, why, in_memory=librarian.chunk(content, 0) is not None)
        else:
            answer = await librarian.recall_part(content, part, wait)
        return JSONResponse({"state": answer.state, "why": answer.why, "in_memory": answer.in_memory})

    async def chunk(request: Request) -> Response:
        try:
            content, number = int(request.path_params["content"]), int(request.path_params["chunk"])
        except ValueError:
            return PlainTextResponse("a content and a chunk are numbers", 400)
        data = librarian.chunk(ContentId(content), number)
        return PlainTextResponse("it is not in memory", 404) if data is None else Response(data)

    return Starlette(
        routes=[
            Route("/v1/status", status),
            Route("/v1/robot", robot),
            Route("/v1/wake", wake, methods=["POST"]),
            Route("/v1/recall", recall, methods=["POST"]),
            Route("/v1/chunks/{content}/{chunk}", chunk),
            *_cache_routes(librarian),
            *errand_routes(librarian),
            *asked_routes(librarian),
            *StatusPages(librarian, key).routes(),
        ],
        middleware=[Middleware(Hardened)],
    )


def page_application(librarian: Librarian, key: str, port: int) -> Starlette:
    """What answers on a TCP port of loopback: the status page, for who has the key."""
    hosts = [f"{host}:{port}" for host in LOOPBACK] + ([*LOOPBACK] if port == 80 else [])
    return Starlette(
        routes=[*StatusPages(librarian, key).routes(), *enter_routes(key)],
        middleware=[Middleware(Hardened), Middleware(Guard, key=key, hosts=hosts)],
    )


def _cache_routes(librarian: Librarian) -> list[Route]:
    async def cache(_request: Request) -> Response:
        return JSONResponse(cache_report(librarian))

    async def order_cache(request: Request) -> Response:
        try:
            content, what, head = _cache_order(await json_body(request))
        except ValueError as error:
            return PlainTextResponse(str(error), 400)
        try:
            return JSONResponse({"changed": await librarian.order_cache(content, what, head)})
        except NoSpace as error:
            return PlainTextResponse(str(error), 507)

    return [Route("/v1/cache", cache), Route("/v1/cache", order_cache, methods=["POST"])]


def _recall_order(body: object) -> tuple[ContentId, Asked | None, float]:
    document = _document(body)
    content, wait = _content(document), document.get("wait", 0)
    if not isinstance(wait, int | float) or not 0 <= wait <= LONGEST_WAIT:
        raise ValueError(f"wait must be 0 to {LONGEST_WAIT:g} seconds")
    part = None
    if "start" in document:
        start, length, ahead = (_bytes(document, key) for key in ("start", "length", "ahead"))
        part = Asked(start, length, ahead, document.get("wrong") is True)
    return content, part, float(wait)


def _cache_order(body: object) -> tuple[ContentId, CacheOrder, int]:
    document = _document(body)
    content, what = _content(document), document.get("do")
    if what not in list(CacheOrder):
        raise ValueError(f"do must be one of {', '.join(CacheOrder)}")
    return content, CacheOrder(what), _bytes(document, "head")


def _bytes(document: Mapping[str, Any], key: str) -> int:
    value = document.get(key, 0)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**63:
        raise ValueError(f"{key} must be a number of bytes")
    return value


def _document(body: object) -> Mapping[str, Any]:
    if not isinstance(body, dict):
        raise ValueError("the request must be an object")  # noqa: TRY004  answered as a bad request
    return body


def _content(document: Mapping[str, Any]) -> ContentId:
    content = document.get("content")
    if not isinstance(content, int) or isinstance(content, bool) or not 0 < content < 2**63:
        raise ValueError("content must be the number of a content")
    return ContentId(content)


async def serve_http(
    librarian: Librarian, path: Path, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    """Answer on the socket, and on the port of ``[web] listen`` or the one systemd has opened, until cancelled.

    Raises:
        Locked: another librarian answers on the socket.
        ConfigError: the port cannot be listened on, or the key cannot be read or made.
    """
    config = librarian.room.config
    key = key_of(config.root)
    raise_limit()
    async with _listening(path) as listener, trio.open_nursery() as nursery:
        await nursery.start(answer, application(librarian, key), listener)
        for door in doors(config):
            with door:
                port = door.getsockname()[1]
                await nursery.start(answer, page_application(librarian, key, port), door)
                log.info("status page on port %s of this machine; `odarchive web` tells its address", port)
        task_status.started()


@asynccontextmanager
async def _listening(path: Path) -> AsyncIterator[socket.socket]:
    """A listening unix socket with mode 0660; a dead one at ``path`` is replaced, a live one is respected."""
    listener = _listen(path)
    try:
        yield listener
    finally:
        listener.close()
        _remove(path)


def _listen(path: Path) -> socket.socket:
    path.parent.mkdir(parents=True, exist_ok=True)
    with reachable(path) as name:
        if _alive(name):
            raise Locked(f"another librarian answers on {path}; stop it first")
        _remove(path)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        before = os.umask(0o117)
        try:
            listener.bind(name)
        finally:
            os.umask(before)
    listener.listen(BACKLOG)
    return listener


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)


def _alive(name: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as probe:
        probe.settimeout(2.0)
        try:
            probe.connect(name)
        except OSError:
            return False
        return True
