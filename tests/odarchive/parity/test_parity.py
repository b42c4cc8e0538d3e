"""Parity across discs: the code, the layout, and every pattern of loss it promises to survive."""

import itertools
import os
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

np = pytest.importorskip("numpy")

from odarchive.digest import content_digest  # noqa: E402  numpy decides whether these can be imported
from odarchive.errors import DamageFound, OdarchiveError, SourceMissing  # noqa: E402
from odarchive.parity.code import Code, as_blocks  # noqa: E402
from odarchive.parity.discset import Member, parse  # noqa: E402
from odarchive.parity.field import cauchy, inverse, inverted, multiply  # noqa: E402
from odarchive.parity.layout import Layout  # noqa: E402
from odarchive.parity.sets import Wish, make_set, mend  # noqa: E402

ARCHIVE = "00000000-0000-4000-8000-000000000001"
BLOCK = 4096


@given(st.integers(1, 255), st.integers(1, 255), st.integers(0, 255))
def test_the_field_is_a_field(a, b, c):
    assert multiply(a, inverse(a)) == 1
    assert multiply(a, b) == multiply(b, a)
    assert multiply(a, b ^ c) == multiply(a, b) ^ multiply(a, c)


def test_every_square_part_of_the_matrix_can_be_inverted():
    rows = cauchy(16, 4)
    assert rows[0] == [1] * 16
    for size in (1, 2, 3, 4):
        for chosen in itertools.combinations(range(4), size):
            for columns in itertools.islice(itertools.combinations(range(16), size), 0, None, 7):
                inverted([[rows[row][column] for column in columns] for row in chosen])


@given(st.integers(1, 12), st.integers(1, 5), st.randoms(use_true_random=False))
def test_any_lost_blocks_come_back(k, m, chance):
    code, shape = Code(k, m), (2, 8, 2)
    data = {number: as_blocks(chance.randbytes(256), 128) for number in range(k)}
    everything = {**data, **{k + row: made for row, made in enumerate(code.encode(data, shape))}}
    lost = sorted(chance.sample(range(k + m), chance.randint(0, m)))
    there = {number: block for number, block in everything.items() if number not in lost}
    for number, block in code.decode(there, lost, shape).items():
        assert (block == everything[number]).all()
    with pytest.raises(ValueError, match="can be made again"):
        code.decode({}, list(range(m + 1)), shape)


