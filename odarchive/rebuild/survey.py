"""What lies in the slots of a robot, by the discs' own word, kept in a folder so that a second try goes on.

Each disc is loaded once. Its identity, its catalogue and, if it is the newest so far, its catalogue of the set are
copied; what is asked for beyond that (the bytes of a disc that no catalogue knows as verified) loads it again. What a
folder holds of an earlier try counts unless the machine says that somebody had access since; the librarian goes by
labels in any case.
"""

import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from odarchive.catalogue import discs, machine, motions
from odarchive.catalogue.archive import open_catalogue
from odarchive.catalogue.database import Connection
from odarchive.image import ondisc
from odarchive.image.identity import PVD_SECTOR
from odarchive.model import SECTOR, DiscState, SlotState
from odarchive.offline import texts
from odarchive.offline.disc import BLOCK, Disc, ImageDisc
from odarchive.offline.errors import BadDisc, Foreign
from odarchive.offline.sealed import Plain
from odarchive.rebuild.hand import Hand
from robot.errors import SourceEmpty

if TYPE_CHECKING:
    from odarchive.seal.stream import Opener

PARITY = "PARITY/1-set.json"
NOTE, HEAD, MACHINE = "slot.json", "head", "machine.json"
Tell = Callable[[str], None]
Read = Callable[[int, int], bytes]


@dataclass(frozen=True, slots=True)
class Slot:
    """What was met in a slot: state ``disc`` for a disc of any archive."""

    number: int
    state: SlotState
    why: str = ""
    uuid: str = ""
    archive: str = ""
    label: str = ""
    size: int = 0
    """Bytes that can be read, or of a blank: written."""
    maker: str = ""


class SpooledDisc(ImageDisc):
    """A disc of which texts are kept in a folder once they were read."""

    def __init__(self, where: str, folder: Path, read: Read, size: int) -> None:
        self._folder = folder
        self._whole = True
        self._disc = read
        super().__init__(where, self._read, size)

    def _read(self, offset: int, length: int) -> bytes:
        head = self._folder / HEAD
        if (offset, length) == (PVD_SECTOR * SECTOR, SECTOR) and head.exists():
            return head.read_bytes()
        try:
            data = self._disc(offset, length)
        except OSError:
            self._whole = False
            raise
        if (offset, length) == (PVD_SECTOR * SECTOR, SECTOR):
            head.write_bytes(data)
        return data

    def text(self, path: str) -> Iterator[bytes]:
        """See :class:`odarchive.offline.disc.Disc`."""
        kept = self._folder / quote(path, safe="")
        none = kept.with_name(kept.name + ".none")
        if none.exists():
            raise BadDisc(f"{self.where}: there is no {path} on it")
        if not kept.exists():
            part = kept.with_name(kept.name + ".part")
            try:
                with part.open("wb") as file:
                    for data in super().text(path):
                        file.write(data)
            except BadDisc:
                if self._whole:
                    none.touch()
                raise
            part.replace(kept)
        with kept.open("rb") as file:
            while data := file.read(BLOCK):
                yield data


