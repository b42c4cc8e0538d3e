"""How other processes of the same machine ask the librarian: HTTP on its unix socket.

Every call ends: connect and answer have time limits. ``NoLibrarian`` means that nobody listens.
"""

import socket
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import httpx

from odarchive.errors import NoLibrarian, OdarchiveError, RobotTrouble
from odarchive.model import ContentId
from odarchive.service.address import reachable

_BASE = "http://librarian"
_LIMITS = httpx.Timeout(connect=5.0, read=60.0, write=10.0, pool=None)


def _absent(path: Path) -> NoLibrarian:
    return NoLibrarian(f"no librarian answers on {path}; start it with `odarchive serve`")


def _document(response: httpx.Response) -> dict[str, Any]:
    if response.status_code == 503:
        raise RobotTrouble(response.text.strip()[:300])
    if response.status_code >= 400:
        raise OdarchiveError(f"the librarian refused: {response.text.strip()[:300]}")
    document = response.json()
    if not isinstance(document, dict):
        raise OdarchiveError("the librarian answered in a form this program does not know; are both of one version?")
    return document


def _knock(uds: str) -> None:
    """Raise OSError unless somebody listens; httpcore leaves a socket open when it finds nobody."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as probe:
        probe.settimeout(5.0)
        probe.connect(uds)


class Client:
    """Synchronous, for commands; a context manager."""

    def __init__(self, path: Path) -> None:
        self._socket = path
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        try:
            uds = self._stack.enter_context(reachable(self._socket))
            _knock(uds)
        except OSError:
            self._stack.close()
            raise _absent(self._socket) from None
        transport = httpx.HTTPTransport(uds=uds)
        self._http = self._stack.enter_context(httpx.Client(transport=transport, base_url=_BASE, timeout=_LIMITS))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def status(self) -> dict[str, Any]:
        """Robot, drives, open jobs, cache: what the librarian knows now. Moves nothing."""
        return self._get("/v1/status")

    def robot(self) -> dict[str, Any]:
        """The machine's own status with every element and its lifetime move counter. Moves nothing."""
        return self._get("/v1/robot")

    def wake(self) -> None:
        """Tell the librarian that the catalogue has new jobs."""
        self._post("/v1/wake", {})

    def recall(self, content: ContentId, wait: float) -> dict[str, Any]:
        """As of the asynchronous client."""
        return self._post("/v1/recall", {"content": int(content), "wait": wait})

    def cache(self) -> dict[str, Any]:
        """How full the cache is: files, bytes, quota, pinned, free, directory."""
        return self._get("/v1/cache")

    def order_cache(self, what: str, content: ContentId, head: int = 0) -> dict[str, Any]:
        """``pin``, ``unpin`` or ``evict`` a content (but for ``head`` bytes); answers whether that ``changed`` it."""
        return self._post("/v1/cache", {"content": int(content), "do": what, "head": head})

    def errand(self, what: str, **numbers: int | str) -> list[int]:
        """Ask for something to be done by hand (``odarchive.service.errands``); returns the errands' numbers."""
        return list(self._post("/v1/errands", {"do": what, **numbers})["errands"])

    def errand_state(self, number: int, wait: float) -> dict[str, Any]:
        """How an errand is, after at most ``wait`` seconds: ``what``, ``state`` and ``said``."""
        return self._get(f"/v1/errands/{number}?wait={wait:g}")

    def asked(self) -> dict[str, Any]:
        """What a person who is the robot is asked: ``number`` (None: nothing), ``sentence``, ``answers``."""
        return self._get("/v1/asked")

    def answer(self, number: int, answer: str, words: str) -> None:
        """Say how that errand went. Raises OdarchiveError if it is not asked any more."""
        self._post("/v1/asked", {"number": number, "answer": answer, "words": words})

    def inventory(self) -> dict[str, Any]:
        """Look at the machine now: differences, doubtful slots, missing discs. Moves nothing."""
        return self._get("/v1/inventory")

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        try:
            return _document(self._http.post(path, json=body))
        except httpx.TransportError:
            raise _absent(self._socket) from None

    def _get(self, path: str) -> dict[str, Any]:
        try:
            return _document(self._http.get(path))
        except httpx.TransportError:
            raise _absent(self._socket) from None


class AsyncClient:
    """For the mount: asks for contents, under trio. Built and closed inside one trio run."""

    def __init__(self, path: Path) -> None:
        self._socket = path
        self._stack = ExitStack()
        self._http: httpx.AsyncClient | None = None

    async def recall(self, content: ContentId, wait: float, part: Mapping[str, int] | None = None) -> dict[str, Any]:
        """Ask for a content and wait at most ``wait`` seconds for news.

        Args:
            content: its number.
            wait: seconds.
            part: only some of it: ``start`` and ``length``, how much will be asked for next (``ahead``), whether
                what is in the cache of it is ``wrong``.

        Returns:
            ``{"state": "done" | "waiting" | "failed", "why": str, "in_memory": bool}``.

        Raises:
            NoLibrarian: nobody answers.
        """
        try:
            http = self._connection()
            timeout = httpx.Timeout(connect=5.0, read=wait + 15.0, write=10.0, pool=None)
            body = {"content": int(content), "wait": wait, **(part or {})}
            return _document(await http.post("/v1/recall", json=body, timeout=timeout))
        except (httpx.TransportError, OSError) as error:
            raise _absent(self._socket) from error

    async def chunk(self, content: ContentId, number: int) -> bytes | None:
        """A chunk from the librarian's memory, unchecked; None: it is not there.

        Raises:
            NoLibrarian: nobody answers.
        """
        try:
            response = await self._connection().get(f"/v1/chunks/{int(content)}/{number}")
        except (httpx.TransportError, OSError) as error:
            raise _absent(self._socket) from error
        return response.content if response.status_code == 200 else None

    def _connection(self) -> httpx.AsyncClient:
        if self._http is None:
            uds = self._stack.enter_context(reachable(self._socket))
            limits = httpx.Limits(max_connections=None, max_keepalive_connections=64)
            transport = httpx.AsyncHTTPTransport(uds=uds, limits=limits)
            self._http = httpx.AsyncClient(transport=transport, base_url=_BASE, timeout=_LIMITS)
        return self._http

    async def aclose(self) -> None:
        """Close the connections."""
        if self._http is not None:
            await self._http.aclose()
        self._stack.close()
