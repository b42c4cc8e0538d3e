"""From names of the archive to the tree of a disc and its entry list. Pure.

Every file lies under /DATA/<source>/... with its own name where UDF can hold it; ranges of split files lie beside where
the file would be. The entry list has each name with its original bytes and where on the disc it is.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from odarchive.image.names import disc_names, part_name
from odarchive.image.ondisc import DATA, Entry
from odarchive.image.spec import Attributes, Directory, DiscPath

SourcePath = tuple[bytes, ...]
"""The source's name, then the components below it."""


@dataclass(frozen=True, slots=True)
class Node:
    """A name of the archive: directory, symlink (``target``) or file."""

    path: SourcePath
    attributes: Attributes
    ino: int
    target: bytes | None = None


@dataclass(frozen=True, slots=True)
class FileNode:
    """A file that has ranges on this disc: (start, length); empty files have none."""

    node: Node
    size: int
    digest: bytes | None
    ranges: tuple[tuple[int, int], ...]


@dataclass(slots=True)
class Assembly:
    """What a disc is made of. ``files`` gives the disc paths of each (source path, start)."""

    directories: list[Directory] = field(default_factory=list)
    files: dict[tuple[SourcePath, int], DiscPath] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)


def assemble(directories: Sequence[Node], files: Sequence[FileNode], links: Iterable[Node]) -> Assembly:
    """Give everything its place. ``directories`` holds the parents of everything."""
    result = Assembly()
    leaves: dict[SourcePath, list[FileNode]] = {}
    for file in files:
        leaves.setdefault(file.node.path[:-1], []).append(file)
    children: dict[SourcePath, list[Node]] = {}
    for directory in directories:
        children.setdefault(directory.path[:-1], []).append(directory)
    waiting: list[tuple[SourcePath, DiscPath]] = [((), (DATA,))]
    while waiting:
        path, place = waiting.pop()
        inner = children.get(path, [])
        names = _place_files(result, leaves.get(path, []), [node.path[-1] for node in inner], place)
        for node in sorted(inner, key=lambda node: node.path[-1], reverse=True):
            below = (*place, names[node.path[-1]])
            result.directories.append(Directory(below, node.attributes))
            result.entries.append(_entry(node, "dir"))
            waiting.append((node.path, below))
    result.entries += [_file_entry(file, result) for file in sorted(files, key=lambda file: file.node.path)]
    result.entries += [_entry(node, "symlink") for node in sorted(links, key=lambda node: node.path)]
    result.directories.sort(key=lambda directory: directory.path)
    result.entries.sort(key=lambda entry: entry.path.split(b"/"))
    return result


def _place_files(
    result: Assembly, files: Iterable[FileNode], taken: Sequence[bytes], place: DiscPath
) -> dict[bytes, str]:
    """Put the files of one directory into it; gives the disc names of all that is in it."""
    names = set(taken)
    stored: dict[tuple[SourcePath, int], bytes] = {}
    parted = []
    for file in files:
        if _is_whole(file):
            names.add(file.node.path[-1])
            stored[file.node.path, 0] = file.node.path[-1]
        else:
            parted.append(file)
    for file in sorted(parted, key=lambda file: file.node.path):
        for start, _ in file.ranges:
            name = part_name(file.node.path[-1], start)
            while name in names:  # a file that is really called like that
                name += b"~"
            names.add(name)
            stored[file.node.path, start] = name
    found = disc_names(names)
    for key, name in stored.items():
        result.files[key] = (*place, found[name])
    return found


def _is_whole(file: FileNode) -> bool:
    return file.size == 0 or file.ranges == ((0, file.size),)


def _file_entry(file: FileNode, result: Assembly) -> Entry:
    ranges = file.ranges if file.size else ((0, 0),)
    parts = tuple((start, length, result.files[file.node.path, start]) for start, length in ranges)
    return _entry(file.node, "file", size=file.size, digest=file.digest, parts=parts)


def _entry(
    node: Node,
    kind: str,
    *,
    size: int = 0,
    digest: bytes | None = None,
    parts: tuple[tuple[int, int, DiscPath], ...] = (),
) -> Entry:
    about = node.attributes
    return Entry(
        path=b"/".join(node.path),
        kind=kind,
        mode=about.mode,
        uid=about.uid,
        gid=about.gid,
        mtime_ns=about.mtime_ns,
        ino=node.ino,
        size=size,
        digest=digest,
        target=node.target,
        parts=parts,
    )