class Survey:
    """The discs of a robot. ``keys``: what opens an encrypted archive."""

    def __init__(self, hand: Hand, folder: Path, keys: "Opener | None", tell: Tell) -> None:
        self._hand, self._folder, self._keys, self._tell = hand, folder, keys, tell
        self._newest: tuple[str, int] = ("", -1)
        self.slots: list[Slot] = []

    def look(self) -> None:
        """Look into every slot that was not looked into. Raises RobotTrouble, OperatorNeeded."""
        numbers = self._hand.start()
        self._begin()
        began, looked = time.monotonic(), 0
        for count, number in enumerate(numbers, 1):
            slot = self._noted(number)
            if slot is None:
                slot = self._looked_into(number)
                looked += 1
            self.slots.append(slot)
            each = (time.monotonic() - began) / max(looked, 1)
            self._tell(
                f"disc {count} of {len(numbers)}: slot {number}: {slot.label or slot.state.value}; "
                f"{each:.0f} s each, {_minutes(each * (len(numbers) - count))} left"
            )
        self._hand.put_back()

    def openers(self) -> Iterator[tuple[str, Callable[[], Disc]]]:
        """Every disc that was met, and how it is opened; opening one that cannot be read says why."""
        for slot in self.slots:
            if slot.state not in (SlotState.BLANK, SlotState.EMPTY):
                yield f"slot {slot.number}", partial(self._open, slot)

    def record(self, catalogue: Path, archive: str) -> None:
        """Write into a rebuilt catalogue what lies in which slot."""
        with open_catalogue(catalogue).write() as connection:
            for slot in self.slots:
                _record(connection, slot, archive, time.time_ns())
            if self._hand.epoch is not None:
                machine.remember(connection, "epoch", self._hand.epoch)

    def forget(self) -> None:
        """All is done: remove what was kept."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _begin(self) -> None:
        mark = self._folder / MACHINE
        now = json.dumps({"epoch": self._hand.epoch})
        if not mark.exists() or mark.read_text("utf-8") != now:
            self.forget()
            self._folder.mkdir(parents=True, mode=0o700)
            mark.write_text(now, "utf-8")

    def _noted(self, number: int) -> Slot | None:
        try:
            value = json.loads((self._folder / str(number) / NOTE).read_bytes())
            slot = Slot(**value | {"state": SlotState(value["state"])})
        except (OSError, ValueError, TypeError, KeyError):
            return None
        if slot.state is SlotState.DISC:
            with suppress(BadDisc):
                self._is_newest(self._open(slot))
        return slot

    def _looked_into(self, number: int) -> Slot:
        folder = self._folder / str(number)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        try:
            slot = self._met(number)
        except SourceEmpty:
            slot = Slot(number, SlotState.EMPTY)
        except BadDisc as error:
            return Slot(number, SlotState.UNREADABLE, str(error))  # not kept: the next try may read it
        (folder / NOTE).write_text(json.dumps(asdict(slot)), "utf-8")
        return slot

    def _met(self, number: int) -> Slot:
        medium = self._hand.load(number)
        if medium.blank:
            return Slot(number, SlotState.BLANK, size=medium.capacity, maker=medium.maker)
        slot = Slot(number, SlotState.DISC, size=medium.readable, maker=medium.maker)
        try:
            disc = self._open(slot)
        except Foreign as error:
            if not (self._folder / str(number) / HEAD).exists():
                raise BadDisc(f"slot {number}: its disc cannot be read") from error
            return Slot(number, SlotState.FOREIGN, str(error))
        self._copy(disc)
        identity = disc.identity
        return Slot(
            number, SlotState.DISC, "", identity.disc, identity.archive, identity.label, medium.readable, medium.maker
        )

    def _copy(self, disc: Plain) -> None:
        """Read now what every disc is asked for; what cannot be read is said by whoever asks for it."""
        sealed = disc.sealed
        suffix = ondisc.SEALED_SUFFIX if sealed else ""
        wanted = [ondisc.DISC_INFO, PARITY, ondisc.CATALOGUE]
        wanted += [f"{ondisc.SET}/{ondisc.CATALOGUE}{suffix}"] if sealed else []
        wanted += [f"{ondisc.SET}/{ondisc.SET_CATALOGUE}{suffix}"] if self._is_newest(disc) else []
        for path in wanted:
            with suppress(BadDisc):
                next(disc.disc.text(path), b"")

    def _is_newest(self, disc: Plain) -> bool:
        try:
            age = texts.age(b"".join(disc.disc.text(ondisc.DISC_INFO)))
        except BadDisc:
            return False
        newer, self._newest = age >= self._newest, max(age, self._newest)
        return newer

    def _open(self, slot: Slot) -> Plain:
        if slot.state is SlotState.FOREIGN:
            raise Foreign(slot.why)
        if slot.state is not SlotState.DISC:
            raise BadDisc(slot.why)

        def read(offset: int, length: int) -> bytes:
            return self._hand.read(slot.number, offset, length, slot.size)

        where = f"slot {slot.number}"
        return Plain(SpooledDisc(where, self._folder / str(slot.number), read, slot.size), self._keys)


def _record(connection: Connection, slot: Slot, archive: str, now_ns: int) -> None:
    disc = discs.by_uuid(connection, slot.uuid) if slot.uuid and slot.archive == archive else None
    state = slot.state
    if state is SlotState.DISC:
        state = SlotState.FOREIGN if disc is None else SlotState.DISC
        state = SlotState.SPOILED if disc is not None and disc.state is DiscState.SPOILED else state
    evidence = "looked into while the catalogue was rebuilt"
    motions.put_slot(connection, slot.number, state, disc.id if disc else None, evidence, now_ns=now_ns)
    if state is SlotState.BLANK:
        motions.put_blank(connection, slot.number, motions.Blank(slot.maker, slot.size))


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
