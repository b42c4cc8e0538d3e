"""``odarchive label``: sheets to print: the face or hub of discs, spines of their cases, the list of a shelf or box."""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from odarchive.cli import output
from odarchive.cli.settings import Settings, common_options
from odarchive.errors import OdarchiveError

if TYPE_CHECKING:
    from odarchive.catalogue.database import Connection
    from odarchive.catalogue.discs import Disc
    from odarchive.labels.shapes import Page
    from odarchive.labels.sheets import Label
    from odarchive.opened import Archive

_KINDS = ("box", "face", "hub", "spine")
_FORMATS = (".pdf", ".svg", ".html")
_FOLDERS = 12
"""Folders named on a label at the most."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be printed."""

    sheet: str
    paper: str
    inner: float
    title: str | None


@click.command()
@click.argument("names", nargs=-1, metavar="[DISC]...")
@click.option("--all", "everything", is_flag=True, help="All verified discs.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="A .pdf, .html or .svg (of one page).")
@click.option("--sheet", type=click.Choice(_KINDS), default="box", show_default=True, help="What to print.")
@click.option("--paper", type=click.Choice(("a4", "letter")), default="a4", help="Size of the sheets.")
@click.option(
    "--inner", type=click.FloatRange(20, 60), default=46.0, show_default=True, help="face: where printing begins, mm."
)
@click.option("--title", help="box: what stands over the list.")
@click.option("--no-folders", "secret", is_flag=True, help="Say nothing of what is on the discs.")
@click.option("--force", is_flag=True, help="Replace FILE.")
@common_options()
@click.pass_obj
def label(
    settings: Settings,
    /,
    names: tuple[str, ...],
    out: Path,
    *,
    everything: bool,
    secret: bool,
    force: bool,
    **order: object,
) -> None:
    """Make sheets to print for each DISC, named by label, id or what its square code says.

    box: a list with codes, for a shelf or box. face: on a printable disc. hub: the ring of 23 to 46 mm around the
    hole. spine: strips for cases. Print in true size (100 %); the code holds the disc's id: odarchive disc show CODE.
    """
    if bool(names) == everything:
        raise click.UsageError("name discs, or give --all")
    if out.suffix not in _FORMATS:
        raise click.UsageError(f"--out {out}: the name must end with {', '.join(_FORMATS)}")
    from odarchive.opened import open_archive  # noqa: PLC0415  needs the catalogue's packages

    archive = open_archive(settings.root())
    labels = _labels(archive, names)
    if secret:
        labels = [replace(one, folders=()) for one in labels]
    made = _pages(archive, labels, Order(**order))  # type: ignore[arg-type]  # click made them
    _write(out, _rendered(out, made), force=force)
    if settings.json:
        output.document({"file": str(out), "pages": len(made)})
    else:
        output.line(f"{out}: {len(made)} page{'' if len(made) == 1 else 's'}; print in true size (100 %)")


def _labels(archive: "Archive", names: tuple[str, ...]) -> "list[Label]":
    from odarchive.catalogue import discs  # noqa: PLC0415

    with archive.catalogue.read() as connection:
        outside = discs.outside(connection)
        if names:
            found = [discs.find(connection, name) for name in names]
        else:
            found = [disc for disc in discs.everyone(connection) if disc.state.value == "verified"]
        made = [_label(connection, disc, outside.get(disc.id, "")) for disc in dict.fromkeys(found)]
    if not made:
        raise OdarchiveError("the archive has no verified disc yet; `odarchive burn` makes them")
    return made


def _label(connection: "Connection", disc: "Disc", place: str) -> "Label":
    from odarchive.catalogue.onlabels import summary  # noqa: PLC0415
    from odarchive.labels.sheets import Label  # noqa: PLC0415

    told = summary(connection, disc)
    folders = [f"{os.fsdecode(path).encode('utf-8', 'replace').decode()} ({count})" for path, count in told.folders]
    more = [f"and {len(folders) - _FOLDERS} more folders"] if len(folders) > _FOLDERS else []
    return Label(
        name=disc.label,
        uuid=disc.uuid,
        date=output.moment(told.burned_ns)[:10],
        size=output.size(told.size),
        files=told.files,
        folders=(*folders[:_FOLDERS], *more),
        place=place or (f"slot {disc.slot}" if disc.slot is not None else ""),
    )


def _pages(archive: "Archive", labels: "list[Label]", order: Order) -> "list[Page]":
    from odarchive.catalogue.archive import facts  # noqa: PLC0415
    from odarchive.labels.sheets import Sheet, pages  # noqa: PLC0415

    with archive.catalogue.read() as connection:
        title = order.title or f"{facts(connection).label_prefix}: {len(labels)} disc{'' if len(labels) == 1 else 's'}"
    return pages(Sheet(order.sheet), labels, paper=order.paper, inner=order.inner, title=title)


def _rendered(out: Path, made: "list[Page]") -> bytes:
    from odarchive.labels.pdf import pdf  # noqa: PLC0415
    from odarchive.labels.svg import html, svg  # noqa: PLC0415

    if out.suffix == ".pdf":
        return pdf(made, out.stem)
    if out.suffix == ".html":
        return html(made, out.stem).encode()
    if len(made) > 1:
        raise OdarchiveError(f"{out}: an SVG holds one page, and {len(made)} are needed; take .pdf or .html")
    return svg(made[0]).encode()


def _write(out: Path, data: bytes, *, force: bool) -> None:
    try:
        with out.open("wb" if force else "xb") as file:
            file.write(data)
    except FileExistsError:
        raise OdarchiveError(f"{out} exists already; --force replaces it") from None
    except OSError as error:
        raise OdarchiveError(f"{out} cannot be written: {error.strerror}") from error
