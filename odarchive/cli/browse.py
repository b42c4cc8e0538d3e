"""``odarchive ls`` and ``odarchive whereis``: looking without a disc, at everything scanned, archived or not."""

import os
import stat
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import click

from odarchive.cli import output
from odarchive.cli.opening import open_archive
from odarchive.cli.settings import Settings, common_options
from odarchive.service.durations import estimate

if TYPE_CHECKING:
    from odarchive.catalogue.lookup import Listed, Place, Whereabouts
    from odarchive.config import Config


class BytesPath(click.ParamType[bytes]):
    """A path as the bytes the shell gave."""

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> bytes:  # noqa: ANN401  click's own
        """See click."""
        del param, ctx
        return os.fsencode(value)


@dataclass(frozen=True, slots=True)
class _Widths:
    links: int
    size: int


@click.command()
@click.argument("path", type=BytesPath(), default="")
@click.option("--long", "-l", "details", is_flag=True, help="Mode, links, owner, size and time, too.")
@click.option("--snapshot", "-s", metavar="N", help="As that snapshot left it: a number, last, or last-1.")
@common_options()
@click.pass_obj
def ls(settings: Settings, path: bytes, details: bool, snapshot: str | None) -> None:
    """List PATH (below the root of the mount). What is on no verified disc yet is marked with `*`."""
    from odarchive.catalogue import history, lookup  # noqa: PLC0415

    archive = open_archive(settings.root())
    with archive.catalogue.read() as connection:
        number = None
        if snapshot is not None:
            (number,) = history.latest(connection, [snapshot])
            history.require(connection, number)
        entries = lookup.ls(connection, path, number)
    if settings.json:
        output.document({**output.named("path", path), "entries": [_document(entry) for entry in entries]})
        return
    widths = _Widths(
        max((len(str(entry.nlink)) for entry in entries), default=1),
        max((len(str(entry.size)) for entry in entries), default=1),
    )
    for entry in entries:
        output.line(_long(entry, widths) if details else _short(entry))


def _short(entry: "Listed") -> str:
    mark = "/" if entry.kind == "directory" else ""
    return f"{output.visible(entry.name)}{mark}{'' if entry.archived else ' *'}"


def _long(entry: "Listed", widths: _Widths) -> str:
    target = "" if entry.target is None else f" -> {output.visible(entry.target)}"
    return (
        f"{stat.filemode(entry.mode)} {entry.nlink:>{widths.links}} {entry.uid} {entry.gid} "
        f"{entry.size:>{widths.size}} {output.moment(entry.mtime_ns)} {_short(entry)}{target}"
    )


def _document(entry: "Listed") -> dict[str, Any]:
    target = {} if entry.target is None else output.named("target", entry.target)
    return {
        **output.named("name", entry.name),
        "kind": entry.kind,
        "size": entry.size,
        "mode": entry.mode,
        "nlink": entry.nlink,
        "uid": entry.uid,
        "gid": entry.gid,
        "mtime_ns": entry.mtime_ns,
        **target,
        "archived": entry.archived,
    }


@click.command()
@click.argument("path", type=BytesPath())
@common_options()
@click.pass_obj
def whereis(settings: Settings, path: bytes) -> None:
    """Tell which discs carry the bytes of PATH, in which slots they are, and how long its bytes would take to come."""
    from odarchive.catalogue import foreign, lookup  # noqa: PLC0415

    archive = open_archive(settings.root())
    with archive.catalogue.read() as connection:
        found = lookup.whereis(connection, path)
        elsewhere = [] if found.entry.content is None else foreign.places(connection, found.entry.content)
    at_hand = None if found.entry.content is None else _at_hand(archive.config, int(found.entry.content))
    if settings.json:
        output.document(
            {
                **output.named("path", path),
                "kind": found.entry.kind,
                "size": found.entry.size,
                "present": found.present,
                **({} if at_hand is None else asdict(at_hand)),
                "blake3": None if found.digest is None else found.digest.hex(),
                "copies": found.copies,
                "pieces": [_piece(place) for place in found.places],
                "other_discs": [
                    {"label": label, **output.named("path", place), "read": read} for label, place, read in elsewhere
                ],
            }
        )
        return
    _print(path, found)
    if at_hand is not None:
        output.line(f"  {at_hand.words}")
    for label, place, read in elsewhere:
        state = "read there and right" if read else "never read here"
        output.line(f"  disc {label} of another program, as {output.visible(place)}, {state}")


@dataclass(frozen=True, slots=True)
class _AtHand:
    """How far the bytes of a content are."""

    state: str
    """As ``user.odarchive.state`` in the mount."""
    cached_bytes: int
    wait_seconds: float | None
    """None: a person must bring a disc."""

    @property
    def words(self) -> str:
        if self.state == "cached":
            return "in the cache"
        part = f"{output.size(self.cached_bytes)} of it in the cache; " if self.cached_bytes else ""
        if self.wait_seconds is None:
            return part + ("no disc is known to give it" if self.state == "lost" else "somebody must bring its disc")
        return f"{part}could be here in {estimate(self.wait_seconds)}"


def _at_hand(config: "Config", content: int) -> _AtHand | None:
    from odarchive.cache import CacheReader  # noqa: PLC0415
    from odarchive.catalogue.standing import Standings  # noqa: PLC0415

    with closing(Standings(config.catalogue)) as standings:
        standing = standings.of_content(content)
        if standing is None or not standing.carriers:
            return None
        held = CacheReader(config.cache).held(standing.digest, standing.size)
        wait = 0.0 if held == standing.size else standings.wait(standing, held)
    return _AtHand(standing.state_with(held), held, None if wait is None else round(wait, 1))


def _print(path: bytes, found: "Whereabouts") -> None:
    gone = "" if found.present else " (deleted since; this is its last version)"
    copies = f"{found.copies} verified cop{'y' if found.copies == 1 else 'ies'}"
    output.line(f"{output.visible(path)}{gone}: {found.entry.kind}, {output.size(found.entry.size)}, {copies}")
    for place in found.places:
        part = "" if place.length == found.entry.size else f"bytes {place.start} to {place.start + place.length}, "
        if not place.discs:
            output.line(f"  {part}segment {place.segment} ({place.label}), {place.state.value}: no disc yet")
        for disc in place.discs:
            where = "nobody knows where" if disc.slot is None else f"slot {disc.slot}"
            sector = "" if place.sector is None else f", from sector {place.sector}"
            output.line(f"  {part}disc {disc.label}, {disc.state.value}, {where}{sector}")


def _piece(place: "Place") -> dict[str, Any]:
    return {
        "segment": place.segment,
        "label": place.label,
        "state": place.state.value,
        "start": place.start,
        "length": place.length,
        "sector": place.sector,
        "discs": [
            {"label": disc.label, "uuid": disc.uuid, "state": disc.state.value, "slot": disc.slot}
            for disc in place.discs
        ],
    }
