"""The physical world of a simulated machine, on disk: which disc lies where, what is written on it, which tray is out.

For being true: a machine may believe otherwise. Not for what a machine knows or does (``robot.sim.arm``). The
directory is the contract with the simulated drives, which are other programs' business:

- ``machine.json``: shape of the machine, the place of every disc, the machine's own non-volatile memory. Replaced
  as a whole, so that a killed simulator leaves the old or the new world, never half of one.
- ``discs/NAME.disc``: the bytes of a disc, none on a blank; ``discs/NAME.json``: its properties.
- ``drives/N/tray``: ``open`` or ``closed``, written by the host's drive (the machine has no hand on the button).
- ``drives/N/medium``: a link to the disc that lies in or on the tray; absent while there is none, or more than one
  (a drive cannot read two discs at once). Follows ``machine.json``; set right again whenever a world is opened.
- ``door``: ``open N`` or ``closed N``, with the number of openings so far; a person's hand.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NewType

from robot.ports import PICKER, Element, ElementKind, drive, slot

if TYPE_CHECKING:
    from collections.abc import Iterator

DiscName = NewType("DiscName", str)
"""Name of a physical disc in the simulation; nobody but the simulation knows it."""

BD_R_CAPACITY = 25_025_314_816
"""Bytes of a single-layer BD-R without spare areas (12,219,392 sectors)."""
FLOOR = "floor"
"""Where dropped discs lie."""


class WorldError(Exception):
    """The directory is no world, or what was asked is physically impossible."""


@dataclass(frozen=True, slots=True)
class DiscKind:
    """What a disc is by manufacture."""

    capacity: int = BD_R_CAPACITY
    profile: str = "bd-r"
    fail_at: int | None = None
    """Byte at which writing fails."""
    bad_sectors: tuple[tuple[int, int], ...] = ()
    """Unreadable runs: first sector, count."""
    maker: str = ""


@dataclass(frozen=True, slots=True)
class Shape:
    """How many places a machine has."""

    slots: int
    drives: int
    mailslots: int

    def elements(self) -> list[Element]:
        """Every place, in the order machines report them."""
        mailslots = [Element(ElementKind.MAILSLOT, number) for number in range(1, self.mailslots + 1)]
        slots = [slot(number) for number in range(1, self.slots + 1)]
        return [*slots, *mailslots, *(drive(number) for number in range(self.drives)), PICKER]


class World:
    """One world. Every change is on disk when the method returns.

    Concurrency: one machine and its tests share one object; another process changes a world only through
    :func:`person`, while the door is open and the machine stands still.
    """

    def __init__(
        self, directory: Path, shape: Shape, places: Mapping[str, Iterable[str]], memory: Mapping[str, str]
    ) -> None:
        self.directory = directory
        self.shape = shape
        self._places = {place: [DiscName(name) for name in names] for place, names in places.items()}
        self.memory = dict(memory)
        """The machine's non-volatile memory, in its own words; saved with the next change or :meth:`save`."""

    @classmethod
    def create(
        cls,
        directory: Path,
        *,
        slots: int = 600,
        drives: int = 2,
        mailslots: int = 1,
        blanks: Iterable[int] = range(1, 41),
        kind: DiscKind | None = None,
    ) -> World:
        """Make a new machine with a blank disc in each of the slots ``blanks``.

        Raises:
            WorldError: there is a world already, or a blank has no slot.
        """
        if (directory / "machine.json").exists():
            raise WorldError(f"{directory} holds a world already")
        numbers = sorted(set(blanks))
        if numbers and not 1 <= numbers[0] <= numbers[-1] <= slots:
            raise WorldError(f"blanks in slots {numbers[0]}-{numbers[-1]}, but the slots are 1-{slots}")
        (directory / "discs").mkdir(parents=True, exist_ok=True)
        world = cls(directory, Shape(slots, drives, mailslots), {}, {})
        for number in range(drives):
            (directory / "drives" / str(number)).mkdir(parents=True, exist_ok=True)
            world.set_tray(number, is_open=False)
        for number in numbers:
            name = DiscName(f"disc-{number:04}")
            world._make_disc(name, kind or DiscKind(), b"")
            world._places[str(slot(number))] = [name]
        world._write_door("closed", 0)
        world.save()
        return world

    @classmethod
    def open(cls, directory: Path) -> World:
        """Read a world that exists.

        Raises:
            WorldError: there is none, or ``machine.json`` is damaged.
        """
        said = _read(directory)
        world = cls(directory, Shape(**said["shape"]), said["places"], said["memory"])
        world._link_media()
        return world

    def reload(self) -> None:
        """Look again: a person may have moved discs."""
        places = _read(self.directory)["places"]
        self._places = {place: [DiscName(name) for name in names] for place, names in places.items()}
        self._link_media()

    def save(self) -> None:
        """Write ``machine.json`` and bring the drives' links in line with it."""
        places = {place: names for place, names in self._places.items() if names}
        text = json.dumps({"shape": asdict(self.shape), "places": places, "memory": self.memory}, indent=1)
        _replace(self.directory / "machine.json", text)
        self._link_media()

    def at(self, place: Element | str) -> tuple[DiscName, ...]:
        """The discs at a place, lowest first; more than one is a mishap."""
        return tuple(self._places.get(str(place), ()))

    def discs(self) -> dict[DiscName, str]:
        """Where every disc is, as the text of its place."""
        return {name: place for place, names in self._places.items() for name in names}

    def shift(self, source: Element | str, destination: Element | str) -> None:
        """Put all discs of ``source`` on top of those at ``destination``."""
        moved = self._places.pop(str(source), [])
        if not moved:
            raise WorldError(f"nothing to take at {source}")
        self._places.setdefault(str(destination), []).extend(moved)
        self.save()

    def lift(self, source: Element | str, destination: Element | str) -> DiscName:
        """Put the top disc of ``source`` on top of those at ``destination``."""
        names = self._places.get(str(source))
        if not names:
            raise WorldError(f"nothing to take at {source}")
        taken = names.pop()
        self._places.setdefault(str(destination), []).append(taken)
        self.save()
        return taken

    def swap(self, first: Element, second: Element) -> None:
        """Exchange the contents of two places, as a person does."""
        a, b = self._places.pop(str(first), []), self._places.pop(str(second), [])
        self._places |= {str(first): b, str(second): a}
        self.save()

    def add_disc(self, name: str, place: Element, kind: DiscKind | None = None, data: bytes = b"") -> DiscName:
        """Bring in a new disc and lay it at ``place``.

        Raises:
            WorldError: the name is taken.
        """
        if name in self.discs():
            raise WorldError(f"there is a disc {name} already")
        disc = DiscName(name)
        self._make_disc(disc, kind or DiscKind(), data)
        self._places.setdefault(str(place), []).append(disc)
        self.save()
        return disc

    def remove_disc(self, place: Element | str) -> DiscName:
        """Carry away the top disc of a place; its files stay."""
        names = self._places.get(str(place))
        if not names:
            raise WorldError(f"nothing to take at {place}")
        taken = names.pop()
        self.save()
        return taken

    def disc_path(self, name: str) -> Path:
        """The file with the bytes of a disc."""
        return self.directory / "discs" / f"{name}.disc"

    def tray_is_open(self, number: int) -> bool:
        """Whether the tray of drive ``number`` is out. A missing or strange file counts as closed."""
        try:
            return (self.directory / "drives" / str(number) / "tray").read_text().strip() == "open"
        except FileNotFoundError:
            return False

    def set_tray(self, number: int, *, is_open: bool) -> None:
        """Move a tray, as the host's drive does."""
        _replace(self.directory / "drives" / str(number) / "tray", "open" if is_open else "closed")

    def door(self) -> tuple[bool, int]:
        """Whether the door is open, and how often it was opened so far."""
        words = (self.directory / "door").read_text().split()
        return words[0] == "open", int(words[1])

    def open_door(self) -> None:
        """Open the door; harmless when open."""
        is_open, count = self.door()
        if not is_open:
            self._write_door("open", count + 1)

    def close_door(self) -> None:
        """Close the door."""
        self._write_door("closed", self.door()[1])

    def _write_door(self, word: str, count: int) -> None:
        _replace(self.directory / "door", f"{word} {count}")

    def _make_disc(self, name: DiscName, kind: DiscKind, data: bytes) -> None:
        self.disc_path(name).write_bytes(data)
        facts = {key: value for key, value in asdict(kind).items() if value not in (None, (), "")}
        _replace(self.directory / "discs" / f"{name}.json", json.dumps(facts))

    def _link_media(self) -> None:
        for number in range(self.shape.drives):
            discs = self.at(drive(number))
            wanted = f"../../discs/{discs[0]}.disc" if len(discs) == 1 else None
            _set_link(self.directory / "drives" / str(number) / "medium", wanted)


@contextmanager
def person(directory: Path) -> Iterator[World]:
    """Open the door of the machine in ``directory``, hand out its world to change, and close the door again."""
    World.open(directory).open_door()
    world = World.open(directory)
    try:
        yield world
    finally:
        world.close_door()


def _read(directory: Path) -> dict[str, Any]:
    path = directory / "machine.json"
    try:
        said = json.loads(path.read_text())
    except FileNotFoundError as error:
        raise WorldError(f"{directory} holds no world (no machine.json)") from error
    except ValueError as error:
        raise WorldError(f"{path} is damaged: {error}; restore it or make a new world") from error
    if not isinstance(said, dict) or not {"shape", "places", "memory"} <= said.keys():
        raise WorldError(f"{path} is not a simulated machine's file")
    return said


def _replace(path: Path, text: str) -> None:
    temporary = path.with_name(f"{path.name}.new")
    temporary.write_text(text)
    temporary.replace(path)


def _set_link(path: Path, target: str | None) -> None:
    present = str(path.readlink()) if path.is_symlink() else None
    if present == target:
        return
    if target is None:
        path.unlink()
        return
    temporary = path.with_name(f"{path.name}.new")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target)
    temporary.replace(path)
