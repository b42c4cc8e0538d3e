"""``odarchive init``: make an archive: a folder with ``archive.toml`` and an empty catalogue."""

import shlex
import time
import uuid
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from odarchive.cli import output
from odarchive.cli.init_toml import NewArchive, archive_toml
from odarchive.cli.settings import Settings, common_options
from odarchive.config import DRIVERS
from odarchive.errors import ConfigError, NoArchive, OdarchiveError

if TYPE_CHECKING:
    from odarchive.catalogue.archive import Facts


@click.command()
@click.argument("directory", required=False, type=click.Path(path_type=Path))
@click.option("--robot", "driver", type=click.Choice(list(DRIVERS)), default="none", help="The kind of robot.")
@click.option("--port", metavar="PATH", help="The robot's serial port (manual: the person's terminal).")
@click.option("--device", metavar="PATH", help="mtx: the changer's SCSI device; script: its first argument.")
@click.option("--program", metavar="COMMAND", help="mtx: how to call it, if not as mtx.")
@click.option("--script", metavar="COMMAND", help="script: how to call the changer script.")
@click.option("--slots", type=click.IntRange(1), metavar="N", help="manual: numbered places on the shelf.")
@click.option("--drive", "drives", multiple=True, metavar="KIND:PATH", help="A drive, such as sr:/dev/sr0; repeat.")
@click.option("--label", default="ODA", show_default=True, help="How the labels of all discs begin.")
@click.option("--udf-symlinks", is_flag=True, help="Discs show symlinks in UDF too; 7-Zip then refuses to open them.")
@click.option("--encrypt-to", multiple=True, metavar="AGE1...", help="Encrypt all discs to this key; repeat for more.")
@click.option(
    "--new-key", type=click.Path(path_type=Path), metavar="FILE", help="Make a key in FILE, encrypt to it too."
)
@click.option("--ecc", metavar="auto|N%", default="", help="Error correction on every disc, by dvdisaster.")
@click.option("--parity", metavar="D+P", default="", help="P parity discs for each D discs, such as 16+4.")
@common_options()
@click.pass_obj
def init(
    settings: Settings,
    /,
    directory: Path | None,
    driver: str,
    drives: tuple[str, ...],
    label: str,
    *,
    udf_symlinks: bool,
    **options: Any,  # noqa: ANN401  click's own
) -> None:
    """Make a new archive in DIRECTORY (or in the folder that --archive names)."""
    from odarchive.correction.room import parse_ecc  # noqa: PLC0415
    from odarchive.parity.layout import parse_shape  # noqa: PLC0415

    root = (directory or settings.root()).absolute()
    ecc, parity = options.pop("ecc"), options.pop("parity")
    if ecc:
        parse_ecc(ecc)
    if parity:
        parse_shape(parity)
    encrypt_to: tuple[str, ...] = options.pop("encrypt_to")
    new_key: Path | None = options.pop("new_key")
    new = NewArchive(root, driver, _robot(driver, options), tuple(map(_drive, drives)), label, udf_symlinks)
    new = replace(new, recipients=_recipients(encrypt_to), ecc=ecc, parity=parity)
    facts = create(new, new_key)
    if settings.json:
        output.document({"archive": str(root), "uuid": facts.uuid, "encrypted_to": list(facts.recipients)})
        return
    output.line(f"archive made in {root}; its settings are in {root / 'archive.toml'}")
    if facts.recipients:
        output.line(f"its discs are encrypted to {', '.join(facts.recipients)}")
    if new_key is not None:
        output.note(
            f"odarchive: without the key in {new_key} nobody reads these discs, ever: print it and keep it apart"
        )
        output.hint(f"print it with: odarchive key print {new_key}")
    output.hint(f"next: odarchive -a {root} scan PATH")


def _recipients(to: tuple[str, ...]) -> tuple[str, ...]:
    if not to:
        return ()
    from odarchive.seal import keys  # noqa: PLC0415  most archives are not encrypted

    keys.recipients(to)
    return tuple(dict.fromkeys(word.strip() for word in to))


def _with_key(new: NewArchive, file: Path | None) -> NewArchive:
    """The same, with a key made in ``file``: it is there before anything is encrypted to it."""
    if file is None:
        return new
    from odarchive.seal import keys  # noqa: PLC0415  most archives are not encrypted

    path = file.absolute()
    made = keys.new_identity(path, created=output.moment(time.time_ns()))
    return replace(new, recipients=(*new.recipients, made), key=str(path))


