"""One image by our writers, as a program to be measured: ``ours.py FOLDER OUT MANNER``.

Manners: ``none`` (no digests), ``sha256`` (of every file), ``all`` (as odarchive makes its discs: BLAKE3 and SHA-256 of
every file, BLAKE3 of the image, through the port). ``FOLDER`` may be ``made:N``: N files of 1 KB that exist nowhere.
"""

import hashlib
import os
import sys
from collections.abc import Callable

from odarchive.image.bridge import ROOT, Content, Identity, Meta, Options, Tree, VolumeInfo, emit, layout
from odarchive.image.bridge_writer import BridgeWriter
from odarchive.image.identity import NO_DISC, DiscIdentity
from odarchive.image.spec import Attributes, Directory, File, ImageTree, Inode
from odarchive.image.spec import VolumeInfo as Volume

ABOUT = Meta(0o644, 1000, 1000, 1_700_000_000_123_456_789)
PER_FOLDER = 100


class NoHash:
    """A hasher of nothing."""

    def __init__(self, data: bytes = b"", /) -> None:
        pass

    def update(self, data: object, /) -> None:
        pass

    def digest(self) -> bytes:
        return b""


def scanned(tree: Tree[bytes], folder: bytes) -> Callable[[bytes], int]:
    waiting = [(ROOT, folder)]
    while waiting:
        parent, path = waiting.pop()
        with os.scandir(path) as found:
            for entry in sorted(found, key=lambda entry: entry.name):
                about = entry.stat()
                meta = Meta(about.st_mode & 0o7777, about.st_uid, about.st_gid, about.st_mtime_ns)
                if entry.is_dir():
                    waiting.append((tree.add_directory(parent, entry.name, meta), entry.path))
                else:
                    tree.add_file(parent, entry.name, meta, Content(about.st_size, entry.path))
    return lambda path: os.open(path, os.O_RDONLY | os.O_CLOEXEC)


def made(tree: Tree[bytes], count: int) -> Callable[[bytes], tuple[bytes]]:
    for number in range(count):
        if number % PER_FOLDER == 0:
            folder = tree.add_directory(ROOT, b"folder %07d" % (number // PER_FOLDER), ABOUT)
        tree.add_file(folder, b"file %08d.txt" % number, ABOUT, Content(1024, b""))
    body = (bytes(1024),)
    return lambda _: body


def by_bridge(folder: str, out: int, manner: str) -> None:
    tree: Tree[bytes] = Tree(ABOUT._replace(mode=0o755))
    opener = made(tree, int(folder[5:])) if folder.startswith("made:") else scanned(tree, os.fsencode(folder))
    plan = layout(tree, VolumeInfo(Identity("BENCH", "0123456789abcdef", "BENCH", 0)))
    emit(plan, opener, out, Options(NoHash if manner == "none" else hashlib.sha256))


def by_port(folder: str, out: int) -> None:
    directories, files, paths = [], [], []
    about = Attributes(0o644, 0, 0, 0)
    for at, folders, names in os.walk(folder):
        place = tuple(os.path.relpath(at, folder).split("/")) if at != folder else ()
        directories += [Directory((*place, name), about) for name in folders]
        for name in sorted(names):
            path = os.path.join(at, name)
            files.append(File((Inode(((*place, name),), about),), os.stat(path).st_size))
            paths.append(path)

    def opened(number: int) -> int:
        return os.open(paths[number], os.O_RDONLY | os.O_CLOEXEC)

    volume = Volume(DiscIdentity(NO_DISC, NO_DISC, "BENCH"), 0)
    BridgeWriter().prepare(ImageTree(volume, tuple(directories), tuple(files), opened)).write(out)


def main() -> None:
    folder, out, manner = sys.argv[1:]
    descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    if manner == "all":
        by_port(folder, descriptor)
    else:
        by_bridge(folder, descriptor, manner)


main()
