"""Mounts a tree in memory: ``memory_mount.py DIRECTORY [MANNER]``. Run as a process by the tests beside it.

Manners: ``broken`` has a root that cannot be looked at, ``hasty`` gives the mount half a second to answer, ``never``
recalls nothing, ``library`` speaks by pyfuse3, ``plain`` does so on plain trio. They may be joined; ``crowd``
lets few reads wait, and adds a folder of files that wait.

Says one JSON line per event on standard output; takes orders, one a line, on standard input.
"""

import json
import logging
import os
import sys
import tempfile
from pathlib import Path

import trio
from memory_tree import MemoryAnnotations, MemoryContents, MemoryNamespace, pattern

from odfs.errors import ContentDamaged, ContentUnavailable, MountError, RecallRefused, RecallTimedOut
from odfs.mount import MountOptions, RunningMount, run, stop_on_signals
from odfs.options import Adapter
from odfs.ports import ROOT, Recall
from odfs.readers import CRAWLERS

HOSTILE = [
    b"\xff\xfenot utf-8\x80",
    b"new\nline",
    b"quote'\"",
    b"back\\slash",
    b"n" * 255,
    "émoji-\U0001f4bf".encode(),
    b"trailing. ",
    b"...",
    b" ",
    b"-rf",
    b"Case",
    b"case",
    b"\x01\x7f",
]
FAULTS = {
    b"unavailable": ContentUnavailable("disc 7 is missing"),
    b"damaged": ContentDamaged("disc 7"),
    b"timed out": RecallTimedOut("disc 7"),
    b"refused": RecallRefused("a crawler"),
    b"bug": ZeroDivisionError("a planned bug"),
}
SLOW = 40
CROWD, MOST_WAITING = 400, 150
MANY = 20_000
BIG = 3 * 1024 * 1024 + 5


class Tree:
    """The tree that every test sees, and the orders that change it."""

    def __init__(self, crowd: int = 0) -> None:
        self.namespace = MemoryNamespace()
        self.contents = MemoryContents()
        self.release = trio.Event()
        add_file, add_directory = self.namespace.add_file, self.namespace.add_directory
        add_file(ROOT, b"plain", 100, 1_500_000_000_123_456_789)
        add_file(ROOT, b"old", 100, -86_400_000_000_000 - 876_543_211, mode=0o400)
        add_file(ROOT, b"empty")
        add_file(ROOT, b"big", BIG)
        add_file(ROOT, b"huge", 5 << 40)
        self.namespace.add_link(ROOT, b"loop", b"loop")
        self.namespace.add(ROOT, b"owned", 0o104755, 10, 0, uid=1234, gid=65534, nlink=3, ctime_ns=7)
        self.namespace.add_link(ROOT, b"link", b"some/\xff/where")
        self.namespace.add_link(ROOT, b"to plain", b"plain")
        hostile = add_directory(ROOT, b"hostile")
        for name in HOSTILE:
            add_file(hostile, name, 50)
        deep = add_directory(ROOT, b"deep")
        for _ in range(9):
            deep = add_directory(deep, b"d" * 100)
        add_file(deep, b"f" * (1000 - 5 - 909), 50)
        many = add_directory(ROOT, b"many")
        for number in range(MANY):
            add_file(many, b"%05d" % number, number)
        backed = add_file(ROOT, b"backed", BIG)
        with tempfile.TemporaryFile() as file:
            file.write(pattern(backed, 0, BIG))
            file.flush()
            self.contents.files[backed] = os.dup(file.fileno())
        self._add_faults(crowd)

    def _add_faults(self, crowd: int) -> None:
        faults = self.namespace.add_directory(ROOT, b"faults")
        for name, fault in FAULTS.items():
            self.contents.faults[self.namespace.add_file(faults, name, 100)] = fault
        self.contents.cut[self.namespace.add_file(faults, b"short", 10_000)] = 1000
        self.namespace.broken_names.add(b"broken name")
        slow = self.namespace.add_directory(ROOT, b"slow")
        for number in range(SLOW):
            self.contents.waiting[self.namespace.add_file(slow, b"%02d" % number, 65536)] = self.release
        waiting = self.namespace.add_directory(ROOT, b"crowd") if crowd else slow
        for number in range(crowd):
            self.contents.waiting[self.namespace.add_file(waiting, b"%05d" % number, 100)] = self.release

    async def obey(self, order: str, mount: RunningMount) -> object:
        """Carry out one order; answers what to say."""
        match order.split():
            case ["release"]:
                self.release.set()
            case ["add", name]:
                self.namespace.add_file(ROOT, name.encode(), 100)
                await mount.invalidate(entries=[(ROOT, name.encode())], inodes=[ROOT])
            case ["reads"]:
                return self.contents.started
            case ["recalled"]:
                return len(set(self.contents.recalled))
            case ["folder", name]:
                self.namespace.add_directory(ROOT, name.encode())
                await mount.invalidate(entries=[(ROOT, name.encode())])
            case [("put" | "take") as what, folder, name]:
                parent = self.namespace.nodes[ROOT].children[folder.encode()]
                ino = self.namespace.add_file(parent, name.encode(), 30_000) if what == "put" else 0
                if what == "take":
                    self.namespace.remove(parent, name.encode())
                await mount.invalidate(entries=[(parent, name.encode())], inodes=[parent])
                return int(ino)
            case ["asked"]:
                return self.contents.asked
            case ["forgotten"]:
                return len(self.contents.forgotten)
        return "done"


def say(event: str, value: object = None) -> None:
    sys.stdout.write(json.dumps([event, value]) + "\n")
    sys.stdout.flush()


async def take_orders(tree: Tree, mount: RunningMount) -> None:
    rest = b""
    async with trio.lowlevel.FdStream(os.dup(0)) as orders:
        async for chunk in orders:
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                say("obeyed", await tree.obey(line.decode(), mount))


async def main(directory: Path, manner: str, *more: str) -> None:
    words = {manner, *more}
    crowd = "crowd" in words
    tree = Tree(CROWD if crowd else 0)
    options = MountOptions(
        startup_timeout=0.5 if manner == "hasty" else 30,
        recall=Recall.NEVER if "never" in words else Recall.WAIT,
        spin_us=0 if manner == "plain" else 50,
        refused_readers=CRAWLERS,
        max_tasks=MOST_WAITING if crowd else 4000,
        adapter=Adapter.LIBRARY if words & {"library", "plain"} else Adapter.DIRECT,
    )
    if manner == "broken":
        del tree.namespace.nodes[ROOT]
    async with trio.open_nursery() as nursery:
        await nursery.start(stop_on_signals, nursery.cancel_scope)
        async with trio.open_nursery() as inner:
            mount = await inner.start(_run, directory, tree, options)
            say("mounted", os.fspath(mount.path))
            nursery.start_soon(take_orders, tree, mount)
        nursery.cancel_scope.cancel()


async def _run(directory: Path, tree: Tree, options: MountOptions, *, task_status: trio.TaskStatus) -> None:
    annotations = MemoryAnnotations()
    await run(directory, tree.namespace, tree.contents, options, annotations=annotations, task_status=task_status)


def outermost() -> int:
    """Run; answers the exit status. (``sys.exit`` within ``except*`` would end up in a group.)"""
    try:
        trio.run(main, Path(sys.argv[1]), *(sys.argv[2:] or [""]))
    except* MountError as group:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        say("failed", [type(error).__name__, str(error)])
    else:
        say("ended")
        return 0
    return 3


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    sys.exit(outermost())
