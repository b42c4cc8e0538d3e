"""A set of 16 + 4 real images, four of them gone and one block of a fifth: which files are lost is said, by name."""

import json
import random

import pytest

pytest.importorskip("numpy")

from odarchive.catalogue import archive
from odarchive.cli import main
from odarchive.errors import OdarchiveError
from odarchive.image.identity import DiscIdentity
from odarchive.image.stamp import stamp
from odarchive.imaging import build_image
from odarchive.media import parse_medium
from odarchive.offline.disc import catalogue_of, open_disc
from odarchive.offline.proof import prove
from odarchive.parity.layout import BLOCK, Layout
from odarchive.planning import make_plan
from odarchive.repair.names import Names
from odarchive.scan import scan

UUID = "00000000-0000-4000-8000-000000000001"
VICTIM = 7
FILE = 200_000
"""Bytes: three blocks of parity, so that one block harms one file or two."""


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    """The folder with all twenty images, and the bytes of the sixteen."""
    root = tmp_path_factory.mktemp("beyond")
    chance = random.Random(11)
    for folder in range(16):
        (root / "photos" / f"{folder:02}").mkdir(parents=True)
        for number in range(6):
            (root / "photos" / f"{folder:02}" / f"{number}.jpg").write_bytes(chance.randbytes(FILE))
    facts = archive.Facts(uuid=UUID, label_prefix="SET", created_ns=0)
    catalogue = archive.create(root / "catalogue.db", facts)
    scan(catalogue, root / "photos")
    planned = make_plan(catalogue, parse_medium("2300KB")).segments
    assert len(planned) == 16
    images = root / "images"
    images.mkdir()
    for number, segment in enumerate(planned):
        built = build_image(catalogue, segment.id, images)
        disc = f"00000000-0000-4000-9000-{number:012}"
        stamp(built.path, DiscIdentity(UUID, disc, built.path.stem, built.size))
    catalogue.close()
    (root / "archive.toml").touch()
    data = sorted(images.glob("*.iso"))
    assert main(["parity", "--parity", "16+4", "--out", str(images), *map(str, data)]) == 0
    return images, {path.name: path.read_bytes() for path in data}


def there(image, back):
    """Whether the block that begins ``back`` blocks before an image's end has anything but zeros."""
    end = len(image) - (back - 1) * BLOCK
    return end > 0 and any(image[max(end - BLOCK, 0) : end])


