"""Error correction through plan, image, burn, verify, repair and rebuild, by the real dvdisaster."""

import json
import random
import shutil

import pytest

from odarchive.catalogue import discs
from odarchive.cli import main
from odarchive.correction import checksums, dvdisaster
from odarchive.correction.room import LAYERS, Ecc, layers, parse_ecc
from odarchive.digest import content_digest, stream_digest
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

    again = ["repair", label, "--from", str(damaged.parent), "--out"]
    ring = slice(segment.planned_bytes - 2048, checksums.sectors(segment.planned_bytes, len(whole)).stop * 2048)
    lost = bytes(ring.stop - ring.start)
    damaged.with_name(f"{label}.iso").write_bytes(whole[: ring.start] + lost + whole[ring.stop :])
    assert main([*archive, *again, str(tmp_path / "ring")]) == 0
    assert (tmp_path / "ring" / f"{label}.iso").read_bytes() == whole
    damaged.with_name(f"{label}.iso").write_bytes(whole[: segment.planned_bytes])  # as programs read what ISO 9660 says
    assert main([*archive, *again, str(tmp_path / "short")]) == 0
    assert (tmp_path / "short" / f"{label}.iso").read_bytes() == whole[: segment.planned_bytes]


@needs_dvdisaster
async def test_the_librarian_copies_a_damaged_disc_by_its_error_correction(autojump_clock, tmp_path):
    shop = Shop(tmp_path)
    segment, *_ = planned(shop, tmp_path, "auto", 20)
    async with shop.life() as librarian:
        await shop.work(librarian)
    ring = segment.planned_bytes // 2048, checksums.sectors(segment.planned_bytes, segment.ecc_size).stop
    sheet(shop, segment.label, bad_sectors=[[300, 40], [900, 60], [ring[0], ring[1] - ring[0]]])
    await verified(shop)
    assert burns(shop)[-1][0] == "done", burns(shop)
    assert known(shop, segment.label)[0].state is DiscState.SUSPECT
    assert known(shop, f"{segment.label}_2")[0].state is DiscState.VERIFIED
    assert shop.violations() == []


