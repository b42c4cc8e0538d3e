"""What the mount shows, against a naive statement of the rule; incremental against full."""

import random

import pytest
from catalogue_kit import rows, run, sound
from story import Story
from trees import scanned, write

from odarchive.catalogue.check import check
from odarchive.catalogue.publish import publish
from odarchive.catalogue.shown import covered


def shown(catalogue):
    return {tuple(row) for row in rows(catalogue, "SELECT parent, name, since FROM entry WHERE shown = 1")}


def naive(catalogue):
    """The rule, word by word, over all rows at once."""
    entries = [
        dict(zip(("parent", "name", "since", "until", "ino", "mode", "content", "carrier"), row, strict=True))
        for row in rows(catalogue, "SELECT parent, name, since, until, ino, mode, content, carrier FROM entry")
    ]
    complete = {0} | {row[0] for row in rows(catalogue, "SELECT id FROM snapshot WHERE state = 'complete'")}
    proven = {
        row[0] for row in rows(catalogue, "SELECT segment FROM disc WHERE state IN ('verified', 'suspect', 'missing')")
    }
    sizes = dict(rows(catalogue, "SELECT id, size FROM content"))
    held = {content: set() for content in sizes}
    for content, segment, start, length in rows(catalogue, "SELECT content, segment, start, length FROM piece"):
        if segment in proven:
            held[content] |= set(range(start, start + length))
    counting = [entry for entry in entries if entry["since"] in complete]
    for entry in counting:
        entry["end"] = entry["until"] if entry["until"] in complete else None
        content = entry["content"]
        if content is None:
            entry["own"] = entry["carrier"] == 0 or entry["carrier"] in proven
        else:
            entry["own"] = held[content] >= set(range(sizes[content]))
    above: set[int] = set()
    while True:
        names = {(entry["parent"], entry["name"]) for entry in counting}
        result = {
            key for name in names for key in newest([e for e in counting if (e["parent"], e["name"]) == name], above)
        }
        now = {parent for parent, _, _ in result}
        if now <= above:
            return result
        above |= now


def newest(versions, above):
    """The key of the version of one name that is shown, if any."""
    alive = None
    for entry in sorted(versions, key=lambda e: e["since"], reverse=True):
        if entry["end"] != alive:
            return
        if entry["own"] or (entry["mode"] & 0o170000 == 0o040000 and entry["ino"] in above):
            yield entry["parent"], entry["name"], entry["since"]
            return
        alive = entry["since"]


@pytest.mark.parametrize("seed", range(8))
def test_what_is_shown_is_what_the_rule_says(catalogue, tmp_path, seed):
    source = tmp_path / "source"
    source.mkdir()
    story = Story(catalogue, source, random.Random(seed))
    for step in range(30):
        action = story.rng.choice([story.scan, story.scan, story.plan, story.burn, story.burn, story.lose])
        action()
        assert shown(catalogue) == naive(catalogue), f"seed {seed}, step {step}, {action.__name__}"
        sound(catalogue)
    run(catalogue, "UPDATE entry SET shown = 1 - shown")
    with catalogue.write() as connection:
        assert publish(connection) > 0
        assert publish(connection) == 0
    assert shown(catalogue) == naive(catalogue)


def test_a_modified_file_stays_until_its_new_version_is_burned(catalogue, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    story = Story(catalogue, source, random.Random(0))
    story.rng.random = lambda: 0.0

    def visible():
        statement = "SELECT name, size FROM entry WHERE shown = 1 AND content IS NOT NULL"
        return rows(catalogue, statement)

    write(source / "f", b"one")
    write(source / "g", b"two")
    scanned(catalogue, source)
    assert visible() == []
    story.plan()
    story.burn()
    assert visible() == [(b"f", 3), (b"g", 3)]
    write(source / "f", b"three")
    (source / "g").unlink()
    scanned(catalogue, source)
    assert visible() == [(b"f", 3)]
    story.plan()
    assert visible() == [(b"f", 3)]
    story.burn()
    assert visible() == [(b"f", 5)]
    assert check(catalogue) == []


def test_every_byte_must_be_there():
    assert covered(10, [(0, 10)])
    assert covered(10, [(0, 4), (4, 6)])
    assert covered(10, [(0, 8), (2, 3), (5, 5)])
    assert not covered(10, [])
    assert not covered(10, [(1, 9)])
    assert not covered(10, [(0, 4), (5, 5)])
    assert not covered(10, [(0, 9)])


def test_many_touched_names_are_recomputed_at_once(catalogue, tmp_path, monkeypatch):
    monkeypatch.setattr("odarchive.catalogue.publish.MANY", 1)
    test_a_modified_file_stays_until_its_new_version_is_burned(catalogue, tmp_path)
