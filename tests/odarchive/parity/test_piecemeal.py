"""Single blocks of a lost disc, from the blocks of the others in any order, with other blocks lost or wrong."""

import os
import random

import pytest

pytest.importorskip("numpy")

from odarchive.parity.discset import Member, parse
from odarchive.parity.images import SET, _file
from odarchive.parity.layout import BLOCK
from odarchive.parity.piecemeal import Piecemeal
from odarchive.parity.sets import Wish, make_set
from robot.ports import SECTOR
from tests.odarchive.librarian.shop import ARCHIVE_UUID

SIZES = (3 * BLOCK, 11 * BLOCK, 7 * BLOCK, 11 * BLOCK)


@pytest.fixture(scope="module")
def discs(tmp_path_factory):
    """Images of a set of four and two, of unlike lengths, and its description."""
    root = tmp_path_factory.mktemp("set")
    chance = random.Random(7)
    data = []
    for number, size in enumerate(SIZES):
        path = root / f"d{number}.iso"
        path.write_bytes(chance.randbytes(size))
        data.append((path, Member(f"D{number}", number + 1, size, bytes(32))))
    wish = Wish(2, ("P0", "P1"), (8, 9), ARCHIVE_UUID, 10**18)
    paths = make_set(data, wish, root / "out")
    images = [path.read_bytes() for path, _ in data] + [path.read_bytes() for path in paths]
    descriptor = os.open(paths[0], os.O_RDONLY)
    of = parse(_file(descriptor, SET))
    os.close(descriptor)
    return of, images


def work(one, images, run, chance, spoiled=frozenset(), seen=None):
    """Bring what is asked for, block by block in any order; ``spoiled``: (disc, sector) that cannot be read."""
    places = list(one.stretches())

    def steps(runs):
        return {at for first, last in runs for at in range(first, last, SECTOR if one.is_table(first) else BLOCK)}

    open_steps = steps(one.need(run))
    while open_steps:
        address = chance.choice(sorted(open_steps))
        open_steps.discard(address)
        step = SECTOR if one.is_table(address) else BLOCK
        (place,) = [p for p in places if p.address <= address < p.address + p.length]
        sector = place.sector + (address - place.address) // SECTOR
        if seen is not None:
            seen.append(step)
        bad = any((place.member, at) in spoiled for at in range(sector, sector + step // SECTOR))
        data = images[place.member][sector * SECTOR :][:step]
        needless, needed = one.begin_anew([address] if bad else one.put(address, data), erased=True)
        open_steps = open_steps - steps(needless) | steps(needed)
    return not one.hopeless(run)


def check(discs, lost, seed, spoiled_of=lambda _: frozenset(), *, images=None, own=False):
    """Whether a few sectors come as they were; None: they cannot."""
    of, right = discs
    chance = random.Random(seed)
    blocks = SIZES[lost] // BLOCK
    at = chance.randrange(blocks)
    count = chance.randint(1, min(4, blocks - at))
    order = [member for member in range(6) if member != lost]
    chance.shuffle(order)
    sector, sectors = at * BLOCK // SECTOR + chance.randrange(3), 2 + (count - 1) * BLOCK // SECTOR
    with open(os.memfd_create("sums"), "r+b") as file:
        one = Piecemeal(of, lost, order, file.fileno(), own=own)
        run = one.blocks(sector, sectors)
        if not work(one, images or right, run, chance, spoiled_of(order)):
            return None
        assert one.complete(run)
        assert set(range(*run)) <= one.made
        return one.read(sector, sectors * SECTOR) == right[lost][sector * SECTOR :][: sectors * SECTOR]


@pytest.mark.parametrize("lost", range(4))
def test_blocks_come_right_in_any_order(discs, lost):
    assert all(check(discs, lost, seed) for seed in range(40))


def test_one_more_disc_may_be_unreadable_and_no_two(discs):
    _, images = discs

    def unreadable(count):
        return lambda order: {(one, at) for one in order[:count] for at in range(len(images[one]) // SECTOR)}

    assert all(check(discs, 1, seed, unreadable(1)) for seed in range(40))
    two = [check(discs, 1, seed, unreadable(2)) for seed in range(40)]
    assert False not in two
    assert None in two


def test_a_wrong_block_is_left_out_wherever_it_is(discs):
    _, images = discs
    chance = random.Random(3)
    for seed in range(40):
        member = chance.choice([0, 2, 3])
        wrong = bytearray(images[member])
        for at in range(0, SIZES[member], BLOCK):
            wrong[at + chance.randrange(BLOCK)] ^= 1 << chance.randrange(8)
        assert check(discs, 1, seed, images=[*images[:member], bytes(wrong), *images[member + 1 :]])


def test_blocks_of_its_own_help_out(discs):
    _, images = discs
    most = {(member, at) for member in (0, 2, 3) for at in range(len(images[member]) // SECTOR)}
    assert all(check(discs, 1, seed, lambda _: most, own=True) for seed in range(20))
    assert None in [check(discs, 1, seed, lambda _: most) for seed in range(20)]


def test_nothing_but_the_stripes_of_the_lost_blocks_is_read(discs):
    of, images = discs
    seen = []
    with open(os.memfd_create("sums"), "r+b") as file:
        assert work(Piecemeal(of, 1, [0, 2, 3, 4, 5], file.fileno()), images, (6, 8), random.Random(1), seen=seen)
    assert seen.count(BLOCK) <= 2 * 4
    assert len(seen) - seen.count(BLOCK) <= 2
