"""Error correction through plan, image, burn, verify, repair and rebuild, by the real dvdisaster."""

import json
import random
import shutil

import pytest

from odarchive.catalogue import discs
from odarchive.cli import main
from odarchive.correction import dvdisaster
from odarchive.correction.room import LAYERS, Ecc, layers, parse_ecc
from odarchive.digest import stream_digest
from odarchive.errors import MediumTooSmall, OdarchiveError
from odarchive.media import BURN_UNIT, MEDIA, parse_medium
from odarchive.model import DiscState
from odarchive.offline.disc import ImageDisc, catalogue_of
from odarchive.offline.proof import prove
from odarchive.planning import Wish, make_plan
from tests.odarchive.fixity.test_renewal import burns, verified
from tests.odarchive.fixity.test_verify import known, sheet
from tests.odarchive.librarian.shop import Shop

needs_dvdisaster = pytest.mark.skipif(shutil.which("dvdisaster") is None, reason="dvdisaster is not installed")


@pytest.mark.parametrize("text", ["auto", "15%", "3.3%", "200%"])
@pytest.mark.parametrize("medium", [*MEDIA.values(), parse_medium("10MB"), parse_medium("77777777")])
def test_the_fullest_image_still_gets_what_was_asked(text, medium):
    ecc = parse_ecc(text)
    assert ecc is not None
    room = ecc.room(medium)
    for image in (room, room // 2 // BURN_UNIT * BURN_UNIT, BURN_UNIT):
        disc = ecc.disc_size(image, medium)
        assert disc <= medium.usable
        assert disc % BURN_UNIT == 0
        parity = layers(image, disc)
        assert parity >= ecc.parity
        assert parity * 100 / (LAYERS - parity) >= min(ecc.percent, 199)
    assert room > medium.usable * (100 / (100 + ecc.percent) - 0.02) - BURN_UNIT * 4


@pytest.mark.parametrize("text", ["", "15", "3.2%", "201%", "-5%", "much", "15%%"])
def test_what_no_redundancy_is(text):
    with pytest.raises(OdarchiveError, match="write auto"):
        parse_ecc(text)
    assert parse_ecc("none") is None


def test_a_medium_can_be_too_small():
    with pytest.raises(MediumTooSmall):
        Ecc(200, fill=True).room(parse_medium("65536"))


def destroyed(path, seed, share=0.05, cluster=16):
    """Clusters of sectors made garbage; returns how many sectors."""
    chance = random.Random(seed)
    sectors = path.stat().st_size // 2048
    lost: set[int] = set()
    while len(lost) < sectors * share:
        at = chance.randrange(sectors)
        lost |= set(range(at, min(at + cluster, sectors)))
    with path.open("r+b") as file:
        for sector in lost:
            file.seek(sector * 2048)
            file.write(chance.randbytes(2048))
    return len(lost)


def planned(shop, tmp_path, ecc, files, size=100_000):
    """A shop whose discs carry error correction, planned anew for discs of 6 MB."""
    shop.build(files=1, size=10)
    root = shop.root / "archive"
    path = root / "archive.toml"
    path.write_text(path.read_text().replace("[burn]\n", f'[burn]\necc = "{ecc}"\n'))
    chance = random.Random(5)
    for number in range(files):
        body = shop.contents[f"00/more{number}".encode()] = chance.randbytes(size)
        (shop.root / "photos" / "00" / f"more{number}").write_bytes(body)
    assert main(["-a", str(root), "scan", str(shop.root / "photos")]) == 0
    wish = Wish(ecc=parse_ecc(ecc))
    foreseen = make_plan(shop.archive.catalogue, parse_medium("6MB"), wish, dry_run=True)
    result = make_plan(shop.archive.catalogue, parse_medium("6MB"), wish)
    for dry, real in zip(foreseen.segments, result.segments, strict=True):
        assert real.planned_bytes <= dry.planned_bytes <= wish.usable(real.medium)
    assert main(["-a", str(root), "burn", "all"]) in (0, 7, 16, 17, 18)
    return result.segments


@needs_dvdisaster
@pytest.mark.parametrize(("ecc", "files", "staging"), [("auto", 46, "file"), ("15%", 20, "stream")])
async def test_five_percent_in_clusters_from_plan_to_repair(autojump_clock, tmp_path, capsys, ecc, files, staging):
    shop = Shop(tmp_path, staging=staging)
    segment, *_ = planned(shop, tmp_path, ecc, files)
    if ecc == "auto":
        assert segment.planned_bytes > parse_ecc(ecc).room(parse_medium("6MB")) * 0.95, "it is to be nearly full"
    async with shop.life() as librarian:
        await shop.work(librarian)
    label, archive = segment.label, ["-a", str(shop.root / "archive")]
    burned = shop.disc_file(label)
    whole = burned.read_bytes()
    assert len(whole) == segment.ecc_size
    disc = ImageDisc.of_file(burned)
    assert disc.identity.image_size == segment.planned_bytes
    assert prove(disc, catalogue_of(disc)).wrong == ()
    disc.close()
    assert shop.violations() == []

    damaged = tmp_path / "read" / "damaged.img"
    damaged.parent.mkdir()
    damaged.write_bytes(whole)
    assert destroyed(damaged, 11) > len(whole) // 2048 * 0.05
    capsys.readouterr()
    out = tmp_path / "mended"
    damaged.rename(damaged.with_name(f"{label}.iso"))  # its beginning may be gone
    assert main([*archive, "repair", label, "--from", str(damaged.parent), "--out", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["discs"][0]["right"]
    assert (out / f"{label}.iso").read_bytes() == whole
    assert main([*archive, "repair", label, "--from", str(damaged.parent), "--out", str(out)]) != 0  # nothing replaced
    assert (out / f"{label}.iso").read_bytes() == whole


@needs_dvdisaster
async def test_the_librarian_copies_a_damaged_disc_by_its_error_correction(autojump_clock, tmp_path):
    shop = Shop(tmp_path)
    segment, *_ = planned(shop, tmp_path, "auto", 20)
    async with shop.life() as librarian:
        await shop.work(librarian)
    sheet(shop, segment.label, bad_sectors=[[300, 40], [900, 60]])
    await verified(shop)
    assert burns(shop)[-1][0] == "done", burns(shop)
    assert known(shop, segment.label)[0].state is DiscState.SUSPECT
    assert known(shop, f"{segment.label}_2")[0].state is DiscState.VERIFIED
    assert shop.violations() == []


@needs_dvdisaster
def test_too_much_damage_is_no_repair(tmp_path):
    image, ecc, medium = tmp_path / "x.iso", parse_ecc("15%"), parse_medium("3MB")
    size = ecc.room(medium)
    image.write_bytes(random.Random(1).randbytes(size))
    disc = ecc.disc_size(size, medium)
    with image.open("rb") as file:
        plain = stream_digest(file, size)[0]
    dvdisaster.augment(image, size, plain, disc)
    with image.open("rb") as file:
        digest = stream_digest(file, disc)[0]
    assert dvdisaster.repair(image, digest, disc)
    destroyed(image, 3, share=0.3)
    assert not dvdisaster.repair(image, digest, disc)


def test_all_sectors_that_a_short_image_lacks_are_marked(tmp_path, monkeypatch):
    """Also where it ends within a sector, which then is no sector of it."""
    marked = []
    monkeypatch.setattr(dvdisaster, "_mark", lambda image, missing: marked.extend(missing))
    monkeypatch.setattr(dvdisaster, "_run", lambda *arguments: None)
    for size in (3 * 2048, 3 * 2048 + 5):
        image = tmp_path / "short"
        image.write_bytes(bytes(size))
        assert not dvdisaster.repair(image, bytes(32), 10 * 2048)
    assert marked == [(3, 7), (3, 7)]


async def test_without_dvdisaster_the_burn_says_what_to_install(autojump_clock, tmp_path, monkeypatch):
    shop = Shop(tmp_path)
    planned(shop, tmp_path, "auto", 3)
    monkeypatch.setattr(dvdisaster, "PROGRAM", "no-such-dvdisaster")
    async with shop.life() as librarian:
        await shop.work(librarian)
    state, why = burns(shop)[-1]
    assert state == "failed"
    assert "install it" in why
    with shop.archive.catalogue.read() as connection:
        assert [disc.label for disc in discs.everyone(connection) if disc.label.endswith("2")] == []
