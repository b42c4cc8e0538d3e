"""A person reads through the mount what no disc gives any more: it is made again from the parity set, by one drive."""

import errno
import json
import os
import random
import signal
import subprocess

import pytest
from blake3 import blake3
from sqlalchemy import select

from odarchive.catalogue import discs, schema
from odarchive.chunks import CHUNK
from odarchive.model import ContentId
from odarchive.opened import open_archive
from robot.sim.world import person
from tests.e2e.site import MB, Site

pytest.importorskip("numpy")
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not os.access("/dev/fuse", os.R_OK | os.W_OK), reason="/dev/fuse may not be used here"),
]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    chance = random.Random(11)
    with Site(tmp_path_factory.mktemp("site")) as site:
        for number in range(3):
            folder = site.source / str(number)
            folder.mkdir()
            (folder / "film.mkv").write_bytes(chance.randbytes(2 * CHUNK + 100_000))
            (folder / "small.jpg").write_bytes(chance.randbytes(900_000))
        site.start_robot(drives=1, capacity=7 * MB)
        drive = ("--drive", f"file:{site.world}/drives/0")
        site.command("init", str(site.archive), "--robot", "odjp", "--port", str(site.world / "tty"), *drive)
        config = site.archive / "archive.toml"
        config.write_text(config.read_text().replace("[recall]\n", "[recall]\nhold = 0.05\n"))
        site.command("scan", str(site.source))
        site.command("plan", "--media", "7MB", "--parity", "3+1")
        site.librarian = site.serve()
        site.command("burn", "all", "--wait")
        assert "set 1: 3 of 3 data discs" in (listed := site.command("parity-set", "list").stdout)
        assert "whole" in listed
        site.command("mount", str(site.mountpoint))
        yield site


def place(site, path):
    """Label, slot and first sector of a file's disc."""
    digest = blake3((site.source / path).read_bytes()).digest()
    with open_archive(site.archive).catalogue.read() as connection:
        query = select(schema.content.c.id).where(schema.content.c.digest == digest)
        (extent,) = discs.extents(connection, ContentId(connection.scalars(query).one()))
        (disc,) = discs.known_of(connection, extent.segment)
    return disc.label, disc.slot, extent.sector


def diary(site, kind):
    with open_archive(site.archive).catalogue.read() as connection:
        return [row.message for row in connection.execute(schema.event.select()) if row.kind == kind]


def scratch(site, label, *runs):
    (sheet,) = [
        path.with_suffix(".json")
        for path in (site.world / "discs").glob("*.disc")
        if f"{label} ".encode() in path.read_bytes()[16 * 2048 : 17 * 2048]
    ]
    sheet.write_text(json.dumps({**json.loads(sheet.read_text()), "bad_sectors": [list(run) for run in runs]}))


def cat(site, path):
    return subprocess.run(["cat", site.mountpoint / "photos" / path], capture_output=True, timeout=120, check=False)


def test_a_scratched_file_is_read_right(site):
    label, _, sector = place(site, "1/film.mkv")
    scratch(site, label, (sector + CHUNK // 2048 + 9, 2))
    done = cat(site, "1/film.mkv")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == (site.source / "1/film.mkv").read_bytes()
    assert all(f"disc {label} sectors" in line for line in diary(site, "repaired"))
    assert f"suspect    slot {place(site, '1/film.mkv')[1]}" in site.command("health").stdout
    assert label in site.command("copies").stdout
    scratch(site, label)


def test_a_disc_that_somebody_took_out_is_read_right_across_a_crash_of_the_librarian(site):
    label, slot, _ = place(site, "2/film.mkv")
    with person(site.world) as world:
        world.remove_disc(f"slot {slot}")
    reader = subprocess.Popen(["cat", site.mountpoint / "photos/2/film.mkv"], stdout=subprocess.PIPE)
    site.wait_for(lambda: any(label in line for line in diary(site, "disc-missing")), "the missing disc")
    assert site.stop(site.librarian, signal.SIGKILL) == -signal.SIGKILL
    site.librarian = site.serve()
    body, _ = reader.communicate(timeout=120)
    right = (site.source / "2/film.mkv").read_bytes()
    assert body == right[: len(body)], "no wrong byte, whenever the librarian dies"
    for name in ("2/film.mkv", "2/small.jpg"):
        assert cat(site, name).stdout == (site.source / name).read_bytes()
    assert any(f"disc {label} sectors" in line for line in diary(site, "repaired"))
    assert site.violations() == []


def test_two_lost_discs_of_a_set_with_one_parity_disc_are_an_error_in_words(site):
    label, slot, _ = place(site, "0/small.jpg")
    site.command("cache", "evict", "/photos/0/small.jpg")
    with person(site.world) as world:
        world.remove_disc(f"slot {slot}")
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        (site.mountpoint / "photos/0/small.jpg").read_bytes()
    why = site.command("recall", "--wait", "/photos/0/small.jpg", check=False).stderr
    assert label in why
    assert cat(site, "2/film.mkv").stdout == (site.source / "2/film.mkv").read_bytes(), "what is cached stays readable"
