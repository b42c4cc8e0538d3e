"""What the machine's sensors prove about a motion. Pure.

Not for: knowing which disc it is; a sensor sees that a disc is there, its label says which.

Rule kept: only what is seen counts. A reply, of success or of failure, is a hint; what is not proven is unknown.
"""

from dataclasses import dataclass

from robot.ports import PICKER, Element, ElementState, Fill, MachineState, MachineStatus, MotionOutcome


@dataclass(frozen=True, slots=True)
class Finding:
    """What is proven about one motion, and by what."""

    outcome: MotionOutcome
    evidence: str


def fill_of(status: MachineStatus, element: Element) -> Fill:
    """Whether the element holds a disc; an element the machine does not report is unknown."""
    return state_of(status, element).fill


def state_of(status: MachineStatus, element: Element) -> ElementState:
    """The element's state; unknown if the machine does not report it."""
    try:
        return status.of(element)
    except KeyError:
        return ElementState(element, Fill.UNKNOWN)


def picker_holds(status: MachineStatus) -> bool:
    """Whether the machine says that its picker holds a disc."""
    return fill_of(status, PICKER) is Fill.FULL


@dataclass(frozen=True, slots=True)
class Witnesses:
    """What there is to judge one motion by."""

    before: MachineStatus | None
    """The sensors right before the motion; None after a crash."""
    after: MachineStatus | None
    """The sensors with the arm at rest again; None if the machine could not be asked."""
    confirmed: bool
    """The machine replied that it is done. Counts only where there is no sensor, and never against one."""
    hint: str
    """What the machine said, in words; recorded, not weighed."""
    refused: bool = False
    """The machine replied that there is nothing to take. Counts only where no sensor sees the source."""


def find(source: Element, destination: Element, witnesses: Witnesses) -> Finding:
    """What became of the one disc that was to go from ``source`` to ``destination``, by an empty picker."""
    after, hint = witnesses.after, witnesses.hint
    if after is None:
        return Finding(MotionOutcome.UNKNOWN, f"{hint}; the machine cannot be asked")
    seen = f"{hint}; sensors: {source} {fill_of(after, source)}, {destination} {fill_of(after, destination)}"
    if PICKER not in (source, destination):
        seen += f", picker {fill_of(after, PICKER)}"
    if after.state in (MachineState.UNINITIALISED, MachineState.BUSY):
        return Finding(MotionOutcome.UNKNOWN, f"{seen}; they prove nothing while the machine is {after.state}")
    return Finding(_outcome(source, destination, after, witnesses), seen)


def _outcome(source: Element, destination: Element, after: MachineStatus, witnesses: Witnesses) -> MotionOutcome:
    if picker_holds(after) and PICKER not in (source, destination):
        return MotionOutcome.UNKNOWN  # it left the source and did not arrive
    was = Fill.UNKNOWN if witnesses.before is None else fill_of(witnesses.before, destination)
    here, there = fill_of(after, source), fill_of(after, destination)
    if _arrived(here, there, was, confirmed=witnesses.confirmed):
        return MotionOutcome.DONE
    taken_before = witnesses.before is not None and was is not Fill.EMPTY
    if here is Fill.FULL and (there is not Fill.FULL or taken_before):
        return MotionOutcome.FAILED
    if witnesses.refused and here is Fill.UNKNOWN and there is not Fill.FULL:
        return MotionOutcome.FAILED  # an empty bin: no sensor sees it, and nobody will ever know better than the reply
    return MotionOutcome.UNKNOWN  # in neither: dropped; in both: two discs; or places that the machine cannot see


def _arrived(here: Fill, there: Fill, was: Fill, *, confirmed: bool) -> bool:
    if here is Fill.FULL or there is Fill.EMPTY:
        return False
    if there is Fill.FULL:
        return here is Fill.EMPTY or was is Fill.EMPTY or confirmed
    return confirmed  # a stack without a sensor: the reply is all that will ever be known of it
