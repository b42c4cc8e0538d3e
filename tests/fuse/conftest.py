"""Real mounts, each served by a process of its own; none outlives its test, whatever fails."""

import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fuse.server import HERE, LIMIT, Server, Start

# The tree in memory stands with the tests that use it most; neither directory is a package.
sys.path.insert(0, os.fspath(HERE.parent / "odfs"))


def _starter(base: Path, servers: list[Server]) -> Start:
    directory = base / "mount point"
    directory.mkdir()

    def start(*manner: str) -> Server:
        server = Server(directory, base / f"log{len(servers)}", *manner)
        servers.append(server)
        return server

    return start


@pytest.fixture(scope="module", params=["direct", "library"])
def shared_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    servers: list[Server] = []
    try:
        server = _starter(tmp_path_factory.mktemp("shared"), servers)(request.param)
        server.event("mounted")
        yield server
    finally:
        for server in servers:
            server.close()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start servers, any number, on one directory."""
    servers: list[Server] = []
    watchdog = threading.Timer(LIMIT, lambda: [server.kill() for server in servers])
    watchdog.start()
    try:
        yield _starter(tmp_path, servers)
    finally:
        watchdog.cancel()
        for server in servers:
            server.close()


@pytest.fixture
def mounted(shared_server: Server) -> Iterator[Path]:
    """A mount that the tests of a module share, because they do not change it."""
    watchdog = threading.Timer(LIMIT, shared_server.kill)
    watchdog.start()
    yield shared_server.directory
    watchdog.cancel()
