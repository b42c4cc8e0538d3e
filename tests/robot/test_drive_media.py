"""What xorriso tells of discs."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robot.drives.media import parse_medium
from robot.ports import SECTOR, Medium

# Written pseudo-drive: xorriso 1.5.4, whole report.
WRITTEN = """\
Drive current: -outdev 'stdio:/tmp/x/medium'
Drive access : exclusive:unrestricted
Drive type   : vendor 'YOYODYNE' product 'WARP DRIVE' revision 'FX01'
Media current: stdio file, overwriteable
Media status : is written , is closed
Media blocks : 3072 readable , 0 writable , 3072 overall
TOC layout   : Idx ,  sbsector ,       Size , Volume Id
Other session:   1 ,      3072 ,      3072s , 
Media summary: 1 session, 3072 data blocks, 6144k data,     0 free
Media space  : 0s
After commit : 0s
"""  # noqa: W291 - as printed
# Blank BD-R: lines from a published log of a drive; the space line as xorriso prints it.
BLANK_BD = """\
Media current: BD-R sequential recording
Media product: MILLEN/MR1/0 , Millenniata Inc.
Media status : is blank
Media summary: 0 sessions, 0 data blocks, 0 data, 23.3g free
Media space  : 12219392s
"""
DVD = """\
Media current: DVD+R
Media status : is written , is closed
Media summary: 1 session, 2193664 data blocks, 4284m data,     0 free
"""


@pytest.mark.parametrize(
    ("text", "medium"),
    [
        (WRITTEN, Medium("stdio", blank=False, capacity=0, readable=3072 * SECTOR)),
        (BLANK_BD, Medium("bd-r", blank=True, capacity=25_025_314_816, readable=0, maker="MILLEN/MR1/0")),
        (DVD, Medium("dvd+r", blank=False, capacity=0, readable=2_193_664 * SECTOR)),
        (WRITTEN.replace("is written , is closed", "is something new"), Medium("stdio", False, 0, 3072 * SECTOR)),
    ],
)
def test_media(text, medium):
    assert parse_medium(text) == medium


@pytest.mark.parametrize(
    "text",
    [
        "",
        "libburn : FAILURE : File object '/dev/sr0' not found\n",
        "Media current: is not recognizable\nMedia status : is not recognizable\n",
        "Media current: none\nMedia status : is not present\n",
        DVD.replace("is written , is closed", "is not present"),
    ],
)
def test_no_usable_medium(text):
    assert parse_medium(text) is None


@settings(derandomize=True)
@given(st.text(alphabet="Media cursntbl:0123456789 ,is\n"))
def test_nothing_breaks_the_parser_and_blank_is_never_guessed(text):
    medium = parse_medium(text)
    assert medium is None or not medium.blank or "is blank" in text
