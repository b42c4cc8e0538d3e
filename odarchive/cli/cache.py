"""``odarchive recall`` and ``odarchive cache``: bringing files from their discs in advance, and keeping them.

Both speak of paths below the mount's root, folders with all that is in them, and go through the librarian, who owns
discs and cache.
"""

import os
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from odarchive.cli import output
from odarchive.cli.browse import BytesPath
from odarchive.cli.opening import open_archive
from odarchive.cli.settings import Settings, common_options
from odarchive.errors import OdarchiveError, TryLater

if TYPE_CHECKING:
    from odarchive.catalogue.below import Placed
    from odarchive.model import ContentId
    from odarchive.opened import Archive
    from odarchive.service.client import Client

SLICE = 20.0
"""Seconds of one question while waiting."""
FEW = 20
"""Files in part that a person is told by name."""
_PATHS = click.argument("paths", type=BytesPath(), nargs=-1, required=True)


@click.command()
@_PATHS
@click.option("--wait", is_flag=True, help="Return when everything is in the cache.")
@click.option("--timeout", type=float, default=3600.0, show_default=True, help="Seconds to wait at most.")
@common_options()
@click.pass_obj
def recall(settings: Settings, paths: Sequence[bytes], wait: bool, timeout: float) -> None:
    """Bring the files at and below PATHS from their discs into the cache, disc by disc.

    Without --wait it asks and returns. How long it may take is told, with --wait at once, on stderr. Exit code 75 with
    --wait: not everything came in time; the recall goes on.
    """
    archive = open_archive(settings.root())
    wanted = [placed for path in paths for placed in _below(archive, path)]
    with _librarian(archive) as librarian:
        librarian.wake()  # a person asks: what stood in the way may be gone
        states = {placed.content: _asked(librarian, placed.content, 0.0) for placed in wanted}
        if wait:
            _await(librarian, states, time.monotonic() + timeout)
        left = _left(librarian, states)
    counts = {state: sum(answer["state"] == state for answer in states.values()) for state in _STATES}
    size = sum(placed.size for placed in {placed.content: placed for placed in wanted}.values())
    if settings.json:
        output.document({**counts, "contents": len(states), "bytes": size, "seconds_left": left})
    else:
        output.line(
            f"{len(states)} contents, {output.size(size)}: {counts['done']} in the cache, {counts['waiting']} on their"
            f" way{_about(left)}, {counts['failed']} cannot be had"
        )
    _judge(states, wait=wait)


_STATES = ("done", "waiting", "failed")
_WAITING = "waiting for its disc"
"""What the librarian says of a content that waits its turn."""


def _judge(states: Mapping[Any, Mapping[str, Any]], *, wait: bool) -> None:
    reasons = sorted({str(answer["why"]) for answer in states.values() if answer["state"] == "failed"})
    if reasons:
        raise OdarchiveError(f"not everything can be had: {'; '.join(reasons[:3])}")
    late = [answer for answer in states.values() if answer["state"] == "waiting"]
    if wait and late:
        raise TryLater(f"{len(late)} contents have not come yet ({late[0]['why']}); the recall goes on")


def _asked(librarian: "Client", content: "ContentId", wait: float) -> dict[str, Any]:
    """One question; what can only be read past the cache is not in the cache."""
    answer = librarian.recall(content, wait)
    if answer["state"] == "done" and answer.get("in_memory"):
        return {"state": "failed", "why": "the cache has no room or no disk: odarchive cache status"}
    return answer


def _await(librarian: "Client", states: dict[Any, dict[str, Any]], end: float) -> None:
    said = {_WAITING}
    waiting = _waiting(states)
    if waiting:
        output.note(f"{len(waiting)} contents wait for their discs{_about(_left(librarian, states))}")
    for content in waiting:
        while states[content]["state"] == "waiting" and (rest := end - time.monotonic()) > 0:
            states[content] = _asked(librarian, content, min(SLICE, rest))
            if states[content]["state"] == "waiting" and (why := str(states[content]["why"])) not in said:
                said.add(why)
                output.hint(why)


def _waiting(states: Mapping[Any, Mapping[str, Any]]) -> list[Any]:
    return [content for content, answer in states.items() if answer["state"] == "waiting"]


def _left(librarian: "Client", states: Mapping[Any, Mapping[str, Any]]) -> int | None:
    """Seconds until the last that is on its way comes, as the librarian estimates; None: nothing is, or unknown."""
    waiting = set(_waiting(states))
    wants = librarian.status()["wants"] if waiting else ()
    return max((int(want["seconds_left"]) for want in wants if want["content"] in waiting), default=None)


