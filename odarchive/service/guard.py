"""Who may ask the status page for anything: the outermost layer of the application that listens on a TCP port.

Only requests that name this machine as their host (a page of somebody else may have its name point here), only with
the key in a cookie; whatever is answered forbids scripts, frames and foreign sources. Not for unix sockets.
"""

from collections.abc import Iterable
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from odarchive.service.key import equal

OPEN_PATHS = frozenset({"/enter", "/style.css"})
"""Answered without the key: where it is given, and how that looks."""
_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; "
    "base-uri 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


class Hardened:
    """Every answer with the headers of ``_HEADERS``."""

    def __init__(self, inner: ASGIApp) -> None:
        self._inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._inner(scope, receive, with_headers)


class Guard:
    """Lets in who names the right host and has the key."""

    def __init__(self, inner: ASGIApp, *, key: str, hosts: Iterable[str]) -> None:
        """``hosts``: what the header Host may say, with the port."""
        self._inner, self._key = inner, key
        self._hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        refusal = self._refusal(scope)
        await (refusal or self._inner)(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if headers.getlist("host") and (len(headers.getlist("host")) > 1 or headers["host"].lower() not in self._hosts):
            return PlainTextResponse("this page answers under its own address only\n", 421)
        if not headers.getlist("host"):
            return PlainTextResponse("the request names no host\n", 400)
        if scope["path"] in OPEN_PATHS or equal(cookie(headers, self._cookie(headers)), self._key):
            return None
        return RedirectResponse("/enter", 303) if scope["method"] in ("GET", "HEAD") else PlainTextResponse("no\n", 403)

    @staticmethod
    def _cookie(headers: Headers) -> str:
        return cookie_name(headers["host"])


def cookie_name(host: str) -> str:
    """Cookies know no ports: archives on several ports of one machine each have their own."""
    return f"odarchive-{host.rpartition(':')[2]}"


def cookie(headers: Headers, name: str) -> str:
    """The value of a cookie, or an empty string."""
    try:
        morsel = SimpleCookie(headers.get("cookie", "")).get(name)
    except CookieError:
        return ""
    return "" if morsel is None else morsel.value


def same_origin(headers: Headers) -> bool:
    """Whether a browser says that a form comes from this very page; what is no browser says nothing."""
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = headers.get("origin")
    return origin is None or origin.partition("://")[2].lower() == headers.get("host", "").lower()
