"""How far a drive is, in a line of ``drive list``."""

from odarchive.cli.drive import _pace

BAY = {"done_bytes": 250, "total_bytes": 1000, "bytes_per_second": 18_040_000, "buffer_percent": 97, "seconds_left": 61}


def test_percent_speed_buffer_and_time_left():
    assert _pace(BAY) == " (25 %, 18.0 MB/s, buffer 97 %, 2 min left)"


def test_what_is_not_known_is_left_out():
    assert _pace(BAY | {"buffer_percent": None, "seconds_left": None}) == " (25 %, 18.0 MB/s)"
    assert _pace(BAY | {"done_bytes": 0}) == ""
    assert _pace(BAY | {"total_bytes": 0}) == ""
