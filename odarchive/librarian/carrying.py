"""From any place of the robot to any other, as a person says it: which errand that is, or why there is none.

Each errand has its own checks and records; nothing is moved past them.
"""

from odarchive.errors import OperatorNeeded
from odarchive.librarian.errands import Errand, Errands
from robot.ports import Element, ElementKind

_BINS = frozenset({ElementKind.INPUT_BIN, ElementKind.OUTPUT_BIN, ElementKind.REJECT_BIN})


def carry(errands: Errands, source: Element, destination: Element) -> Errand:
    """Move a disc: between slots, drives and mailslots, or between bins and drives of a machine without slots.

    Raises:
        OperatorNeeded: no disc goes that way in one step.
        NotFound: there is no such drive.
    """
    one, other = source.number, destination.number
    match source.kind, destination.kind:
        case ElementKind.SLOT, ElementKind.SLOT:
            errand = errands.move(one, other)
        case ElementKind.SLOT, ElementKind.DRIVE:
            errand = errands.load(one, other)
        case ElementKind.SLOT, ElementKind.MAILSLOT:
            errand = errands.export(one, other)
        case ElementKind.MAILSLOT, ElementKind.SLOT:
            errand = errands.import_(one, other)
        case (place, ElementKind.DRIVE) if place in _BINS:
            errand = errands.load_next(other, source)
        case (ElementKind.DRIVE, place) if place in _BINS:
            errand = errands.put_out(one, destination)
        case (place, to) if {place, to} <= _BINS:
            errand = errands.between_bins(source, destination)
        case _:
            raise OperatorNeeded(f"no disc goes from {source} to {destination} at once; {_instead(source)}")
    return errand


def _instead(source: Element) -> str:
    match source.kind:
        case ElementKind.DRIVE:
            return f"first: odarchive robot unload {source.number}"
        case ElementKind.MAILSLOT:
            return f"first: odarchive robot import {source.number}"
        case ElementKind.PICKER:
            return "first: odarchive robot park"
        case _:
            return "take it to a drive or a slot first: odarchive robot move --help"