def _about(left: int | None) -> str:
    from odarchive.service.durations import estimate  # noqa: PLC0415  the command line starts without it

    return "" if left is None else f" ({estimate(left)})"


@click.group()
@common_options()
def cache() -> None:
    """What is at hand without a disc."""


@cache.command()
@common_options()
@click.pass_obj
def status(settings: Settings) -> None:
    """Show how full the cache is, how much of it is pinned, and which files are there in part."""
    from odarchive import config  # noqa: PLC0415
    from odarchive.service.client import Client  # noqa: PLC0415  needs httpx

    with Client(config.load(settings.root()).socket) as librarian:
        report = librarian.cache()
    partial = _named(settings, report.pop("partial", []))
    if settings.json:
        output.document({**report, "partial": [{**output.named("path", path), **rest} for path, rest in partial]})
        return
    output.line(
        f"{report['files']} contents, {output.size(report['bytes'])} of {output.size(report['quota'])}; "
        f"{report['pinned']} pinned; {output.size(report['free'])} free on the disk of {report['directory']}"
    )
    if report["parts"]:
        output.line(f"{report['parts']} of them are there in part, with {output.size(report['part_bytes'])}")
    for path, one in partial[:FEW]:
        output.line(f"  {output.visible(path)}: {output.size(one['bytes'])} of {output.size(one['size'])}")
    if len(partial) > FEW:
        output.hint(f"{len(partial) - FEW} more are in `cache status --json`")


def _named(settings: Settings, reported: Sequence[Mapping[str, Any]]) -> list[tuple[bytes, Mapping[str, int]]]:
    """Files of which the cache has a part, by path; what the mount does not show is left out."""
    from odarchive.catalogue.paths import shown_as  # noqa: PLC0415  needs the catalogue's packages

    held = {bytes.fromhex(one["digest"]): int(one["bytes"]) for one in reported}
    with open_archive(settings.root()).catalogue.read() as connection:
        names = shown_as(connection, held)
    return sorted((path, {"bytes": held[digest], "size": size}) for digest, (path, size) in names.items())


@cache.command()
@_PATHS
@common_options()
@click.pass_obj
def pin(settings: Settings, paths: Sequence[bytes]) -> None:
    """Keep the files at and below PATHS in the cache once they are there; `odarchive recall` brings them."""
    _order(settings, "pin", paths)


@cache.command()
@_PATHS
@common_options()
@click.pass_obj
def unpin(settings: Settings, paths: Sequence[bytes]) -> None:
    """Let the files at and below PATHS be thrown out again when room is needed."""
    _order(settings, "unpin", paths)


@cache.command()
@_PATHS
@click.option("--keep-head", metavar="SIZE", default="0", help="Keep so much of the beginning of each, such as 256K.")
@common_options()
@click.pass_obj
def evict(settings: Settings, paths: Sequence[bytes], keep_head: str) -> None:
    """Throw the files at and below PATHS out of the cache now, except pinned ones. They stay on their discs.

    Heads are kept in whole MiB, of files on discs whose contents can be checked in parts. `[cache] keep_head` in
    archive.toml keeps them also when the cache makes room by itself, `keep_small` keeps small files.
    """
    from odarchive.media import parse_size  # noqa: PLC0415

    _order(settings, "evict", paths, parse_size(keep_head))


def _order(settings: Settings, what: str, paths: Sequence[bytes], head: int = 0) -> None:
    archive = open_archive(settings.root())
    contents = {placed.content: placed for path in paths for placed in _below(archive, path)}
    done = 0
    with _librarian(archive) as librarian:
        for content in contents:
            done += bool(librarian.order_cache(what, content, head)["changed"])
    if settings.json:
        output.document({"contents": len(contents), "changed": done})
    else:
        output.line(f"{what}: {done} of {len(contents)} contents")


def _below(archive: "Archive", path: bytes) -> list["Placed"]:
    from odarchive.catalogue.below import contents_below  # noqa: PLC0415  needs the catalogue's packages

    with archive.catalogue.read() as connection:
        return contents_below(connection, os.path.normpath(b"/" + path))


def _librarian(archive: "Archive") -> "Client":
    from odarchive.service.client import Client  # noqa: PLC0415  needs httpx

    return Client(archive.config.socket)
