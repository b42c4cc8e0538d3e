"""``odarchive mount`` as a process, over a catalogue that changes under it."""

import ctypes
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from blake3 import blake3

from odarchive.asked import Box
from odarchive.catalogue import archive, contents
from odarchive.catalogue.database import Catalogue, driver

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not os.access("/dev/fuse", os.R_OK | os.W_OK), reason="/dev/fuse may not be used here"),
]
SOON = 60.0
"""Seconds within which a change must show; it takes one or two."""
ENTRY = (
    "INSERT INTO entry (parent, name, since, ino, mode, nlink, uid, gid, size, mtime_ns, ctime_ns, src_dev, src_ino,"
    " content, carrier, shown) VALUES (1, ?, ?, ?, 33188, 1, 0, 0, ?, 0, 0, 0, 0, ?, 0, 1)"
)


class Site:
    """An archive made by hand, and its mount."""

    def __init__(self, root: Path) -> None:
        self.root = root / "archive"
        self.directory = root / "mnt"
        self.root.mkdir()
        self.directory.mkdir()
        (self.root / "archive.toml").write_text("")
        facts = archive.Facts(uuid="u", label_prefix="X", created_ns=0)
        self.catalogue: Catalogue = archive.create(self.root / "catalogue.db", facts)

    def mount(self, *options: str) -> None:
        argv = [sys.executable, "-m", "odarchive", "-a", self.root, "mount", *options, self.directory]
        subprocess.run(argv, check=True, timeout=120)

    def order(self, *words: str) -> None:
        argv = [sys.executable, "-m", "odarchive", "-a", self.root, *words]
        subprocess.run(argv, check=True, timeout=120, stdout=subprocess.DEVNULL)

    def unmount(self) -> None:
        subprocess.run(["fusermount3", "-uzq", self.directory], check=False, timeout=120)

    def add(self, name: bytes, ino: int, body: bytes, *, since: int = 0, cached: bool = True) -> None:
        digest = blake3(body).digest()
        with self.catalogue.write() as connection:
            raw = driver(connection)
            number, _ = contents.keep(raw, digest, len(body))
            if since:
                raw.execute("INSERT OR IGNORE INTO source (id, name, path, created_ns) VALUES (1, 's', '/s', 0)")
                raw.execute(
                    "INSERT INTO snapshot (id, source, state, started_ns) VALUES (?, 1, 'complete', 0)", (since,)
                )
                statement = "UPDATE entry SET until = ?, shown = 0 WHERE parent = 1 AND name = ? AND until IS NULL"
                raw.execute(statement, (since, name))
            raw.execute(ENTRY, (name, since, ino, len(body), number))
        if cached:
            self.cache(body)

    def cache(self, body: bytes) -> None:
        name = blake3(body).hexdigest()
        folder = self.root / "cache" / name[:2]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "new").write_bytes(body)
        (folder / "new").rename(folder / name[2:])


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.unmount()
    made.catalogue.close()


