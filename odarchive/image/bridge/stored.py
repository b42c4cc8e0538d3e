"""Which entries a view cannot show as the archive has them, and what it shows instead. Pure.

Not for the plain case: what is missing in these maps is stored natively.
"""

from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from odarchive.image.bridge import names as n
from odarchive.image.bridge.rock_ridge import target_survives
from odarchive.image.bridge.sectors import VolumeInfo
from odarchive.image.bridge.shape import Shape
from odarchive.image.bridge.stamps import in_iso_range, in_old_linux_range, in_udf_range
from odarchive.image.bridge.tree import EntryId, Tree
from odarchive.image.bridge.udf_nodes import MAX_LINKS, path_components

S = TypeVar("S")


_NAME_KEPT = frozenset({n.Reason.LINKS, n.Reason.TIME, n.Reason.TIME_IN_LINUX, n.Reason.TARGET})


class NameChange(NamedTuple):
    """One difference between the archive and a view: the entry's archive path, stored name (empty: left out), why."""

    path: bytes
    view: n.View
    stored: bytes
    reason: n.Reason


@dataclass(frozen=True, slots=True)
class Stored:
    """Deviations by entry (names, UTF-8) and by node (targets).

    Attributes:
        names: Mapped names, for every view that maps the entry.
        udf_identifiers: The same in UDF's form, for entries mapped in UDF.
        rock_ridge_names: The same for entries mapped in Rock Ridge.
        components: Targets of the symlinks that UDF shows, in UDF's form.
        reasons: (entry, view, reason), in no order.
    """

    names: dict[int, bytes]
    udf_identifiers: dict[int, bytes]
    rock_ridge_names: dict[int, bytes]
    components: dict[int, bytes]
    reasons: list[tuple[int, n.View, n.Reason]]

    def changes(self, shape: Shape[S]) -> list[NameChange]:
        """Everything, sorted by path."""
        out = []
        for entry, view, reason in self.reasons:
            gone = reason is n.Reason.SYMLINK
            kept = reason in _NAME_KEPT
            mapped = self.udf_identifiers if view is n.View.UDF else self.rock_ridge_names
            name = self.names[entry] if not kept and not gone else shape.tree.entry_name[entry]
            if kept and entry in mapped:
                name = self.names[entry]
            out.append(NameChange(shape.path(EntryId(entry)), view, b"" if gone else name, reason))
        return sorted(out)


def stored_names(shape: Shape[S], volume: VolumeInfo) -> Stored:
    """Find all deviations of a tree."""
    out = Stored({}, {}, {}, {}, [])
    tree = shape.tree
    _symlinks(shape, volume, out)
    left_out = {e for e, _, reason in out.reasons if reason is n.Reason.SYMLINK}
    taken: dict[int, set[bytes]] = {}
    windows = volume.windows_names
    for entry in shape.order:
        name = tree.entry_name[entry]
        if not windows and len(name) <= n.ROCK_RIDGE_BYTES and name.isascii():
            continue
        udf = None if entry in left_out else n.udf_reason(name, windows=windows)
        rock = n.rock_ridge_reason(name)
        if not udf and not rock:
            continue
        parent = tree.entry_parent[entry]
        if parent not in taken:
            taken[parent] = {tree.entry_name[e] for e in shape.entries(parent)}
        out.names[entry] = stored = n.mapped(name, taken[parent])
        taken[parent].add(stored)
        if udf:
            out.udf_identifiers[entry] = n.udf_identifier(stored)
            out.reasons.append((entry, n.View.UDF, udf))
        if rock:
            out.rock_ridge_names[entry] = stored
            out.reasons.append((entry, n.View.ROCK_RIDGE, rock))
    _times(shape, left_out, out)
    _link_counts(shape, left_out, out)
    return out


def _symlinks(shape: Shape[S], volume: VolumeInfo, out: Stored) -> None:
    tree = shape.tree
    for node, target in tree.target.items():
        components = path_components(target) if volume.udf_symlinks else None
        if components:
            out.components[node] = components
    for entry in _entries_of(tree, set(tree.target)):
        node = tree.entry_node[entry]
        whole = target_survives(tree.target[node])
        if node not in out.components:
            out.reasons.append((entry, n.View.UDF, n.Reason.SYMLINK))
        elif not whole:
            out.reasons.append((entry, n.View.UDF, n.Reason.TARGET))
        if not whole:
            out.reasons.append((entry, n.View.ROCK_RIDGE, n.Reason.TARGET))


def _times(shape: Shape[S], left_out: set[int], out: Stored) -> None:
    tree = shape.tree
    if in_old_linux_range(min(tree.seconds)) and in_old_linux_range(max(tree.seconds)):
        return
    late = {node for node, seconds in enumerate(tree.seconds) if not in_old_linux_range(seconds)}
    for entry in _entries_of(tree, late):
        seconds = tree.seconds[tree.entry_node[entry]]
        reason = n.Reason.TIME_IN_LINUX if in_iso_range(seconds) else n.Reason.TIME
        out.reasons.append((entry, n.View.ROCK_RIDGE, reason))
        if entry not in left_out and not in_udf_range(seconds):
            out.reasons.append((entry, n.View.UDF, n.Reason.TIME))


def _link_counts(shape: Shape[S], left_out: set[int], out: Stored) -> None:
    below = shape.subdirectory_count
    crowded = {d for d in shape.walk if below[d] >= MAX_LINKS}
    links = shape.tree.links
    linked = {node for node, count in enumerate(links) if count > MAX_LINKS} if max(links) > MAX_LINKS else set()
    for entry in _entries_of(shape.tree, crowded | linked):
        if entry not in left_out:
            out.reasons.append((entry, n.View.UDF, n.Reason.LINKS))


def _entries_of(tree: Tree[S], wanted: set[int]) -> list[int]:
    return [e for e, node in enumerate(tree.entry_node) if node in wanted] if wanted else []
