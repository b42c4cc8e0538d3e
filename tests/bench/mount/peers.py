"""Other file systems over the same tree, installed from Debian and PyPI by the measurement itself."""

import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

PACKAGES = ("bindfs", "squashfuse", "squashfs-tools", "fuseiso", "rclone", "genisoimage")
START_SECONDS = 120.0
MOUNTPOINT = Path("MOUNTPOINT")
"""Stands for it in a command."""
EXAMPLE = Path("/usr/share/doc/libfuse3-dev/examples/passthrough_ll.c")
MANY_FILES = 1_000_000
"""Descriptors: passthrough_ll holds one per inode that the kernel knows."""


@dataclass(frozen=True)
class Peer:
    """How to mount the tree by one program. ``warm``: what must be in the page cache."""

    name: str
    argv: Sequence[str | Path]
    warm: Path
    most: int = 1 << 30
    """Names that it can bear to be asked for."""
    environment: dict[str, str] = field(default_factory=dict)


def install(root: Path) -> Path | None:
    """Debian packages as root, and ratarmount in a folder of its own; returns its program, or None without network."""
    missing = [name for name in PACKAGES if not _installed(name)]
    if missing and os.geteuid() == 0:
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        argv = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing]
        subprocess.run(argv, env=environment, check=False, capture_output=True, timeout=600)
    folder = root / "venv"
    program = folder / "bin/ratarmount"
    if not program.exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True, timeout=120)
        subprocess.run([folder / "bin/pip", "install", "-q", "ratarmount"], check=False, timeout=600)
    return program if program.exists() else None


def _installed(name: str) -> bool:
    return subprocess.run(["dpkg", "-s", name], capture_output=True, check=False).returncode == 0


def make_images(root: Path, tree: Path) -> None:
    """The tree as tar, as uncompressed squashfs and as ISO 9660 with Rock Ridge.

    The last by genisoimage: xorriso takes seven minutes for the folder of 100,000 names alone.
    """
    if not (root / "tree.tar").exists():
        _quietly("tar", "-cf", root / "tree.tar", "-C", tree, ".")
    if shutil.which("mksquashfs") and not (root / "tree.sqfs").exists():
        plain = ["-noI", "-noD", "-noF", "-noX", "-no-progress", "-no-duplicates"]
        _quietly("mksquashfs", tree, root / "tree.sqfs", *plain)
    if not (root / "tree.iso").exists():
        _quietly("genisoimage", "-quiet", "-R", "-l", "-iso-level", "3", "-o", root / "tree.iso", tree)


def _quietly(*argv: str | Path) -> None:
    nowhere = subprocess.DEVNULL
    subprocess.run(argv, stdout=nowhere, stderr=nowhere, check=True, timeout=900)


def _passthrough(root: Path) -> Path | None:
    """libfuse's example in C, from the sources that Debian ships with its headers."""
    program = root / "passthrough_ll"
    if EXAMPLE.exists() and not program.exists():
        flags = subprocess.run(
            ["pkg-config", "--cflags", "--libs", "fuse3"], capture_output=True, check=True, text=True
        )
        subprocess.run(["cc", "-O2", "-o", program, EXAMPLE, *flags.stdout.split()], check=True, timeout=60)
    return program if program.exists() else None


def peers(root: Path, tree: Path, ratarmount: Path | None) -> list[Peer]:
    """Those that can run here; each mounts on ``MOUNTPOINT``."""
    mountpoint = MOUNTPOINT
    tar, squash, iso = root / "tree.tar", root / "tree.sqfs", root / "tree.iso"
    found = [
        Peer("bindfs", ["bindfs", "-f", "-r", tree, mountpoint], tree / "big/one"),
        Peer("squashfuse_ll", ["squashfuse_ll", "-f", squash, mountpoint], squash),
        Peer("fuseiso", ["fuseiso", iso, mountpoint, "-f"], iso),
        Peer(
            "rclone mount, vfs full",
            ["rclone", "mount", "--read-only", "--vfs-cache-mode", "full", "--config", root / "none", tree, mountpoint],
            tree / "big/one",
            environment={"XDG_CACHE_HOME": str(root / "rclone")},
        ),
    ]
    if passthrough := _passthrough(root):
        argv = [passthrough, "-f", "-o", f"source={tree}", "-o", "cache=always", mountpoint]
        descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        found.append(Peer("passthrough_ll (C)", argv, tree / "big/one", most=min(descriptors, MANY_FILES) // 2))
    if ratarmount is not None:
        for name, image in (("tar", tar), ("ISO", iso)):
            argv = [ratarmount, "-f", "--index-file", root / f"{name}.index", image, mountpoint]
            found.append(Peer(f"ratarmount, {name}", argv, image))
    return [peer for peer in found if shutil.which(peer.argv[0]) and peer.warm.exists()]


@contextmanager
def mounted(peer: Peer, mountpoint: Path, log: Path) -> Iterator[tuple[float, subprocess.Popen]]:
    """Mount; yields the seconds it took and the process."""
    mountpoint.mkdir(exist_ok=True)
    argv = [mountpoint if word is MOUNTPOINT else word for word in peer.argv]
    began = time.monotonic()
    with log.open("ab") as words:
        process = subprocess.Popen(argv, stdout=words, stderr=words, env=os.environ | peer.environment)
    with suppress(OSError, ValueError):
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (MANY_FILES, MANY_FILES))
    try:
        while not (mountpoint / "big/one").exists():
            if process.poll() is not None or time.monotonic() > began + START_SECONDS:
                raise RuntimeError(f"{peer.name} did not mount: {log.read_text(errors='replace')[-500:]}")
            time.sleep(0.005)
        yield time.monotonic() - began, process
    finally:
        subprocess.run(["fusermount3", "-uz", mountpoint], check=False, capture_output=True, timeout=60)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
