"""``odarchive restore``: trees back from the archive, through the librarian or from discs a person holds."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from odarchive.cli import output, progress
from odarchive.cli.browse import BytesPath
from odarchive.cli.opening import open_archive
from odarchive.cli.settings import Settings, common_options
from odarchive.errors import DamageFound, ExitCode, OdarchiveError, OperatorNeeded
from odarchive.model import SegmentId, SnapshotId

if TYPE_CHECKING:
    from odarchive.catalogue.wanted import Carrier
    from odarchive.opened import Archive
    from odarchive.restore.needs import Needs
    from odarchive.restore.target import Target
    from odarchive.restore.work import Outcome, Work


@dataclass(frozen=True, slots=True)
class Order:
    """What was asked for."""

    paths: tuple[bytes, ...]
    to: Path
    snapshot: SnapshotId | None
    discs: tuple[Path, ...]
    by_hand: bool
    plan: bool
    set_id: bool
    recheck: bool
    key: Path | None


@click.command()
@click.argument("paths", nargs=-1, required=True, type=BytesPath(), metavar="PATH...")
@click.option("--to", required=True, type=click.Path(path_type=Path), metavar="DIR", help="Where the tree is written.")
@click.option("--snapshot", type=int, metavar="N", help="As that scan left it, instead of the last one.")
@click.option("--plan", is_flag=True, help="Only show which discs would be loaded, and write nothing.")
@click.option(
    "--from",
    "discs",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="DISC",
    help="Without robot: an image, a mounted disc or a folder of such; may be repeated, in any order. "
    "Discs that are missing are asked for.",
)
@click.option("--setuid", "set_id", is_flag=True, help="Give set-user-id and set-group-id bits back too.")
@click.option("--recheck", is_flag=True, help="Read what an earlier run restored and compare it.")
@click.option(
    "--key", type=click.Path(path_type=Path), metavar="FILE", help="The key of encrypted discs given with --from."
)
@common_options()
@click.pass_obj
def restore(settings: Settings, /, **options: Any) -> int:  # noqa: ANN401  click's own
    """Write PATHs with all attributes below DIR, under their whole paths; every file is checked.

    Files that are there already with their size and time are left alone, so a run that was broken off is simply
    repeated. Nothing outside of DIR is ever written. Exit code 1: something was left out; stderr says what.
    """
    from odarchive.catalogue import wanted  # noqa: PLC0415

    snapshot = options.pop("snapshot")
    order = Order(
        **options, snapshot=None if snapshot is None else SnapshotId(snapshot), by_hand=bool(options["discs"])
    )
    archive = open_archive(settings.root())
    with archive.catalogue.read() as connection:
        items = wanted.items(connection, order.paths, order.snapshot)
        contents = wanted.wanted(connection, {item.content for item in items if item.content is not None})
    from odarchive.restore.needs import needs  # noqa: PLC0415
    from odarchive.restore.target import Manner, Target  # noqa: PLC0415
    from odarchive.restore.work import already  # noqa: PLC0415

    if order.plan and not order.to.exists():
        return _plan(settings, archive, needs(items, contents))
    manner = Manner(owners=os.geteuid() == 0, set_id=order.set_id, recheck=order.recheck and not order.plan)
    with Target(order.to, manner) as target:
        done = already(target, items, lambda number: contents[number].digest if number in contents else None)
        work = needs(items, contents, done)
        if order.plan:
            return _plan(settings, archive, work)
        return _told(settings, _restored(archive, target, work, order), len(done))


def _plan(settings: Settings, archive: "Archive", needs: "Needs") -> int:
    discs = _carriers(archive, needs.segments)
    loads = [(discs[segment], *needs.load(segment)) for segment in needs.segments]
    if settings.json:
        rows = [
            {"segment": disc.segment, "disc": _first(disc), "slot": _slot(disc), "contents": count, "bytes": size}
            for disc, count, size in loads
        ]
        unarchived = [output.named("path", item.path) for item in needs.unarchived]
        output.document({"loads": rows, "bytes": needs.bytes, "unarchived": unarchived})
        return ExitCode.OK
    for disc, count, size in loads:
        slot = _slot(disc)
        where = f"slot {slot}" if slot is not None else "not in the robot"
        output.line(f"{_first(disc):<32}  {where:<16}  {count:>7} contents  {output.size(size):>9}")
    output.line(f"{len(loads)} discs to load, {output.size(needs.bytes)}")
    if needs.unarchived:
        output.note(f"odarchive: {len(needs.unarchived)} files are not on a verified disc yet")
    return ExitCode.OK


def _restored(archive: "Archive", target: "Target", needs: "Needs", order: Order) -> "Outcome":
    from odarchive.restore.work import Work  # noqa: PLC0415

    work = Work(target, needs)
    work.begin()
    with progress.bar("restore") as tell:
        work.on_progress = lambda: tell(work.outcome.copied, needs.bytes, "")
        if not work.open:
            return work.end()
        if not order.by_hand:
            _recall(archive, work)
            return work.end()
    return _hand(archive, work, order)


def _recall(archive: "Archive", work: "Work") -> None:
    from odarchive.restore.recalled import bring  # noqa: PLC0415
    from odarchive.service.client import Client  # noqa: PLC0415

    config = archive.config
    with Client(config.socket):  # says at once that nobody is there
        pass
    bring(work, config.socket, config.cache, config.cache_bytes)


def _hand(archive: "Archive", work: "Work", order: Order) -> "Outcome":
    from odarchive.catalogue import archive as facts  # noqa: PLC0415
    from odarchive.restore.by_hand import ByHand  # noqa: PLC0415
    from odarchive.seal.opening import opener  # noqa: PLC0415

    with archive.catalogue.read() as connection:
        uuid = facts.facts(connection).uuid
    with ByHand(work, uuid, opener(order.key or archive.config.key)) as hand:
        waiting = [disc for path in order.discs for disc in _found(path)]
        while True:
            for path in waiting:
                try:
                    output.note(f"disc {hand.disc(path)} read ({path})")
                except OdarchiveError as error:
                    output.note(f"odarchive: {error}")
            missing = hand.missing
            if not missing:
                return work.end()
            waiting = _ask(archive, missing, order)
            if not waiting:
                names = ", ".join(_first(disc) for disc in _carriers(archive, list(missing)).values())
                for number, why in hand.why.items():
                    if number in work.open:
                        work.fail(work.open[number], why)
                return work.end(f"it needs a disc that was not given: {names}")


def _ask(archive: "Archive", missing: dict[SegmentId, int], order: Order) -> list[Path]:
    """Ask the person for a disc; none: that was all."""
    for disc in _carriers(archive, list(missing)).values():
        copies = " or ".join(label for label, _, _ in disc.discs) or disc.label
        output.note(f"needed: disc {copies} ({missing[disc.segment]} contents)")
    if not sys.stdin.isatty():
        return []
    output.note("Mount one of them and give its path (Return: look again where discs were; `q`: that is all):")
    answer = sys.stdin.readline()
    if not answer or answer.strip() == "q":
        return []
    text = answer.rstrip("\n")
    return _found(Path(text)) if text else [disc for path in order.discs for disc in _found(path)]


def _found(path: Path) -> list[Path]:
    """The discs a path means: itself, or the images and mounted discs in a folder that is no disc."""
    if not path.is_dir() or (path / "disc_info.json").exists():
        return [path]
    inside = sorted(path.iterdir())
    return [one for one in inside if one.is_file() or (one / "disc_info.json").exists()] or [path]


def _told(settings: Settings, outcome: "Outcome", before: int) -> int:
    for path, why in outcome.problems:
        output.note(f"odarchive: {output.visible(path)}: {why}")
    if settings.json:
        problems = [{**output.named("path", path), "why": why} for path, why in outcome.problems]
        output.document({"files": outcome.files, "bytes": outcome.copied, "skipped": before, "problems": problems})
    else:
        kept = f", {before} were there already" if before else ""
        output.line(f"{outcome.files} files restored, {output.size(outcome.copied)} read{kept}")
    if any("digest" in why or "unreadable" in why for _, why in outcome.problems):
        raise DamageFound(f"{len(outcome.problems)} names were not restored; try other copies with --from")
    if any("was not given" in why for _, why in outcome.problems):
        raise OperatorNeeded(f"{len(outcome.problems)} names wait for discs; run it again with them")
    return ExitCode.WARNINGS if outcome.problems else ExitCode.OK


def _carriers(archive: "Archive", segments: list[SegmentId]) -> dict[SegmentId, "Carrier"]:
    from odarchive.catalogue import wanted  # noqa: PLC0415

    with archive.catalogue.read() as connection:
        return wanted.carriers(connection, segments)


def _first(disc: "Carrier") -> str:
    return disc.discs[0][0] if disc.discs else disc.label


def _slot(disc: "Carrier") -> int | None:
    return next((slot for _, slot, _ in disc.discs if slot is not None), None)
