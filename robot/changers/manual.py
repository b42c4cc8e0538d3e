"""The changer is a person: errands are shown, a person carries discs and answers. For those who own no robot.

For asking and waiting. Not for knowing which disc was put in: that is read from its label, so discs may come in any
order. Proven in the sense that there is no machine to prove it on.

Rules: a person is asked one thing at a time. An errand nobody waits for any more is still the person's: until it is
answered, or its time is over, the machine is BUSY. A person has no sensors: every element is of unknown fill.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import trio

from robot.errors import (
    BadAddress,
    Busy,
    ChangerError,
    CommunicationLost,
    DestinationFull,
    DriveNotEjected,
    MachineFault,
    PickFailed,
    PositionUnknown,
    SourceEmpty,
)
from robot.ports import (
    ByteStream,
    Capabilities,
    Element,
    ElementKind,
    ElementState,
    Fill,
    Identity,
    MachineState,
    MachineStatus,
    drive,
    slot,
)
from robot.wire.errand import Answer, Errand, Said, read_answer, show

DAY = 86_400.0
"""Seconds a person is given for an errand unless told otherwise."""
BINS = tuple(Element(kind, 1) for kind in (ElementKind.INPUT_BIN, ElementKind.OUTPUT_BIN, ElementKind.REJECT_BIN))
"""The places of a person whose shelf has no numbers: what is at hand, what is done, what is of no use."""
_GLANCE = 0.05
"""Seconds a status looks for an answer that came unasked for."""

_ERRORS: dict[Answer, Callable[[str], ChangerError]] = {
    Answer.EMPTY: SourceEmpty,
    Answer.FULL: DestinationFull,
    Answer.CLOSED: DriveNotEjected,
    Answer.FAILED: lambda text: PickFailed(text, held=None),
    Answer.UNSURE: PositionUnknown,
    Answer.STOP: MachineFault,
}


class Person(Protocol):
    """Somebody who can be asked: at a terminal, on a web page, by a message."""

    async def show(self, errand: Errand) -> None:
        """Put the errand before the person. May be repeated for the same one. Raises CommunicationLost."""
        ...

    async def answer(self) -> Said:
        """Wait for the next thing said (cancellable, nothing lost). Raises CommunicationLost."""
        ...

    def settled(self) -> None:
        """What was shown is answered, or its time is over."""
        ...

    async def aclose(self) -> None:
        """Stop talking to the person; idempotent."""
        ...


class TerminalPerson:
    """A person at a terminal (``robot.transport.DescriptorStream`` on it, or a serial console)."""

    def __init__(self, terminal: ByteStream) -> None:
        self._terminal = terminal
        self._typed = b""

    async def show(self, errand: Errand) -> None:
        """Print it."""
        await self._terminal.send(show(errand).encode("ascii"))

    async def answer(self) -> Said:
        """Wait for a line; empty ones do not count."""
        while True:
            line, newline, rest = self._typed.replace(b"\r", b"\n").partition(b"\n")
            if newline:
                self._typed = rest
                if line.strip():
                    return read_answer(line.decode("utf-8", "replace"))
            else:
                self._typed = line + await self._terminal.receive()

    def settled(self) -> None:
        """What was printed stays."""

    async def aclose(self) -> None:
        """Close the terminal."""
        await self._terminal.aclose()


class ManualChanger:
    """A shelf, drives, and a person between them.

    Concurrency: one task at a time.
    """

    proven = True

    def __init__(
        self,
        person: Person,
        *,
        slots: int,
        drives: int,
        mailslots: int = 0,
        patience: float = DAY,
        captions: Mapping[Element, str] | None = None,
    ) -> None:
        """Nobody is asked before the first move.

        Args:
            person: whom to ask.
            slots: numbered places on the shelf, from 1; 0: the shelf has no numbers, the person puts in what is asked
                for by name, and the machine has bins in place of slots.
            drives: drives the person can reach, from 0.
            mailslots: further places, for what comes in and goes out.
            patience: seconds a person is given for an errand.
            captions: which disc lies at a place, or should come from there, in words; looked at when an errand begins.
        """
        self._person = person
        self._captions = {} if captions is None else captions
        self._capabilities = Capabilities(
            slots=slots,
            drives=drives,
            mailslots=mailslots,
            random_access=slots > 0,
            reports_source=False,
            has_reject=slots == 0,
            move_timeout=patience,
        )
        self._number = 0
        self._open: Errand | None = None
        self._unseen = False
        """Whether the open errand was put before a person who was lost since."""
        self._deadline = 0.0
        self._trouble = False

    async def identify(self) -> Identity:
        """A person."""
        return Identity("odarchive", "person", "", "")

    async def capabilities(self) -> Capabilities:
        """The shelf and the drives as configured."""
        return self._capabilities

    async def status(self) -> MachineStatus:
        """Whether the person is at it; where discs lie, nobody can tell without reading their labels."""
        await self._glance()
        state = MachineState.FAULT if self._trouble else MachineState.READY
        state = MachineState.BUSY if self._open else state
        return MachineStatus(state, tuple(ElementState(place, Fill.UNKNOWN) for place in self._places()), None)

    async def initialize(self) -> None:
        """After trouble, have the person put things in order; else nothing. Raises MachineFault, Busy."""
        if self._trouble:
            await self._ask(None, None)
            self._trouble = False

    async def move(self, source: Element, destination: Element) -> None:
        """Have the person carry a disc; see the port."""
        places = self._places()
        for end in (source, destination):
            if end not in places:
                raise BadAddress(f"{end}: there is no such place on this shelf")
        if source == destination:
            raise BadAddress(f"{source}: source and destination are the same")
        await self._ask(source, destination)

    async def aclose(self) -> None:
        """Stop asking."""
        await self._person.aclose()

    def _places(self) -> list[Element]:
        can = self._capabilities
        mailslots = [Element(ElementKind.MAILSLOT, number) for number in range(1, can.mailslots + 1)]
        slots = [slot(number) for number in range(1, can.slots + 1)] or [*BINS]
        return [*slots, *mailslots, *(drive(number) for number in range(can.drives))]

    async def _ask(self, source: Element | None, destination: Element | None) -> None:
        await self._glance()
        if self._open:
            raise Busy(f"the person has not answered errand {self._open.number} yet")
        self._number += 1
        disc = "" if source is None else self._captions.get(source, "")
        errand = self._open = Errand(self._number, source, destination, disc)
        limit = self._capabilities.move_timeout
        self._deadline = trio.current_time() + limit
        what = f"errand {errand.number}" + (f", {source} to {destination}" if source else "")
        with trio.move_on_after(limit) as waiting:
            said = await self._converse(errand)
        self._close()
        if waiting.cancelled_caught:
            raise PositionUnknown(f"{what}: not answered within {limit:g} s; look where the disc is")
        if said.answer is Answer.STOP:
            self._trouble = True
        if said.answer is not None and said.answer is not Answer.DONE:
            raise _ERRORS[said.answer](f"{what}: the person says {said.answer.value} {said.words}".rstrip())

    async def _converse(self, errand: Errand) -> Said:
        """Show until there is an answer to this errand; what was typed before it was shown is of the past."""
        while True:
            try:
                await self._person.show(errand)
                said = await self._person.answer()
            except CommunicationLost:
                self._unseen = True
                raise
            if said.answer is not None and said.number in (None, errand.number):
                return said

    async def _glance(self) -> None:
        """Take in what was said while nobody listened; an errand that got lost with its terminal is shown again."""
        if self._open and self._unseen:
            await self._person.show(self._open)
            self._unseen = False
        while True:
            with trio.move_on_after(_GLANCE) as waiting:
                said = await self._person.answer()
            if waiting.cancelled_caught:
                break
            if self._open and said.answer and said.number in (None, self._open.number):
                self._close()
        if self._open and trio.current_time() >= self._deadline:
            self._close()

    def _close(self) -> None:
        self._open = None
        self._person.settled()
