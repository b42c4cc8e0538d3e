"""Layouts are right by arithmetic: nothing overlaps, nothing depends on the order of adding, limits are refused."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from odarchive.image.bridge import (
    ROOT,
    SECTOR,
    Content,
    Identity,
    LayoutError,
    Meta,
    NodeId,
    Reason,
    Tree,
    View,
    VolumeInfo,
    layout,
)
from odarchive.image.bridge.udf_nodes import MAX_FILE
from tests.odarchive.image.bridge.bridge_strategies import specs
from tests.odarchive.image.bridge.bridge_trees import (
    FOLDER,
    IDENTITY,
    PLAIN,
    VOLUME,
    File,
    Link,
    Spec,
    Symlink,
    build,
    hostile,
    image,
)


@given(specs())
@settings(max_examples=60, derandomize=True, deadline=None)
def test_extents_are_disjoint_inside_and_hold_the_data(spec):
    data, plan, _, built = image(spec)
    assert len(data) == plan.size
    assert plan.sectors % 32 == 0
    end = 0
    extents = {plan.extent(built.nodes[p]): s.data for p, s in spec.items() if isinstance(s, File) and s.data}
    for extent, content in sorted(extents.items()):
        assert extent.sector >= end
        end = extent.sector + -(-extent.length // SECTOR)
        assert data[extent.sector * SECTOR :][: extent.length] == content
    assert end <= plan.data_end <= plan.sectors - 150


@given(specs(), st.randoms(use_true_random=False))
@settings(max_examples=40, derandomize=True, deadline=None)
def test_the_order_of_adding_leaves_no_trace(spec, rng):
    names = [(p, s) for p, s in spec.items() if not isinstance(s, Link)]
    links = [(p, s) for p, s in spec.items() if isinstance(s, Link)]
    rng.shuffle(names)
    rng.shuffle(links)
    # a parent stands before its children, a file before its further names; all else is free
    names.sort(key=lambda item: item[0].count(b"/"))
    assert image(dict(names + links))[0] == image(spec)[0]


def test_hostile_names_are_mapped_with_a_reason_and_only_where_needed():
    plan = layout(build(hostile()).tree, VOLUME)
    changes = {(c.path.rpartition(b"/")[2], c.view): c for c in plan.name_map()}
    wide = ("\u65e5" * 85).encode()
    assert {key: c.reason for key, c in changes.items()} == {
        (b"n" * 255, View.UDF): Reason.TOO_LONG,
        (b"n" * 255, View.ROCK_RIDGE): Reason.TOO_LONG,
        (b"n" * 254, View.ROCK_RIDGE): Reason.TOO_LONG,
        (wide, View.UDF): Reason.TOO_LONG,
        (wide, View.ROCK_RIDGE): Reason.TOO_LONG,
        (b"not\xff\xfeutf8", View.UDF): Reason.NOT_UNICODE,
        (b"2155", View.ROCK_RIDGE): Reason.TIME_IN_LINUX,
    }
    assert changes[b"not\xff\xfeutf8", View.UDF].stored == b"not__utf8~6c83d5d6"
    assert changes[b"2155", View.ROCK_RIDGE].stored == b"2155"


def test_symlinks_are_reported_where_left_out_or_changed():
    spec: Spec = {b"plain": Symlink(b"a/b"), b"slashes": Symlink(b"a//b/"), b"bytes": Symlink(b"\xff")}
    off = layout(build(spec).tree, VOLUME).name_map()
    on = layout(build(spec).tree, VolumeInfo(IDENTITY, udf_symlinks=True)).name_map()
    assert [(c.path, c.view, c.stored, c.reason) for c in off] == [
        (b"bytes", View.UDF, b"", Reason.SYMLINK),
        (b"plain", View.UDF, b"", Reason.SYMLINK),
        (b"slashes", View.ROCK_RIDGE, b"slashes", Reason.TARGET),
        (b"slashes", View.UDF, b"", Reason.SYMLINK),
    ]
    assert [(c.path, c.view, c.reason) for c in on] == [
        (b"bytes", View.UDF, Reason.SYMLINK),
        (b"slashes", View.ROCK_RIDGE, Reason.TARGET),
        (b"slashes", View.UDF, Reason.TARGET),
    ]


def test_windows_names_are_mapped_by_option():
    spec: Spec = {b"a:b": File(), b"CON.txt": File(), b"dot.": File(), b"fine": File()}
    plan = layout(build(spec).tree, VolumeInfo(IDENTITY, windows_names=True))
    assert {(c.path, c.reason) for c in plan.name_map()} == {(p, Reason.WINDOWS) for p in spec if p != b"fine"}


def test_a_directory_and_a_file_of_one_name_are_refused():
    tree: Tree[bytes] = Tree(FOLDER)
    tree.add_file(ROOT, b"x", PLAIN, Content(0, b""))
    tree.add_directory(ROOT, b"x", FOLDER)
    with pytest.raises(LayoutError, match="b'x' stands twice"):
        layout(tree, VOLUME)


@pytest.mark.parametrize("name", [b"", b".", b"..", b"a/b", b"a\0b"])
def test_what_is_no_name_is_refused(name):
    tree: Tree[bytes] = Tree(FOLDER)
    with pytest.raises(LayoutError):
        tree.add_directory(ROOT, name, FOLDER)


def test_parents_links_and_attributes_are_checked():
    tree: Tree[bytes] = Tree(FOLDER)
    file = tree.add_file(ROOT, b"f", PLAIN, Content(1, b"x"))
    folder = tree.add_directory(ROOT, b"d", FOLDER)
    for refused in (
        lambda: tree.add_directory(file, b"x", FOLDER),
        lambda: tree.add_directory(NodeId(99), b"x", FOLDER),
        lambda: tree.add_directory(NodeId(-1), b"x", FOLDER),
        lambda: tree.add_link(ROOT, b"x", folder),
        lambda: tree.add_symlink(ROOT, b"x", PLAIN, b""),
        lambda: tree.add_symlink(ROOT, b"x", PLAIN, b"a\0"),
        lambda: tree.add_file(ROOT, b"x", PLAIN, Content(-1, b"")),
        lambda: tree.add_directory(ROOT, b"x", Meta(0o10000, 0, 0, 0)),
        lambda: tree.add_directory(ROOT, b"x", Meta(0, -1, 0, 0)),
        lambda: tree.add_directory(ROOT, b"x", Meta(0, 0, 1 << 32, 0)),
    ):
        with pytest.raises(LayoutError):
            refused()
    assert len(tree.entry_name) == 2  # nothing half added


@pytest.mark.parametrize(
    "identity",
    [
        Identity("", "0" * 16, "S", 0),
        Identity("x" * 33, "0" * 16, "S", 0),
        Identity("\u00e4", "0" * 16, "S", 0),
        Identity("x", "short", "S", 0),
        Identity("x", "0" * 127, "S", 0),
        Identity("x", "\u65e5" * 16, "S", 0),
        Identity("x", "0" * 16, "S" * 129, 0),
    ],
)
def test_an_identity_that_does_not_fit_is_refused(identity):
    with pytest.raises(LayoutError):
        layout(Tree[bytes](FOLDER), VolumeInfo(identity))


def test_sizes_over_the_limits_are_refused():
    tree: Tree[bytes] = Tree(FOLDER)
    tree.add_file(ROOT, b"big", PLAIN, Content(MAX_FILE + 1, b""))
    with pytest.raises(LayoutError, match="split it"):
        layout(tree, VOLUME)
    tree = Tree(FOLDER)
    for i in range(40):
        tree.add_file(ROOT, b"%d" % i, PLAIN, Content(MAX_FILE, b""))
    with pytest.raises(LayoutError, match="2\\^32-1"):
        layout(tree, VOLUME)


def test_a_128_gb_disc_and_its_largest_file_are_laid_out_without_a_byte_read():
    tree: Tree[bytes] = Tree(FOLDER)
    node = tree.add_file(ROOT, b"big", PLAIN, Content(127 * 10**9, b""))
    plan = layout(tree, VOLUME)
    assert plan.extent(node).length == 127 * 10**9
    assert 0 < plan.size - 127 * 10**9 < 2 * 10**6


def test_the_path_table_of_many_directories_stops_where_parents_have_no_number():
    tree: Tree[bytes] = Tree(FOLDER)
    folders = [tree.add_directory(ROOT, b"%06d" % i, FOLDER) for i in range(66_000)]
    for folder in folders:
        tree.add_directory(folder, b"x", FOLDER)
    plan = layout(tree, VOLUME)
    # 1 root, 66,000 below it, and the children of those with a number up to 65,535
    assert plan.path_tables.directories == 1 + 66_000 + 65_534
    assert plan.tree.kind.count(0) == 132_001
