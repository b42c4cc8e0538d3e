"""What xorriso 1.5.4, and mtx 1.3.12 on stderr, say about devices of a real kernel, taken from the rig."""

from pathlib import Path

import pytest

from robot.burners.xorriso import judge, parse_progress
from robot.drives.media import parse_medium
from robot.ports import SECTOR, Medium
from robot.wire.mtx_errors import Trouble, explain

REAL = Path(__file__).parent.parent / "golden" / "real"
SIZE = 3072 * SECTOR


def words(name: str) -> str:
    return (REAL / f"{name}.txt").read_text()


@pytest.mark.parametrize(
    ("name", "medium"),
    [
        ("bdr-blank", Medium("bd-r", blank=True, capacity=25_025_314_816, readable=0, maker="ODTEST/V01/0")),
        ("bdr-after", Medium("bd-r", blank=False, capacity=0, readable=SIZE, maker="ODTEST/V01/0")),
        (
            "bdr-bad-after",
            Medium("bd-r", blank=False, capacity=12_218_208 * SECTOR, readable=1184 * SECTOR, maker="ODTEST/V01/0"),
        ),
        ("cdr-blank", Medium("cd-r", blank=True, capacity=359_844 * SECTOR, readable=0, maker="00m02s00f/00m02s00f")),
        ("dvd-blank", Medium("dvd+r", blank=True, capacity=2_295_104 * SECTOR, readable=0, maker="ODTEST/V01/48")),
        ("dvd-after", Medium("dvd+r", blank=False, capacity=0, readable=SIZE, maker="ODTEST/V01/48")),
        ("cdr-after", Medium("cd-r", blank=True, capacity=359_844 * SECTOR, readable=0, maker="00m02s00f/00m02s00f")),
        ("xorriso-empty", None),
    ],
)
def test_what_is_in_the_drive(name, medium):
    assert parse_medium(words(name)) == medium


@pytest.mark.parametrize("name", ["bdr-burn", "dvd-burn"])
def test_a_burn_that_ends_well(name):
    lines = words(name).splitlines()
    assert judge(0, lines).success
    counts = [found.written for line in lines if (found := parse_progress(line, SIZE))]
    assert counts == sorted(counts)
    assert counts[-1] <= SIZE


@pytest.mark.parametrize(
    ("name", "began", "reason"),
    [
        ("bdr-bad-burn", True, "SCSI error on write(1184,32): [3 0C 00] Medium error. Write error."),
        ("dvd-bad-burn", True, "SCSI error on write(1200,16): [3 0C 00] Medium error. Write error."),
        ("bdr-small-burn", False, "Image size 3072s exceeds free space on media 2048s"),
        (
            "cdr-burn",
            True,
            "SCSI error condition on command 5Dh SEND CUE SHEET: [5 20 00] Illegal request."
            " Invalid command operation code.",
        ),
    ],
)
def test_a_burn_that_fails_says_why(name, began, reason):
    verdict = judge(5, words(name).splitlines())
    assert (verdict.success, verdict.began, verdict.reason) == (False, began, reason)


@pytest.mark.parametrize(
    ("name", "trouble"),
    [
        ("mtx-load-empty", Trouble.SOURCE_EMPTY),
        ("mtx-load-full", Trouble.DESTINATION_FULL),
        ("mtx-unload-empty", Trouble.SOURCE_EMPTY),
        ("mtx-unload-full", Trouble.DESTINATION_FULL),
        ("mtx-transfer-empty", Trouble.SOURCE_EMPTY),
        ("mtx-jam", Trouble.PICK_FAILED),
    ],
)
def test_why_mtx_failed(name, trouble):
    assert explain(words(name)).trouble is trouble
