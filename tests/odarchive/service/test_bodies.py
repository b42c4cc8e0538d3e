"""What the socket answers to bodies that are too long or no documents: one line, and it reads no further."""

from contextlib import asynccontextmanager

import httpx
import pytest

from odarchive.service.bodies import LARGEST, LONGEST_WORDS, cleaned
from odarchive.service.http import application
from robot.ports import drive
from robot.wire.errand import Answer, Errand
from tests.odarchive.librarian.shop import Shop


@asynccontextmanager
async def socket_of(folder):
    shop = Shop(folder)
    shop.build()
    async with shop.life() as librarian:
        transport = httpx.ASGITransport(app=application(librarian, "k" * 43))
        async with httpx.AsyncClient(transport=transport, base_url="http://librarian") as client:
            yield librarian, client


async def endless(app, path):
    """What the application answers to a body without end, and how often it read."""
    sent, read = [], []

    async def receive():
        read.append(1)
        assert len(read) < 100
        return {"type": "http.request", "body": b" " * 1000, "more_body": True}

    async def send(event):
        sent.append(event)

    await app({"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": []}, receive, send)
    return sent[0]["status"], sent[1]["body"], len(read)


@pytest.mark.parametrize("path", ["/v1/recall", "/v1/cache", "/v1/errands", "/v1/asked"])
async def test_a_long_or_broken_body_is_refused_in_one_line(autojump_clock, tmp_path, path):
    async with socket_of(tmp_path) as (librarian, client):
        assert await endless(application(librarian, "k" * 43), path) == (400, b"the request is too long", 5)
        for broken in (b"", b"{", b"\xff\xfe\x00", b"[" * LARGEST):
            answer = await client.post(path, content=broken)
            assert (answer.status_code, answer.text) == (400, "the request is not JSON")
        for odd in (
            b"null",
            b"[]",
            b"7" * LARGEST,
            b'{"do": []}',
            b'{"do": {}, "content": "1"}',
            b'{"number": 1, "answer": []}',
        ):
            answer = await client.post(path, content=odd)
            assert (answer.status_code, "\n" in answer.text) == (400, False)


async def test_a_wait_that_is_no_number_is_none(autojump_clock, tmp_path):
    async with socket_of(tmp_path) as (_, client):
        errands = (await client.post("/v1/errands", json={"do": "park"})).json()["errands"]
        for wait, status in (("nan", 200), ("-1", 200), ("soon", 400)):
            assert (await client.get(f"/v1/errands/{errands[0]}?wait={wait}")).status_code == status


async def test_words_over_the_socket_are_cleaned_as_those_of_the_page(autojump_clock, tmp_path):
    async with socket_of(tmp_path) as (librarian, client):
        board = librarian.room.board
        await board.show(Errand(7, drive(0), drive(1)))
        document = {"number": 7, "answer": "stop", "words": "the\x1b[2J belt\r\nis off"}
        assert (await client.post("/v1/asked", json=document)).status_code == 200
        said = await board.answer()
        assert (said.answer, said.words) == (Answer.STOP, "the [2J belt is off")


def test_words_are_one_short_line():
    assert cleaned("  a\tb\n\n\x00c\udcff ") == "a b c"
    assert len(cleaned("ab " * 1000)) <= LONGEST_WORDS
