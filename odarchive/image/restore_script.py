#!/usr/bin/env python3
"""Rebuild archived folders from discs of one archive. Needs Python 3.9 or later and nothing else.

    python3 restore.py --to DIR DISC [DISC ...]     all discs at hand, in any order
    python3 restore.py --to DIR --ask PLACE         one drive: asks for each disc once

DISC and PLACE are mounted discs, folders with a copy of one, image files, or drives (/dev/sr0). The program may be run
again with further discs for the same DIR. Every byte is checked against the SHA-256 on its disc while it is copied.
Encrypted discs need the key too: --key FILE, and unseal.py from the disc beside this program.

How it works. /catalogue.json of each disc says which contents lie on it; they are copied into DIR/.restore under their
digests, parts at their offsets. What the folders look like is in /SET/catalogue.jsonl.gz, and the newest disc knows
best; without any, /SET/entries.jsonl of every disc is put together. On encrypted discs these are age files, and
/SET/catalogue.json.age takes the place of /catalogue.json. In the end the contents get their names, and
everything its owner, mode and times. FORMAT.md of odarchive specifies all files.

This file is written to every disc, so it imports nothing of odarchive and stays readable.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import hashlib
import importlib.util
import io
import json
import os
import re
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

BLOCK = 1 << 20
SECTOR = 2048
STORE = b".restore"
STATE = "state.json"
HEXADECIMAL = re.compile("[0-9a-f]{64}")
Record = dict[str, Any]


class BadDisc(Exception):
    """A disc that is none, is damaged, or says what cannot be."""


FAILURES = (BadDisc, OSError, ValueError, KeyError, TypeError, AttributeError, EOFError)
"""Whatever a damaged or hostile disc leads to; it fails one thing and is told."""

# ---- discs ---------------------------------------------------------------------------------------------------------


class Folder:
    """A mounted disc, or a folder with its files."""

    def __init__(self, path: bytes) -> None:
        self.path = path

    def open(self, name: str) -> BinaryIO:
        """One of the disc's own files."""
        return open(os.path.join(self.path, *map(raw, components(name))), "rb")

    def content(self, record: Record, length: int) -> Iterator[bytes]:
        """The bytes of a content or a part of one."""
        with self.open(min(record["filenames"])) as file:
            yield from pieces(file, length + 1)

    def close(self) -> None:
        """Nothing is open."""


