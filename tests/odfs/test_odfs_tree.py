import itertools
import random
import stat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from memory_tree import MemoryNamespace

from odfs import tree
from odfs.ports import ROOT
from odfs.tree import Entry, Listing, blocks

NAMES = st.binary(min_size=1, max_size=255).filter(lambda name: b"/" not in name and b"\0" not in name)
NAMES = st.one_of(NAMES, st.sampled_from([b"\xff\xfe", b"a\nb", b"n" * 255, b"...", b" ", b'"', b"\\"])).filter(
    lambda name: name not in (b".", b"..")
)
SETTINGS = settings(max_examples=80, deadline=None, derandomize=True)


def directory(names: list[bytes]) -> MemoryNamespace:
    namespace = MemoryNamespace()
    for name in names:
        namespace.add_file(ROOT, name)
    return namespace


def names(entries: list[Entry]) -> list[bytes]:
    return [entry.name for entry in entries]


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "PAGE", 3)


def read_in_calls(listing: Listing, sizes: list[int]) -> list[Entry]:
    """As the kernel does: some entries per call, resumed by the last cookie, until a call gives nothing."""
    found: list[Entry] = []
    for size in itertools.cycle(sizes):
        part = list(itertools.islice(listing.entries(found[-1].cookie if found else 0), size))
        if not part:
            return found
        found += part
    raise AssertionError


@pytest.mark.parametrize("page", [1, 2, 3, 7, 1024])
@SETTINGS
@given(wanted=st.lists(NAMES, unique=True, max_size=30), sizes=st.lists(st.integers(1, 9), min_size=1, max_size=5))
def test_any_split_into_calls_gives_every_name_once(page: int, wanted: list[bytes], sizes: list[int]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tree, "PAGE", page)
        found = read_in_calls(Listing(directory(wanted), ROOT), sizes)
    assert names(found) == [b".", b"..", *sorted(wanted)]
    cookies = [entry.cookie for entry in found]
    assert cookies == sorted(set(cookies))
    assert min(cookies) > 2


@SETTINGS
@given(wanted=st.lists(NAMES, unique=True, max_size=30), seed=st.integers(0, 2**32), fresh=st.booleans())
def test_seeking_anywhere_goes_on_after_that_entry(wanted: list[bytes], seed: int, fresh: bool) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tree, "PAGE", 4)
        namespace = directory(wanted)
        listing = Listing(namespace, ROOT)
        whole = list(listing.entries(0))
        order = list(range(len(whole)))
        random.Random(seed).shuffle(order)
        for position in order:
            handle = Listing(namespace, ROOT) if fresh else listing
            assert list(handle.entries(whole[position].cookie)) == whole[position + 1 :]


@SETTINGS
@given(data=st.data(), wanted=st.lists(NAMES, unique=True, min_size=1, max_size=30))
def test_changes_meanwhile_neither_repeat_nor_lose_the_others(data: st.DataObject, wanted: list[bytes]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tree, "PAGE", 4)
        namespace = directory(wanted)
        listing = Listing(namespace, ROOT)
        found = list(itertools.islice(listing.entries(0), data.draw(st.integers(1, len(wanted) + 2))))
        added = set(data.draw(st.lists(NAMES, unique=True, max_size=10))) - set(wanted)
        removed = set(data.draw(st.lists(st.sampled_from(wanted), max_size=5)))
        for name in added:
            namespace.add_file(ROOT, name)
        for name in removed:
            namespace.remove(ROOT, name)
        found += read_in_calls_from(listing, found[-1].cookie)
    seen = names(found)
    assert len(seen) == len(set(seen))
    assert set(wanted) - removed <= set(seen) <= {b".", b"..", *wanted, *added}


def read_in_calls_from(listing: Listing, cookie: int) -> list[Entry]:
    found: list[Entry] = []
    while part := list(itertools.islice(listing.entries(found[-1].cookie if found else cookie), 3)):
        found += part
    return found


@pytest.mark.usefixtures("small_pages")
def test_a_change_in_one_page_does_not_move_the_others() -> None:
    namespace = directory([b"%02d" % number for number in range(9)])
    listing = Listing(namespace, ROOT)
    whole = {entry.name: entry.cookie for entry in listing.entries(0)}
    namespace.add_file(ROOT, b"00+")
    namespace.add_file(ROOT, b"00++")
    assert names(list(listing.entries(whole[b"05"]))) == [b"06", b"07", b"08"]
    assert names(list(listing.entries(whole[b"02"])))[-6:] == [b"03", b"04", b"05", b"06", b"07", b"08"]


def test_rewinding_looks_afresh() -> None:
    namespace = directory([b"b"])
    listing = Listing(namespace, ROOT)
    assert names(list(listing.entries(0))) == [b".", b"..", b"b"]
    namespace.add_file(ROOT, b"a")
    assert names(list(listing.entries(0))) == [b".", b"..", b"a", b"b"]


def test_dots_are_the_directory_and_its_parent() -> None:
    namespace = MemoryNamespace()
    upper = namespace.add_directory(ROOT, b"upper")
    lower = namespace.add_directory(upper, b"lower")
    inodes = [entry.attributes.ino for entry in Listing(namespace, lower).entries(0)]
    assert inodes == [lower, upper]


@pytest.mark.parametrize("cookie", [-1, 1, 2])
def test_impossible_positions_are_refused(cookie: int) -> None:
    with pytest.raises(ValueError, match="no position"):
        list(Listing(directory([b"a"]), ROOT).entries(cookie))


@pytest.mark.parametrize("cookie", [5 + 1024, 1 << 30, 1 << 62])
def test_positions_past_the_end_give_nothing(cookie: int) -> None:
    assert list(Listing(directory([b"a"]), ROOT).entries(cookie)) == []


def test_a_hundred_thousand_entries_come_in_pages() -> None:
    wanted = [b"%06d" % number for number in range(100_000)]
    namespace = directory(wanted)
    listing = Listing(namespace, ROOT)
    found = read_in_calls(listing, [500])
    assert names(found)[2:] == wanted
    assert namespace.queries <= 100_000 // tree.PAGE + 2
    assert found[-1].cookie < 2**31
    assert names(list(listing.entries(found[50_001].cookie)))[0] == b"050000"


def test_a_small_directory_costs_one_query() -> None:
    namespace = directory([b"a", b"b"])
    read_in_calls(Listing(namespace, ROOT), [2])
    assert namespace.queries == 1


@given(size=st.integers(1, 2**62), resident=st.booleans())
def test_a_file_with_bytes_never_shows_no_blocks(size: int, resident: bool) -> None:
    shown = blocks(stat.S_IFREG | 0o644, size, resident)
    assert shown >= 1
    assert (shown * 512 >= size > (shown - 1) * 512) if resident else shown == 1


@pytest.mark.parametrize("resident", [True, False])
def test_what_holds_no_file_bytes_has_no_blocks(resident: bool) -> None:
    assert blocks(stat.S_IFREG, 0, resident) == 0
    assert blocks(stat.S_IFDIR, 4096, resident) == 0
    assert blocks(stat.S_IFLNK, 20, resident) == 0
