"""The status page against people who should not be there, and what it says to those who should."""

import errno
import os
import re
import secrets
import time
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx
import pytest
from starlette.requests import Request

from odarchive.asked import Box, Question, Verdict
from odarchive.catalogue import jobs
from odarchive.config import Config, load
from odarchive.errors import ConfigError
from odarchive.model import ContentId, JobKind, JobState
from odarchive.service import doors as doors_module
from odarchive.service import overview as overview_module
from odarchive.service.doors import doors
from odarchive.service.durations import duration
from odarchive.service.http import application, page_application
from odarchive.service.key import key_of
from odarchive.service.needs import needs, open_jobs
from odarchive.service.overview import MOST_RECALLS, MOST_ROWS, size, ticks
from odarchive.service.web import read_form
from robot.ports import drive
from robot.wire.errand import Answer, Errand
from tests.odarchive.librarian.shop import Shop

KEY = "k" * 43
HERE = "http://127.0.0.1:8610"


@pytest.fixture
def shop(tmp_path):
    return Shop(tmp_path)


@asynccontextmanager
async def browser(librarian, *, key=KEY, base=HERE, **options):
    """A client of the page on TCP, with the cookie of ``key``."""
    transport = httpx.ASGITransport(app=page_application(librarian, KEY, 8610))
    cookies = {"odarchive-8610": key} if key else {}
    async with httpx.AsyncClient(transport=transport, base_url=base, cookies=cookies, **options) as client:
        yield client


async def token(client):
    return re.search(r'name="token" value="([0-9a-f]{64})"', (await client.get("/")).text)[1]


async def test_who_has_no_key_sees_nothing(autojump_clock, shop):
    shop.build()
    async with shop.life() as librarian:
        for wrong in ("", "x" * 43, KEY + "k"):
            async with browser(librarian, key=wrong) as client:
                for path in ("/", "/errand/1", "/v1/status", "/nothing"):
                    answer = await client.get(path)
                    assert (answer.status_code, answer.headers["location"]) == (303, "/enter")
                assert (await client.post("/queue", data={"do": "pause"})).status_code == 403
                assert (await client.get("/enter?key=wrong")).status_code == 403
                assert (await client.post("/enter", data={"key": "wrong"})).status_code == 403
                assert "set-cookie" not in (await client.get("/enter?key=wrong")).headers
                assert "SHOP" not in (await client.get("/enter")).text


async def test_the_key_opens_by_address_and_by_form(autojump_clock, shop):
    shop.build()
    async with shop.life() as librarian, browser(librarian, key="") as client:
        for answer in (await client.get(f"/enter?key={KEY}"), await client.post("/enter", data={"key": f" {KEY} "})):
            assert (answer.status_code, answer.headers["location"]) == (303, "/")
            assert "httponly" in answer.headers["set-cookie"].lower()
            assert "samesite=strict" in answer.headers["set-cookie"].lower()
        assert "SHOP" in (await client.get("/")).text


@pytest.mark.parametrize("host", ["evil.example:8610", "127.0.0.1", "127.0.0.1:80", "127.0.0.1:8610.evil.example", ""])
async def test_a_foreign_name_for_this_machine_is_refused_even_with_the_key(autojump_clock, shop, host):
    shop.build()
    async with shop.life() as librarian, browser(librarian, headers={"host": host}) as client:
        assert (await client.get("/")).status_code in (400, 421)
        assert (await client.get(f"/enter?key={KEY}")).status_code in (400, 421)


async def test_documents_of_the_socket_are_not_on_tcp(autojump_clock, shop):
    shop.build()
    async with shop.life() as librarian, browser(librarian) as client:
        for path in ("/v1/status", "/v1/robot", "/v1/wake", "/v1/errands"):
            assert (await client.get(path)).status_code == 404
            assert (await client.post(path, json={})).status_code == 404


async def test_every_answer_forbids_scripts_and_frames(autojump_clock, shop):
    shop.build()
    async with shop.life() as librarian, browser(librarian) as client:
        for path in ("/", "/enter", "/style.css", "/nothing"):
            headers = (await client.get(path)).headers
            assert "default-src 'none'" in headers["content-security-policy"]
            assert headers["x-frame-options"] == "DENY"
            assert headers["cache-control"] == "no-store"
        page = (await client.get("/")).text
        assert not re.search(r"<script|\sstyle=|\son\w+=|https?://", page)


