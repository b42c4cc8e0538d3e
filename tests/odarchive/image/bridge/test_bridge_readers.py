"""What independent readers find in an image is what went in, but for what the layout's name map says."""

import io
import os
import subprocess
import tempfile

import pycdlib
import pytest
from hypothesis import given, settings

from odarchive.image.bridge import SECTOR, Layout, View, VolumeInfo
from tests.odarchive.image.bridge import bridge_readers as readers
from tests.odarchive.image.bridge.bridge_strategies import specs
from tests.odarchive.image.bridge.bridge_trees import (
    IDENTITY,
    Dir,
    Link,
    Spec,
    Symlink,
    contents,
    hostile,
    image,
    renamed,
)


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> tuple[str, Spec, Layout[bytes]]:
    spec = hostile()
    spec[b"link/short"] = Symlink(b"../sizes/1")
    spec[b"link/root"] = Symlink(b"/a/./b/../c")
    spec[b"link/long"] = Symlink(b"/".join([b"x" * 100] * 9))
    spec[b"link/" + b"z" * 251] = Symlink(b"q" * 900)
    data, plan, _, _ = image(spec)
    path = tmp_path_factory.mktemp("bridge") / "image.iso"
    path.write_bytes(data)
    return str(path), spec, plan


def test_libudfread_agrees(made):
    path, spec, plan = made
    assert renamed(readers.libudfread(path), plan, View.UDF) == contents(spec)


def test_seven_zip_reads_udf(made, tmp_path):
    path, spec, plan = made
    assert renamed(readers.seven_zip(path, str(tmp_path), "udf"), plan, View.UDF) == contents(spec)


def test_bsdtar_reads_rock_ridge(made, tmp_path):
    path, spec, plan = made
    assert renamed(readers.bsdtar(path, str(tmp_path)), plan, View.ROCK_RIDGE) == contents(spec)


def test_xorriso_reads_rock_ridge(made, tmp_path):
    path, spec, plan = made
    assert renamed(readers.xorriso(path, str(tmp_path / "out")), plan, View.ROCK_RIDGE) == contents(spec)


def test_symlinks_in_rock_ridge(made, tmp_path):
    path, spec, _ = made
    readers.run(readers.program("bsdtar"), "-xpf", path, "-C", str(tmp_path))
    for name, what in spec.items():
        if isinstance(what, Symlink):
            shown = os.path.join(os.fsencode(tmp_path), name)
            assert os.readlink(shown) == what.target


def test_hard_links_are_links_and_equal_files_are_not(made, tmp_path):
    path, _, _ = made
    readers.run(readers.program("bsdtar"), "-xpf", path, "-C", str(tmp_path))
    stats = [os.stat(tmp_path / name) for name in ("hard/one", "hard/two", "other/three", "case/README")]
    assert len({s.st_ino for s in stats[:3]}) == 1
    assert [s.st_nlink for s in stats] == [3, 3, 3, 1]


def test_grub_reads_contents(made):
    path, spec, _ = made
    for name in (b"sizes/2049", b"sizes/5242897", b"hard/two", b"case/README", b"unicode/\xc3\xbcml\xc3\xa4ut"):
        source = spec[name]
        data = spec[source.to].data if hasattr(source, "to") else source.data
        assert readers.grub_crc(path, name) == data


def test_udfinfo_finds_both_anchors(made):
    path, _, plan = made
    text = readers.run(readers.program("udfinfo"), path).decode()
    assert "start=256, blocks=1, type=ANCHOR" in text
    assert f"start={plan.sectors - 1}, blocks=1, type=ANCHOR" in text
    assert "integrity=closed" in text
    assert "udfrev=1.02" in text


def test_isoinfo_lists_rock_ridge_names(tmp_path):
    # isoinfo overruns its own buffers on long names and targets, so it gets a tame tree
    spec = {p: s for p, s in hostile().items() if p.startswith((b"sizes", b"case", b"hard", b"modes"))}
    path = tmp_path / "image.iso"
    path.write_bytes(image(spec)[0])
    listed = readers.run(readers.program("isoinfo"), "-R", "-f", "-i", str(path)).decode().split("\n")
    assert {f"/{p.decode()}" for p in contents(spec)} == set(filter(None, listed))


def test_padding_behind_the_image_hides_nothing(made, tmp_path):
    path, spec, plan = made
    padded = tmp_path / "padded.iso"
    with open(path, "rb") as file:
        padded.write_bytes(file.read() + bytes(177 * SECTOR))
    assert renamed(readers.libudfread(str(padded)), plan, View.UDF) == contents(spec)


def test_the_last_anchor_serves_when_the_first_is_lost(made, tmp_path):
    path, spec, plan = made
    damaged = tmp_path / "damaged.iso"
    with open(path, "rb") as file:
        data = bytearray(file.read())
    data[256 * SECTOR : 257 * SECTOR] = bytes(SECTOR)
    damaged.write_bytes(data)
    assert renamed(readers.libudfread(str(damaged)), plan, View.UDF) == contents(spec)


def test_symlinks_in_udf_cost_seven_zip_the_volume(tmp_path):
    spec: Spec = {b"link": Symlink(b"../a/b")}
    path = tmp_path / "image.iso"
    path.write_bytes(image(spec, VolumeInfo(IDENTITY, udf_symlinks=True))[0])
    assert b"link" in readers.libudfread(str(path))
    done = subprocess.run([readers.program("7z"), "l", "-tudf", str(path)], capture_output=True, check=False)
    assert done.returncode != 0  # why the option is off


@given(specs())
@settings(max_examples=40, derandomize=True, deadline=None)
def test_any_tree_reads_back_through_both_views(spec):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "image.iso")
        data, plan, _, _ = image(spec)
        with open(path, "wb") as file:
            file.write(data)
        shown = {c.path for c in plan.name_map() if c.view == View.UDF and c.stored and c.path in spec}
        folders = {p for p in shown if isinstance(spec[p], Dir)}
        found = readers.libudfread(path)
        want = contents(spec)
        assert sorted(found.values()) == sorted(want.values())
        if not folders:  # a mapped folder changes the paths below it
            assert renamed(found, plan, View.UDF) == want


def test_pycdlib_finds_every_file_where_the_layout_says(made):
    path, spec, plan = made
    disc = pycdlib.PyCdlib()
    disc.open(path)
    try:
        for name in (b"sizes/2049", b"many/0042", b"hard/two", b"case/readme"):
            out = io.BytesIO()
            disc.get_file_from_iso_fp(out, udf_path="/" + name.decode())
            source = spec[name]
            assert out.getvalue() == (spec[source.to] if isinstance(source, Link) else source).data
        assert disc.get_record(iso_path="/").get_data_length() == plan.directory_sectors[0] * SECTOR
    finally:
        disc.close()