@given(st.integers(1, 16), st.integers(1, 4), st.integers(1, 9_000_000))
def test_a_stripe_has_one_block_of_every_disc(k, m, largest):
    layout = Layout.of(k, m, 65_536, largest)
    assert layout.length * 65_536 >= largest
    for stripe in {0, 1, layout.length // 2, layout.length - 1}:
        for disc in range(k + m):
            assert layout.stripe(disc, layout.at(disc, stripe)) == stripe


def edge(layout, share):
    """How many blocks of the worst stripe lie in the outer share of every disc."""
    first = layout.length - round(share * layout.length)
    counts = [0] * layout.length
    for disc in range(layout.discs):
        for block in range(first, layout.length):
            counts[layout.stripe(disc, block)] += 1
    return max(counts)


def test_the_outer_edge_of_all_discs_spreads_over_the_stripes():
    layout = Layout(16, 4, 4096, 200)
    assert [edge(layout, share) for share in (0.05, 0.1, 0.15, 0.2, 0.205)] == [1, 2, 3, 4, 5]


class Shelf:
    """A set of small images and what happens to it."""

    def __init__(self, folder, k=16, m=4, block=BLOCK, seed=1):
        chance = random.Random(seed)
        self.folder, self.k, self.m = folder, k, m
        self.bytes = {}
        data = []
        folder.mkdir()
        for number in range(k):
            body = chance.randbytes(65_536 * (number % 5 + 28))
            path = folder / f"DATA_{number:02}.iso"
            path.write_bytes(body)
            self.bytes[path.name] = body
            data.append((path, Member(path.stem, number + 1, len(body), content_digest(body))))
        labels = tuple(f"PARITY_{number}" for number in range(m))
        wish = Wish(m, labels, tuple(range(k + 1, k + m + 1)), ARCHIVE, 10**18, block, ARCHIVE)
        for path in make_set(data, wish, folder):
            self.bytes[path.name] = path.read_bytes()
        self.description = next(folder.glob("*.json"))

    def fresh(self, folder, deleted=(), share=0.0, extra=None):
        """A copy with images deleted, and the outer share of the others unreadable (zeros)."""
        folder.mkdir()
        for number, (name, body) in enumerate(self.bytes.items()):
            if number in deleted:
                continue
            lost = int(len(body) * share)
            image = bytearray(body[: len(body) - lost] + bytes(lost))
            if extra and number in extra:
                begin, end = extra[number]
                image[begin:end] = bytes(end - begin)
            (folder / name).write_bytes(image)
        return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    return Shelf(tmp_path_factory.mktemp("set") / "images")


PATTERNS = {
    "four data discs": ([0, 5, 6, 15], 0.0),
    "two of each": ([3, 9, 16, 18], 0.0),
    "all parity discs": ([16, 17, 18, 19], 0.0),
    "two and the outer 10 % of all others": ([2, 17], 0.1),
    "two data discs and the outer 10 %": ([0, 1], 0.1),
    "one and the outer 15 %": ([7], 0.15),
    "the outer 20 % of all": ([], 0.2),
    "nothing": ([], 0.0),
}


@pytest.mark.parametrize("pattern", PATTERNS)
def test_everything_comes_back_byte_for_byte(shelf, tmp_path, pattern):
    deleted, share = PATTERNS[pattern]
    left = shelf.fresh(tmp_path / "left", deleted, share)
    found = mend([*left, shelf.description], tmp_path / "out")
    assert all(one.right and one.lost == () for one in found)
    assert len(found) == (20 if share else len(deleted))
    for one in found:
        assert one.path.read_bytes() == shelf.bytes[one.path.name], one.label
    assert not [name for name in os.listdir(tmp_path / "out") if name.startswith(".")]


def test_any_four_by_chance(shelf, tmp_path):
    for seed in range(4):
        deleted = random.Random(seed).sample(range(20), 4)
        found = mend(shelf.fresh(tmp_path / f"left{seed}", deleted), tmp_path / f"out{seed}")
        assert [one.path.read_bytes() == shelf.bytes[one.path.name] for one in found] == [True] * 4


def test_one_block_beyond_is_told_and_the_rest_comes_back(shelf, tmp_path):
    at = 30 * BLOCK
    deleted = [1, 4, 10, 16]
    left = shelf.fresh(tmp_path / "left", deleted, extra={7: (at, at + 1)})
    found = {one.label: one for one in mend(left, tmp_path / "out")}
    assert sorted(found) == ["DATA_01", "DATA_04", "DATA_07", "DATA_10", "PARITY_0"]
    assert [one.label for one in found.values() if one.right] == []
    for label in ("DATA_01", "DATA_04", "DATA_07", "DATA_10"):
        got = (tmp_path / "out" / f"{label}.partial.iso").read_bytes()
        want = shelf.bytes[f"{label}.iso"]
        assert len(got) == len(want)
        wrong = [n for n in range(0, len(want), BLOCK) if got[n : n + BLOCK] != want[n : n + BLOCK]]
        assert len(wrong) <= 1
        assert found[label].lost == (), "these images have no catalogue"
        assert "no other one names its files" in found[label].note
    assert "holds parity" in found["PARITY_0"].note
    again = mend([*left, *[tmp_path / "left" / "x" for _ in ()]], tmp_path / "named", ["DATA_07"])
    assert [one.label for one in again] == ["DATA_07"]


def test_a_set_without_description_or_of_two_sets_is_refused(shelf, tmp_path):
    data = [path for path in shelf.fresh(tmp_path / "left") if path.name.startswith("DATA")]
    with pytest.raises(DamageFound, match="no parity disc"):
        mend(data, tmp_path / "out")
    with pytest.raises(OdarchiveError, match="is not in this parity set"):
        mend(sorted((tmp_path / "left").iterdir()), tmp_path / "out", ["OTHER"])


def test_images_that_are_not_there_or_short(tmp_path):
    wish = Wish(1, ("P",), (2,), ARCHIVE, 0, BLOCK)
    with pytest.raises(SourceMissing):
        make_set([(tmp_path / "no.iso", Member("A", 1, 65_536))], wish, tmp_path)
    (tmp_path / "short.iso").write_bytes(b"x")
    with pytest.raises(SourceMissing, match="shorter"):
        make_set([(tmp_path / "short.iso", Member("A", 1, 65_536))], wish, tmp_path)


@given(st.binary(max_size=200) | st.dictionaries(st.text(max_size=9), st.integers() | st.text(max_size=5)).map(str))
def test_hostile_descriptions_are_damage(text):
    with pytest.raises(DamageFound):
        parse(text if isinstance(text, bytes) else text.encode())
