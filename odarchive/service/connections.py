"""HTTP on a socket that listens, each connection for itself: what goes wrong in one ends that one and no other.

Hypercorn's own ``serve`` ends all connections, and so the librarian, when one raises; a client that leaves while it is
answered makes it raise (BusyResourceError). Not for: what is answered (``http``).
"""

import logging
import socket
from functools import partial

import trio
from hypercorn.config import Config
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import AppWrapper, ConnectionState
from hypercorn.utils import wrap_app
from starlette.applications import Starlette

log = logging.getLogger(__name__)

KEPT_ALIVE = 300.0
"""Seconds that an idle connection stays."""


async def answer(
    asgi: Starlette, listener: socket.socket, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    """Answer on a listening socket, which stays the caller's, until cancelled."""
    config = Config()
    config.accesslog = config.errorlog = None  # addresses may hold the key
    config.keep_alive_timeout = KEPT_ALIVE
    config.include_server_header = False
    app = wrap_app(asgi, config.wsgi_max_body_size, "asgi")  # type: ignore[arg-type]  # Starlette types are wider
    handler = partial(_connection, app, config, WorkerContext(None))
    duplicate = listener.dup()
    duplicate.setblocking(False)
    async with trio.SocketListener(trio.socket.from_stdlib_socket(duplicate)) as taken:
        task_status.started()
        await trio.serve_listeners(handler, [taken])


async def _connection(app: AppWrapper, config: Config, context: WorkerContext, stream: trio.SocketStream) -> None:
    try:
        await TCPServer(app, config, context, ConnectionState({}), stream)  # type: ignore[arg-type]  # plain sockets too
    except Exception as error:  # noqa: BLE001  a fault of one connection; what the application raises it answers itself
        log.info("a connection ended badly: %r", error)
    finally:
        await trio.aclose_forcefully(stream)
