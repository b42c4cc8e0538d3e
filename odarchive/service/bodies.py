"""What a request brings: read to a limit, and words of people without what moves a cursor. Decides nothing."""

import json
from contextlib import aclosing
from typing import Any

from starlette.requests import Request

LARGEST = 4096
"""Bytes of a body."""
LONGEST_WORDS = 200


async def raw_body(request: Request) -> bytes:
    """The bytes of a request.

    Raises:
        ValueError: they are too many; the rest is not read.
    """
    raw = b""
    async with aclosing(request.stream()) as chunks:
        async for chunk in chunks:
            raw += chunk
            if len(raw) > LARGEST:
                raise ValueError("the request is too long")
    return raw


async def json_body(request: Request) -> Any:  # noqa: ANN401  it is whatever somebody sent
    """The JSON document of a request.

    Raises:
        ValueError: it is too long, or none.
    """
    raw = await raw_body(request)
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        raise ValueError("the request is not JSON") from None


def cleaned(words: str) -> str:
    """What a person wrote, in one line."""
    printable = "".join(letter if letter.isprintable() else " " for letter in words)
    return " ".join(printable.split())[:LONGEST_WORDS].rstrip()
