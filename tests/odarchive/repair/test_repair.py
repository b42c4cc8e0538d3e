"""Repair by command: from another copy, from the parity set of real discs, from dvdisaster."""

import json
import random
import shutil
from pathlib import Path

import pytest

from odarchive.catalogue import discs
from odarchive.cli import main
from odarchive.correction import dvdisaster as ecc
from odarchive.digest import content_digest
from odarchive.errors import OdarchiveError
from tests.odarchive.librarian.shop import Shop


def images(shop, folder):
    folder.mkdir()
    for disc in sorted((shop.root / "world" / "discs").glob("*.disc")):
        with disc.open("rb") as file:
            file.seek(16 * 2048 + 40)
            label = file.read(32).decode().strip()
        if disc.stat().st_size > 100_000:
            shutil.copy(disc, folder / f"{label}.iso")
    return sorted(folder.glob("*.iso"))


def spoil(path, begin, size):
    with path.open("r+b") as file:
        file.seek(begin)
        file.write(random.Random(1).randbytes(size))


async def made(shop, **build):
    shop.build(**build)
    async with shop.life() as librarian:
        await shop.work(librarian)
    return images(shop, shop.root / "images")


async def test_lost_and_damaged_discs_come_back_from_their_set(autojump_clock, tmp_path, capsys):
    pytest.importorskip("numpy")
    shop = Shop(tmp_path)
    found = await made(shop, folders=4, files=8, size=1_000_000, blanks=range(1, 9))
    before = {path.name: path.read_bytes() for path in found}
    out = tmp_path / "parity"
    assert main(["parity", "--parity", "6+2", "--out", str(out), *map(str, found), "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["images"]) == 2
    found[0].unlink()
    spoil(found[1], 3_000_000, 200_000)
    for path in out.glob("*.iso"):
        shutil.copy(path, shop.root / "images")
    common = ["repair", "--from", str(shop.root / "images"), "--out", str(tmp_path / "mended")]
    assert main(common) == 0
    for path in found[:2]:
        assert (tmp_path / "mended" / path.name).read_bytes() == before[path.name]
    found[2].unlink()
    capsys.readouterr()
    assert main([*common[:-1], str(tmp_path / "again")]) == 5
    told = capsys.readouterr().err
    assert "lost on" in told
    assert "DATA/photos/" in told
    assert sorted(path.name for path in (tmp_path / "again").glob("*.partial.iso"))
    for name, argument in (("parity", "0+4"), ("parity", "200+100"), ("parity", "x")):
        assert main([name, "--parity", argument, "--out", str(out), str(found[3])]) == 2


async def test_another_copy_is_taken_and_burned_again(autojump_clock, tmp_path):
    shop = Shop(tmp_path, copies=2)
    found = await made(shop, files=6)
    assert [path.stem for path in found] == ["SHOP_0001", "SHOP_0001_2"]
    archive = ["-a", str(shop.root / "archive")]
    spoil(found[0], 700_000, 10)
    with shop.archive.catalogue.write() as connection:
        connection.exec_driver_sql("UPDATE disc SET state = 'suspect', note = 'test' WHERE label = 'SHOP_0001'")
    assert main([*archive, "repair", "SHOP_0001", "--from", str(shop.root / "images")]) == 0
    async with shop.life() as librarian:
        await shop.work(librarian)
    with shop.archive.catalogue.read() as connection:
        copies = discs.copies_of(connection, discs.segment_by_label(connection, "SHOP_0001").id)
    assert len(copies) == 2
    assert shop.violations() == []


async def test_a_damaged_copy_is_not_taken(autojump_clock, tmp_path):
    shop = Shop(tmp_path)
    found = await made(shop, files=6)
    spoil(found[0], 700_000, 10)
    archive = ["-a", str(shop.root / "archive")]
    assert main([*archive, "repair", "SHOP_0001", "--from", str(found[0]), "--out", str(tmp_path / "out")]) == 5
    assert list((tmp_path / "out").glob("*.iso")) == []


async def test_a_copy_whose_files_are_right_and_nothing_else_is_not_taken(autojump_clock, tmp_path):
    """Burned again, it would be right in every file and have no file system."""
    shop = Shop(tmp_path, copies=2)
    found = await made(shop, files=6)
    whole = found[1].read_bytes()
    for at in (16, 256, len(whole) // 2048 - 1):
        assert any(whole[at * 2048 : (at + 1) * 2048])
    with found[0].open("r+b") as file:
        for sector in (256, len(whole) // 2048 - 1):
            file.seek(sector * 2048)
            file.write(bytes(2048))
    common = ["-a", str(shop.root / "archive"), "repair", "SHOP_0001", "--out", str(tmp_path / "out"), "--from"]
    assert main([*common, str(found[0])]) == 5
    assert list((tmp_path / "out").iterdir()) == []
    assert main([*common, str(shop.root / "images")]) == 0
    assert (tmp_path / "out" / "SHOP_0001.iso").read_bytes() == whole


class Program:
    """dvdisaster's part in a test: a script in its place that does to the image what the test says."""

    def __init__(self, folder: Path, monkeypatch, script: str) -> None:
        folder.mkdir()
        path = folder / "dvdisaster"
        path.write_text(f"#!/bin/sh\n{script}\nexit 1\n")
        path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_nothing_that_the_program_says_is_kept(tmp_path, monkeypatch):
    """It says a line for each byte it repairs: 20 GB for one percent of a BD."""
    image, said = tmp_path / "image.iso", tmp_path / "said"
    image.write_bytes(bytes(65_536))
    Program(tmp_path / "good", monkeypatch, f"exec 3>&1 4>&2; readlink /proc/$$/fd/3 /proc/$$/fd/4 > {said}")
    assert not ecc.repair(image, bytes(32), 786_432, 65_536)
    assert said.read_text() == "/dev/null\n" * 2


def test_error_correction_is_judged_by_digest(tmp_path, monkeypatch):
    image = tmp_path / "image.iso"
    body = random.Random(2).randbytes(65_536)
    image.write_bytes(body)
    digest = content_digest(body)
    disc, code = 786_432, 255 * 2048  # 384 sectors: layers of one sector
    Program(tmp_path / "good", monkeypatch, f'head -c {code - len(body)} /dev/zero >> "$2"')
    ecc.augment(image, len(body), digest, disc)
    whole = content_digest(image.read_bytes())
    assert ecc.repair(image, whole, disc, len(body))
    spoil(image, 100, 4)
    assert not ecc.repair(image, whole, disc, len(body))
    Program(tmp_path / "nothing", monkeypatch, ":")
    image.write_bytes(body)
    with pytest.raises(OdarchiveError, match="no error correction"):
        ecc.augment(image, len(body), digest, disc)
    script = f'printf x | dd of="$2" conv=notrunc; head -c {code - len(body)} /dev/zero >> "$2"'
    Program(tmp_path / "bad", monkeypatch, script)
    with pytest.raises(OdarchiveError, match="changed the image"):
        ecc.augment(image, len(body), digest, disc)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OdarchiveError, match="install it"):
        ecc.augment(image, len(body), digest, disc)