class Image:
    """An image or a drive, read without mounting it: ISO 9660 (ECMA-119) with the names of Rock Ridge."""

    def __init__(self, path: bytes) -> None:
        self.file = open(path, "rb", buffering=0)  # noqa: SIM115  see close
        self.names: dict[str, tuple[int, int]] = {}
        start = self.at(16, SECTOR)
        if start[:6] == b"\1CD001":
            self.list_directory("", *place(start[156:190]))
        if "SET" in self.names:
            self.list_directory("SET/", *self.names["SET"])

    def at(self, sector: int, size: int) -> bytes:
        """Bytes from a sector on."""
        self.file.seek(sector * SECTOR)
        return b"".join(pieces(self.file, size))

    def list_directory(self, prefix: str, sector: int, size: int) -> None:
        """Note where the files of a directory lie."""
        data = self.at(sector, min(size, BLOCK))
        position = 0
        while position < len(data):
            length = data[position]
            if length < 34:  # records never cross a sector; zeros fill its end
                position = (position // SECTOR + 1) * SECTOR
                continue
            record = data[position : position + length]
            self.names[prefix + rock_ridge_name(record)] = place(record)
            position += length

    def open(self, name: str) -> BinaryIO:
        """One of the disc's own files."""
        if name not in self.names:
            raise BadDisc(f"{name} is missing; this is no disc of an archive")
        return io.BytesIO(self.at(*self.names[name]))

    def content(self, record: Record, length: int) -> Iterator[bytes]:
        """The bytes of a content or a part of one, which lie in one piece."""
        self.file.seek(record["sector"] * SECTOR)
        return pieces(self.file, length)

    def close(self) -> None:
        """Give the drive free."""
        self.file.close()


def place(record: bytes) -> tuple[int, int]:
    """First sector and size in a directory record (ECMA-119 9.1)."""
    return int.from_bytes(record[2:6], "little"), int.from_bytes(record[10:14], "little")


def rock_ridge_name(record: bytes) -> str:
    """The NM field of a directory record; an empty name if it has none."""
    position = 33 + record[32] + (record[32] + 1) % 2
    while position + 4 <= len(record) and record[position + 2] >= 4:
        if record[position : position + 2] == b"NM":
            return record[position + 5 : position + record[position + 2]].decode("utf-8", "replace")
        position += record[position + 2]
    return ""


def pieces(file: BinaryIO | io.FileIO, size: int) -> Iterator[bytes]:
    """At most so many bytes of a file, in blocks."""
    while size > 0:
        block = file.read(min(BLOCK, size))
        if not block:
            return
        size -= len(block)
        yield block


def open_disc(path: str) -> Folder | Image:
    """Whatever kind of disc this is."""
    raw_path = os.fsencode(path)
    return Folder(raw_path) if os.path.isdir(raw_path) else Image(raw_path)


def own_text(disc: Folder | Image, name: str, sums: dict[str, str]) -> BinaryIO:
    """A file that describes the disc, checked."""
    digest = hashlib.sha256()
    with disc.open(name) as file:
        for block in pieces(file, 1 << 62):
            digest.update(block)
    if digest.hexdigest() != sums.get(name):
        raise BadDisc(f"{name} is damaged")
    return disc.open(name)


def read_sums(disc: Folder | Image) -> dict[str, str]:
    """SHA-256 of the files that describe the disc."""
    sums = {}
    with disc.open("SHA256SUMS") as file:
        for line in file:
            if not line[66:].startswith(b"DATA/"):
                sums[line[66:-1].decode("utf-8", "replace")] = line[:64].decode("ascii", "replace")
    return sums


def components(name: str) -> list[str]:
    """The parts of a path on a disc; never one that leads elsewhere."""
    parts = name.lstrip("/").split("/")
    if any(part in ("", ".", "..") or "\0" in part for part in parts):
        raise BadDisc(f"bad path {name!r}")
    return parts


# ---- names ---------------------------------------------------------------------------------------------------------


def raw(text: str) -> bytes:
    """Names are bytes; those that were no UTF-8 stand as U+DC80 to U+DCFF."""
    return text.encode("utf-8", "surrogateescape")


class Names:
    """What the folders look like: the newest catalogue seen, and the entry lists of all discs."""

    def __init__(self) -> None:
        self.newest = -1
        self.catalogue: dict[str, Record] = {}
        self.labels: dict[str, set[str]] = {}
        self.listed: dict[str, tuple[int, Record]] = {}

    def paths(self) -> dict[str, Record]:
        """Every path with its attributes."""
        if self.newest >= 0:
            return self.catalogue
        return {path: entry for path, (_, entry) in self.listed.items()}

    def add_entries(self, number: int, lines: Iterable[bytes]) -> None:
        """The entry list of disc ``number``; a newer disc has the newer version of a name."""
        for line in lines:
            entry = json.loads(line)
            if "path" in entry and self.listed.get(entry["path"], (-1,))[0] < number:
                self.listed[entry["path"]] = (number, entry)

    def add_catalogue(self, number: int, lines: Iterable[bytes]) -> None:
        """The catalogue on disc ``number``, if it is newer than what is known."""
        if number <= self.newest:
            return
        tables: dict[str, list[Record]] = {}
        for line in lines:
            row = json.loads(line)
            tables.setdefault(row.get("table", ""), []).append(row)
        self.newest = number
        digests = {row["id"]: row["digest"] for row in tables.get("content", [])}
        labels = {row["id"]: row["label"] for row in tables.get("segment", [])}
        self.labels = {}
        for row in tables.get("piece", []):
            self.labels.setdefault(digests[row["content"]], set()).add(labels[row["segment"]])
        self.catalogue = current_paths(tables, digests)


def current_paths(tables: dict[str, list[Record]], digests: dict[int, str]) -> dict[str, Record]:
    """The names that the last complete scan of each source saw, by path."""
    complete = {row["id"] for row in tables.get("snapshot", []) if row["state"] == "complete"} | {0}
    current = [r for r in tables.get("entry", []) if r["since"] in complete and r.get("until") not in complete]
    directories = {row["ino"]: row for row in current if stat.S_ISDIR(row["mode"])}
    known: dict[int, str | None] = {0: None}

    def path_of(ino: int) -> str | None:
        """The path of a directory; the root's is empty, that of what hangs nowhere None."""
        chain = []
        while ino not in known:
            known[ino] = None  # a ring would end here
            chain.append(ino)
            ino = directories[ino]["parent"] if ino in directories else 0
        for inner in reversed(chain):
            row = directories.get(inner)
            above = known[row["parent"]] if row else None
            is_root = row is not None and row["parent"] == 0
            known[inner] = "" if is_root else None if row is None or above is None else f"{above}/{row['name']}"
        return known[chain[0]] if chain else known[ino]

    found = {}
    for row in current:
        above = path_of(row["parent"])
        if above is None:
            continue
        kind = "dir" if stat.S_ISDIR(row["mode"]) else "symlink" if stat.S_ISLNK(row["mode"]) else "file"
        entry = {**row, "type": kind, "mode": f"{stat.S_IMODE(row['mode']):o}"}
        if "content" in row:
            entry["blake3"] = digests[row["content"]]
        found[f"{above}/{row['name']}".lstrip("/")] = entry
    return found


# ---- restoring -----------------------------------------------------------------------------------------------------


class Unsealer:
    """Decrypts with unseal.py; without a key it says what is missing."""

    def __init__(self, key_file: str | None) -> None:
        self.module: Any = None
        self.secrets: list[bytes] = []
        if key_file is None:
            return
        beside = os.path.join(os.path.dirname(os.path.abspath(__file__)), "unseal.py")
        if not os.path.exists(beside):
            raise BadDisc("unseal.py must lie beside this program; every encrypted disc has it")
        spec = importlib.util.spec_from_file_location("unseal", beside)
        if spec is None or spec.loader is None:
            raise BadDisc(f"{beside} cannot be loaded")
        self.module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self.module)
        try:
            self.secrets = self.module.keys_in(key_file)
        except self.module.Unopened as error:
            raise BadDisc(str(error)) from None

    def open(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        """The bytes of an age file."""
        if self.module is None:
            raise BadDisc("it is encrypted: give the file with the key (--key FILE); README.MD on it says more")
        try:
            yield from self.module.unsealed(blocks, self.secrets)
        except self.module.Unopened as error:
            raise BadDisc(str(error)) from None


class Restore:
    """One target folder: the contents it has, the names they will get, and what went wrong."""

    def __init__(self, target: bytes, key_file: str | None = None) -> None:
        self.unsealer = Unsealer(key_file)
        self.stored: dict[int, int] = {}
        self.target, self.store = target, os.path.join(target, STORE)
        self.problems: list[str] = []
        self.names = Names()
        self.seen: set[str] = set()
        self.read: set[str] = set()
        self.starts: dict[str, list[list[int]]] = {}
        self.places: dict[str, str] = {}
        os.makedirs(self.store, exist_ok=True)
        state = os.path.join(self.store, STATE.encode())
        if os.path.exists(state):
            with open(state, encoding="ascii") as file:
                self.starts, self.places, read = json.load(file)
            self.read = set(read)
        self.formerly = {path: digest for digest, path in self.places.items()}

    def disc(self, path: str) -> None:
        """Take in everything that one disc carries."""
        try:
            with contextlib.closing(open_disc(path)) as disc:
                self.take(disc)
        except FAILURES as error:
            self.problems.append(f"disc {path}: {error}")
        self.remember()

    def take(self, disc: Folder | Image) -> None:
        """Names and contents of a disc."""
        sums = read_sums(disc)
        with own_text(disc, "catalogue.json", sums) as file:
            about = json.load(file)
        number, label = int(about["job_id"]), str(about["job_name"])
        if label in self.seen:
            return
        self.stored = {}
        if about.get("encrypted"):
            self.stored = {int(one["sector"]): int(one["size"]) for one in about["files"].values()}
            with self.text(disc, "SET/catalogue.json", sums) as file:
                about = json.load(file)
        self.names_of(disc, number, sums)
        for digest, content in sorted(about["files"].items(), key=lambda item: first_sector(item[1])):
            self.content(disc, label, digest, content)
        self.seen.add(label)
        self.read.add(label)

    def remember(self) -> None:
        """For the next run with the same folder."""
        with open(os.path.join(self.store, STATE.encode()), "w", encoding="ascii") as file:
            json.dump([self.starts, self.places, sorted(self.read)], file)

    def names_of(self, disc: Folder | Image, number: int, sums: dict[str, str]) -> None:
        """The entry list, and the catalogue of the whole archive if there is one."""
        with self.text(disc, "SET/entries.jsonl", sums) as file:
            self.names.add_entries(number, file)
        name = "SET/catalogue.jsonl.gz"
        if name in sums or f"{name}.age" in sums:
            with self.text(disc, name, sums) as file, gzip.open(file) as lines:
                self.names.add_catalogue(number, lines)

    def text(self, disc: Folder | Image, name: str, sums: dict[str, str]) -> BinaryIO:
        """A file that describes the disc, decrypted if need be."""
        if f"{name}.age" not in sums:
            return own_text(disc, name, sums)
        plain: BinaryIO = tempfile.TemporaryFile(dir=self.store)  # noqa: SIM115  the caller closes it
        with own_text(disc, f"{name}.age", sums) as file:
            plain.writelines(self.unsealer.open(pieces(file, 1 << 62)))
        plain.seek(0)
        return plain

    def blocks(self, disc: Folder | Image, part: Record, length: int) -> Iterator[bytes]:
        """The bytes of a content or a part of one, decrypted if need be."""
        if not self.stored:
            return disc.content(part, length)
        return self.unsealer.open(disc.content(part, self.stored[int(part["sector"])]))

    def content(self, disc: Folder | Image, label: str, digest: str, content: Record) -> None:
        """Copy a content, or the parts of it that are on the disc, into the store."""
        if not HEXADECIMAL.fullmatch(digest):
            raise BadDisc(f"bad digest {digest!r}")
        whole = {"start": 0, "length": content["size"], **content}
        for part in content.get("parts", [whole]):
            start, length = part["start"], part["length"]
            have = self.starts.setdefault(digest, [])
            if [start, length] in have or digest in self.places:
                continue
            if not 0 <= start <= start + length <= content["size"]:
                raise BadDisc(f"bad sizes of {digest}")
            try:
                self.copy(self.blocks(disc, part, length), os.path.join(self.store, digest.encode()), part)
            except FAILURES as error:
                self.problems.append(f"disc {label}: {min(part['filenames'])}: {error}")
            else:
                have.append([start, length])

    def copy(self, blocks: Iterable[bytes], target: bytes, part: Record) -> None:
        """Write a part to its offset."""
        digest, left = hashlib.sha256(), part["length"]
        with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as out:
            out.seek(part["start"])
            for block in blocks:
                left -= len(block)
                if left < 0:
                    break
                digest.update(block)
                out.write(block)
        if left or digest.hexdigest() != part["sha256"]:
            raise BadDisc("its bytes are damaged on this disc")

    def is_whole(self, entry: Record) -> bool:
        """Whether every part of a file's content is there."""
        digest = entry.get("blake3")
        if not digest or digest in self.places:
            return True
        reached = 0
        for start, length in sorted(self.starts.get(digest, [])):
            if start <= reached:
                reached = max(reached, start + length)
        return bool(reached == entry["size"])

    def givers(self, digest: str) -> str:
        """Which discs would give what is missing of a content, in words."""
        labels = self.names.labels.get(digest, set())
        if labels - self.read:
            return "disc " + " and ".join(sorted(labels - self.read))
        return "another copy of " + " or ".join(sorted(labels)) if labels else "a disc that is not known here"

    def wanted(self) -> set[str]:
        """Labels of the discs that would give what is missing."""
        missing = {e["blake3"] for e in self.names.paths().values() if e["type"] == "file" and not self.is_whole(e)}
        return {label for digest in missing for label in self.names.labels.get(digest, ())} - self.read

    def finish(self) -> int:
        """Give everything its name and attributes; answers how many files there are."""
        paths = self.names.paths()
        good: list[tuple[bytes, Record]] = []
        missing: dict[str, int] = {}
        inodes: dict[int, bytes] = {}
        order = sorted(paths.items(), key=lambda item: (item[1]["type"] == "symlink", item[0].split("/")))
        for path, entry in order:  # symlinks last: nothing is ever written through one
            try:
                if entry["type"] == "file" and not self.is_whole(entry):
                    discs = self.givers(entry["blake3"])
                    missing[discs] = missing.get(discs, 0) + 1
                    continue
                target = self.inside(path)
                self.node(path, entry, target, inodes)
                good.append((target, entry))
            except FAILURES as error:
                self.problems.append(f"{path!r}: {error}")
        for discs, count in sorted(missing.items()):
            self.problems.append(f"{count} files need {discs}")
        self.attributes(good)
        if self.problems:
            self.remember()
        else:
            shutil.rmtree(self.store)
        return sum(entry["type"] == "file" for _, entry in good)

    def attributes(self, made: list[tuple[bytes, Record]]) -> None:
        """Owners, modes and times: folders after what is in them."""
        for target, entry in sorted(made, key=lambda pair: -pair[0].count(b"/")):
            try:
                set_attributes(target, entry)
            except FAILURES as error:
                self.problems.append(f"{os.fsdecode(target)!r}: {error}")

    def inside(self, path: str) -> bytes:
        """The place for a path in the target; makes the folders above it, refuses symlinks among them."""
        at = self.target
        *above, name = map(raw, components(path))
        if (above or [name])[0] == STORE:
            raise BadDisc("the name is needed for the work itself; restore that source elsewhere")
        for part in above:
            at = os.path.join(at, part)
            if not os.path.lexists(at):
                os.mkdir(at)  # noqa: PTH102  names are bytes
            elif not stat.S_ISDIR(os.lstat(at).st_mode):
                raise BadDisc(f"{os.fsdecode(at)!r} is in the way")
            elif not os.access(at, os.W_OK | os.X_OK):  # of an earlier run
                os.chmod(at, 0o700)  # noqa: PTH101  names are bytes
        return os.path.join(at, name)

    def node(self, path: str, entry: Record, target: bytes, inodes: dict[int, bytes]) -> None:
        """Make one name."""
        there = os.lstat(target).st_mode if os.path.lexists(target) else 0
        if entry["type"] == "dir":
            if not there:
                os.mkdir(target)  # noqa: PTH102  names are bytes
            elif not stat.S_ISDIR(there):
                raise BadDisc("something else is in its place")
        elif stat.S_ISDIR(there):
            raise BadDisc("a folder is in its place")
        elif entry["type"] == "symlink":
            if there:
                os.unlink(target)
            os.symlink(raw(entry["target"]), target)  # noqa: PTH211  names are bytes
        elif self.places.get(entry.get("blake3", "")) == path:  # of an earlier run
            inodes.setdefault(entry["ino"], target)
        else:
            self.file(path, entry, target, inodes)

    def file(self, path: str, entry: Record, target: bytes, inodes: dict[int, bytes]) -> None:
        """A file under one of its names."""
        digest = entry.get("blake3", "")
        former = self.formerly.pop(path, "")
        if former:  # an earlier run put another content here, which another name may need
            os.rename(target, os.path.join(self.store, former.encode()))  # noqa: PTH104  names are bytes
            del self.places[former]
        if os.path.lexists(target):
            os.unlink(target)
        if entry["ino"] in inodes:
            os.link(inodes[entry["ino"]], target)
            return
        if not digest:
            os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        elif digest in self.places:
            shutil.copyfile(self.inside(self.places[digest]), target)
        else:
            os.rename(os.path.join(self.store, digest.encode()), target)  # noqa: PTH104  names are bytes
            self.places[digest] = path
        inodes[entry["ino"]] = target


def first_sector(content: Record) -> int:
    """Where a content begins: discs are read from their beginning to their end."""
    return min(int(part["sector"]) for part in content.get("parts", [content]))


def set_attributes(target: bytes, entry: Record) -> None:
    """Owner, mode and times."""
    link = entry["type"] == "symlink"
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        os.chown(target, entry["uid"], entry["gid"], follow_symlinks=False)
    if not link:
        os.chmod(target, stat.S_IMODE(int(entry["mode"], 8)))  # noqa: PTH101  names are bytes
    os.utime(target, ns=(entry["mtime_ns"], entry["mtime_ns"]), follow_symlinks=not link)


def ask_for_discs(restore: Restore, drive: str) -> None:
    """Have a person put in discs until nothing is missing."""
    while not restore.seen or restore.wanted():
        words = ", ".join(sorted(restore.wanted())) or "any; the newest first saves work"
        sys.stdout.write(f"Wanted: {words}\nPut a disc into {drive} and press Enter (or type another place; q ends): ")
        sys.stdout.flush()
        answer = sys.stdin.readline()
        if not answer or answer.strip() == "q":
            return
        before, troubles = len(restore.seen), len(restore.problems)
        restore.disc(answer.strip() or drive)
        for problem in restore.problems[troubles:]:
            sys.stdout.write(f"{problem}\n")
        if len(restore.seen) == before and len(restore.problems) == troubles:
            sys.stdout.write("That disc was read already.\n")


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description="Rebuild archived folders from discs of one archive.")
    parser.add_argument("--to", required=True, metavar="DIR", help="where the folders are rebuilt")
    parser.add_argument("--ask", metavar="PLACE", help="ask for one disc after the other, in this drive or folder")
    parser.add_argument("--key", metavar="FILE", help="the key of encrypted discs: lines AGE-SECRET-KEY-1...")
    parser.add_argument("discs", nargs="*", metavar="DISC", help="mounted discs, copies, images or drives")
    options = parser.parse_args()
    if not options.discs and not options.ask:
        parser.error("name discs, or --ask with a drive")
    target = os.path.abspath(os.fsencode(options.to))
    try:
        restore = Restore(target, options.key)
    except FAILURES as error:
        sys.stderr.write(f"{error}\n")
        return 1
    for disc in options.discs:
        restore.disc(disc)
    if options.ask:
        ask_for_discs(restore, options.ask)
    files = restore.finish()
    for problem in restore.problems:
        sys.stderr.write(problem + "\n")
    sys.stdout.write(f"{files} files restored, {len(restore.problems)} problems\n")
    return 1 if restore.problems else 0


if __name__ == "__main__":
    sys.exit(main())
