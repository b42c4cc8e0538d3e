"""Trees for the bridge tests: described as a dict, built into a Tree, and the hostile one every reader gets."""

import hashlib
import io
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from odarchive.image.bridge import (
    ROOT,
    Content,
    Identity,
    Layout,
    Meta,
    NodeId,
    Tree,
    VolumeInfo,
    Written,
    emit,
    layout,
)

PLAIN = Meta(0o644, 1000, 1000, 1_700_000_000_123_456_789)
FOLDER = Meta(0o755, 0, 0, 1_600_000_000_000_001_000)
IDENTITY = Identity("TEST_0001", "0123456789abcdef a set", "SET-0001", 1_700_000_000_120_000_000)
VOLUME = VolumeInfo(IDENTITY)


@dataclass(frozen=True)
class Dir:
    meta: Meta = FOLDER


@dataclass(frozen=True)
class File:
    data: bytes = b""
    meta: Meta = PLAIN
    late: bool = False


@dataclass(frozen=True)
class Link:
    """One more name of an earlier path."""

    to: bytes


@dataclass(frozen=True)
class Symlink:
    target: bytes
    meta: Meta = PLAIN


Spec = dict[bytes, Dir | File | Link | Symlink]


@dataclass
class Built:
    tree: Tree[bytes]
    nodes: dict[bytes, NodeId] = field(default_factory=dict)


def build(spec: Spec, root: Meta = FOLDER) -> Built:
    """A tree of a spec whose parents stand before their children; missing parents become plain directories."""
    built = Built(Tree(root), {b"": ROOT})
    for path, what in spec.items():
        parent, name = _parent(built, path), path.rpartition(b"/")[2]
        tree = built.tree
        match what:
            case Dir(meta):
                built.nodes[path] = tree.add_directory(parent, name, meta)
            case File(data, meta, late):
                built.nodes[path] = tree.add_file(parent, name, meta, Content(len(data), data, late))
            case Symlink(target, meta):
                built.nodes[path] = tree.add_symlink(parent, name, meta, target)
            case Link(to):
                tree.add_link(parent, name, built.nodes[to])
                built.nodes[path] = built.nodes[to]
    return built


def _parent(built: Built, path: bytes) -> NodeId:
    folder = path.rpartition(b"/")[0]
    if folder not in built.nodes:
        above = _parent(built, folder)
        built.nodes[folder] = built.tree.add_directory(above, folder.rpartition(b"/")[2], FOLDER)
    return built.nodes[folder]


def pieces(source: bytes) -> Iterator[bytes]:
    """An opener for sources that are the data themselves."""
    for at in range(0, len(source), 70_000):
        yield source[at : at + 70_000]


def late_from(built: Built) -> Callable[[NodeId, Written[bytes]], bytes]:
    return lambda node, _: built.tree.source[node] or b""


def image(spec: Spec, volume: VolumeInfo = VOLUME) -> tuple[bytes, Layout[bytes], Written[bytes], Built]:
    built = build(spec)
    plan = layout(built.tree, volume)
    out = io.BytesIO()
    written = emit(plan, pieces, out, late=late_from(built))
    return out.getvalue(), plan, written, built


def contents(spec: Spec) -> dict[bytes, str]:
    """What a reader has to find: SHA-256 of files, 'dir' of directories; symlinks are left to those who show them."""
    out: dict[bytes, str] = {}
    for path, what in spec.items():
        for end in [i for i, c in enumerate(path) if c == 0x2F]:
            out[path[:end]] = "dir"
        source = spec[what.to] if isinstance(what, Link) else what
        if isinstance(source, File):
            out[path] = hashlib.sha256(source.data).hexdigest()
        elif isinstance(source, Dir):
            out[path] = "dir"
    return out


def renamed(found: dict[bytes, str], plan: Layout[bytes], view: str) -> dict[bytes, str]:
    """The same with a view's stored names turned back into the archive's, by the name map of the layout."""
    back = {
        c.path.rpartition(b"/")[0] + b"/" + c.stored: c.path for c in plan.name_map() if c.view == view and c.stored
    }
    return {back.get(b"/" + p if b"/" not in p else p, p): what for p, what in found.items()}


def hostile() -> Spec:
    """Every kind of name, size, link and time that a source can have and a test can afford."""
    spec: Spec = {
        b"empty": Dir(Meta(0o700, 5, 6, 0)),
        b"empty.file": File(),
        b"unicode/\xc3\xbcml\xc3\xa4ut": File(b"latin"),
        "unicode/u\u0308ml decomposed".encode(): File(b"nfd"),
        "unicode/\u00fcml decomposed".encode(): File(b"nfc"),
        "unicode/\u65e5\u672c\u8a9e.txt".encode(): File(b"bmp"),
        "unicode/\U0001f600.txt".encode(): File(b"astral"),
        b"unicode/AB": File(b"two latin letters"),
        "unicode/\u4142".encode(): File(b"the same bytes in UTF-16"),
        b"unicode/not\xff\xfeutf8": File(b"bytes"),
        b"case/README": File(b"1"),
        b"case/readme": File(b"2"),
        b"odd/trailing.": File(b"3"),
        b"odd/trailing ": File(b"4"),
        b"odd/...": File(b"5"),
        b'odd/c:o*l?o<n>"|\\': File(b"6"),
        b"odd/con\ntrol\x01\x7f": File(b"7"),
        b"odd/.hidden": File(b"8"),
        b"odd/-rf": File(b"9"),
        b"odd/CON.txt": File(b"a device in Windows"),
        b"hard/one": File(b"shared" * 500),
        b"hard/two": Link(b"hard/one"),
        b"other/three": Link(b"hard/one"),
        b"modes/none": File(b"m", Meta(0, 0, 0, 1)),
        b"modes/suid": File(b"m", Meta(0o6755, 3_000_000_000, 3_000_000_001, 1)),
        b"modes/sticky": Dir(Meta(0o1777, 1, 2, 3)),
        b"rr_moved/own": File(b"an own directory of that name"),
        b"/".join(b"d%d" % i for i in range(60)) + b"/leaf": File(b"deep"),
    }
    for size in (1, 2047, 2048, 2049, 65_536, 65_537, 1 << 20, (1 << 20) + 1, (5 << 20) + 17):
        spec[b"sizes/%d" % size] = File(bytes(i * 7 & 255 for i in range(256)) * (size // 256) + b"t" * (size % 256))
    for length in (127, 128, 149, 150, 151, 200, 250, 251, 252, 253, 254, 255):
        spec[b"long/" + b"n" * length] = File(b"%d" % length)
    for chars in (63, 64, 84, 85):
        spec[b"long/" + "\u65e5".encode() * chars] = File(b"u%d" % chars)
    for i, year in enumerate((1950, 1969, 1970, 2038, 2155)):
        spec[b"times/%d" % year] = File(b"t", Meta(0o600, 0, 0, (year - 1970) * 31_556_952 * 10**9 + i * 1001))
    for i in range(300):
        spec[b"many/%04d" % i] = File(b"%d" % i)
    return spec


def on_disk(spec: Spec, folder: str) -> None:
    """The same tree as real files."""
    for path, what in spec.items():
        full = os.path.join(os.fsencode(folder), path)
        os.makedirs(full if isinstance(what, Dir) else os.path.dirname(full), exist_ok=True)
        match what:
            case File(data):
                with open(full, "wb") as file:
                    file.write(data)
            case Link(to):
                os.link(os.path.join(os.fsencode(folder), to), full)
            case Symlink(target):
                os.symlink(target, full)  # noqa: PTH211 - names are bytes
