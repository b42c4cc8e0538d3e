"""The mount beside other programs: copies equal the source, crawlers move nothing, Samba serves it, handles last."""

import ctypes
import json
import os
import random
import shutil
import signal
import socket
import stat
import struct
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import text

from odarchive.opened import open_archive
from tests.e2e.site import Site

pytestmark = pytest.mark.e2e
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may do this")
LIMIT = 120.0
READERS, KILLS = 6, 3
ACL = struct.pack("<I", 2) + b"".join(
    struct.pack("<HHI", *entry)  # acl(5) as linux/posix_acl_xattr.h has it: tag, permissions, number
    for entry in ((1, 6, 0xFFFFFFFF), (2, 4, 1234), (4, 4, 0xFFFFFFFF), (16, 6, 0xFFFFFFFF), (32, 0, 0xFFFFFFFF))
)


def grow(source: Path) -> None:
    """A small tree with one of everything that a copy may lose."""
    folder = source / "folder"
    folder.mkdir(mode=0o750)
    (folder / "one").write_bytes(os.urandom(200_000))
    os.link(folder / "one", source / "linked")
    (folder / "empty").touch()
    (source / "link").symlink_to("folder/one")
    (source / "nowhere").symlink_to("not/there")
    (source / ("n" * 255)).write_bytes(b"long")
    Path(os.fsdecode(os.fsencode(source) + b"/\xff\xfe odd\n")).write_bytes(b"odd")
    with (source / "sparse").open("wb") as file:
        file.truncate(3_000_000)
        file.seek(1_000_000)
        file.write(b"in the middle" * 1000)
    (source / "owned").write_bytes(b"#!/bin/sh\n")
    (source / "owned").chmod(0o4755)
    os.setxattr(folder / "one", "user.colour", b"blue\0green")
    os.setxattr(source / "owned", "user.empty", b"")
    os.setxattr(source / "owned", "system.posix_acl_access", ACL)
    (source / "text").write_text("a needle in the hay\n" * 1000)
    (source / "empty folder").mkdir()
    if os.geteuid() == 0:
        os.chown(source / "text", 1234, 4321)
    for path in (folder / "one", source / "sparse", folder):
        os.utime(path, ns=(1, 1_234_567_890_123_456_789))


def facts(root: Path, *, everything: bool) -> dict[bytes, object]:
    """What is at each path; times, owners and attributes only if a copy is to have kept ``everything``."""
    top = os.fsencode(root)
    found: dict[bytes, object] = {}
    numbers: dict[int, bytes] = {}
    for where, folders, files in os.walk(top):
        for name in sorted(folders + files):
            path = os.path.join(where, name)
            about = os.lstat(path)
            inside = os.path.relpath(path, top)
            body: object = os.readlink(path) if stat.S_ISLNK(about.st_mode) else None
            if stat.S_ISREG(about.st_mode):
                body = Path(os.fsdecode(path)).read_bytes()
            kept: tuple[object, ...] = (about.st_mode if everything else stat.S_IFMT(about.st_mode), body)
            if everything:
                names = os.listxattr(path, follow_symlinks=False)
                attributes = {key: os.getxattr(path, key, follow_symlinks=False) for key in names}
                same = numbers.setdefault(about.st_ino, inside) if stat.S_ISREG(about.st_mode) else b""
                kept += (about.st_uid, about.st_gid, about.st_mtime_ns, attributes, same)
            found[inside] = kept
    return found


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with Site(tmp_path_factory.mktemp("citizens") / "site") as site:
        grow(site.source)
        site.start_robot(capacity=10_000_000)
        site.init()
        site.command("scan", str(site.source))
        site.command("plan", "--media", "10MB")
        site.serve()
        site.command("burn", "all", "--wait")
        mount(site)
        yield site


def mount(site: Site) -> None:
    options = ["--allow-other"] if os.geteuid() == 0 else []
    site.command("mount", *options, str(site.mountpoint))


def shown(site: Site) -> Path:
    return site.mountpoint / "photos"


def loads(site: Site) -> tuple[int, int]:
    """Moves of the arm, and recalls ever asked for."""
    moves = json.loads(site.command("robot", "status", "--json").stdout)["moves"]
    with open_archive(site.archive).catalogue.read() as connection:
        return moves, connection.execute(text("SELECT count(*) FROM job WHERE kind = 'recall'")).scalar_one()


def empty_cache(site: Site) -> None:
    """Nothing is at hand, neither in the cache nor in the kernel."""
    for folder in (site.archive / "cache").glob("??"):
        shutil.rmtree(folder)
    site.command("umount", str(site.mountpoint))
    mount(site)


