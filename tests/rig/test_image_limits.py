"""How far names, folders and trees may go: other programs list every name of one image that goes to all limits."""

import os

import pytest

from tests.odarchive.image.bridge import bridge_readers as readers
from tests.odarchive.image.bridge.bridge_trees import Dir, File, Spec, image

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not os.environ.get("RIG"), reason="slow: two hundred thousand names; `make rig` runs it"),
]
CROWD = 70_000
"""Entries of one directory."""
DIRECTORIES = 66_000
"""More than a path table can number."""
DEPTH = 200


def everything() -> Spec:
    spec: Spec = {b"crowd": Dir(), b"wide": Dir()}
    for number in range(CROWD):
        spec[b"crowd/%06d" % number] = File()
    for number in range(DIRECTORIES):
        if number % 300 == 0:
            above = b"wide/%03d" % (number // 300)
            spec[above] = Dir()
        spec[above + b"/%05d" % number] = Dir()
    path = b"deep"
    spec[path] = Dir()
    for level in range(DEPTH):
        path += b"/%d" % level
        spec[path] = Dir()
    spec[path + b"/bottom"] = File(b"at the bottom")
    path = b"long"
    spec[path] = Dir()
    for level in range(4):
        path += b"/" + b"%d" % level * 250
        spec[path] = Dir()
    spec[path + b"/" + b"e" * 253] = File(b"at the end")
    return spec


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    spec = everything()
    data, plan, _, _ = image(spec)
    assert plan.stored.reasons == [], "every one of these names is stored as it is"
    path = tmp_path_factory.mktemp("limits") / "image.iso"
    path.write_bytes(data)
    assert max(map(len, spec)) > 1000
    return str(path), set(spec)


def test_libudfread_lists_all_of_udf(made):
    path, names = made
    assert readers.libudfread_names(path) == names


def test_bsdtar_lists_all_of_rock_ridge(made):
    path, names = made
    listed = readers.run(readers.program("bsdtar"), "-tf", path).decode("unicode_escape").encode("latin-1")
    assert {os.path.normpath(line) for line in listed.splitlines()} - {b"."} == names


def test_seven_zip_lists_all_of_udf(made):
    path, names = made
    listed = readers.run(readers.program("7z"), "l", "-ba", "-slt", "-tudf", path).splitlines()
    assert {line.removeprefix(b"Path = ") for line in listed if line.startswith(b"Path = ")} == names
