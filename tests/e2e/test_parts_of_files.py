"""Large files through a real mount: a probe of a film reads head and tail, and every read gives the true bytes."""

import errno
import json
import os
import random
import shutil
import subprocess
import threading
from pathlib import Path

import pytest
from sqlalchemy import select

from odarchive.catalogue import schema
from odarchive.chunks import CHUNK
from odarchive.digest import content_digest
from odarchive.opened import open_archive
from odarchive.service.client import Client
from tests.e2e.site import MB, Site

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not os.access("/dev/fuse", os.R_OK | os.W_OK), reason="/dev/fuse may not be used here"),
]
BODY = random.Random(42).randbytes(9 * CHUNK + 77_777)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with Site(tmp_path_factory.mktemp("site")) as site:
        (site.source / "body.bin").write_bytes(BODY)
        (site.source / "notes.txt").write_text("beside it\n")
        if shutil.which("ffmpeg"):
            make_film(site.source / "film.mov")
        site.start_robot(capacity=60 * MB)
        site.init()
        site.command("scan", str(site.source))
        site.command("plan", "--media", "60MB")
        site.serve()
        site.command("burn", "all", "--wait")
        site.command("mount", str(site.mountpoint))
        yield site


def make_film(path: Path) -> None:
    """A minute of noise, large enough that its middle is far from both ends; its index lies behind the pictures."""
    noise = "color=gray:size=320x240:rate=10,noise=alls=100:allf=t"
    argv = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", noise, "-t", "40", "-c:v", "mjpeg", "-q:v", "4", str(path)]
    subprocess.run(argv, check=True, timeout=120)
    assert path.stat().st_size > 8 * CHUNK


def bytes_read(site: Site) -> int:
    with Client(site.archive / "librarian.sock") as librarian:
        return sum(drive["bytes_read"] for drive in librarian.status()["drives"])


def evict(site: Site, body: bytes) -> None:
    with open_archive(site.archive).catalogue.read() as connection:
        c = schema.content.c
        content = connection.scalars(select(c.id).where(c.digest == content_digest(body))).one()
    with Client(site.archive / "librarian.sock") as librarian:
        librarian.order_cache("evict", content)


def drop_caches(site: Site) -> None:
    """The kernel forgets what it read through the mount."""
    Path("/proc/sys/vm/drop_caches").write_text("1\n")


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="the kernel's caches are dropped by root only")


@pytest.mark.skipif(shutil.which("ffmpegthumbnailer") is None, reason="ffmpegthumbnailer is not installed")
def test_a_file_managers_thumbnailer_moves_no_disc(site: Site, tmp_path: Path) -> None:
    """As file managers call it for each film they show."""
    before = bytes_read(site), json.loads(site.command("robot", "status", "--json").stdout)["moves"]
    for source, good in ((site.mountpoint / "photos" / "film.mov", False), (site.source / "film.mov", True)):
        picture = tmp_path / f"{good}.png"
        argv = ["ffmpegthumbnailer", "-i", source, "-o", picture, "-s", "64"]
        subprocess.run(argv, capture_output=True, check=False, timeout=120)
        assert (picture.exists() and picture.stat().st_size > 0) == good
    assert (bytes_read(site), json.loads(site.command("robot", "status", "--json").stdout)["moves"]) == before


