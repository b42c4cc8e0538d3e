"""Discs from anywhere: whatever the bytes are, only a refusal comes out, quickly and without eating the memory."""

import contextlib
import gzip
import json
import os
import struct

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from odarchive.catalogue import archive, rebuilding
from odarchive.catalogue.archive import Facts
from odarchive.errors import DamageFound, OdarchiveError
from odarchive.image import ondisc
from odarchive.image.bridge_writer import BridgeWriter
from odarchive.image.identity import NO_DISC, DiscIdentity
from odarchive.image.spec import Attributes, Directory, File, ImageTree, Inode, VolumeInfo
from odarchive.offline import texts
from odarchive.offline.disc import FolderDisc, ImageDisc, catalogue_of, open_disc
from odarchive.offline.errors import BadDisc, Foreign
from odarchive.offline.udf_files import UdfTree
from odarchive.rebuild.rebuild import rebuild, sort_out

ARCHIVE = "00000000-0000-4000-8000-000000000001"
DISC = "00000000-0000-4000-9000-000000000002"
OWN = Attributes(0o444, 0, 0, 0)


def image(tmp, files):
    """A small disc with these own files."""
    info = ondisc.disc_info(label="D", segment=1, archive=ARCHIVE, disc=DISC, created_ns=0)
    everything = {(ondisc.DISC_INFO,): info, **files}
    tree = ImageTree(
        VolumeInfo(DiscIdentity(ARCHIVE, DISC, "D"), 0),
        (Directory(("SET",), OWN),),
        tuple(File((Inode((p,), OWN),), len(b)) for p, b in everything.items()),
        lambda number: (list(everything.values())[number],),
    )
    path = tmp / "image.iso"
    with path.open("wb") as file:
        BridgeWriter().prepare(tree).write(file.fileno())
    return path


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    files = {
        ("catalogue.json",): json.dumps(valid()).encode(),
        ("SET", "entries.jsonl"): b'{"format": "odarchive entries", "version": 1}\n',
        ("SET", "catalogue.jsonl.gz"): gzip.compress(b'{"format": "odarchive catalogue", "version": 1}\n'),
        ("a.bin",): os.urandom(9000),
    }
    return image(tmp_path_factory.mktemp("disc"), files).read_bytes()


def valid():
    record = {"size": 9000, "mtime": "", "sector": 300, "sha256": "0" * 64, "filenames": {"/a.bin": None}}
    return {
        "version": 3,
        "digest": "blake3",
        "guid": ARCHIVE,
        "job_id": 1,
        "job_name": "D",
        "segment_size": 10**7,
        "date": "2020-01-01T00:00:00",
        "files": {"1" * 64: record},
    }


def look(data):
    """Everything a rebuild reads of a disc."""
    disc = ImageDisc("x", lambda offset, length: data[offset : offset + length], len(data))
    catalogue = catalogue_of(disc)
    rows = list(texts.lines(texts.inflated(disc.text("SET/catalogue.jsonl.gz")), "odarchive catalogue"))
    for piece in catalogue.contents:
        sum(len(chunk) for chunk in disc.content(piece))
    return rows


def test_the_good_disc_is_read(good):
    assert look(good) == []
    zeroed = good[: 256 * 2048] + bytes(2048) + good[257 * 2048 :]
    assert look(zeroed) == []
    padded = good + bytes(150 * 2048)
    assert look(padded) == []


_STRUCTURE = st.integers(16 * 2048, 300 * 2048)


@settings(max_examples=300, deadline=2000, derandomize=True)
@given(st.lists(st.tuples(_STRUCTURE, st.binary(min_size=1, max_size=8)), min_size=1, max_size=12))
def test_flipped_bytes_are_refused_or_harmless(good, changes):
    data = bytearray(good)
    for place, new in changes:
        at = place % (len(data) - 8)
        data[at : at + len(new)] = new
    with contextlib.suppress(OdarchiveError):
        look(bytes(data))


@settings(max_examples=150, deadline=2000, derandomize=True)
@given(st.integers(0, 400 * 2048), st.integers(0, 255))
def test_truncated_images_are_refused(good, size, fill):
    with contextlib.suppress(OdarchiveError):
        look(good[: min(size, len(good) - 1)] + bytes([fill]) * 2048)


def reseal(data, sector, offset, new):
    """Change a descriptor and make its checksums right again: hostile, not damaged."""
    import binascii

    block = bytearray(data[sector * 2048 : (sector + 1) * 2048])
    block[offset : offset + len(new)] = new
    length = struct.unpack_from("<H", block, 10)[0]
    struct.pack_into("<H", block, 8, binascii.crc_hqx(bytes(block[16 : 16 + length]), 0))
    block[4] = (sum(block[:4]) + sum(block[5:16])) & 255
    return data[: sector * 2048] + bytes(block) + data[(sector + 1) * 2048 :]


@settings(max_examples=400, deadline=2000, derandomize=True)
@given(st.integers(257, 300), st.integers(16, 400), st.binary(min_size=1, max_size=12))
def test_lies_with_right_checksums_are_refused_or_harmless(good, sector, offset, new):
    with contextlib.suppress(OdarchiveError):
        look(reseal(good, sector, offset, new))


def test_a_directory_that_leads_into_itself_ends(good):
    tree = UdfTree(lambda offset, length: good[offset : offset + length], len(good))
    assert tree.find("/".join(["SET"] * 400)) is None


