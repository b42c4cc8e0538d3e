#!/usr/bin/env python3
"""Rebuild archived folders from discs of one archive. Needs Python 3.9 or later and nothing else.

    python3 restore.py --to DIR DISC [DISC ...]

DISC is a mounted disc or a folder with a copy of one; the order does not matter, and the program may be run again with
further discs for the same DIR. Every file is checked against the disc's SHA256SUMS while it is copied; one with wrong
bytes is reported and not restored. Read are SET/entries.jsonl (names, attributes, where each file lies) and SHA256SUMS
of each disc; FORMAT.md of odarchive specifies them.

This file is written to every disc, so it imports nothing of odarchive and stays readable.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import stat
import sys
from typing import Any

BLOCK = 1 << 20
STATE = b".restore-state.json"
ESCAPED = {"n": "\n", "r": "\r", "\\": "\\"}
Entry = dict[str, Any]


def raw(text: str) -> bytes:
    """Names are bytes; those that were no UTF-8 stand as U+DC80 to U+DCFF."""
    return text.encode("utf-8", "surrogateescape")


def is_link(path: bytes) -> bool:
    """Whether a symlink is there."""
    return os.path.lexists(path) and stat.S_ISLNK(os.lstat(path).st_mode)


def read_sums(disc: bytes) -> dict[str, str]:
    """SHA-256 by path on the disc; in escaped lines (they begin with a backslash) as coreutils writes them."""
    sums = {}
    with open(os.path.join(disc, b"SHA256SUMS"), encoding="utf-8", newline="\n") as file:
        for line in file:
            text = line[:-1]
            if text.startswith("\\"):
                text = re.sub(r"\\([nr\\])", lambda match: ESCAPED[match[1]], text[1:])
            sums[text[66:]] = text[:64]
    return sums


def read_entries(disc: bytes) -> list[Entry]:
    """The entry list without its head line."""
    with open(os.path.join(disc, b"SET", b"entries.jsonl"), encoding="ascii") as file:
        next(file)
        return [json.loads(line) for line in file]


def inside(root: bytes, path: str) -> bytes:
    """The place for a path below root; refuses names that lead out of it and symlinks on the way."""
    at = root
    parts = raw(path).split(b"/")
    if any(part in (b"", b".", b"..") for part in parts):
        raise ValueError(f"bad path in the entry list: {path!r}")
    for part in parts[:-1]:
        at = os.path.join(at, part)
        if is_link(at):
            raise ValueError(f"a symlink is in the way of {path!r}")
        if not os.path.isdir(at):
            os.makedirs(at)
    return os.path.join(at, parts[-1])


def copy_range(source: bytes, target: bytes, start: int) -> str:
    """Copy a file of a disc to its offset in the target; gives the SHA-256 of what was copied."""
    digest = hashlib.sha256()
    flags = os.O_WRONLY | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
    with open(source, "rb") as file, os.fdopen(os.open(target, flags, 0o600), "wb") as out:
        out.seek(start)
        while block := file.read(BLOCK):
            digest.update(block)
            out.write(block)
    return digest.hexdigest()


class Restore:
    """One target folder, what it has of each file, and what went wrong."""

    def __init__(self, target: bytes) -> None:
        self.target = target
        self.problems: list[str] = []
        self.files = 0
        self.have: dict[str, list[int]] = {}
        state = os.path.join(target, STATE)
        if os.path.exists(state):
            with open(state, encoding="ascii") as file:
                self.have = json.load(file)

    def disc(self, path: bytes) -> list[Entry]:
        """Restore everything that one disc carries; gives its entries for the finishing touches."""
        sums, entries = read_sums(path), read_entries(path)
        inodes: dict[int, bytes] = {}
        for entry in entries:
            try:
                self.entry(path, entry, sums, inodes)
            except (OSError, ValueError, KeyError) as error:
                self.problems.append(f"{entry.get('path')!r}: {error}")
        with open(os.path.join(self.target, STATE), "w", encoding="ascii") as file:
            json.dump(self.have, file)
        return entries

    def entry(self, disc: bytes, entry: Entry, sums: dict[str, str], inodes: dict[int, bytes]) -> None:
        """One name: its bytes, or the link or directory that it is."""
        place = inside(self.target, entry["path"])
        if entry["type"] == "dir":
            if not os.path.isdir(place):
                os.makedirs(place)
        elif entry["type"] == "symlink":
            if not os.path.lexists(place):
                os.symlink(raw(entry["target"]), place)  # noqa: PTH211  names are bytes
        elif entry["ino"] in inodes:
            if not os.path.lexists(place):
                os.link(inodes[entry["ino"]], place)
        else:
            self.file(disc, entry, place, sums)
            inodes[entry["ino"]] = place

    def file(self, disc: bytes, entry: Entry, place: bytes, sums: dict[str, str]) -> None:
        """The ranges of a file that this disc has."""
        if is_link(place):
            raise ValueError("a symlink is in its place")
        whole = [[0, entry["size"], entry.get("disc", "DATA/" + entry["path"])]]
        have = self.have.setdefault(entry["path"], [])
        for start, _length, name in entry.get("parts", whole):
            if start in have and os.path.exists(place):
                continue
            if copy_range(os.path.join(disc, name.encode()), place, start) != sums[name]:
                if "parts" not in entry:
                    os.unlink(place)
                raise ValueError(f"disc {os.fsdecode(disc)!r} gives wrong bytes for it")
            have.append(start)
        self.files += 1

    def finish(self, entries: list[Entry]) -> None:
        """Owners, modes, times; directories last and from the inside out, as writing changes their times."""
        for entry in sorted(entries, key=lambda entry: (entry["type"] == "dir", -entry["path"].count("/"))):
            place = inside(self.target, entry["path"])
            if not os.path.lexists(place):
                continue
            link = is_link(place)
            if hasattr(os, "geteuid") and os.geteuid() == 0:
                os.chown(place, entry["uid"], entry["gid"], follow_symlinks=False)
            if not link:
                os.chmod(place, stat.S_IMODE(int(entry["mode"], 8)))  # noqa: PTH101  names are bytes
            os.utime(place, ns=(entry["mtime_ns"], entry["mtime_ns"]), follow_symlinks=not link)


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description="Rebuild archived folders from discs of one archive.")
    parser.add_argument("--to", required=True, metavar="DIR", help="where the folders are rebuilt")
    parser.add_argument("discs", nargs="+", metavar="DISC", help="mounted discs, or folders with their files")
    options = parser.parse_args()
    target = os.fsencode(options.to)
    os.makedirs(target, exist_ok=True)
    restore = Restore(target)
    entries: list[Entry] = []
    for disc in options.discs:
        entries += restore.disc(os.fsencode(disc))
    restore.finish(entries)
    for problem in restore.problems:
        sys.stderr.write(problem + "\n")
    sys.stdout.write(f"{restore.files} files restored, {len(restore.problems)} problems\n")
    return 1 if restore.problems else 0


if __name__ == "__main__":
    sys.exit(main())
