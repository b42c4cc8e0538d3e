"""Why ``mtx`` failed, by its words: one exit status (1) stands for everything, the text tells what it was. Pure.

Words measured with the real program. Meaning of sense codes: SCSI Primary Commands (SPC), additional sense codes, and
notes of people who run changers. Texts unknown here are ``UNCLEAR``, never success.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class Trouble(StrEnum):
    """What went wrong, as far as the text tells."""

    SOURCE_EMPTY = "SourceEmpty"
    DESTINATION_FULL = "DestFull"
    BAD_ADDRESS = "BadAddress"
    BUSY = "Busy"
    NOT_READY = "NotReady"
    """It has not counted its elements."""
    NOT_EJECTED = "DriveNotEjected"
    DOOR_OPEN = "DoorOpen"
    CHANGED = "Changed"
    """It was opened, or its discs were changed, since it was last asked; the command was not carried out."""
    PICK_FAILED = "PickFailed"
    FAULT = "Fault"
    NO_DEVICE = "NoDevice"
    """The command has not reached any machine."""
    UNCLEAR = "Unclear"


@dataclass(frozen=True, slots=True)
class Sense:
    """A SCSI error: additional sense code and qualifier under a sense key, by its name in mtx."""

    key: str
    code: int
    qualifier: int

    def __str__(self) -> str:
        return f"{self.key} {self.code:02X}/{self.qualifier:02X}"


@dataclass(frozen=True, slots=True)
class Explanation:
    """One failure, sorted and in one line."""

    trouble: Trouble
    text: str


_WORDS: tuple[tuple[re.Pattern[str], Trouble], ...] = tuple(
    (re.compile(pattern, re.MULTILINE), trouble)
    for pattern, trouble in (
        (r"^Source Element Address \d+ is Empty", Trouble.SOURCE_EMPTY),
        (r"^Data Transfer Element \d+ is Empty", Trouble.SOURCE_EMPTY),
        (r"^Destination Element Address \d+ is Already Full", Trouble.DESTINATION_FULL),
        (r"^Drive \d+ Full", Trouble.DESTINATION_FULL),
        (r"^Storage Element \d+ is Already Full", Trouble.DESTINATION_FULL),
        (r"^Drive needs offline before move", Trouble.NOT_EJECTED),
        (r"^(?:Invalid|illegal) <[a-z-]+> argument", Trouble.BAD_ADDRESS),
        (r"^Invalid (?:source|destination)", Trouble.BAD_ADDRESS),
        (r"^No (?:source|destination) specified", Trouble.BAD_ADDRESS),
        (r"^cannot open SCSI device", Trouble.NO_DEVICE),
    )
)
_SENSES: dict[tuple[int, int | None], Trouble] = {
    (0x21, 0x01): Trouble.BAD_ADDRESS,
    (0x3B, 0x0D): Trouble.DESTINATION_FULL,
    (0x3B, 0x0E): Trouble.SOURCE_EMPTY,
    (0x3A, None): Trouble.NOT_EJECTED,
    (0x53, 0x02): Trouble.NOT_EJECTED,
    (0x53, None): Trouble.PICK_FAILED,
    (0x15, None): Trouble.PICK_FAILED,
    (0x04, 0x01): Trouble.BUSY,
    (0x04, 0x07): Trouble.BUSY,
    (0x04, 0x02): Trouble.NOT_READY,
    (0x04, 0x18): Trouble.DOOR_OPEN,
    (0x3B, 0x11): Trouble.DOOR_OPEN,
    (0x3B, 0x12): Trouble.DOOR_OPEN,
    (0x28, None): Trouble.CHANGED,
    (0x29, None): Trouble.BUSY,
}
"""None: any qualifier that has no row of its own. 29h (power on, reset) is said instead of beginning the command."""
_ABORTED = "Aborted Command"
"""The sense key of a command that was begun and broken off, by a reset or a loss of power: anything may have moved."""
_SENSE = re.compile(
    r"Sense Key=(?P<key>[^\n]*?)\s*$.*?Additional Sense Code = (?P<code>[0-9A-Fa-f]{2})\s*$"
    r".*?Additional Sense Qualifier = (?P<qualifier>[0-9A-Fa-f]{2})\s*$",
    re.MULTILINE | re.DOTALL,
)


def find_sense(text: str) -> Sense | None:
    """The last sense data in the text."""
    found = list(_SENSE.finditer(text))
    if not found:
        return None
    last = found[-1]
    return Sense(last["key"], int(last["code"], 16), int(last["qualifier"], 16))


def explain(text: str) -> Explanation:
    """Sort the error output of ``mtx``. SCSI addresses in it are not slot numbers and are left as they are."""
    for pattern, trouble in _WORDS:
        if match := pattern.search(text):
            return Explanation(trouble, text[match.start() :].splitlines()[0].strip())
    last = next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "no word of explanation")
    sense = find_sense(text)
    if sense is None:
        return Explanation(Trouble.UNCLEAR, last)
    if sense.key == _ABORTED:
        return Explanation(Trouble.UNCLEAR, f"{last} ({sense})")
    any_qualifier = _SENSES.get((sense.code, None), Trouble.FAULT)
    return Explanation(_SENSES.get((sense.code, sense.qualifier), any_qualifier), f"{last} ({sense})")


def print_sense(sense: Sense, end: str) -> str:
    """The lines mtx prints for sense data, and ``end`` below them."""
    said = (
        "Long Report=yes",
        "Valid Residual=no",
        "Error Code=70 (Current)",
        f"Sense Key={sense.key}",
        "FileMark=no",
        "EOM=no",
        "ILI=no",
        f"Additional Sense Code = {sense.code:02X}",
        f"Additional Sense Qualifier = {sense.qualifier:02X}",
        "BPV=no",
        "Error in CDB=no",
        "SKSV=no",
    )
    return "".join(f"mtx: Request Sense: {line}\n" for line in said) + f"{end}\n"