class Coded:
    """An image of noise with error correction; ``size`` and ``disc`` in bytes without and with it."""

    def __init__(self, tmp_path, text, medium, size=None):
        ecc, medium = parse_ecc(text), parse_medium(medium)
        self.path, self.size = tmp_path / "x.iso", size or ecc.room(medium)
        self.path.write_bytes(random.Random(1).randbytes(self.size))
        self.disc = ecc.disc_size(self.size, medium)
        dvdisaster.augment(self.path, self.size, self._digest(self.size), self.disc)
        self.good, self.digest = self.path.read_bytes(), self._digest(self.disc)
        self.parity, self.sums = layers(self.size, self.disc), checksums.sectors(self.size, self.disc)

    def _digest(self, size):
        with self.path.open("rb") as file:
            return stream_digest(file, size)[0]

    def lose(self, sectors, chance=None):
        """Write zeros over sectors of the good image, or noise."""
        self.path.write_bytes(self.good)
        with self.path.open("r+b") as file:
            for sector in sectors:
                file.seek(sector * 2048)
                file.write(chance.randbytes(2048) if chance else bytes(2048))

    def repaired(self, unreadable=()):
        return dvdisaster.repair(self.path, self.digest, self.disc, self.size, unreadable)

    def zone(self, count):
        """So many layers' sectors around the checksums and the header before them."""
        more = (count - 1) * len(self.sums) // 2
        return range(self.size // 2048 - more, self.sums.stop + more)


@needs_dvdisaster
def test_too_much_damage_is_no_repair(tmp_path):
    coded = Coded(tmp_path, "15%", "3MB")
    assert coded.repaired()
    destroyed(coded.path, 3, share=0.3)
    assert not coded.repaired()


@needs_dvdisaster
@pytest.mark.parametrize(
    ("text", "medium", "size"),
    [("15%", "3MB", None), ("auto", "3MB", 65_536), ("auto", "10MB", 65_536 * 60), ("3.3%", "6MB", None)],
)
def test_where_checksums_stand_and_what_is_in_them(tmp_path, text, medium, size):
    coded = Coded(tmp_path, text, medium, size)
    for sector in (coded.sums.start - 1, *coded.sums, coded.sums.stop):
        found = coded.good[sector * 2048 : (sector + 1) * 2048]
        assert checksums.is_right(found) is (sector in coded.sums), sector
        for at in (0, 1030, 1121, 2047):
            assert not checksums.is_right(found[:at] + bytes([found[at] ^ 1]) + found[at + 1 :])
    real = coded.good[coded.sums.start * 2048 :][:2048]
    made = checksums.without_sums(coded.size, coded.disc)
    assert checksums.is_right(made)
    assert [at for at in range(1024, 1120) if made[at] != real[at] and not 1056 <= at < 1072] == []


@needs_dvdisaster
@pytest.mark.parametrize("told", [True, False], ids=["told", "zeros"])
def test_a_zone_over_the_header_and_all_checksums_is_repaired(tmp_path, told):
    """By nothing that is left of them would dvdisaster know that there is error correction."""
    coded = Coded(tmp_path, "15%", "3MB")
    for count in (1, coded.parity // 3, coded.parity - 1):
        zone = coded.zone(count)
        coded.lose([16, *zone])
        assert coded.repaired([(16, 1), (zone.start, len(zone))] if told else ()), count
        assert coded.path.read_bytes() == coded.good
    zone = coded.zone(coded.parity + 3)
    coded.lose(zone)
    assert not coded.repaired([(zone.start, len(zone))] if told else ())


@needs_dvdisaster
def test_a_first_checksum_that_is_junk_hides_nothing(tmp_path):
    """Nor does one at the end, by which the first block was judged."""
    coded = Coded(tmp_path, "15%", "3MB")
    header, first, last = coded.size // 2048, coded.sums[0], coded.sums[-1]
    for lost in ([header, header + 1, first], [0, first + 1, last]):
        coded.lose(lost, random.Random(7))
        assert coded.repaired(), lost


@needs_dvdisaster
def test_what_is_put_where_all_checksums_are_lost_costs_nothing(tmp_path):
    """A block that has lost as much as may be cannot have another sector wrong: when the others are right, it goes."""
    coded = Coded(tmp_path, "15%", "3MB")
    header, layer = coded.size // 2048, len(coded.sums)
    assert 0 not in (header % layer, (header + 1) % layer)
    for more in (0, 1):
        block = range(0, (coded.parity - 1 + more) * layer, layer)
        coded.lose([*block, header, header + 1, *coded.sums])
        told = [(sector, 1) for sector in (*block, header, header + 1, *coded.sums)]
        assert coded.repaired(told) is (more == 0)


@needs_dvdisaster
def test_true_zeros_do_not_use_up_the_code(tmp_path):
    """Sectors of zeros are taken for lost ones only when there is no other way."""
    coded = Coded(tmp_path, "15%", "3MB")
    plain = bytes(coded.size - 65_536) + random.Random(2).randbytes(65_536)
    coded.path.write_bytes(plain)
    dvdisaster.augment(coded.path, coded.size, content_digest(plain), coded.disc)
    coded.good = coded.path.read_bytes()
    coded.digest = content_digest(coded.good)
    zone = coded.zone(3)
    coded.lose(zone)
    assert coded.repaired()


def test_all_sectors_that_a_short_image_lacks_are_marked(tmp_path, monkeypatch):
    """Also where it ends within a sector, which then is no sector of it."""
    marked = []
    monkeypatch.setattr(dvdisaster, "_mark", lambda image, missing: marked.extend(missing))
    monkeypatch.setattr(dvdisaster, "_zeros", lambda image: [])
    monkeypatch.setattr(dvdisaster, "_run", lambda *arguments: None)
    for size in (3 * 2048, 3 * 2048 + 5):
        image = tmp_path / "short"
        image.write_bytes(bytes(size))
        assert not dvdisaster.repair(image, bytes(32), 300 * 2048, 32 * 2048)
    assert marked == [(3, 297), (3, 297)]


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