async def test_forms_of_others_are_refused(autojump_clock, shop):
    shop.build()
    async with shop.life() as librarian, browser(librarian) as client:
        right = await token(client)
        attempts = [
            ({"do": "pause"}, {}),
            ({"do": "pause", "token": "0" * 64}, {}),
            ({"do": "pause", "token": right}, {"origin": "http://evil.example"}),
            ({"do": "pause", "token": right}, {"sec-fetch-site": "cross-site"}),
        ]
        for form, headers in attempts:
            assert (await client.post("/queue", data=form, headers=headers)).status_code == 403
        for body in (b"\xff=1", b"&".join(b"a=1" for _ in range(30))):
            assert (await client.post("/queue", content=body)).status_code == 400
        assert (await client.get("/queue")).status_code == 405
        assert "Pause burning" in (await client.get("/")).text
        paused = await client.post("/queue", data={"do": "pause", "token": right}, headers={"origin": HERE})
        assert paused.status_code == 303
        assert "Go on burning" in (await client.get("/")).text
        assert (await client.post("/queue", data={"do": "burn", "token": right})).status_code == 400


async def test_an_errand_is_answered_once_and_words_are_cleaned(autojump_clock, shop):
    shop.build()
    async with shop.life() as librarian, browser(librarian) as client:
        board = librarian.room.board
        await board.show(Errand(7, drive(0), drive(1), "disc <i>A</i>"))
        page = (await client.get("/")).text
        assert "Take disc &lt;i&gt;A&lt;/i&gt; from drive 0 and put it to drive 1." in page
        form = {"token": await token(client), "errand": "7", "answer": "stop", "words": "the\x1b[2J belt\r\nis off"}
        assert "What happened?" in (await client.get("/errand/7")).text
        for wrong in ({"errand": "6"}, {"errand": "8"}):
            assert (await client.post("/answer", data=form | wrong)).headers["location"] == "/?late=1"
        for wrong in ({"errand": "seven"}, {"answer": "burn it"}):
            assert (await client.post("/answer", data=form | wrong)).status_code == 400
        assert (await client.post("/answer", data=form)).headers["location"] == "/"
        said = await board.answer()
        assert (said.answer, said.number, said.words) == (Answer.STOP, 7, "the [2J belt is off")
        assert (await client.post("/answer", data=form)).headers["location"] == "/?late=1"
        assert (await client.get("/errand/7")).headers["location"] == "/?late=1"


async def test_readers_who_ask_are_answered_with_buttons(autojump_clock, shop):
    shop.build()
    async with shop.life() as librarian, browser(librarian) as client:
        box = Box(librarian.room.config.root)
        assert "Nothing. The archive gets along" in (await client.get("/")).text
        for number, path in ((7, "a <b>film</b>"), (8, "odd\udcff\ud800")):
            box.ask(Question(number, path, 5_000_000, "a reader of the mount", time.time()))
        page = (await client.get("/")).text
        assert "May a disc be loaded for a &lt;b&gt;film&lt;/b&gt;?" in page
        assert "<title>(2) " in page
        assert "Nothing. The archive" not in page
        form = {"token": await token(client), "question": "7", "verdict": "yes"}
        for wrong in ({"question": "x"}, {"verdict": "maybe"}, {"verdict": ""}):
            assert (await client.post("/leave", data=form | wrong)).status_code == 400
        assert (await client.post("/leave", data=form | {"token": ""})).status_code == 403
        assert (await client.post("/leave", data=form | {"question": "9"})).headers["location"] == "/?late=1"
        assert (box.verdict(7), box.verdict(9)) == (None, None)
        assert (await client.post("/leave", data=form)).headers["location"] == "/"
        assert (await client.post("/leave", data=form)).headers["location"] == "/?late=1"
        assert (await client.post("/leave", data=form | {"question": "8", "verdict": "no"})).headers["location"] == "/"
        assert (box.verdict(7), box.verdict(8)) == (Verdict.ALLOWED, Verdict.REFUSED)