def content(path: Path) -> bytes:
    """By one system call; Python's buffered files answer nothing where the system says EAGAIN."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return os.read(descriptor, 1 << 20)
    finally:
        os.close(descriptor)


def soon(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + SOON
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def test_a_new_version_and_a_new_name_show_without_a_remount(site: Site) -> None:
    site.add(b"file", 100, b"one")
    site.mount()
    file, new = site.directory / "file", site.directory / "new"
    assert (file.read_bytes(), file.stat().st_ino) == (b"one", 100)
    assert not new.exists()
    site.add(b"file", 101, b"other bytes", since=1)
    site.add(b"new", 102, b"new bytes")
    assert soon(lambda: file.stat().st_ino == 101)
    assert file.read_bytes() == b"other bytes"
    assert soon(new.exists)
    assert new.read_bytes() == b"new bytes"


def test_what_comes_into_the_cache_and_goes_shows_in_blocks_and_state(site: Site) -> None:
    body = bytes(50_000)
    site.add(b"file", 100, body, cached=False)
    site.mount()
    file = site.directory / "file"
    assert (file.stat().st_blocks, os.getxattr(file, "user.odarchive.state")) == (1, b"lost")
    site.cache(body)
    assert os.getxattr(file, "user.odarchive.state") == b"cached"
    assert soon(lambda: file.stat().st_blocks == 98)
    (name,) = (site.root / "cache").glob("*/*")
    name.unlink()
    assert soon(lambda: file.stat().st_blocks == 1)


def test_a_mount_that_never_recalls_serves_the_cache_alone(site: Site) -> None:
    site.add(b"here", 100, b"here")
    site.add(b"elsewhere", 101, b"elsewhere", cached=False)
    site.mount("--recall=never")
    assert (site.directory / "here").read_bytes() == b"here"
    done = subprocess.run(["cat", site.directory / "elsewhere"], capture_output=True, check=False, timeout=120)
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"Resource temporarily unavailable" in done.stderr


class Handle(ctypes.Structure):
    """struct file_handle of open_by_handle_at(2)."""

    _fields_ = [("bytes", ctypes.c_uint), ("type", ctypes.c_int), ("data", ctypes.c_ubyte * 128)]


@pytest.mark.skipif(os.geteuid() != 0, reason="open_by_handle_at needs CAP_DAC_READ_SEARCH")
def test_numbers_and_handles_outlive_the_mount_as_nfs_needs(site: Site) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    site.add(b"file", 1 << 40, b"one")
    site.mount()
    handle, number = Handle(bytes=128), ctypes.c_int()
    path = os.fsencode(site.directory / "file")
    assert libc.name_to_handle_at(-100, path, ctypes.byref(handle), ctypes.byref(number), 0) == 0
    site.unmount()
    assert soon(lambda: not os.path.ismount(site.directory))
    site.mount()
    assert (site.directory / "file").stat().st_ino == 1 << 40
    folder = os.open(site.directory, os.O_RDONLY)
    descriptor = libc.open_by_handle_at(folder, ctypes.byref(handle), os.O_RDONLY)
    assert descriptor >= 0, os.strerror(ctypes.get_errno())
    assert os.read(descriptor, 10) == b"one"
    os.close(descriptor)
    os.close(folder)


def test_a_mount_that_asks_waits_for_a_person(site: Site) -> None:
    bodies = {name: name.encode() * 9 for name in ("allowed", "refused", "recalled")}
    for ino, (name, body) in enumerate(bodies.items(), 100):
        site.add(name.encode(), ino, body, cached=False)
    site.mount("--recall=ask", "--umask=077", "--uid=5")
    found = (site.directory / "refused").stat()
    assert (found.st_uid, found.st_mode & 0o777) == (5, 0o600)
    readers = {
        name: subprocess.Popen(["cat", site.directory / name], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for name in bodies
    }
    try:
        box = Box(site.root)
        assert soon(lambda: len(box.questions()) == 3)
        numbers = {question.path: question.content for question in box.questions()}
        site.order("asked", "refuse", str(numbers["refused"]))
        assert b"temporarily unavailable" in readers["refused"].communicate(timeout=SOON)[1]
        site.order("asked", "allow", str(numbers["allowed"]))
        assert soon(lambda: "allowed" not in [question.path for question in box.questions()])
        for name in ("allowed", "recalled"):
            site.cache(bodies[name])
        assert [readers[name].communicate(timeout=SOON)[0] for name in ("allowed", "recalled")] == [
            bodies["allowed"],
            bodies["recalled"],
        ]
        assert box.questions() == []
    finally:
        for reader in readers.values():
            reader.kill()
            reader.communicate()


@pytest.mark.skipif(os.geteuid() != 0, reason="mount(8) is root's")
def test_mount_8_mounts_an_archive(site: Site) -> None:
    site.add(b"file", 100, b"bytes")
    helper = [sys.executable, "-c", "import sys; from odarchive.cli.fstab import main; sys.exit(main())"]
    subprocess.run([*helper, site.root, site.directory, "-o", "ro,nofail,gid=9"], check=True, timeout=120)
    assert (site.directory / "file").read_bytes() == b"bytes"
    assert (site.directory / "file").stat().st_gid == 9
    again = subprocess.run([*helper, site.root, site.directory], capture_output=True, check=False, timeout=120)
    assert again.returncode == 32
    assert b"already mounted" in again.stderr


def test_the_folder_of_views_is_there_and_not_listed(site: Site) -> None:
    site.add(b"file", 100, b"one", since=1)
    with site.catalogue.write() as connection:
        raw = driver(connection)
        raw.execute("UPDATE snapshot SET finished_ns = 1700000000000000000")
        raw.execute(
            "INSERT INTO segment (id, label, state, media, capacity, planned_bytes, payload_bytes, created_ns)"
            " VALUES (1, 'X-0001', 'archived', 'cd', 1, 1, 5, 0)"
        )
        raw.execute("INSERT INTO piece (content, segment, start, length, sector) SELECT id, 1, 0, size, 9 FROM content")
        raw.execute(
            "INSERT INTO disc (id, uuid, segment, label, state, image_size, digest, created_ns)"
            " VALUES (1, 'u', 1, 'X-0001.1', 'verified', 65536, zeroblob(32), 0)"
        )
    site.add(b"file", 101, b"another", since=2)
    site.add(b"elsewhere", 102, b"on no disc")
    site.mount()
    views = site.directory / ".odarchive"
    assert sorted(os.listdir(site.directory)) == ["elsewhere", "file"]
    assert (site.directory / "file").read_bytes() == b"another"
    assert sorted(os.listdir(views)) == ["dates", "discs", "snapshots", "status.json"]
    assert sorted(os.listdir(views / "snapshots")) == ["1", "2"]
    assert (views / "snapshots/1/file").read_bytes() == b"one"
    assert os.listdir(views / "dates") == ["1970-01-01", "2023-11-14"]
    assert (views / "dates/2023-11-14/file").read_bytes() == b"one"
    for path in (views / "snapshots/1/file", views / "dates/2023-11-14/file"):
        assert os.getxattr(path, "user.odarchive.state") == b"cached"
        assert os.getxattr(path, "user.odarchive.disc") == b"X-0001.1"
        assert os.getxattr(path, "user.odarchive.digest") == b"blake3:" + blake3(b"one").hexdigest().encode()
    assert os.listdir(views / "discs") == ["X-0001.1"]
    assert os.listdir(views / "discs/X-0001.1") == []  # of the present, it carries nothing
    number = (views / "snapshots/1/file").stat().st_ino
    assert soon(lambda: json.loads((views / "status.json").read_text()).get("discs") == {"verified": 1})
    with site.catalogue.write() as connection:
        driver(connection).execute("UPDATE disc SET state = 'suspect'")
    assert soon(lambda: json.loads((views / "status.json").read_text())["discs"] == {"suspect": 1})
    with pytest.raises(FileNotFoundError):
        (views / "snapshots/3").stat()
    assert (views / "snapshots/1/..").resolve() == views / "snapshots"
    site.unmount()
    site.mount()
    assert (views / "snapshots/1/file").stat().st_ino == number


def test_a_catalogue_locked_or_changed_in_form_under_the_mount_is_still_served(site: Site) -> None:
    site.add(b"file", 100, b"bytes")
    site.add(b"later", 101, b"later bytes")
    site.mount()
    assert (site.directory / "file").read_bytes() == b"bytes"
    with site.catalogue.write() as connection:  # holds the lock of writers
        raw = driver(connection)
        raw.execute("ALTER TABLE entry ADD COLUMN novelty INTEGER")
        assert (site.directory / "later").read_bytes() == b"later bytes"
    assert sorted(os.listdir(site.directory)) == ["file", "later"]
    site.add(b"new", 102, b"new bytes")
    assert soon((site.directory / "new").exists)
    assert (site.directory / "new").read_bytes() == b"new bytes"


def test_a_cache_that_is_gone_hurts_nobody_who_has_the_file_open(site: Site) -> None:
    body = os.urandom(300_000)
    site.add(b"file", 100, body)
    site.add(b"other", 101, b"other" * 99)
    site.mount("--recall=never")
    with (site.directory / "file").open("rb") as file:
        assert file.read(10) == body[:10]
        shutil.rmtree(site.root / "cache")
        assert file.read() == body[10:]
    with pytest.raises(BlockingIOError):
        content(site.directory / "other")
    site.cache(b"other" * 99)
    assert soon(lambda: os.getxattr(site.directory / "other", "user.odarchive.state") == b"cached")
    assert content(site.directory / "other") == b"other" * 99