@pytest.mark.skipif(shutil.which("ffprobe") is None, reason="ffmpeg is not installed")
def test_a_probe_of_a_film_reads_head_and_tail_off_the_disc(site: Site) -> None:
    film = site.source / "film.mov"
    begin = bytes_read(site)
    words = ["ffprobe", "-v", "error", "-show_format", "-show_streams", "-of", "json"]
    done = [
        subprocess.run([*words, str(where)], capture_output=True, check=True, timeout=120)
        for where in (site.mountpoint / "photos" / "film.mov", film)
    ]
    through, direct = (json.loads(one.stdout) for one in done)
    through["format"].pop("filename"), direct["format"].pop("filename")
    assert through == direct
    taken = bytes_read(site) - begin
    print(f"ffprobe took {taken} of {film.stat().st_size} bytes off the disc")
    assert CHUNK < taken <= 4 * CHUNK < film.stat().st_size / 2
    (drive, _) = json.loads(site.command("drive", "list", "--json").stdout)["drives"]
    assert "bytes_read" in drive
    status = json.loads(site.command("cache", "status", "--json").stdout)
    assert status["parts"] == 1
    size = film.stat().st_size
    (partial,) = status["partial"]
    assert (partial["path"], partial["size"]) == ("photos/film.mov", size)
    assert CHUNK < partial["bytes"] == status["part_bytes"] < size
    told = site.command("cache", "status").stdout
    assert "in part" in told
    assert "  photos/film.mov: " in told
    shown = site.mountpoint / "photos" / "film.mov"
    assert os.getxattr(shown, "user.odarchive.state") == b"partial"
    assert partial["bytes"] <= int(os.getxattr(shown, "user.odarchive.cached")) <= 2 * CHUNK  # of whole chunks


@needs_root
def test_reads_at_random_give_the_true_bytes_while_the_file_arrives(site: Site) -> None:
    path = site.mountpoint / "photos" / "body.bin"
    wrong: list[tuple[int, int]] = []

    def reader(seed: int) -> None:
        chance = random.Random(seed)
        with path.open("rb", buffering=0) as file:
            for _ in range(25):
                start, length = chance.randrange(len(BODY)), chance.choice([1, 4096, 100_000, CHUNK])
                if os.pread(file.fileno(), length, start) != BODY[start : start + length]:
                    wrong.append((start, length))

    for seed in (1, 2):
        evict(site, BODY)
        drop_caches(site)
        threads = [threading.Thread(target=reader, args=(10 * seed + n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
            assert not thread.is_alive()
    assert wrong == []


@needs_root
def test_who_reads_on_gets_all_of_it_into_the_cache(site: Site) -> None:
    evict(site, BODY)
    drop_caches(site)
    assert (site.mountpoint / "photos" / "body.bin").read_bytes() == BODY
    name = content_digest(BODY).hex()
    whole = site.archive / "cache" / name[:2] / name[2:]
    site.wait_for(whole.exists, "the whole file in the cache")
    assert whole.read_bytes() == BODY


@needs_root
def test_the_head_of_a_file_stays_when_it_is_thrown_out_so(site: Site) -> None:
    path = site.mountpoint / "photos" / "body.bin"
    assert path.read_bytes() == BODY
    site.command("cache", "evict", "photos/body.bin", "--keep-head", "256K")
    drop_caches(site)
    before = bytes_read(site)
    with path.open("rb", buffering=0) as file:
        assert file.read(4096) == BODY[:4096]
        assert bytes_read(site) == before
        assert os.pread(file.fileno(), 10, 5 * CHUNK) == BODY[5 * CHUNK : 5 * CHUNK + 10]
    assert before < bytes_read(site) <= before + 2 * CHUNK


@needs_root
def test_a_file_arrives_although_the_librarian_is_killed_on_the_way(site: Site) -> None:
    evict(site, BODY)
    drop_caches(site)
    path = site.mountpoint / "photos" / "body.bin"
    with path.open("rb", buffering=0) as file:
        assert os.pread(file.fileno(), 5, 2 * CHUNK) == BODY[2 * CHUNK :][:5]
        librarian = next(p for p in reversed(site.processes) if "serve" in p.args)
        librarian.kill()
        librarian.wait(30)
        assert os.pread(file.fileno(), 5, 2 * CHUNK + 9000) == BODY[2 * CHUNK + 9000 :][:5], (
            "what is there needs nobody"
        )
        blocked = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        try:
            with pytest.raises(OSError, match="temporarily unavailable") as refused:
                os.pread(blocked, 5, 7 * CHUNK)
            assert refused.value.errno == errno.EAGAIN
        finally:
            os.close(blocked)
        site.serve()
        assert os.pread(file.fileno(), 5, 7 * CHUNK) == BODY[7 * CHUNK :][:5]
    assert path.read_bytes() == BODY
    assert site.violations() == []