async def test_questions_beyond_a_page_are_counted(autojump_clock, shop):
    shop.build()
    async with shop.life() as librarian, browser(librarian) as client:
        for number in range(1, MOST_RECALLS + 4):
            Box(librarian.room.config.root).ask(Question(number, "a", 1, "x", time.time()))
        page = (await client.get("/")).text
        assert page.count('action="/leave"') == MOST_RECALLS
        assert "and 3 more: <code>odarchive asked</code>" in page
        assert f"<title>({MOST_RECALLS + 3}) " in page


async def test_an_answer_that_cannot_be_written_is_said(autojump_clock, shop, monkeypatch):
    shop.build()
    async with shop.life() as librarian, browser(librarian) as client:
        Box(librarian.room.config.root).ask(Question(7, "a", 1, "x", time.time()))

        def answer(*_):
            raise PermissionError(errno.EACCES, "Permission denied")

        monkeypatch.setattr(Box, "answer", answer)
        form = {"token": await token(client), "question": "7", "verdict": "yes"}
        said = await client.post("/leave", data=form)
        assert (said.status_code, "odarchive asked" in said.text) == (500, True)


async def test_an_errand_is_answered_over_the_socket(autojump_clock, shop):
    shop.build()
    async with shop.life() as librarian:
        transport = httpx.ASGITransport(app=application(librarian, KEY))
        async with httpx.AsyncClient(transport=transport, base_url="http://librarian") as client:
            assert (await client.get("/v1/asked")).json()["number"] is None
            board = librarian.room.board
            await board.show(Errand(3, drive(0), drive(1)))
            asked = (await client.get("/v1/asked")).json()
            assert (asked["number"], "done" in asked["answers"]) == (3, True)
            for wrong in ([], {}, {"number": 3}, {"number": 3, "answer": "burn"}, {"number": 2, "answer": "done"}):
                assert (await client.post("/v1/asked", json=wrong)).status_code in (400, 409)
            assert (await client.post("/v1/asked", json={"number": 3, "answer": "done"})).status_code == 200
            assert (await board.answer()).answer is Answer.DONE
            assert (await client.post("/v1/asked", json={"number": 3, "answer": "done"})).status_code == 409


async def test_forty_jobs_that_lack_one_thing_are_one_need(autojump_clock, shop):
    shop.build(folders=3, files=4, size=2_000_000, blanks=range(0))
    async with shop.life() as librarian, browser(librarian) as client:
        await shop.work(librarian)
        assert {job.state for job in shop.jobs()} == {JobState.WAITING}
        (need,) = needs(librarian, await open_jobs(librarian))
        assert "blank" in need.title
        page = (await client.get("/")).text
        assert page.count('class="need"') == 1
        assert page.count('class="state waiting"') == len(shop.jobs()) > 1
        again = await client.post("/again", data={"token": await token(client)})
        assert again.status_code == 303


async def test_recalls_take_no_row_from_what_is_to_be_burned(autojump_clock, shop, monkeypatch):
    shop.build(folders=3, files=4, size=2_000_000, blanks=range(0))
    async with shop.life() as librarian, browser(librarian) as client:
        burns = shop.jobs()
        recall = replace(burns[0], kind=JobKind.RECALL, segment=None, content=ContentId(1))

        async def many(_librarian):
            return [recall] * (MOST_ROWS + 1) + burns

        monkeypatch.setattr(overview_module, "open_jobs", many)
        page = (await client.get("/")).text
        assert page.count("<td>burn ") == len(burns) > 1
        assert "odarchive job list --open" not in page


async def test_hostile_reasons_are_escaped(autojump_clock, shop):
    shop.build(blanks=range(0))
    async with shop.life() as librarian, browser(librarian) as client:
        await shop.work(librarian)
        why = '"><script>alert(1)</script>'
        await librarian.room.write(jobs.set_state, shop.jobs()[0].id, JobState.WAITING, now_ns=1, why=why)
        page = (await client.get("/")).text
        assert "<script>" not in page
        assert "&lt;script&gt;" in page


async def test_the_same_page_is_on_the_socket_without_a_key(autojump_clock, shop):
    shop.build()
    async with shop.life() as librarian:
        transport = httpx.ASGITransport(app=application(librarian, KEY))
        async with httpx.AsyncClient(transport=transport, base_url="http://librarian") as client:
            assert "SHOP" in (await client.get("/")).text
            assert (await client.post("/queue", data={"do": "pause"})).status_code == 403