def _robot(driver: str, given: Mapping[str, str | int | None]) -> dict[str, str | int | tuple[str, ...]]:
    """The keys of ``[robot]`` that were given, checked against what the driver reads."""
    kind = DRIVERS[driver]
    set_ = {key: value for key, value in given.items() if value is not None and value != ""}
    for key in kind.needs:
        if key not in set_:
            raise click.UsageError(f"--robot {driver} ({kind.machine}) needs --{key}")
    for key in set_:
        if key not in (*kind.needs, *kind.may):
            raise click.UsageError(f"--{key} is not for --robot {driver}")
    return {key: _words(key, value) if key in ("program", "script") else value for key, value in set_.items()}


def _words(key: str, command: str | int) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(str(command)))
    except ValueError as error:
        raise click.UsageError(f"--{key} {command!r}: {error}") from None


def _drive(text: str) -> tuple[str, str]:
    kind, colon, path = text.partition(":")
    if not colon or not path or kind not in ("sr", "file"):
        raise click.UsageError(f"--drive {text!r}: write KIND:PATH, such as sr:/dev/sr0 or file:DIR")
    return kind, path


def create(new: NewArchive, new_key: Path | None = None) -> "Facts":
    """Make the folder, the catalogue, and at last ``archive.toml``, which makes it an archive.

    ``new_key``: a file for a key that discs are encrypted to as well. A catalogue that is there without
    ``archive.toml`` and knows sources or discs is kept, and what it says of the archive holds.

    Raises:
        OdarchiveError: there is an archive already, or the folder cannot be made, or the discs of the catalogue that is
            there are not encrypted to whom ``new`` and ``new_key`` say; then nothing is made.
    """
    from odarchive import config  # noqa: PLC0415  the command line starts without the catalogue's packages
    from odarchive.catalogue import archive  # noqa: PLC0415
    from odarchive.image.identity import is_label  # noqa: PLC0415

    path, catalogue = new.root / config.FILE_NAME, new.root / "catalogue.db"
    if not is_label(f"{new.label}_0001_2"):
        raise ConfigError(f"--label {new.label!r}: use A-Z, 0-9 and _, few enough for a disc's label")
    try:
        new.root.mkdir(parents=True, exist_ok=True)
        if path.exists():
            raise OdarchiveError(f"{new.root} is an archive already; nothing was changed")
        kept = archive.left_behind(catalogue)
        if kept is not None:
            _agree(new, kept, catalogue, new_key)
        new = _with_key(new, new_key)
        wanted = archive.Facts(
            str(uuid.uuid4()), new.label, time.time_ns(), udf_symlinks=new.udf_symlinks, recipients=new.recipients
        )
        facts = archive.create_or_resume(catalogue, wanted)
        _write_whole(path, archive_toml(new))
    except OSError as error:
        raise NoArchive(f"{new.root}: no archive can be made there: {error.strerror}") from error
    return facts


def _agree(new: NewArchive, kept: "Facts", catalogue: Path, new_key: Path | None) -> None:
    """Refuse another encryption than the kept catalogue's, tell what else of ``new`` is not used."""
    if new_key is not None or (new.recipients and set(new.recipients) != set(kept.recipients)):
        says = f"encrypted to {', '.join(kept.recipients)}" if kept.recipients else "not encrypted"
        raise OdarchiveError(
            f"{catalogue} is there already and says that the discs of its archive are {says}; that stays so for every "
            "disc. Run init without --encrypt-to and --new-key to use it, or choose another folder for a new archive; "
            "nothing was made"
        )
    if new.label != kept.label_prefix:
        output.note(f"odarchive: labels begin with {kept.label_prefix}, as {catalogue} says, not with {new.label}")
    if new.udf_symlinks != kept.udf_symlinks:
        show = "show" if kept.udf_symlinks else "do not show"
        output.note(f"odarchive: discs {show} symlinks in UDF, as {catalogue} says")
    if kept.recipients:
        output.note(f"odarchive: {catalogue} is of an encrypted archive: name the file with its key in archive.toml")


def _write_whole(path: Path, text: str) -> None:
    """The file appears complete or not at all, and never replaces one."""
    half = path.with_name(f"{path.name}.new")
    half.write_text(text, encoding="utf-8")
    try:
        path.hardlink_to(half)
    finally:
        half.unlink()
