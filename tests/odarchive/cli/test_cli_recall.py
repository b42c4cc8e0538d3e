"""``odarchive recall`` against a librarian that this test is: what it tells of the wait."""

from contextlib import nullcontext
from types import SimpleNamespace

import pytest

from odarchive.cli import cache


class Librarian:
    """Brings a content at the second question that waits."""

    def __init__(self, waits):
        self.waits = dict(waits)
        self.here = set()

    def wake(self):
        pass

    def recall(self, content, wait):
        if wait:
            self.here.add(content)
        return {"state": "done" if content in self.here else "waiting", "why": "waiting for its disc"}

    def status(self):
        others = [{"content": 99, "seconds_left": 9_999}]
        wants = [{"content": content, "seconds_left": left} for content, left in self.waits.items()]
        return {"wants": [want for want in others + wants if want["content"] not in self.here]}


@pytest.fixture
def recall(monkeypatch, cli):
    def run(waits, *words):
        monkeypatch.setattr(cache, "open_archive", lambda _root: None)
        placed = [SimpleNamespace(content=content, size=1000) for content in (1, 2, 3)]
        monkeypatch.setattr(cache, "_below", lambda _archive, _path: placed)
        monkeypatch.setattr(cache, "_librarian", lambda _archive: nullcontext(Librarian(waits)))
        assert cli("recall", "photos", *words) == 0, cli.err
        return cli

    return run


def test_who_waits_is_told_on_stderr_how_long(recall):
    got = recall({1: 20, 2: 700, 3: 30}, "--wait")
    assert got.err == "3 contents wait for their discs (about 12 min)\n"
    assert got.out == "3 contents, 3.0 kB: 3 in the cache, 0 on their way, 0 cannot be had\n"


def test_who_does_not_wait_is_told_with_the_rest(recall):
    assert "3 on their way (less than a minute), 0" in recall({1: 20}).out
    assert recall({1: 20, 2: 700}).json("recall", "photos")["seconds_left"] == 700
    assert recall({1: 20}).json("recall", "photos", "--wait")["seconds_left"] is None


def test_what_cannot_be_estimated_is_not(recall):
    assert recall({}, "--wait").err == "3 contents wait for their discs\n"
    assert "3 on their way, 0" in recall({}).out
