"""From names of the archive to the tree of a disc and its entry list. Pure.

Every file lies under /DATA/<source>/... with its own name where a disc can hold it; ranges of split files lie beside
where the file would be. The entry list has each name with its original bytes, where on the disc it is, and what the
disc's file systems show differently.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from odarchive.image.bridge import Reason, View
from odarchive.image.bridge.rock_ridge import target_survives
from odarchive.image.bridge.stamps import in_iso_range, in_old_linux_range, in_udf_range
from odarchive.image.bridge.udf_nodes import path_components
from odarchive.image.names import disc_names, part_name, why_mapped
from odarchive.image.ondisc import DATA, Entry
from odarchive.image.spec import Attributes, Directory, DiscPath, Symlink

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
    symlinks: list[Symlink] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)


def assemble(
    directories: Sequence[Node], files: Sequence[FileNode], links: Sequence[Node], *, udf_symlinks: bool = False
) -> Assembly:
    """Give everything its place. ``directories`` holds the parents of everything."""
    result = Assembly()
    leaves: dict[SourcePath, list[FileNode]] = {}
    for file in files:
        leaves.setdefault(file.node.path[:-1], []).append(file)
    others: dict[SourcePath, list[Node]] = {}
    for node in (*directories, *links):
        others.setdefault(node.path[:-1], []).append(node)
    waiting: list[tuple[SourcePath, DiscPath]] = [((), (DATA,))]
    while waiting:
        path, place = waiting.pop()
        inner = others.get(path, [])
        names = _place_files(result, leaves.get(path, []), [node.path[-1] for node in inner], place)
        for node in inner:
            below = (*place, names[node.path[-1]])
            if node.target is None:
                result.directories.append(Directory(below, node.attributes))
                result.entries.append(entry_of(node, "dir", place=below))
                waiting.append((node.path, below))
            else:
                result.symlinks.append(Symlink(below, node.target, node.attributes))
                result.entries.append(entry_of(node, "symlink", place=below, udf_symlinks=udf_symlinks))
    result.entries += [_file_entry(file, result) for file in files]
    result.directories.sort(key=lambda directory: directory.path)
    result.symlinks.sort(key=lambda link: link.path)
    result.entries.sort(key=lambda entry: entry.path.replace(b"/", b"\0"))
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
    return replace(entry_of(file.node, "file"), size=file.size, digest=file.digest, parts=parts)


def entry_of(node: Node, kind: str, *, place: DiscPath = (), udf_symlinks: bool = False) -> Entry:
    """A name's line in the entry list."""
    about = node.attributes
    return Entry(
        path=b"/".join(node.path),
        kind=kind,
        mode=about.mode,
        uid=about.uid,
        gid=about.gid,
        mtime_ns=about.mtime_ns,
        ino=node.ino,
        target=node.target,
        place=place,
        differs=tuple(_differences(node, udf_symlinks=udf_symlinks)),
    )


def _differences(node: Node, *, udf_symlinks: bool) -> Iterator[str]:
    """What a file system on the disc does not show of a name as it is, and why."""
    why = why_mapped(node.path[-1])
    if why is not None:
        yield f"{View.UDF}:{why}"
        yield f"{View.ROCK_RIDGE}:{why}"
    shown = node.target is None or (udf_symlinks and path_components(node.target) is not None)
    if not shown:
        yield f"{View.UDF}:{Reason.SYMLINK}"
    if node.target is not None and not target_survives(node.target):
        yield f"{View.ROCK_RIDGE}:{Reason.TARGET}"
        if shown:
            yield f"{View.UDF}:{Reason.TARGET}"
    seconds = node.attributes.mtime_ns // 10**9
    if not in_udf_range(seconds) and shown:
        yield f"{View.UDF}:{Reason.TIME}"
    if not in_old_linux_range(seconds):
        yield f"{View.ROCK_RIDGE}:{Reason.TIME_IN_LINUX if in_iso_range(seconds) else Reason.TIME}"
