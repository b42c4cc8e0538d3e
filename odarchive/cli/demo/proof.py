"""The comparison of mount and source, and the proof that the chain was real.

No byte may come from anywhere but a disc: before the first read staging and cache are empty, and from before to after
the reading neither librarian nor mount has anything of the source open. Names and attributes are compared first; the
machine's own move counter must not change meanwhile, as looking around moves no disc.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from odarchive.cli import progress
from odarchive.cli.demo import compare, folder
from odarchive.cli.demo.compare import Tally
from odarchive.cli.demo.stage import Stage, say
from odarchive.errors import DamageFound

_LOOK_EVERY = 64 << 20
"""Bytes read between two looks at what is open."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came out. ``loads``: discs put into drives since the archive was made, burning and reading."""

    tally: Tally
    loads: int


def prove(stage: Stage) -> Verdict:
    """Compare everything.

    Raises:
        DamageFound: a byte could come, or a disc was moved, as it must not be; the message says which.
    """
    for name in ("staging", "cache"):
        if not folder.is_empty(stage.places.archive / name):
            raise DamageFound(f"{name} is not empty before the first read: reading would prove nothing")
    _nothing_of_the_source_open(stage)
    moves = stage.robot_status()["moves"]
    say("comparing names and attributes")
    tally = Tally()
    _roots(stage, tally)
    for source in stage.order.sources:
        compare.names_and_attributes(source.path, _there(stage, source.name), tally)
    if (now := stage.robot_status()["moves"]) != moves:
        raise DamageFound(f"looking at names moved discs: the machine's counter went from {moves} to {now}")
    say("reading every file from its disc and comparing the SHA-256")
    _contents(stage, tally)
    _nothing_of_the_source_open(stage)
    return Verdict(tally, int(stage.robot_status()["loads"]))


def _contents(stage: Stage, tally: Tally) -> None:
    looked = 0
    with progress.bar("read") as tell:

        def read(done: int) -> None:
            nonlocal looked
            tell(done, tally.size, "")
            if done - looked >= _LOOK_EVERY:
                looked = done
                stage.check()
                _nothing_of_the_source_open(stage)

        compare.contents(tally, read)


def _roots(stage: Stage, tally: Tally) -> None:
    names = {source.name for source in stage.order.sources}
    found = set(os.listdir(os.fsencode(stage.places.mount)))
    tally.differences += [f"{name!r} is at the root of the mount" for name in sorted(found - names)]


def _there(stage: Stage, name: bytes) -> bytes:
    return os.path.join(os.fsencode(stage.places.mount), name)


def _nothing_of_the_source_open(stage: Stage) -> None:
    for running in (stage.librarian, stage.mount):
        for path in _open_files(running.process.pid):
            for source in stage.order.sources:
                if path == source.path or path.startswith(source.path.rstrip(b"/") + b"/"):
                    raise DamageFound(f"the {running.name} has {os.fsdecode(path)!a} of the source open")


def _open_files(pid: int) -> Iterator[bytes]:
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            yield os.readlink(os.fsencode(descriptor))
        except FileNotFoundError:
            continue  # closed meanwhile
