"""The librarian's HTTP interface on its unix socket. Thin: translates documents, decides nothing.

Whoever may open the socket is trusted (mode 0660); there is no TCP here. Bodies are small JSON documents; anything else
is refused with 400 and one line.
"""

import os
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from json import JSONDecodeError
from pathlib import Path
from typing import Any

import trio
from hypercorn.config import Config as HypercornConfig
from hypercorn.trio import serve
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from odarchive.cache import CacheOrder
from odarchive.errors import Locked, NoSpace
from odarchive.librarian.scheduler import Librarian
from odarchive.model import ContentId
from odarchive.service.address import reachable
from odarchive.service.errands import errand_routes
from odarchive.service.report import cache_report, robot_report, status_report
from robot.errors import RobotError

LONGEST_WAIT = 60.0
LARGEST_BODY = 4096


def application(librarian: Librarian) -> Starlette:
    """The ASGI application."""

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
            content, wait = _recall_order(await _body(request))
        except ValueError as error:
            return PlainTextResponse(str(error), 400)
        state, why = await librarian.recall(content, wait)
        return JSONResponse({"state": state, "why": why})

    return Starlette(
        routes=[
            Route("/v1/status", status),
            Route("/v1/robot", robot),
            Route("/v1/wake", wake, methods=["POST"]),
            Route("/v1/recall", recall, methods=["POST"]),
            *_cache_routes(librarian),
            *errand_routes(librarian),
        ]
    )


def _cache_routes(librarian: Librarian) -> list[Route]:
    async def cache(_request: Request) -> Response:
        return JSONResponse(cache_report(librarian))

    async def order_cache(request: Request) -> Response:
        try:
            content, what = _cache_order(await _body(request))
        except ValueError as error:
            return PlainTextResponse(str(error), 400)
        try:
            return JSONResponse({"changed": await librarian.order_cache(content, what)})
        except NoSpace as error:
            return PlainTextResponse(str(error), 507)

    return [Route("/v1/cache", cache), Route("/v1/cache", order_cache, methods=["POST"])]


async def _body(request: Request) -> Any:  # noqa: ANN401  it is whatever somebody sent
    raw = b""
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > LARGEST_BODY:
            raise ValueError("the request is too long")
    request._body = raw  # noqa: SLF001  Starlette's own cache of the body
    try:
        return await request.json()
    except (JSONDecodeError, UnicodeDecodeError):
        raise ValueError("the request is not JSON") from None


def _recall_order(body: object) -> tuple[ContentId, float]:
    document = _document(body)
    content, wait = _content(document), document.get("wait", 0)
    if not isinstance(wait, int | float) or not 0 <= wait <= LONGEST_WAIT:
        raise ValueError(f"wait must be 0 to {LONGEST_WAIT:g} seconds")
    return content, float(wait)


def _cache_order(body: object) -> tuple[ContentId, CacheOrder]:
    document = _document(body)
    content, what = _content(document), document.get("do")
    if what not in list(CacheOrder):
        raise ValueError(f"do must be one of {', '.join(CacheOrder)}")
    return content, CacheOrder(what)


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
    """Answer on the socket until cancelled."""
    async with _listening(path) as listener:
        config = HypercornConfig()
        config.bind = [f"fd://{os.dup(listener.fileno())}"]
        config.errorlog = None
        config.graceful_timeout = 1.0
        config.keep_alive_timeout = 300.0
        config.use_reloader = False
        async with trio.open_nursery() as nursery:
            await nursery.start(partial(serve, application(librarian), config, mode="asgi"))  # type: ignore[arg-type]  # Starlette's own ASGI types are wider
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
    listener.listen(256)
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
