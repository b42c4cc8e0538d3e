"""Names as text: harmless to terminals, different when they differ, and exact in JSON."""

import base64
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from odarchive.cli import output

NAMES = st.binary(max_size=40) | st.text(max_size=20).map(lambda text: text.encode("utf-8", "surrogatepass"))


@settings(derandomize=True)
@given(NAMES)
def test_visible_names_are_printable(name):
    assert output.visible(name).isprintable()


@settings(derandomize=True)
@given(NAMES, NAMES)
def test_visible_names_differ_when_names_differ(one, other):
    assert (output.visible(one) == output.visible(other)) == (one == other)


@settings(derandomize=True)
@given(NAMES)
def test_json_names_come_back(name):
    members = json.loads(json.dumps(output.named("path", name)))
    assert members["path"].encode("utf-8", "surrogateescape") == name
    try:
        name.decode()
    except UnicodeDecodeError:
        assert base64.b64decode(members["path_b64"]) == name
    else:
        assert set(members) == {"path"}


def test_visible_examples():
    assert output.visible(b"a\nb\x1b[31m\xff\\ \xc3\xa9") == "a\\nb\\x1b[31m\\xff\\\\ é"
    assert output.visible("\u202e".encode()) == "\\xe2\\x80\\xae"  # turns the direction of text around


def test_sizes():
    shown = {
        0: "0 B",
        999: "999 B",
        1000: "1.0 kB",
        25_025_314_816: "25.0 GB",
        999_600_000: "1.0 GB",
        123_456: "123 kB",
    }
    assert {count: output.size(count) for count in shown} == shown
