"""What the program ``mtx`` 1.3.12 prints, as values (measured: the real program, a changer faked below it).

For both sides: the driver parses, the simulated machine prints. Not for its error texts (``robot.wire.mtx_errors``).
Pure. Lines of a form unknown here are skipped, as long as the heading's counts are met.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from robot.ports import Element, ElementKind, ElementState, Fill, Identity, drive, slot

_TAG_WIDTH = 36
"""Blanks pad volume tags to this many characters (SMC: 32 of the tag, 4 of its sequence number)."""
_HEAD = re.compile(r"^\s*Storage Changer .*:(\d+) Drives, (\d+) Slots \( (\d+) Import/Export \)\s*$")
_DRIVE = re.compile(
    r"^Data Transfer Element (\d+):(Empty|Full)"
    r"(?: \((?:Storage Element (\d+)|Unknown Storage Element) Loaded\))?"
    r"(?::(?:Alternate)?VolumeTag ?= ?(.*?))?\s*$"
)
_SLOT = re.compile(
    r"^\s+Storage Element (\d+)( IMPORT/EXPORT)?:(Empty|Full ?)(?::(?:Alternate)?VolumeTag ?= ?(.*?))?\s*$"
)
_INQUIRY = re.compile(r"^(Vendor ID|Product ID|Revision): '(.*)'\s*$", re.MULTILINE)


class BadOutputError(ValueError):
    """This is not what the program prints; it was cut off or spoiled."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How many places the changer has. mtx counts mailslots as the last of its slots; here they are apart."""

    slots: int
    drives: int
    mailslots: int

    def number(self, element: Element) -> int | None:
        """The slot number mtx knows a slot or mailslot by; None if there is no such place."""
        if element.kind is ElementKind.SLOT and 1 <= element.number <= self.slots:
            return element.number
        if element.kind is ElementKind.MAILSLOT and 1 <= element.number <= self.mailslots:
            return self.slots + element.number
        return None

    def element(self, number: int) -> Element:
        """Undo :meth:`number`."""
        return slot(number) if number <= self.slots else Element(ElementKind.MAILSLOT, number - self.slots)


@dataclass(frozen=True, slots=True)
class Report:
    """The answer to ``status``. ``source`` of a drive is a hint that mtx may have invented (mtxl.c, "Pass2")."""

    shape: Shape
    elements: tuple[ElementState, ...]
    """Slots, mailslots, drives, each in order."""


def parse_status(text: str) -> Report:
    """Read the output of ``mtx status``.

    Raises:
        BadOutputError: no heading, or not every element of the heading's counts exactly once.
    """
    lines = text.splitlines()
    heads = [match for line in lines if (match := _HEAD.match(line))]
    if len(heads) != 1:
        raise BadOutputError(f"no heading of a changer's status in {text[:60]!r}")
    drives, slots, mailslots = map(int, heads[0].groups())
    shape = Shape(slots - mailslots, drives, mailslots)
    found: dict[Element, ElementState] = {}
    for line in lines:
        state = _parse_line(line, shape)
        if state is not None and state.element in found:
            raise BadOutputError(f"{state.element} is reported twice")
        if state is not None:
            found[state.element] = state
    places = [shape.element(number) for number in range(1, slots + 1)] + [drive(number) for number in range(drives)]
    if missing := [place for place in places if place not in found]:
        raise BadOutputError(f"{len(missing)} elements are missing, the first is {missing[0]}")
    return Report(shape, tuple(found[place] for place in places))


def _parse_line(line: str, shape: Shape) -> ElementState | None:
    if match := _DRIVE.match(line):
        source = shape.element(int(match[3])) if match[3] else None
        return ElementState(drive(int(match[1])), _fill(match[2]), source, _tag(match[4]))
    if match := _SLOT.match(line):
        return ElementState(shape.element(int(match[1])), _fill(match[3]), None, _tag(match[4]))
    return None


def _fill(word: str) -> Fill:
    return Fill.FULL if word.startswith("Full") else Fill.EMPTY


def _tag(text: str | None) -> str | None:
    return (text or "").strip() or None


def print_status(device: str, report: Report) -> str:
    """What ``mtx -f device status`` prints for ``report``; a full drive without a source is from an unknown one."""
    shape = report.shape
    head = f"{shape.drives} Drives, {shape.slots + shape.mailslots} Slots ( {shape.mailslots} Import/Export )"
    lines = [f"  Storage Changer {device}:{head}"]
    states = {state.element: state for state in report.elements}
    lines += [_print_drive(states[drive(number)], shape) for number in range(shape.drives)]
    for number in range(1, shape.slots + shape.mailslots + 1):
        state = states[shape.element(number)]
        label = " IMPORT/EXPORT" if state.element.kind is ElementKind.MAILSLOT else ""
        tag = f":VolumeTag={state.volume_tag:<{_TAG_WIDTH}}" if state.volume_tag else ""
        full = f"Full {tag}" if state.fill is Fill.FULL else "Empty"
        lines.append(f"      Storage Element {number}{label}:{full}")
    return "".join(f"{line}\n" for line in lines)


def _print_drive(state: ElementState, shape: Shape) -> str:
    text = f"Data Transfer Element {state.element.number}:"
    if state.fill is not Fill.FULL:
        return f"{text}Empty"
    source = shape.number(state.source) if state.source else None
    tag = f":VolumeTag = {state.volume_tag:<{_TAG_WIDTH}}" if state.volume_tag else ""
    origin = "Unknown Storage Element" if source is None else f"Storage Element {source}"
    return f"{text}Full ({origin} Loaded){tag}"


def parse_inquiry(text: str) -> Identity:
    """Read the output of ``mtx inquiry``. mtx does not print a serial number.

    Raises:
        BadOutputError: no product in it.
    """
    said = {key: value.strip() for key, value in _INQUIRY.findall(text)}
    if not said.get("Product ID"):
        raise BadOutputError(f"no product identification in {text[:60]!r}")
    return Identity(said.get("Vendor ID", ""), said["Product ID"], said.get("Revision", ""), "")


def print_inquiry(identity: Identity) -> str:
    """What ``mtx inquiry`` prints."""
    return (
        "Product Type: Medium Changer\n"
        f"Vendor ID: '{identity.vendor:<8}'\n"
        f"Product ID: '{identity.model:<16}'\n"
        f"Revision: '{identity.firmware:<4}'\n"
        "Attached Changer API: No\n"
    )
