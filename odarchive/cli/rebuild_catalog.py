"""``odarchive rebuild-catalog``: the catalogue again, from discs alone."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import click

from odarchive import config
from odarchive.cli import output
from odarchive.cli.settings import Settings, common_options
from odarchive.errors import ExitCode


@click.command("rebuild-catalog")
@click.option(
    "--from-discs",
    "places",
    required=True,
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    metavar="DIR",
    help="A folder with images or mounted discs, or one of them; may be repeated.",
)
@click.option("--only", default="", metavar="UUID", help="Take the discs of this archive, when there are several.")
@click.option("--key", type=click.Path(path_type=Path), metavar="FILE", help="The key of an encrypted archive.")
@common_options()
@click.pass_obj
def rebuild_catalog(settings: Settings, places: tuple[Path, ...], only: str, key: Path | None) -> int:
    """Make the archive's catalogue anew from its discs or their images.

    The newest disc gives the names; every other is compared with it. Discs that no catalogue knows as verified are read
    completely. An existing catalogue is never replaced. Exit code 1: something was left out; stderr says what.
    """
    from odarchive.offline.sealed import open_plain  # noqa: PLC0415  needs the catalogue's packages, as the next
    from odarchive.rebuild.rebuild import rebuild, sort_out  # noqa: PLC0415
    from odarchive.seal.opening import opener  # noqa: PLC0415

    root = settings.root()
    root.mkdir(parents=True, exist_ok=True)
    path = _catalogue(root)
    keys = opener(key or config.load(root).key)
    pile = sort_out(((str(place), partial(open_plain, place, keys)) for place in _discs(places)), only)
    done = rebuild(path, pile, tell=_silent if settings.json else output.hint)
    for note in done.notes:
        output.note(f"odarchive: {note}")
    if settings.json:
        output.document(
            {"archive": pile.archive, "discs": done.discs, "names_from": done.names_from, "notes": list(done.notes)}
        )
    else:
        names = f"names from disc {done.names_from}" if done.names_from else "names from each disc"
        output.line(f"catalogue of archive {pile.archive} made from {done.discs} discs, {names}")
    return ExitCode.WARNINGS if done.notes else ExitCode.OK


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
