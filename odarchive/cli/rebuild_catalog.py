"""``odarchive rebuild-catalog``: the catalogue again, from discs alone."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import click

from odarchive import config
from odarchive.cli import output
from odarchive.cli.settings import Settings, common_options
from odarchive.errors import ExitCode, OdarchiveError

if TYPE_CHECKING:
    from odarchive.offline.disc import Disc
    from odarchive.rebuild.hand import Hand
    from odarchive.rebuild.rebuild import Rebuilt
    from odarchive.seal.stream import Opener

ROBOT = Path("robot")
"""The word for the discs in the robot; a folder of that name is named by its full path."""


@click.command("rebuild-catalog")
@click.option(
    "--from-discs",
    "places",
    required=True,
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="DIR|robot",
    help="A folder with images or mounted discs, or one of them; or `robot`: every disc in it. May be repeated.",
)
@click.option("--only", default="", metavar="UUID", help="Take the discs of this archive, when there are several.")
@click.option("--key", type=click.Path(path_type=Path), metavar="FILE", help="The key of an encrypted archive.")
@common_options()
@click.pass_obj
def rebuild_catalog(settings: Settings, places: tuple[Path, ...], only: str, key: Path | None) -> int:
    """Make the archive's catalogue anew from its discs or their images.

    The newest disc gives the names; every other is compared with it. Discs that no catalogue knows as verified are read
    completely. An existing catalogue is never replaced. Exit code 1: something was left out; stderr says what.

    With `robot`, no librarian may run: each disc is loaded in turn, and where it lies is recorded. Ctrl-C puts the disc
    in the drive back; the same command goes on from there.
    """
    root = settings.root()
    root.mkdir(parents=True, exist_ok=True)
    path = _catalogue(root)
    tell = _silent if settings.json else output.note if ROBOT in places else output.hint
    others = tuple(place for place in places if place != ROBOT)
    for place in others:
        if not place.exists():
            raise click.BadParameter(f"there is no {place}; write a folder, an image, or robot")
    if path.exists():
        raise OdarchiveError(f"{path} exists; move it away first if it is to be replaced by a rebuilt one")
    job = _Job(path, others, only, key, tell)
    archive, done = job.from_robot(root) if ROBOT in places else job.run()
    for note in done.notes:
        output.note(f"odarchive: {note}")
    if settings.json:
        output.document(
            {"archive": archive, "discs": done.discs, "names_from": done.names_from, "notes": list(done.notes)}
        )
    else:
        names = f"names from disc {done.names_from}" if done.names_from else "names from each disc"
        output.line(f"catalogue of archive {archive} made from {done.discs} discs, {names}")
    return ExitCode.WARNINGS if done.notes else ExitCode.OK


@dataclass(frozen=True, slots=True)
class _Job:
    """What is to be made of what."""

    path: Path
    places: tuple[Path, ...]
    only: str
    key: Path | None
    tell: Callable[[str], None]

    def run(self, more: Iterable[tuple[str, Callable[[], "Disc"]]] = ()) -> tuple[str, "Rebuilt"]:
        """The archive's uuid, and what came of it; ``more``: discs beside the files."""
        from odarchive.offline.sealed import open_plain  # noqa: PLC0415  needs the catalogue's packages, as the next
        from odarchive.rebuild.rebuild import rebuild, sort_out  # noqa: PLC0415

        keys = self.keys()
        files = ((str(place), partial(open_plain, place, keys)) for place in _discs(self.places))
        pile = sort_out(chain(more, files), self.only)
        return pile.archive, rebuild(self.path, pile, tell=self.tell)

    def from_robot(self, root: Path) -> tuple[str, "Rebuilt"]:
        """As ``run``, with the discs of the robot, whose slots are recorded."""
        from odarchive.bootstrap import at_robot  # noqa: PLC0415  the robot is needed here alone
        from odarchive.rebuild.survey import Survey  # noqa: PLC0415

        def work(hand: "Hand") -> tuple[str, "Rebuilt"]:
            survey = Survey(hand, root / "run" / "rebuild", self.keys(), self.tell)
            survey.look()
            archive, done = self.run(survey.openers())
            survey.record(self.path, archive)
            survey.forget()
            return archive, done

        return at_robot(config.load(root), work)

    def keys(self) -> "Opener | None":
        """What opens an encrypted archive."""
        from odarchive.seal.opening import opener  # noqa: PLC0415  the extra `privacy`

        return opener(self.key or config.load(self.path.parent).key)


def _catalogue(root: Path) -> Path:
    """Where the catalogue belongs; a folder without configuration gets the least there can be."""
    if not (root / config.FILE_NAME).exists():
        (root / config.FILE_NAME).touch()
    return config.load(root).catalogue


def _discs(places: tuple[Path, ...]) -> Iterator[Path]:
    for place in places:
        if not place.is_dir() or (place / "disc_info.json").exists():
            yield place
        else:
            yield from (one for one in sorted(place.iterdir()) if not one.name.startswith("."))


def _silent(_: str) -> None:
    pass