def damaged(shelf, folder):
    """A shelf without four discs, with one byte of a photo of another one wrong; that disc and the photo.

    The byte stands in a stripe in which each of the four has something: zeros cannot be lost.
    """
    images, whole = shelf
    folder.mkdir()
    names = sorted(whole)
    numbers = range(3, 15, 3)
    gone = [names[number] for number in numbers]
    for path in images.iterdir():
        if path.name not in gone:
            (folder / path.name).write_bytes(path.read_bytes())
    victim = folder / names[VICTIM]
    disc = open_disc(victim)
    layout = Layout.of(16, 4, BLOCK, max(map(len, whole.values())))

    def beyond(piece):
        block = layout.first(len(whole[victim.name])) + (piece.sector * 2048 + FILE // 2) // BLOCK
        stripe = layout.stripe(VICTIM, block)
        return all(there(whole[names[number]], layout.length - layout.at(number, stripe)) for number in numbers)

    piece = next(one for one in catalogue_of(disc).contents if beyond(one))
    disc.close()
    with victim.open("r+b") as file:
        file.seek(piece.sector * 2048 + FILE // 2)
        byte = file.read(1)
        file.seek(-1, 1)
        file.write(bytes([byte[0] ^ 1]))
    return gone, victim.name, piece.paths[0]


def test_one_block_beyond_names_what_is_lost_and_gives_back_the_rest(shelf, tmp_path, capsys):
    gone, victim, photo = damaged(shelf, tmp_path / "left")
    capsys.readouterr()
    out = tmp_path / "out"
    assert main(["repair", "--from", str(tmp_path / "left"), "--out", str(out)]) == 5
    told = capsys.readouterr()
    assert photo in told.err
    assert victim.removesuffix(".iso") in told.err
    whole = shelf[1]
    made = {path.name.replace(".partial", ""): path for path in out.glob("*.iso")}
    assert sorted(made) == sorted([*gone, victim])
    assert sum(".partial" in path.name for path in made.values()) >= 2, "the block is missing on the discs gone too"
    for name, path in made.items():
        got = path.read_bytes()
        wrong = [at for at in range(0, len(whole[name]), BLOCK) if got[at : at + BLOCK] != whole[name][at : at + BLOCK]]
        assert len(wrong) == (".partial" in path.name), name
        assert all(file in told.err for file in harmed(path)), (name, told.err)
    assert harmed(made[victim]) == (photo,)


def harmed(path):
    """The photos of an image that are not right, by the image's own digests."""
    disc = open_disc(path)
    try:
        return prove(disc, catalogue_of(disc)).wrong
    finally:
        disc.close()


WHOLE = range(1, 15, 2)
"""Seven discs: three more than the set can lose."""


@pytest.fixture(scope="module")
def beyond(shelf, tmp_path_factory):
    """The folder of what is left when seven discs are gone."""
    folder = tmp_path_factory.mktemp("seven") / "left"
    folder.mkdir()
    names = sorted(shelf[1])
    for path in shelf[0].iterdir():
        if path.name not in [names[number] for number in WHOLE]:
            (folder / path.name).hardlink_to(path)
    return folder


def truly_lost(shelf, out):
    """By label: the files whose bytes are not in an incomplete image."""
    found = {}
    for path in out.glob("*.partial.iso"):
        name = path.name.replace(".partial", "")
        disc, got, whole = open_disc(shelf[0] / name), path.read_bytes(), shelf[1][name]
        ranges = [(p.paths[0], p.sector * 2048, p.sector * 2048 + p.length) for p in catalogue_of(disc).contents]
        disc.close()
        found[path.name.partition(".")[0]] = sorted(
            at for at, begin, end in ranges if got[begin:end] != whole[begin:end]
        )
    return found


def is_dumb(path):
    """Whether an image cannot say what it holds."""
    try:
        disc = open_disc(path)
        try:
            return not catalogue_of(disc).contents
        finally:
            disc.close()
    except OdarchiveError:
        return True


@pytest.mark.parametrize("by", ["the catalogue of the archive", "the catalogue on another disc"])
def test_files_of_discs_that_are_lost_as_a_whole_are_named(shelf, beyond, tmp_path, capsys, monkeypatch, by):
    monkeypatch.delenv("ODARCHIVE", raising=False)
    own = by == "the catalogue of the archive"
    which = ["-a", str(shelf[0].parent if own else tmp_path / "none")]
    asked = Names._from_discs
    monkeypatch.setattr(Names, "_from_discs", lambda self, uuid: asked(self, uuid) if not own else 1 / 0)
    capsys.readouterr()
    out = tmp_path / "out"
    assert main([*which, "repair", "--json", "--from", str(beyond), "--out", str(out)]) == 5
    told = capsys.readouterr()
    rows = {row["label"]: row for row in json.loads(told.out)["discs"]}
    lost = truly_lost(shelf, out)
    assert len(lost) == len(WHOLE)
    assert {label: sorted(row["lost"]) for label, row in rows.items()} == lost
    count = sum(map(len, lost.values()))
    assert sum(is_dumb(out / f"{label}.partial.iso") and len(files) for label, files in lost.items()) > 5
    assert (
        f"{len(lost)} discs could not be made again completely, {count} files on them are lost: DATA/photos/"
        in told.err
    )
    assert not [row for row in rows.values() if row["note"]]
    assert sorted(path.name for path in out.iterdir()) == sorted(f"{label}.partial.iso" for label in lost)


def test_of_discs_newer_than_every_catalogue_left_it_is_said_that_nobody_knows(shelf, tmp_path, capsys):
    left = tmp_path / "left"
    left.mkdir()
    for path in sorted(shelf[0].iterdir()):
        if path.name not in sorted(shelf[1])[9:]:
            (left / path.name).hardlink_to(path)
    capsys.readouterr()
    assert main(["-a", str(tmp_path), "repair", "--from", str(left), "--out", str(tmp_path / "out")]) == 5
    told = capsys.readouterr().err
    label = sorted(shelf[1])[10].removesuffix(".iso")
    assert f"{label}: which of 6 files on it are lost cannot be told" in told
    assert "files on them are lost" not in told


def test_where_no_catalogue_is_left_no_sentence_counts_as_a_file(shelf, beyond, tmp_path, capsys):
    left = tmp_path / "left"
    left.mkdir()
    for path in beyond.iterdir():
        image = bytearray(path.read_bytes())
        if path.name in shelf[1]:
            image[: 300 * 2048] = bytes(300 * 2048)
            image[-300 * 2048 :] = bytes(300 * 2048)
        (left / path.name).write_bytes(image)
    capsys.readouterr()
    assert main(["-a", str(tmp_path), "repair", "--from", str(left), "--out", str(tmp_path / "out")]) == 5
    told = capsys.readouterr().err
    first = sorted(shelf[1])[WHOLE[0]].removesuffix(".iso")
    assert "files on them are lost" not in told
    assert f"{first}: its own catalogue is lost too, and no other one names its files" in told
