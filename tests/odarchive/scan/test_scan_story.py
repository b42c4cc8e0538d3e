"""A state machine over scan, forget, import: the catalogue against dicts, and sound after every step."""

import hashlib
import itertools
import json
import os
import shutil
import tempfile
from pathlib import Path

from catalogue_kit import new_catalogue, sound
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from trees import recorded, scanned, write

from odarchive import ancestor
from odarchive.catalogue import archive, coalesce, foreign, forget, history, lookup
from odarchive.catalogue.search import Wanted, find
from odarchive.scan.lock import scanning

PATHS = ["a", "b", "d/a", "d/e/b", "é"]
names = st.sampled_from(PATHS)
data = st.binary(max_size=2)


class ArchiveStory(RuleBasedStateMachine):
    """``disk`` is what the tree holds, ``now`` what the archive should show, ``past`` that of every snapshot."""

    @initialize()
    def begin(self):
        self.top = Path(tempfile.mkdtemp(prefix="odarchive-story-"))
        self.source = self.top / "source"
        self.source.mkdir()
        self.catalogue = new_catalogue(self.top / "archive")
        self.disk: dict[str, bytes] = {}
        self.hidden: set[str] = set()
        self.now: dict[str, bytes] = {}
        self.past: dict[int, dict[str, bytes]] = {}
        self.imported: dict[bytes, dict[str, bytes]] = {}
        self.numbers = itertools.count()
        for path in PATHS[1:]:
            self.write(path, b"x")
        self.scan(0)

    @rule(path=names, data=data)
    def write(self, path, data):
        file = self.source / path
        file.parent.mkdir(parents=True, exist_ok=True)
        write(file, data)
        self.disk[path] = data

    @rule(path=names)
    def remove(self, path):
        (self.source / path).unlink(missing_ok=True)
        self.disk.pop(path, None)

    @rule(workers=st.sampled_from([0, 0, 0, 1]))
    def scan(self, workers):
        result = scanned(self.catalogue, self.source, workers=workers)
        self.now = {path: data for path, data in self.disk.items() if not self.is_hidden(path)}
        self.past[result.snapshot] = dict(self.now)
        assert result.files == len(self.now)

    def is_hidden(self, path):
        return any(path == name or path.startswith(f"{name}/") for name in self.hidden)

    @precondition(lambda self: self.now)
    @rule(choice=st.randoms(use_true_random=False), folder=st.booleans())
    def forget(self, choice, folder):
        path = choice.choice(sorted(self.now))
        path = path.split("/")[0] if folder else path
        with self.catalogue.read() as connection:
            what = forget.target(connection, os.fsencode(f"source/{path}"))
        with scanning(self.catalogue.path, what.source, "it"):
            snapshot, _ = forget.forget_name(self.catalogue, what, 5)
        self.hidden.add(path)
        self.now = {name: data for name, data in self.now.items() if not self.is_hidden(name)}
        self.past[snapshot] = dict(self.now)

    @precondition(lambda self: self.hidden)
    @rule(choice=st.randoms(use_true_random=False))
    def remember(self, choice):
        path = choice.choice(sorted(self.hidden))
        with self.catalogue.write() as connection:
            forget.remember_name(connection, os.fsencode(f"source/{path}"))
        self.hidden.remove(path)

    @rule(files=st.dictionaries(names, data, min_size=1, max_size=3))
    def import_a_disc(self, files):
        name = b"disc%d" % next(self.numbers)
        records: dict[str, dict] = {}
        for path, bytes_ in files.items():
            record = records.setdefault(hashlib.sha512(bytes_).hexdigest(), {"filenames": {}, "size": len(bytes_)})
            record["filenames"][f"/DATA/{path}"] = None
        parsed = ancestor.parse_json(json.dumps({"version": 2, "files": records}).encode(), "c")
        with self.catalogue.write() as connection:
            foreign.record(
                connection, foreign.ForeignSet("c", "old", name, b"/mnt", parsed.files, {}, {}, {}, now_ns=9)
            )
        self.imported[name] = dict.fromkeys(files)  # the bytes were never seen here

    @rule(files=st.dictionaries(names, data, min_size=1, max_size=3))
    def import_an_archive(self, files):
        number = next(self.numbers)
        folder = self.top / f"other{number}"
        for path, bytes_ in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            write(folder / path, bytes_)
        other = archive.create(self.top / f"other{number}.db", archive.Facts(f"uuid {number}", "ODA", 1))
        scanned(other, folder, b"tree")
        other.close()
        name = b"from/%d" % number
        coalesce.take_over(self.catalogue, self.top / f"other{number}.db", name, 7)
        self.imported[name + b"/tree"] = dict(files)

    @invariant()
    def all_is_as_it_should_be(self):
        if not hasattr(self, "catalogue"):
            return
        if self.past:
            assert self.files(b"source") == {os.fsencode(path): data for path, data in self.now.items()}
        for snapshot, files in self.past.items():
            assert self.files(b"source", snapshot) == {os.fsencode(path): data for path, data in files.items()}
        for name, files in self.imported.items():
            assert set(self.files(name)) == {os.fsencode(path) for path in files}
            if None not in files.values():
                assert self.files(name) == {os.fsencode(path): data for path, data in files.items()}
        self.questions()
        sound(self.catalogue)

    def files(self, source, snapshot=None):
        from odarchive.digest import content_digest

        known = {content_digest(bytes_): bytes_ for bytes_ in self.all_bytes()} | {None: b""}
        tree = recorded(self.catalogue, source, snapshot)
        return {path: known.get(row[5]) for path, row in tree.items() if row[0] & 0o170000 == 0o100000}

    def all_bytes(self):
        groups = [self.disk, *self.past.values(), *self.imported.values()]
        return {bytes_ for group in groups for bytes_ in group.values() if bytes_}

    def questions(self):
        """Differences between the last two points in time, and a search, against the dicts."""
        with self.catalogue.read() as connection:
            found = {one.path for one in find(connection, Wanted(("a",)))}
            expected = {f"source/{path}".encode() for path in self.now if path.endswith("a")}
            assert {path for path in found if path.startswith(b"source/")} == expected
            if len(self.past) < 2:
                return
            first, second = sorted(self.past)[-2:]
            assert {line.id for line in lookup.snapshots(connection)} >= {first, second}
            changes = history.diff(connection, first, second)
            touched = {one.path for one in changes} | {one.origin for one in changes if one.origin}
            old, new = self.past[first], self.past[second]
            different = {path for path in old.keys() | new.keys() if old.get(path) != new.get(path)}
            assert {f"source/{path}".encode() for path in different} <= touched

    def teardown(self):
        if hasattr(self, "catalogue"):
            self.catalogue.close()
            shutil.rmtree(self.top)


ArchiveStory.TestCase.settings = settings(max_examples=8, stateful_step_count=10, derandomize=True, deadline=None)
TestArchiveStory = ArchiveStory.TestCase
