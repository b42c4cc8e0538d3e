"""From names of the archive to names on a disc and lines of its entry list. Pure.

Every file lies under /DATA/<source>/... with its own name where a disc can hold it; ranges of split files lie beside
where the file would be. The entry list has each name with its original bytes, where on the disc it is, and what the
disc's file systems show differently.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from odarchive.image.bridge import Reason, View
from odarchive.image.bridge.rock_ridge import target_survives
from odarchive.image.bridge.stamps import in_iso_range, in_old_linux_range, in_udf_range
from odarchive.image.bridge.udf_nodes import path_components
from odarchive.image.names import disc_names, part_name, why_mapped
from odarchive.image.ondisc import Entry
from odarchive.image.spec import Attributes, DiscPath

SourcePath = tuple[bytes, ...]
"""The source's name, then the components below it."""


@dataclass(frozen=True, slots=True)
class Node:
    """A name of the archive: directory, symlink (``target``) or file."""

    path: SourcePath
    attributes: Attributes
    ino: int
    target: bytes | None = None


class OfFile(NamedTuple):
    """What only files have: size, digest, and start, length and path of what is on this disc."""

    size: int
    digest: bytes | None
    parts: tuple[tuple[int, int, DiscPath], ...]


def names_in_folder(
    whole: Iterable[bytes], parts: Iterable[tuple[bytes, int]], others: Iterable[bytes]
) -> tuple[dict[bytes, str], dict[tuple[bytes, int], str]]:
    """The disc names of all that is in one folder, and those of parts of files.

    Args:
        whole: Names of files that are here as a whole.
        parts: Name and first byte of parts.
        others: Names of folders and symlinks.
    """
    names = {*whole, *others}
    stored = {}
    for name, start in sorted(parts):
        part = part_name(name, start)
        while part in names:  # a file that is really called like that
            part += b"~"
        names.add(part)
        stored[name, start] = part
    found = disc_names(names)
    return found, {key: found[name] for key, name in stored.items()}


def entry_of(
    node: Node, kind: str, *, place: DiscPath = (), udf_symlinks: bool = False, file: OfFile | None = None
) -> Entry:
    """A name's line in the entry list, by what a disc shows differently if it lies there under its own name."""
    about = node.attributes
    size, digest, parts = file or (0, None, ())
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
