"""``odarchive parity`` and ``odarchive repair``: parity discs for a set of images, and images right again."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from odarchive.cli import output, progress
from odarchive.cli.opening import open_archive
from odarchive.cli.settings import Settings, common_options
from odarchive.errors import DamageFound, ExitCode, OdarchiveError

if TYPE_CHECKING:
    from odarchive.catalogue.discs import Disc, Segment
    from odarchive.opened import Archive
    from odarchive.parity.mended import Mended
    from odarchive.repair.copies import Kept

_FOLDER = click.Path(file_okay=False, path_type=Path)


def _shape(_ctx: click.Context, _parameter: click.Parameter, value: str) -> tuple[int, int]:
    from odarchive.parity.layout import parse_shape  # noqa: PLC0415

    try:
        shape = parse_shape(value)
    except OdarchiveError as error:
        raise click.BadParameter(str(error)) from None
    if shape is None:
        raise click.BadParameter("write data+parity discs such as 16+4")
    return shape


def _have_numpy() -> None:
    try:
        import numpy  # noqa: F401, PLC0415  the extra `parity` is needed here alone
    except ImportError as error:
        raise OdarchiveError("parity needs numpy; install the extra: pip install 'odarchive[parity]'") from error


@click.command()
@click.argument("images", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--parity", "shape", default="16+4", show_default=True, callback=_shape, metavar="DATA+PARITY")
@click.option("--out", required=True, type=_FOLDER, metavar="DIR", help="Where the parity images are written.")
@common_options()
@click.pass_obj
def parity(settings: Settings, images: tuple[Path, ...], shape: tuple[int, int], out: Path) -> None:
    """Make parity discs for IMAGES of one archive: any PARITY discs of the set may then be lost."""
    _have_numpy()
    from odarchive.parity.sets import Wish, make_set, member_of  # noqa: PLC0415

    if len(images) > shape[0]:
        raise OdarchiveError(f"a set has {shape[0]} data discs at most, these are {len(images)}; make several sets")
    data = [(path, member_of(path)) for path in images]
    stem = data[0][1].label[:28]
    labels = tuple(f"{stem}_P{number}" for number in range(1, shape[1] + 1))
    wish = Wish(shape[1], labels, (0,) * shape[1], _archive_of(images[0]), time.time_ns() // 10**9 * 10**9)
    total, done = sum(member.size for _, member in data), 0
    with progress.bar("parity") as tell:

        def told(count: int) -> None:
            nonlocal done
            done += count
            tell(done, total, "")

        made = make_set(data, wish, out, told)
    if settings.json:
        output.document({"images": [str(path) for path in made]})
    for path in () if settings.json else made:
        output.line(str(path))


def _archive_of(path: Path) -> str:
    from odarchive.offline.disc import ImageDisc  # noqa: PLC0415

    disc = ImageDisc.of_file(path)
    try:
        return disc.identity.archive
    finally:
        disc.close()


@click.command()
@click.argument("names", nargs=-1, metavar="[DISC...]")
@click.option(
    "--from",
    "places",
    required=True,
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    metavar="DIR",
    help="Images of other copies or of the parity set, damaged ones too; may be repeated.",
)
@click.option("--out", type=_FOLDER, metavar="DIR", help="Where images are written; without it: staging, to be burned.")
@common_options()
@click.pass_obj
def repair(settings: Settings, names: tuple[str, ...], places: tuple[Path, ...], out: Path | None) -> int:
    """Make images of DISCs (labels; none: all that the parity set misses) right again, and queue their burn.

    Another copy is taken if there is a right one; else what was read of the disc itself, if it carries error correction
    (sectors that did not come may be zeros, or missing at the end); else the parity set. What cannot be made again
    completely becomes LABEL.partial.iso, and its lost files are named.
    """
    paths = [path for place in places for path in (sorted(place.iterdir()) if place.is_dir() else [place])]
    paths = [path for path in paths if path.is_file() and not path.name.startswith(".")]
    archive = open_archive(settings.root()) if out is None or names else None
    target = out if out is not None else archive.config.staging if archive is not None else Path()
    target.mkdir(parents=True, exist_ok=True)
    mended = _copies(archive, names, paths, target) if archive is not None else []
    mended += _corrected(archive, names, paths, target, {one.label for one in mended}) if archive is not None else []
    done = {one.label for one in mended}
    rest = tuple(name for name in names if name not in done)
    if rest or not names:
        mended += _from_set(settings, paths, target, rest)
    if archive is not None and out is None:
        _queue(archive, mended)
    return _told(settings, mended)


def _from_set(settings: Settings, paths: list[Path], out: Path, names: tuple[str, ...]) -> "list[Mended]":
    """By the parity set; an archive that is at hand names the files of discs that are lost as a whole."""
    _have_numpy()
    from odarchive.parity.sets import mend  # noqa: PLC0415
    from odarchive.repair.names import Names  # noqa: PLC0415

    try:
        catalogue = open_archive(settings.root()).catalogue
    except OdarchiveError:
        catalogue = None  # discs are mended without one, too
    with Names(catalogue, paths, out) as known:
        return mend(paths, out, names, holdings=known.of)


def _copies(archive: "Archive", names: tuple[str, ...], paths: list[Path], out: Path) -> "list[Mended]":
    from odarchive.catalogue import archive as facts  # noqa: PLC0415
    from odarchive.catalogue import discs, fixity  # noqa: PLC0415
    from odarchive.parity.mended import Mended  # noqa: PLC0415
    from odarchive.repair.copies import from_copy  # noqa: PLC0415

    if not names:
        return []
    found = []
    with archive.catalogue.read() as connection:
        uuid, known = facts.facts(connection).uuid, discs.everyone(connection)
        wanted = [(one, discs.segment(connection, one.segment)) for one in fixity.health(connection, names=names)]
    for one, segment in wanted:
        path = from_copy(paths, _kept(uuid, segment, known), out / f"{segment.label}.iso")
        if path is not None:
            found.append(Mended(one.label, path, right=True, lost=()))
    return found


def _kept(archive: str, segment: "Segment", known: "list[Disc]") -> "Kept":
    from odarchive.catalogue.rebuilding import UNKNOWN_DIGEST  # noqa: PLC0415
    from odarchive.repair.copies import Kept  # noqa: PLC0415

    mine = (one for one in known if one.segment == segment.id and one.digest != UNKNOWN_DIGEST)
    known_by = {one.uuid: (one.image_size, one.digest) for one in mine}
    return Kept(segment.id, segment.label, archive, segment.image_digest or UNKNOWN_DIGEST, known_by)


def _corrected(
    archive: "Archive", names: tuple[str, ...], paths: list[Path], out: Path, done: set[str]
) -> "list[Mended]":
    """Discs that their own error correction makes right."""
    from odarchive.catalogue import discs, fixity  # noqa: PLC0415
    from odarchive.parity.mended import Mended  # noqa: PLC0415
    from odarchive.repair.own import Wanted, from_itself  # noqa: PLC0415

    if not names:
        return []
    found = []
    with archive.catalogue.read() as connection:
        known = [(one, discs.get(connection, one.id)) for one in fixity.health(connection, names=names)]
        segments = {one.label: discs.segment(connection, one.segment) for one, _ in known}
    for one, disc in known:
        segment = segments[one.label]
        if one.label in done or segment.ecc_size is None or segment.image_size is None:
            continue
        wanted = Wanted(disc.uuid, disc.label, disc.digest, disc.image_size, segment.image_size)
        path = from_itself(paths, wanted, out / f"{segment.label}.iso")
        if path is not None:
            found.append(Mended(one.label, path, right=True, lost=()))
    return found


def _queue(archive: "Archive", mended: "list[Mended]") -> None:
    from odarchive.catalogue import fixity, jobs  # noqa: PLC0415

    for one in mended:
        if one.right:
            with archive.catalogue.write() as connection:
                segment = fixity.wants_copy(connection, one.path.stem)
                jobs.enqueue_burns(connection, [segment], now_ns=time.time_ns())


def _told(settings: Settings, mended: "list[Mended]") -> int:
    if settings.json:
        rows = [
            {"label": one.label, "image": str(one.path), "right": one.right, "lost": list(one.lost), "note": one.note}
            for one in mended
        ]
        output.document({"discs": rows})
    for one in () if settings.json else mended:
        output.line(f"{one.label}: {'made again' if one.right else 'not complete'}, {one.path}")
        for name in one.lost:
            output.note(f"odarchive: lost on {one.label}: {_shown(name)}")
    broken = [one for one in mended if not one.right]
    if broken:
        error = DamageFound(_summary(broken))
        if not settings.json:
            raise error
        output.note(f"odarchive: {error}")  # stdout has its document
        return error.exit_code
    if not mended:
        output.note("nothing is missing or damaged")
    return ExitCode.OK


def _summary(broken: "list[Mended]") -> str:
    lost = sum(len(one.lost) for one in broken)
    few = ", ".join(_shown(name) for one in broken for name in one.lost[:3])
    files = f", {lost} files on them are lost: {few}" if lost else ""
    notes = "".join(f"; {one.label}: {one.note}" for one in broken if one.note)
    return f"{len(broken)} discs could not be made again completely{files}{notes}"


def _shown(name: str) -> str:
    try:
        return output.visible(name.encode("utf-8", "surrogateescape"))
    except UnicodeEncodeError:  # a disc's own text may hold anything
        return output.visible(name.encode("utf-8", "surrogatepass"))
