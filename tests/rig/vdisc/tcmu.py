"""Devices of this process as SCSI devices of the kernel: target_core_user's ring, and tcm_loop to reach them.

Source: Documentation/target/tcmu-design.rst, include/uapi/linux/target_core_user.h (the offsets below).
"""

import mmap
import os
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from itertools import count
from pathlib import Path

from tests.rig.vdisc.scsi import Check, Device

TARGET = Path("/sys/kernel/config/target")
LOOP = TARGET / "loopback/naa.5001405000000001/tpgt_1"
HEAD, TAIL = 12, 64
"""Where the ring's mailbox keeps its two ends."""
BLOCK = 2048
_numbers = count()


def show(devices: Sequence[tuple[str, Device]]) -> None:
    """Have the kernel find the devices, as LUN 0, 1 and so on of one target."""
    places = [_serve(name, device) for name, device in devices]
    LOOP.mkdir(parents=True)
    (LOOP / "nexus").write_text("naa.5001405000000002\n")
    for number, place in enumerate(places):
        (LOOP / f"lun/lun_{number}").mkdir(parents=True)
        # configfs takes a link from `ln` only with an absolute target
        subprocess.run(["ln", "-s", place, LOOP / f"lun/lun_{number}/dev"], check=True)


def _serve(name: str, device: Device) -> Path:
    place = TARGET / f"core/user_{next(_numbers)}/{name}"
    place.mkdir(parents=True)
    settings = (f"dev_config=vdisc/{name}", f"dev_size={BLOCK * 1024}", f"hw_block_size={BLOCK}", "hw_max_sectors=512")
    for line in settings:
        (place / "control").write_text(line)
    (place / "enable").write_text("1")
    for uio in Path("/sys/class/uio").glob("uio*"):
        if (uio / "name").read_text().strip().endswith(f"/{name}/vdisc/{name}"):
            size = int((uio / "maps/map0/size").read_text(), 16)
            threading.Thread(
                target=_ring, args=(_opened(Path("/dev") / uio.name), size, name, device), daemon=True
            ).start()
            return place
    raise SystemExit(f"the kernel has no uio node for {name}")


def _opened(node: Path) -> int:
    for _ in range(100):
        if node.exists():
            break
        time.sleep(0.02)
    return os.open(node, os.O_RDWR)


def _ring(node: int, size: int, name: str, device: Device) -> None:
    """Serve the device's commands for ever."""
    memory = mmap.mmap(node, size)
    offset, length = struct.unpack_from("<II", memory, 4)
    while True:
        os.read(node, 4)
        while (tail := struct.unpack_from("<I", memory, TAIL)[0]) != struct.unpack_from("<I", memory, HEAD)[0]:
            entry = offset + tail
            header = struct.unpack_from("<I", memory, entry)[0]
            if header & 7 == 1:
                _answer(memory, entry, name, device)
            elif header & 7:
                memory[entry + 7] |= 1  # unknown operation
            struct.pack_into("<I", memory, TAIL, (tail + (header & ~7)) % length)
        os.write(node, b"\0\0\0\0")


def _answer(memory: mmap.mmap, entry: int, name: str, device: Device) -> None:
    pieces, _, _, at = struct.unpack_from("<III4xQ", memory, entry + 8)
    spans = [struct.unpack_from("<QQ", memory, entry + 48 + 16 * number) for number in range(pieces)]
    command = bytes(memory[at : at + 16])
    status, sense = 0, b""
    try:
        answer = device(command, lambda: b"".join(memory[start : start + size] for start, size in spans))
        _scatter(memory, spans, answer or b"")
    except Check as check:
        status, sense = 2, check.sense
    except Exception as error:  # noqa: BLE001  a mistake of ours is a hardware error to the kernel, and is told
        print(name, command.hex(), repr(error), file=sys.stderr, flush=True)
        status, sense = 2, Check(4, 0x44).sense
    memory[entry + 8 : entry + 112] = struct.pack("<BBHI96s", status, 0, 0, 0, sense.ljust(96, b"\0"))


def _scatter(memory: mmap.mmap, spans: Sequence[tuple[int, int]], answer: bytes) -> None:
    for start, size in spans:
        part, answer = answer[:size], answer[size:]
        memory[start : start + len(part)] = part
