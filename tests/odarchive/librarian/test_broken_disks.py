"""Disks that fail at each of their calls in turn: readers and burns are told, no byte is wrong, the rest goes on."""

import errno
import os
import random

import pytest

from odarchive.cache import CacheOrder
from odarchive.catalogue import schema
from odarchive.chunks import CHUNK
from odarchive.digest import content_digest
from odarchive.errors import NoSpace
from odarchive.librarian.asking import Asked
from odarchive.model import DiscState, JobState
from tests.odarchive.fixity.test_verify import known, queue, sheet
from tests.odarchive.librarian.shop import Shop
from tests.odarchive.librarian.test_librarian import cached, content_id
from tests.odarchive.librarian.test_parts import burned

FILM = random.Random(21).randbytes(2 * CHUNK + 5000)
WHOLE = random.Random(22).randbytes(CHUNK + 5000)
CALLS = ("open", "close", "pread", "pwrite", "ftruncate", "fstat", "dup", "stat", "statvfs", "mkdir", "rename")
CALLS += ("unlink", "utime", "fsync", "replace", "truncate", "scandir")


class BrokenDisk:
    """Lets the ``at``-th call on a folder, or on a file that is open there, fail; with ``on`` all after it as well."""

    def __init__(self, monkeypatch, folder):
        self.folder, self.at, self.on, self.names, self.fired = str(folder), 0, False, [], False
        self.armed = False
        for name in CALLS:
            monkeypatch.setattr(os, name, self._wrapped(getattr(os, name)))

    def arm(self, at, *, on):
        self.at, self.on, self.names, self.fired, self.armed = at, on, [], False, True

    def disarm(self):
        self.armed = False

    def _wrapped(self, real):
        def call(what, *arguments, **named):
            if self.armed and self._here(what):
                self.names.append(real.__name__)
                if len(self.names) == self.at or (self.on and len(self.names) > self.at):
                    self.fired = True
                    if real.__name__ == "close":
                        real(what)
                    raise OSError(errno.EIO, os.strerror(errno.EIO), None if isinstance(what, int) else what)
            return real(what, *arguments, **named)

        return call

    def _here(self, what):
        if not isinstance(what, int):
            return os.fspath(what).startswith(self.folder) if isinstance(what, (str, os.PathLike)) else False
        try:
            return os.readlink(f"/proc/self/fd/{what}").startswith(self.folder)
        except OSError:
            return False


@pytest.mark.parametrize(("on", "step"), [(False, 1), (True, 6)])
async def test_each_call_on_the_disk_of_the_cache_may_fail(autojump_clock, tmp_path, monkeypatch, on, step):
    shop = Shop(tmp_path)
    (tmp_path / "photos" / "99").mkdir(parents=True)
    (tmp_path / "photos" / "99" / "film.mkv").write_bytes(FILM)
    (tmp_path / "photos" / "99" / "whole.bin").write_bytes(WHOLE)
    await burned(shop, files=1)
    with shop.archive.catalogue.write() as connection:
        connection.execute(schema.chunks.delete().where(schema.chunks.c.content == content_id(shop, WHOLE)))
    bodies = {content_id(shop, body): body for body in (FILM, WHOLE, *shop.contents.values())}
    film, whole, small = bodies
    disk = BrokenDisk(monkeypatch, tmp_path / "archive" / "cache")
    async with shop.life() as librarian:

        async def day():
            """Everything that readers and people ask of a cache."""
            said = [await librarian.recall_part(film, Asked(CHUNK, 10), 600)]
            said.append(await librarian.recall_part(film, Asked(CHUNK, 10, wrong=True), 600))
            states = [answer.state for answer in said]
            states += [(await librarian.recall(content, 600))[0] for content in (film, whole, small)]
            for what in (CacheOrder.PIN, CacheOrder.UNPIN, CacheOrder.EVICT):
                for content in (film, whole) if what is CacheOrder.EVICT else (film,):
                    try:
                        await librarian.order_cache(content, what, CHUNK)
                    except NoSpace as error:
                        assert "Input/output error" in str(error)
            return states

        at, failures = 0, 0
        while at == 0 or disk.fired:
            at += step
            disk.arm(at, on=on)
            states = await day()
            disk.armed = False
            failures += states.count("failed")
            assert set(states) <= {"done", "failed"}, at
            for content, body in bodies.items():
                assert await librarian.recall(content, 600) == ("done", ""), at
                assert cached(shop, body) == body
                librarian.room.cache.drop(content_digest(body))
            assert len(librarian.demand) == 0
    assert at > 30
    assert failures


async def test_the_disk_of_staging_may_be_gone_from_each_of_its_calls_on(autojump_clock, tmp_path, monkeypatch):
    shop = Shop(tmp_path, copies=2)
    shop.build(files=2)
    disk = BrokenDisk(monkeypatch, tmp_path / "archive" / "staging")
    disk.arm(1, on=True)
    async with shop.life() as librarian:

        async def failing_until_done():
            """Have the last job done with all calls failing from the first, the second ... on; returns how many."""
            at = 1
            while True:
                await shop.work(librarian)
                disk.armed = False
                job = shop.jobs()[-1]
                assert job.kind == "burn"
                if job.state is JobState.DONE:
                    return at
                assert (job.state, "Input/output error" in job.why) == (JobState.WAITING, True), job
                at += 1
                disk.arm(at, on=True)
                await librarian.look_again()

        assert await failing_until_done() > 5
        sheet(shop, "SHOP_0001", bad_sectors=[[300, 40]])
        disk.arm(1, on=True)
        queue(shop)
        librarian.wake()
        assert await failing_until_done() > 8
    assert {known(shop, f"SHOP_0001_{n}")[0].state for n in (2, 3)} == {DiscState.VERIFIED}
    assert shop.violations() == []
    assert list((tmp_path / "archive" / "staging").iterdir()) == []
