"""The tree of an encrypted disc: numbered files, and an entry list (itself encrypted) that says what they are. Pure.

Neither names nor the shape of the folders show; what does is how many contents there are, and how large. Not for
encrypting (``imaging.sealing``).
"""

from collections.abc import Sequence
from dataclasses import replace

from odarchive.image.assemble import Assembly, FileNode, Node, entry_of
from odarchive.image.ondisc import DATA
from odarchive.image.spec import Attributes, Directory, DiscPath

PER_FOLDER = 1000
SUFFIX = ".age"


def assemble_sealed(
    directories: Sequence[Node], files: Sequence[FileNode], links: Sequence[Node], own: Attributes
) -> Assembly:
    """Number the contents in the order of their first names; ``own``: attributes of the folders."""
    result = Assembly()
    places: dict[tuple[bytes | None, int], DiscPath] = {}
    for file in sorted(files, key=lambda file: file.node.path):
        for start, _ in file.ranges if file.size else ():
            place = places.setdefault((file.digest, start), _numbered(len(places)))
            result.files[file.node.path, start] = place
    result.directories = [Directory(path, own) for path in sorted({place[:-1] for place in places.values()})]
    for kind, nodes in (("dir", directories), ("symlink", links)):
        result.entries += [replace(entry_of(node, kind), differs=()) for node in nodes]
    for file in files:
        ranges = file.ranges if file.size else ()
        parts = tuple((start, length, result.files[file.node.path, start]) for start, length in ranges)
        entry = replace(entry_of(file.node, "file"), differs=())
        result.entries.append(replace(entry, size=file.size, digest=file.digest, parts=parts))
    result.entries.sort(key=lambda entry: entry.path.replace(b"/", b"\0"))
    return result


def _numbered(number: int) -> DiscPath:
    return DATA, f"{number // PER_FOLDER:04d}", f"{number:07d}{SUFFIX}"