async def test_a_long_form_is_not_read_to_its_end():
    parts = [{"type": "http.request", "body": b"words=" + b"x" * 1000, "more_body": True} for _ in range(100)]

    async def receive():
        return parts.pop()

    assert await read_form(Request({"type": "http", "method": "POST", "headers": []}, receive)) is None
    assert len(parts) > 90


def test_slots_are_rings():
    lines = ticks([(number, "disc", "") for number in range(1, 601)])
    assert len(lines) == 600
    assert len({(line["x1"], line["y1"]) for line in lines}) == 600
    assert all(0 <= line[key] <= 600 for line in lines for key in ("x1", "y1", "x2", "y2"))
    assert lines[0]["x1"] == lines[0]["x2"] == 300  # slot 1 is at the top
    assert len(ticks([(1, "disc", "A")])) == 1
    assert ticks([]) == []
    assert len(ticks([(number, "disc", "") for number in range(1, 5001)])) == 5000


def test_words_for_times_and_sizes():
    assert [duration(s) for s in (0, 59.4, 61, 3600, 5400, 90_000)] == [
        "0 s",
        "59 s",
        "1 min 1 s",
        "1 h",
        "1 h 30 min",
        "1 d 1 h",
    ]
    assert [size(n) for n in (0, 999, 1000, 24.1e9, 13.2e12)] == ["0 B", "999 B", "1 kB", "24.1 GB", "13.2 TB"]


def test_the_key_is_made_once_and_nobody_else_may_read_it(tmp_path):
    key = key_of(tmp_path)
    assert len(key) == 43
    assert key_of(tmp_path) == key
    (tmp_path / "web.key").chmod(0o644)
    with pytest.raises(ConfigError, match="others may read it"):
        key_of(tmp_path)
    (tmp_path / "web.key").unlink()
    (tmp_path / "web.key").symlink_to("/etc/hostname")
    with pytest.raises(ConfigError):
        key_of(tmp_path)


def test_of_two_who_make_the_key_at_once_one_wins(tmp_path, monkeypatch):
    made = []

    def slow(_bytes, draw=secrets.token_urlsafe):
        if not made:
            made.append("")
            made.append(key_of(tmp_path))  # the other one, in the middle of this one
        return draw(32)

    monkeypatch.setattr(secrets, "token_urlsafe", slow)
    assert key_of(tmp_path) == made[1] == key_of(tmp_path)
    assert os.listdir(tmp_path) == ["web.key"]


def test_a_key_is_made_where_there_are_no_hard_links(tmp_path, monkeypatch):
    def link(*_):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)
    key = key_of(tmp_path)
    assert (key_of(tmp_path), os.listdir(tmp_path)) == (key, ["web.key"])
    assert (tmp_path / "web.key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("listen", ["0.0.0.0:8610", "8610", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:99999", "[::]:80"])
def test_the_page_is_for_loopback_alone(tmp_path, listen):
    (tmp_path / "archive.toml").write_text(f'[web]\nlisten = "{listen}"\n')
    with pytest.raises(ConfigError, match="address of loopback"):
        load(tmp_path)


def test_a_port_that_is_taken_is_named(tmp_path):
    import socket

    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = f"127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(ConfigError, match=r"\[web\] listen .*in use"):
            doors(Config(tmp_path, web=taken))


def test_ports_handed_over_by_systemd_must_be_of_loopback(tmp_path, monkeypatch):
    import socket

    monkeypatch.setenv("LISTEN_PID", str(os.getpid()))
    monkeypatch.setenv("LISTEN_FDS", "1")
    for host, good in (("127.0.0.1", True), ("0.0.0.0", False)):  # noqa: S104  never listened on
        with socket.socket() as listener:
            listener.bind((host, 0))
            handed = os.dup(listener.fileno())
            monkeypatch.setattr(doors_module, "_FIRST_HANDED", handed)
            if good:
                (door,) = doors(Config(tmp_path))
                assert door.getsockname() == listener.getsockname()
                door.close()
            else:
                with pytest.raises(ConfigError, match="loopback alone"):
                    doors(Config(tmp_path))
    monkeypatch.setenv("LISTEN_PID", "1")
    assert doors(Config(tmp_path)) == []