COPIES = {
    "rsync": (["rsync", "-aHAX", "{from}/", "{to}/"], True),
    "cp": (["cp", "-a", "--sparse=always", "{from}/.", "{to}"], False),
    "tar": (["sh", "-c", 'tar -S -cf - -C "$1" . | tar -xf - -C "$2"', "sh", "{from}", "{to}"], False),
    "bsdtar": (["sh", "-c", 'bsdtar -cf - -C "$1" . | bsdtar -xf - -C "$2"', "sh", "{from}", "{to}"], False),
}


@pytest.mark.parametrize("program", COPIES)
def test_a_copy_of_the_mount_equals_the_source(site: Site, tmp_path: Path, program: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    words, everything = COPIES[program]
    argv = [word.format(**{"from": shown(site), "to": tmp_path}) for word in words]
    subprocess.run(argv, check=True, timeout=LIMIT)
    whole = everything and os.geteuid() == 0
    assert facts(tmp_path, everything=whole) == facts(site.source, everything=whole)
    if program == "rsync":
        again = [*argv[:2], "-n", "--itemize-changes", "--delete", *argv[2:]]
        assert subprocess.run(again, check=True, timeout=LIMIT, capture_output=True).stdout == b""


@pytest.mark.skipif(shutil.which("rsync") is None, reason="rsync is not installed")
@pytest.mark.parametrize("view", ["snapshots/1", "dates", "discs"])
def test_a_copy_of_a_view_equals_the_source(site: Site, tmp_path: Path, view: str) -> None:
    """Extended attributes and ACLs included; there is one snapshot, of one day, on one disc."""
    top = site.mountpoint / ".odarchive" / view
    inside = top if view == "snapshots/1" else next(top.iterdir())
    subprocess.run(["rsync", "-aHAX", f"{inside}/photos/", f"{tmp_path}/"], check=True, timeout=LIMIT)
    whole = os.geteuid() == 0
    expected = facts(site.source, everything=whole)
    if view == "discs":  # what has bytes on it, and the folders above
        expected = {name: fact for name, fact in expected.items() if name in facts(tmp_path, everything=whole)}
        assert {b"text", b"folder/one", b"linked", b"owned", b"sparse"} < expected.keys()
    assert facts(tmp_path, everything=whole) == expected
    assert os.getxattr(inside / "photos/text", "user.odarchive.state") == b"cached"


def test_grep_finds_through_the_whole_mount(site: Site) -> None:
    argv = ["grep", "-rl", "needle", shown(site)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=LIMIT)
    assert done.stdout.split() == [str(shown(site) / "text")]


def test_crawlers_move_no_disc_and_a_persons_cat_does(site: Site, tmp_path: Path) -> None:
    empty_cache(site)
    before = loads(site)
    if shutil.which("updatedb.plocate"):
        argv = ["updatedb.plocate", "-l", "no", "-o", tmp_path / "db", "-U", site.mountpoint]
        subprocess.run(argv, check=True, timeout=LIMIT)
        assert b"needle" not in (tmp_path / "db").read_bytes()
        assert (tmp_path / "db").stat().st_size > 0
    subprocess.run(["ls", "-lR", site.mountpoint], check=True, timeout=LIMIT, stdout=subprocess.DEVNULL)
    thumbnailer = tmp_path / "tumblerd"  # Xfce's; known by its name, as the real one would be
    shutil.copy(shutil.which("cat") or "/bin/cat", thumbnailer)
    done = subprocess.run([thumbnailer, shown(site) / "text"], capture_output=True, check=False, timeout=LIMIT)
    assert (done.stdout, b"temporarily unavailable" in done.stderr) == (b"", True)
    assert loads(site) == before
    done = subprocess.run(["cat", shown(site) / "text"], capture_output=True, check=True, timeout=LIMIT)
    assert done.stdout == (site.source / "text").read_bytes()
    assert loads(site) > before


class Handle(ctypes.Structure):
    """struct file_handle of open_by_handle_at(2)."""

    _fields_ = (("bytes", ctypes.c_uint), ("type", ctypes.c_int), ("body", ctypes.c_ubyte * 128))


def handle_of(path: Path) -> Handle:
    libc = ctypes.CDLL(None, use_errno=True)
    handle, number = Handle(128), ctypes.c_int()
    if libc.name_to_handle_at(-100, os.fsencode(path), ctypes.byref(handle), ctypes.byref(number), 0):
        raise OSError(ctypes.get_errno(), "name_to_handle_at")
    return handle


def test_handles_and_inode_numbers_last_over_a_remount(site: Site) -> None:
    """What a kernel NFS server keeps of a file is its handle; it must still open it after both ends have forgotten."""
    paths = [shown(site) / name for name in ("folder", "folder/one", "n" * 255)]
    before = {path: (path.stat().st_ino, bytes(handle_of(path).body)) for path in paths}
    handle = handle_of(shown(site) / "folder/one")
    site.command("umount", str(site.mountpoint))
    mount(site)
    assert {path: (path.stat().st_ino, bytes(handle_of(path).body)) for path in paths} == before
    if os.geteuid() != 0:
        return
    site.command("umount", str(site.mountpoint))
    mount(site)  # so that the kernel knows no inode of it
    libc = ctypes.CDLL(None, use_errno=True)
    top = os.open(site.mountpoint, os.O_RDONLY)
    opened = libc.open_by_handle_at(top, ctypes.byref(handle), os.O_RDONLY)
    assert opened >= 0, os.strerror(ctypes.get_errno())
    with os.fdopen(opened, "rb") as file:
        assert file.read() == (site.source / "folder/one").read_bytes()
    os.close(top)


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


@needs_root
def test_samba_serves_the_mount(site: Site, tmp_path: Path) -> None:
    if not (shutil.which("smbd") and shutil.which("smbclient")):
        pytest.skip("samba is not installed")
    empty_cache(site)
    for name in ("lock", "state", "cache", "pid", "private"):
        (tmp_path / name).mkdir()
    folders = "".join(
        f"{option} = {tmp_path}/{name}\n"
        for option, name in (
            ("lock directory", "lock"),
            ("state directory", "state"),
            ("cache directory", "cache"),
            ("pid directory", "pid"),
            ("private dir", "private"),
            ("ncalrpc dir", "lock/rpc"),
        )
    )
    config = tmp_path / "smb.conf"
    config.write_text(
        f"[global]\nmap to guest = Bad User\nguest account = root\nlog file = {tmp_path}/log\nload printers = no\n"
        "disable spoolss = yes\ninterfaces = lo\nbind interfaces only = yes\n"
        f"server role = standalone server\n{folders}"
        f"[archive]\npath = {shown(site)}\nguest ok = yes\nread only = yes\n"
    )
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    argv = ["smbd", "-F", "--no-process-group", "-s", config, "-p", str(port)]
    server = subprocess.Popen(argv, start_new_session=True)
    try:
        site.wait_for(lambda: listens(port) or server.poll() is not None, "smbd")
        argv = ["smbclient", "-s", config, "-p", str(port), "//127.0.0.1/archive", "-N"]
        command = ["-c", f"get text {tmp_path}/got; ls"]
        done = subprocess.run([*argv, *command], capture_output=True, text=True, check=False, timeout=LIMIT)
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait(LIMIT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "got").read_bytes() == (site.source / "text").read_bytes()
    assert "folder" in done.stdout


def test_a_hammer_of_readers_while_the_librarian_is_killed(site: Site) -> None:
    """No wrong byte, no error, no hang: every read ends, whatever becomes of the librarian and the cache."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    empty_cache(site)
    bodies = {name: (site.source / name).read_bytes() for name in ("folder/one", "sparse", "text", "owned")}
    stop, done = threading.Event(), list[str]()
    with ThreadPoolExecutor(READERS) as pool:
        seeds = [random.Random(chance.random()) for _ in range(READERS)]
        readers = [pool.submit(hammer, shown(site), bodies, own, stop, done) for own in seeds]
        try:
            for _ in range(KILLS):
                librarian = site.processes[-1]
                site.stop(librarian, signal.SIGKILL)
                for folder in (site.archive / "cache").glob("??"):
                    shutil.rmtree(folder, ignore_errors=True)
                site.processes.remove(librarian)
                site.serve()
                goal = len(done) + READERS  # it lives until so many have been served, and a moment more
                site.wait_for(lambda goal=goal: len(done) >= goal or any(one.done() for one in readers), "bytes")
                stop.wait(chance.random() / 4)
        finally:
            stop.set()
        for reader in readers:
            reader.result(LIMIT)
    assert site.violations() == []


def hammer(root: Path, bodies: dict[str, bytes], chance: random.Random, stop: threading.Event, done: list[str]) -> None:
    """Read pieces until told to stop; ``done`` gets what was read."""
    while not stop.is_set():
        name = chance.choice(list(bodies))
        offset, length = chance.randrange(len(bodies[name])), chance.randrange(1, 300_000)
        descriptor = os.open(root / name, os.O_RDONLY)
        try:
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            assert os.pread(descriptor, length, offset) == bodies[name][offset : offset + length], (name, offset)
        finally:
            os.close(descriptor)
        done.append(name)
