"""A night with the kernel's sr, sg and ch, with mtx and xorriso, a changer and two burners: `make rig`."""

import hashlib
import json
import os
import sys

import pytest

from tests.rig.juke import blanks, run

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not os.environ.get("RIG"), reason="slow: a kernel in an emulator; `make rig` runs it"),
]

SECTORS = 4096
"""Of each blank, 8 MB: the three folders of 5 MB need one each."""


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    """What was seen: three segments, five blanks of which the second fails at 40 %."""
    work = tmp_path_factory.mktemp("juke")
    discs = blanks(work, 5, SECTORS)
    sheet = discs / "BD0002.json"
    sheet.write_text(json.dumps(json.loads(sheet.read_text()) | {"bad_write": 1100}))
    done = run(work, [str(sys.executable), "-m", "tests.rig.juke_night"])
    print(done.out, done.err)
    print((work / "serve.log").read_text())
    assert done.status == 0
    return json.loads((work / "seen.json").read_text()), work


def test_three_discs_are_burned_unattended_although_a_blank_fails(night):
    seen, _ = night
    assert [command for command in seen["commands"] if command[1]] == []
    states = sorted((label, state) for label, state, _ in seen["discs"])
    assert [state for _, state in states].count("verified") == 3
    assert [state for _, state in states].count("spoiled") == 1
    (note,) = [note for _, state, note in seen["discs"] if state == "spoiled"]
    assert "Medium error. Write error." in note
    slots = {slot["slot"]: slot["recorded"] for slot in seen["robot"]["slots"] if slot["recorded"]}
    assert slots[2] == "spoiled"
    assert list(slots.values()).count("disc") == 3


def test_both_librarians_end_well(night):
    seen, _ = night
    assert (seen["first librarian"], seen["second librarian"]) == (0, 0)


def test_a_file_of_each_disc_is_read_through_the_mount(night):
    seen, _ = night
    assert seen["recalled"] == {path: seen["source"][path] for path in seen["source"] if path.endswith("a.raw")}
    before, after = seen["loads"]
    assert after > before  # three discs, two drives: at least one had to be brought


def test_the_kernel_shows_the_same_bytes_on_every_disc(night):
    seen, _ = night
    for kind in ("udf", "iso9660"):
        shown = [files for name, files in seen["mounted"].items() if name.endswith(kind)]
        assert len(shown) == 3
        assert {path: sha for files in shown for path, sha in files.items()} == seen["source"]


def test_the_bad_blank_was_written_once_and_never_again(night):
    _, work = night
    bad = json.loads((work / "discs" / "BD0002.json").read_text())
    assert bad["tracks"] == [] or bad["sessions"] == 0
    assert not (work / "discs" / "BD0005.json").read_text().count('"closed": true')
    assert hashlib.sha256((work / "discs" / "BD0005").read_bytes()).hexdigest() == hashlib.sha256(b"").hexdigest()
