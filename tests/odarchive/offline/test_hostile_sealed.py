"""Encrypted discs that lie: two catalogues that contradict each other, age files that are none, keys of others."""

import json

import pytest

from odarchive.errors import DamageFound, KeyNeeded, OdarchiveError
from odarchive.image import ondisc
from odarchive.offline import texts
from odarchive.offline.disc import open_disc
from odarchive.offline.errors import BadDisc
from odarchive.offline.sealed import Plain
from odarchive.seal.keys import public, recipient
from odarchive.seal.stream import Opener, Sealer
from tests.odarchive.offline.test_hostile_discs import ARCHIVE, DISC, image, valid

SECRET = bytes(range(32))
INFO = {"archive_id": ARCHIVE, "disc_id": DISC, "label": "D", "encrypted": "age", "date": "", "disc_num": "1"}


def sealed(data, secret=SECRET):
    return b"".join(Sealer(bytes(range(1, 33)), [recipient(public(secret))]).pieces(b"", [data], len(data)))


def disc(tmp_path, inner, *, outer=None, secret=SECRET, raw=None, info=None):
    outer = {**valid(), "encrypted": "age"} if outer is None else outer
    text = json.dumps(inner).encode()
    files = {
        (ondisc.DISC_INFO,): info or ondisc.pad_json(INFO, ondisc.INFO_SIZE),
        ("catalogue.json",): json.dumps(outer).encode(),
        ("SET", "catalogue.json.age"): sealed(text, secret) if raw is None else raw,
    }
    return Plain(open_disc(image(tmp_path, files)), Opener([SECRET]))


def test_the_good_one_is_read(tmp_path):
    found = disc(tmp_path, valid())
    assert found.sealed
    (piece,) = found.catalogue().contents
    assert (piece.size, piece.stored, piece.stored_size) == (9000, b"\x11" * 32, 9000)
    found.close()


def test_one_of_two_witnesses_is_enough_to_know_that_it_is_encrypted(tmp_path):
    found = disc(tmp_path, valid(), info=b"\0" * ondisc.INFO_SIZE)
    with pytest.raises(BadDisc):
        texts.encrypted(b"".join(found.text(ondisc.DISC_INFO)))
    assert found.sealed
    (piece,) = found.catalogue().contents
    assert piece.stored == b"\x11" * 32
    found.close()


def test_without_any_witness_it_is_taken_as_it_stands(tmp_path):
    found = disc(tmp_path, valid(), outer="no catalogue", info=b"\0" * ondisc.INFO_SIZE)
    assert not found.sealed
    found.close()


@pytest.mark.parametrize(
    "change",
    [{"guid": "00000000-0000-4000-8000-000000000002"}, {"job_id": 2}, {"recipients": [1]}, {"recipients": "x"}],
    ids=str,
)
def test_catalogues_that_contradict_are_refused(tmp_path, change):
    with pytest.raises(BadDisc):
        disc(tmp_path, {**valid(), **change}).catalogue()


def test_a_content_in_no_file_is_refused(tmp_path):
    inner = valid()
    inner["files"]["1" * 64]["sector"] = 301
    with pytest.raises(BadDisc, match="do not match"):
        disc(tmp_path, inner).catalogue()


@pytest.mark.parametrize("raw", [b"", b"age", sealed(b"{}")[:-1], sealed(b"{}") + b"x", b"\0" * 5000], ids=len)
def test_what_is_no_age_file_is_damage(tmp_path, raw):
    with pytest.raises(DamageFound):
        disc(tmp_path, {}, raw=raw).catalogue()


def test_anothers_key_is_told_with_the_label(tmp_path):
    with pytest.raises(KeyNeeded, match="disc D: none of the keys"):
        disc(tmp_path, valid(), secret=bytes(range(2, 34))).catalogue()


def test_an_inner_catalogue_is_looked_for_only_where_the_outer_says_so(tmp_path):
    found = disc(tmp_path, {}, outer=valid(), raw=b"nothing")
    assert found.catalogue().contents[0].stored == b""
    with pytest.raises(OdarchiveError):
        b"".join(found.text("SET/entries.jsonl"))
