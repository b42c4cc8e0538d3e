"""Names on a disc: native where UDF can hold them, unique, never over the limits, within the planned cost."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from odarchive.image import costs
from odarchive.image.bridge import ROOT, Content, Identity, Meta, Tree, VolumeInfo, layout
from odarchive.image.bridge.names import cs0
from odarchive.image.names import disc_names, identifier_size, part_name, readable_size, why_mapped
from odarchive.image.ondisc import entry_line, sums_line

NAMES = st.binary(min_size=1, max_size=255).filter(lambda name: b"/" not in name and b"\0" not in name)
TEXTS = st.text(min_size=1, max_size=120).map(lambda text: text.replace("/", "").replace("\0", ""))
ANY = st.one_of(NAMES, TEXTS.filter(bool).filter(lambda t: t.isprintable()).map(str.encode)).filter(
    lambda n: len(n) < 256
)


@pytest.mark.parametrize(
    "name",
    [
        b"plain",
        "größe".encode(),
        "日本語".encode(),
        "disc \U0001f4bf".encode(),
        b"a\nb",
        b'q"\\',
        b"...",
        b" x ",
        b"x" * 253,
    ],
)
def test_what_udf_can_hold_stays(name):
    assert disc_names([name]) == {name: name.decode()}


@pytest.mark.parametrize(
    "name", [b"\xff\xfe", b"x" * 254, ("日" * 85).encode() + b"\xff", b"caf\xe9.txt", b"\xed\xa0\x80"]
)
def test_what_a_disc_cannot_hold_is_mapped_readably(name):
    found = disc_names([name])[name]
    assert found[-9] == "~"
    assert why_mapped(found.encode()) is None


def test_names_stand_as_they_are_in_both_views_of_an_image():
    """The writer's own mapping is never needed: all texts on the disc speak of names that both views show."""
    tree = Tree(Meta(0o755, 0, 0, 0))
    for name in disc_names([b"\xff", b"x" * 254, b"x" * 255, b"AB", "䅂".encode(), "é".encode() * 127]).values():
        tree.add_file(ROOT, name.encode(), Meta(0o644, 0, 0, 0), Content(0, None))
    identity = Identity("A", "0" * 16, "A", 0)
    assert layout(tree, VolumeInfo(identity)).name_map() == []


def test_a_file_called_like_a_mapped_name_keeps_it():
    mapped = disc_names([b"\xff"])[b"\xff"]
    both = disc_names([b"\xff", mapped.encode()])
    assert both[mapped.encode()] == mapped
    assert len(set(both.values())) == 2


@given(st.lists(ANY, unique=True, max_size=12))
@settings(derandomize=True)
def test_names_are_unique_legal_and_independent_of_order(names):
    found = disc_names(names)
    assert set(found) == set(names)
    assert len(set(found.values())) == len(names)
    assert disc_names(list(reversed(names))) == found
    for name, text in found.items():
        assert why_mapped(text.encode()) is None
        assert len(cs0(text)) <= identifier_size(name)
        assert len(text.encode()) <= readable_size(name)


@given(ANY)
@settings(derandomize=True)
def test_the_planned_sizes_are_upper_bounds(name):
    text = disc_names([name])[name]
    assert len(sums_line((text,), "0" * 64)) <= readable_size(name) + 70
    assert len(part_name(name, 10**15)) == len(name) + 19
    from odarchive.image.ondisc import Entry

    entry = Entry(name, "file", 0o777, 2**32, 2**32, -(2**62), 2**50, 2**50, b"\xff" * 32, None, ((0, 2**50, (text,)),))
    assert len(entry_line(entry)) <= costs.name_cost(costs.ROOT, name)
