"""``odarchive init``: make an archive: a folder with ``archive.toml`` and an empty catalogue."""

import json
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

import click

from odarchive.cli import output
from odarchive.cli.settings import Settings, common_options
from odarchive.errors import ConfigError, NoArchive, OdarchiveError

_TOML = """\
# An odarchive archive: this folder holds the catalogue, and by default everything else too.
# Paths are relative to this folder. What is commented out shows the default.

[robot]
# The machine that moves the discs. none: no robot; odjp: the open line protocol for home-built jukeboxes.
driver = {driver}
# The serial port it is on; prefer a name that stays, such as /dev/serial/by-id/...
port = {port}
# baud = 115200

# One block for each drive of the robot, in the robot's order from drive 0.
# kind: sr (a Linux optical drive, path = "/dev/sr0") or file (a simulated drive, path = its folder).
{drives}
[paths]
# staging = "staging"          # images wait here until their discs are verified
# cache = "cache"              # files that were read from discs
# socket = "librarian.sock"    # where `odarchive serve` listens

[cache]
# bytes = 20000000000          # the cache keeps at most so much
# read_ahead = 256000000       # so much of a disc follows into the cache while nobody else waits

[burn]
# copies = 1                   # verified discs of every segment

[recall]
# deadline = 600               # seconds a read in the mount may wait for its disc
# hold = 2.0                   # seconds a disc stays in its drive after the last read while others wait
"""


@dataclass(frozen=True, slots=True)
class NewArchive:
    """What an archive is made with. ``drives`` are (kind, path)."""

    root: Path
    driver: str
    port: str
    drives: tuple[tuple[str, str], ...]
    label: str


@click.command()
@click.argument("directory", required=False, type=click.Path(path_type=Path))
@click.option("--robot", "driver", type=click.Choice(["none", "odjp"]), default="none", help="The kind of robot.")
@click.option("--port", default="", metavar="PATH", help="The robot's serial port.")
@click.option("--drive", "drives", multiple=True, metavar="KIND:PATH", help="A drive, such as sr:/dev/sr0; repeat.")
@click.option("--label", default="ODA", show_default=True, help="How the labels of all discs begin.")
@common_options()
@click.pass_obj
def init(
    settings: Settings, directory: Path | None, driver: str, port: str, drives: tuple[str, ...], label: str
) -> None:
    """Make a new archive in DIRECTORY (or in the folder that --archive names)."""
    root = (directory or settings.root()).absolute()
    if driver != "none" and not port:
        raise click.UsageError(f"--robot {driver} needs --port PATH, the serial port it is on")
    identity = create(NewArchive(root, driver, port, tuple(map(_drive, drives)), label))
    if settings.json:
        output.document({"archive": str(root), "uuid": identity})
        return
    output.line(f"archive made in {root}; its settings are in {root / 'archive.toml'}")
    output.hint(f"next: odarchive -a {root} scan PATH")


def _drive(text: str) -> tuple[str, str]:
    kind, colon, path = text.partition(":")
    if not colon or not path or kind not in ("sr", "file"):
        raise click.UsageError(f"--drive {text!r}: write KIND:PATH, such as sr:/dev/sr0 or file:DIR")
    return kind, path


def create(new: NewArchive) -> str:
    """Make the folder, the catalogue, and at last ``archive.toml``, which makes it an archive; returns its UUID.

    Raises:
        OdarchiveError: there is an archive already, or the folder cannot be made.
    """
    from odarchive import config  # noqa: PLC0415  the command line starts without the catalogue's packages
    from odarchive.catalogue import archive  # noqa: PLC0415
    from odarchive.image.identity import is_label  # noqa: PLC0415

    path = new.root / config.FILE_NAME
    if not is_label(f"{new.label}_0001_2"):
        raise ConfigError(f"--label {new.label!r}: use A-Z, 0-9 and _, few enough for a disc's label")
    try:
        new.root.mkdir(parents=True, exist_ok=True)
        if path.exists():
            raise OdarchiveError(f"{new.root} is an archive already; nothing was changed")
        facts = archive.Facts(uuid=str(uuid.uuid4()), label_prefix=new.label, created_ns=time.time_ns())
        archive.create(new.root / "catalogue.db", facts).close()
        with path.open("x", encoding="utf-8") as file:
            file.write(_toml(new))
    except OSError as error:
        raise NoArchive(f"{new.root}: no archive can be made there: {error.strerror}") from error
    return facts.uuid


def _toml(new: NewArchive) -> str:
    blocks = [f"[[drive]]\nkind = {json.dumps(kind)}\npath = {_quoted(path)}\n" for kind, path in new.drives]
    drives = "\n".join(blocks) or '# [[drive]]\n# kind = "sr"\n# path = "/dev/sr0"\n'
    return _TOML.format(driver=_quoted(new.driver), port=_quoted(new.port), drives=drives)


def _quoted(text: str) -> str:
    """A TOML basic string. JSON's escapes are a subset of TOML's as long as no surrogate pair is written."""
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise ConfigError(f"{output.visible(text.encode('utf-8', 'surrogateescape'))}: paths of devices must be UTF-8")
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
