"""``odarchive key``: keys of encrypted archives: making them, printing them for a safe, trying them.

A key goes to the terminal or into a file that is named, only when asked for; never into a log or an argument.
"""

import io
import os
import time
from pathlib import Path

import click

from odarchive.cli import output
from odarchive.cli.settings import Settings, common_options
from odarchive.errors import KeyNeeded, OdarchiveError

_FILE = click.Path(path_type=Path)
_SHEET = """\
<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>Key</title>
<style>body{{font:12pt sans-serif;margin:2cm}}code{{font-size:13pt;overflow-wrap:anywhere}}svg{{width:7cm}}</style>
<h1>The key of an archive of discs</h1>
<p>Whoever has this line reads every disc that was encrypted to it; without it nobody does.</p>
<p><code>{secret}</code></p>{picture}
<p>Its public part, which is no secret: <code>{recipient}</code></p>
<p>To use it, put the line into a file KEY. Files with names in .age are opened by: age -d -i KEY FILE.age.
README.MD on every disc tells the rest. Printed {today}.</p></html>
"""


@click.group()
@common_options()
def key() -> None:
    """Keys of encrypted archives."""


@key.command()
@click.argument("file", type=_FILE)
@common_options()
@click.pass_obj
def new(settings: Settings, file: Path) -> None:
    """Make a key in FILE, which nobody else may read; prints its public part, for `init --encrypt-to`."""
    from odarchive.seal.keys import new_identity  # noqa: PLC0415  needs cryptography

    recipient = new_identity(file, created=output.moment(time.time_ns()))
    if settings.json:
        output.document({"file": str(file), "recipient": recipient})
    else:
        output.line(recipient)
        output.hint(f"print the key and keep it apart from the discs: odarchive key print {file}")


@key.command("print")
@click.argument("file", type=_FILE)
@click.option("--html", type=_FILE, metavar="SHEET", help="Write a page to print, instead of the terminal.")
@common_options()
def print_(file: Path, html: Path | None) -> None:
    """Show the keys in FILE as text and as QR codes, for paper."""
    from odarchive.seal.keys import identities, public, text_of  # noqa: PLC0415  needs cryptography

    for secret in identities(file):
        text, recipient = text_of(secret), public(secret)
        if html is not None:
            _sheet(html, text, recipient)
            continue
        output.line(f"public key: {recipient}")
        output.line(text)
        for line in _squares(text):
            output.line(line)


@key.command()
@click.argument("file", type=_FILE, required=False)
@common_options()
@click.pass_obj
def check(settings: Settings, file: Path | None) -> None:
    """Say whether FILE (or the one that archive.toml names) opens this archive's discs."""
    from odarchive.catalogue import archive as facts  # noqa: PLC0415
    from odarchive.cli.opening import open_archive  # noqa: PLC0415
    from odarchive.seal.keyring import Keyring  # noqa: PLC0415

    archive = open_archive(settings.root())
    with archive.catalogue.read() as connection:
        recipients = facts.facts(connection).recipients
    if not recipients:
        raise OdarchiveError("this archive is not encrypted; anybody reads its discs")
    path = file or archive.config.key
    if path is None:
        raise KeyNeeded(f"no key is configured; the archive is encrypted to {', '.join(recipients)}: name its file")
    Keyring.of(recipients, path)
    if settings.json:
        output.document({"file": str(path), "opens": True, "encrypted_to": list(recipients)})
    else:
        output.line(f"{path} opens the discs of this archive")


def _sheet(path: Path, secret: str, recipient: str) -> None:
    import segno  # noqa: PLC0415  the extra `labels`

    picture = io.BytesIO()
    segno.make(secret, error="m", micro=False).save(picture, kind="svg", xmldecl=False, border=4)
    today = output.moment(time.time_ns())[:10]
    text = _SHEET.format(secret=secret, recipient=recipient, picture=picture.getvalue().decode(), today=today)
    try:
        with open(path, "x", encoding="utf-8", opener=_private) as file:
            file.write(text)
    except OSError as error:
        raise OdarchiveError(f"{path} cannot be written: {error.strerror}; name another file") from None
    output.note(f"{path} holds the key: print it, then delete it")


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _squares(text: str) -> list[str]:
    """A QR code of half blocks: two rows of squares a line, dark on light whatever the terminal's colours are."""
    try:
        import segno  # noqa: PLC0415  the extra `labels`
    except ImportError:
        return ["(for a QR code: pip install 'odarchive[labels]')"]
    rows = [[bool(dark) for dark in row] for row in segno.make(text, error="m", micro=False).matrix_iter(border=4)]
    if len(rows) % 2:
        rows.append([False] * len(rows[0]))
    glyph = {(False, False): "\u2588", (False, True): "\u2580", (True, False): "\u2584", (True, True): " "}
    return ["".join(glyph[pair] for pair in zip(*two, strict=True)) for two in zip(rows[::2], rows[1::2], strict=True)]