def test_a_bomb_is_not_unpacked():
    bomb = gzip.compress(bytes(300_000_000), 9)
    seen: list[int] = []
    with pytest.raises(BadDisc, match="beyond all measure"):
        seen.extend(len(piece) for piece in texts.inflated([bomb]))
    assert sum(seen) < 150_000_000


def test_a_line_without_end_is_refused():
    with pytest.raises(BadDisc, match="longer than any"):
        list(texts.lines([b'{"format": "k", "version": 1}\n', *[b"x" * 100_000] * 20], "k"))


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(derandomize=True, deadline=None)
@given(st.sampled_from(["version", "guid", "job_id", "job_name", "segment_size", "files", "digest"]), _JSON)
def test_hostile_catalogues_of_discs(key, value):
    with contextlib.suppress(BadDisc):
        texts.catalogue(json.dumps({**valid(), key: value}).encode())
    record = {**valid()["files"]["1" * 64]}
    for name in record:
        with contextlib.suppress(BadDisc):
            texts.catalogue(json.dumps({**valid(), "files": {"1" * 64: {**record, name: value}}}).encode())


@settings(derandomize=True, deadline=None)
@given(st.binary(max_size=300))
def test_hostile_texts(text):
    for parse in (texts.catalogue, texts.disc_info, texts.age):
        with pytest.raises(BadDisc):
            parse(text)


_TABLES = st.sampled_from(["archive", "source", "snapshot", "segment", "disc", "content", "entry", "piece", "job", "x"])
_COLUMNS = st.sampled_from(
    ["id", "key", "value", "name", "parent", "ino", "mode", "size", "digest", "since", "until", "content", "segment"]
)
_VALUES = st.integers() | st.text(max_size=5) | st.sampled_from(["..", "a/b", "00" * 32, "\udc80"]) | st.none()


@settings(
    max_examples=150, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.tuples(_TABLES, st.dictionaries(_COLUMNS, _VALUES | _JSON, max_size=9)), max_size=6))
def test_hostile_rows_of_the_set(empty, rows):
    with empty.write() as connection:
        with contextlib.suppress(DamageFound):
            rebuilding.load(connection, ({"table": table, **columns} for table, columns in rows))
        connection.rollback()
        connection.exec_driver_sql("BEGIN")


@pytest.fixture
def empty(tmp_path):
    made = archive.create(tmp_path / "catalogue.db", Facts(ARCHIVE, "D", 0))
    yield made
    made.close()


@pytest.mark.parametrize("name", ["..", "a/b", ".", ""])
def test_a_catalogue_with_paths_that_lead_out_makes_nothing(tmp_path, name):
    root = {"parent": 0, "name": "", "since": 0, "ino": 1, "mode": 16877, "nlink": 2, "uid": 0, "gid": 0, "size": 0}
    rows = [
        {"format": "odarchive catalogue", "version": 1},
        *({"table": "archive", "key": key, "value": value} for key, value in facts().items()),
        {"table": "source", "id": 1, "name": "s", "path": "/s", "created_ns": 0},
        {"table": "snapshot", "id": 1, "source": 1, "state": "complete", "started_ns": 0, "finished_ns": 0},
        {"table": "entry", **root, "mtime_ns": 0, "carrier": 0},
        {"table": "entry", **root, "parent": 1, "name": name, "since": 1, "ino": 2, "mtime_ns": 0, "carrier": 0},
    ]
    packed = gzip.compress(b"".join(json.dumps(row).encode() + b"\n" for row in rows))
    entries = b'{"format": "odarchive entries", "version": 1}\n'
    files = {
        ("catalogue.json",): json.dumps({**valid(), "files": {}}).encode(),
        ("SET", "entries.jsonl"): entries,
        ("SET", "catalogue.jsonl.gz"): packed,
    }
    path = image(tmp_path, files)
    with pytest.raises(DamageFound, match=r"breaks a rule|contradicts"):
        rebuild(tmp_path / "catalogue.db", sort_out([("x", lambda: open_disc(path))]))
    assert sorted(os.listdir(tmp_path)) == ["image.iso"]


def facts():
    return {"uuid": ARCHIVE, "label_prefix": "D", "created_ns": "0", "copies": "1"}


def test_a_folder_never_leads_out(tmp_path):
    disc = tmp_path / "disc"
    disc.mkdir()
    (tmp_path / "secret").write_text("x")
    (disc / "disc_info.json").write_bytes(
        ondisc.disc_info(label="D", segment=1, archive=ARCHIVE, disc=NO_DISC, created_ns=0)
    )
    (disc / "link").symlink_to(tmp_path / "secret")
    (disc / "dir").symlink_to(tmp_path)
    os.mkfifo(disc / "pipe")
    found = FolderDisc(disc)
    for path in ("../secret", "link", "dir/secret", "pipe", "/etc/passwd", "a//b", "", "x\0y"):
        with pytest.raises(BadDisc):
            list(found.text(path))


def test_things_that_are_no_discs(tmp_path):
    (tmp_path / "zeros").write_bytes(bytes(700_000))
    (tmp_path / "empty").touch()
    (tmp_path / "folder").mkdir()
    for name in ("zeros", "empty", "folder"):
        with pytest.raises(Foreign):
            open_disc(tmp_path / name)
