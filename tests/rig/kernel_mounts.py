"""Mounts disc images with Linux's own isofs and udf drivers, in a guest, and tells what they show.

For tests on machines whose kernel has none of these drivers. Not for burning or robots. The guest is Debian's kernel
with busybox (``kernel_build.sh``, ``kernel_init``) under QEMU, without hardware help, so it is slow: megabytes, not
gigabytes.
"""

import base64
import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

HERE = Path(__file__).parent
LARGE = 64 << 20
"""Files above are hashed in samples: so many bytes ``WIDE`` around every ``STEP``."""
STEP, WIDE = 256 << 20, 128 << 10
MOST_DISCS = 32


@dataclass(frozen=True)
class Seen:
    """What ``stat`` says of a name in a mounted disc; ``sha256`` of files, ``target`` of symlinks."""

    mode: int
    uid: int
    gid: int
    links: int
    size: int
    ino: int
    mtime_ns: int
    sha256: str = ""
    target: bytes = b""


@dataclass
class Mount:
    """One image through one driver: what it shows by path; ``errors`` if it cannot be mounted or read."""

    seen: dict[bytes, Seen] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)


def built() -> Path:
    """Kernel and root file system, made if need be."""
    out = Path(os.environ.get("RIG_OUT", HERE / "out")).absolute()
    subprocess.run([HERE / "kernel_build.sh", out], check=True)
    return out


def mounts(images: Sequence[Path], work: Path, timeout: float = 540) -> dict[tuple[int, str], Mount]:
    """What each image shows through ``iso9660`` and ``udf``, by its number and the driver."""
    assert len(images) <= MOST_DISCS
    kernel, told, console = built(), work / "told", work / "console"
    command = [
        *("qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-m", "512", "-smp", "2"),
        *("-nodefaults", "-display", "none", "-no-reboot", "-kernel", kernel / "vmlinux"),
        *("-initrd", kernel / "initrd.gz", "-serial", f"file:{console}"),
        *("-append", "console=ttyS0 quiet panic=-1 nokaslr mitigations=off clocksource=acpi_pm"),
        *("-chardev", f"file,id=out,path={told}", "-device", "virtio-serial-pci"),
        *("-device", "virtserialport,chardev=out,name=rig.out", "-device", "virtio-scsi-pci,id=bus"),
    ]
    for number, image in enumerate(images):
        path = str(image.absolute()).replace(",", ",,")
        command += ["-drive", f"if=none,id=d{number},file={path},format=raw,readonly=on,cache=unsafe"]
        command += ["-device", f"scsi-cd,drive=d{number},bus=bus.0,scsi-id={number}"]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, timeout=timeout)
    lines = told.read_text().splitlines()
    if lines[-1:] != ["END"]:
        raise AssertionError(f"the guest did not finish:\n{console.read_text(errors='replace')[-3000:]}")
    return _parsed(iter(lines))


def _parsed(lines: Iterator[str]) -> dict[tuple[int, str], Mount]:
    found: dict[tuple[int, str], Mount] = {}
    now, words = Mount(), dict[str, list[str]]()
    part = ""
    for line in lines:
        head, _, rest = line.partition(" ")
        if head in ("DISC", "END"):
            now.seen = _joined(words)
            words = {}
            now = Mount()
            if rest:
                number, driver = rest.split()
                found[int(number), driver] = now
        elif head == "ERROR":
            now.errors.append(rest)
        elif head in ("NAMES", "TARGETS", "STATS", "HASHES"):
            part = head
            words[part] = [rest] if rest else []
        else:
            words[part].append(line)
    return found


def _joined(words: dict[str, list[str]]) -> dict[bytes, Seen]:
    if not words:
        return {}
    names = base64.b64decode("".join(words["NAMES"])).split(b"\0")[:-1]
    targets = iter(base64.b64decode("".join(words["TARGETS"])).split(b"\0"))
    hashes = iter(words["HASHES"])
    seen = {}
    for name, line in zip(names, words["STATS"], strict=True):
        mode, uid, gid, links, size, ino, *when = line.split(" ")
        kind = int(mode, 16) & 0o170000
        seen[name.removeprefix(b".").removeprefix(b"/")] = Seen(
            mode=int(mode, 16),
            uid=int(uid),
            gid=int(gid),
            links=int(links),
            size=int(size),
            ino=int(ino),
            mtime_ns=_nanoseconds(*when),
            sha256=next(hashes)[:64] if kind == 0o100000 else "",
            target=next(targets) if kind == 0o120000 else b"",
        )
    return seen


def _nanoseconds(day: str, clock: str, zone: str) -> int:
    """Of busybox's ``2026-11-22 19:13:20.708918917 +0000``."""
    whole, _, part = clock.partition(".")
    assert re.fullmatch(r"\d{9}", part)
    return round(datetime.fromisoformat(f"{day} {whole}{zone[:3]}:{zone[3:]}").timestamp()) * 10**9 + int(part)
