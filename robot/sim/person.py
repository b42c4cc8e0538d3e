"""A person at a terminal, who carries discs between a shelf and drives: the far side of the ``manual`` driver.

For reading errands and typing answers, with a person's failings as faults. A careful person: answers carry numbers.
Faults of the conversation: MUTE forgets to answer, DEAF did not see it, LATE takes a walk, GARBLED mistypes, HALF
forgets the return key, EARLIER answers an earlier errand.

Concurrency: one errand at a time; those shown meanwhile wait.
"""

from __future__ import annotations

from contextlib import suppress

import trio

from robot.errors import CommunicationLost
from robot.ports import ByteStream
from robot.sim.arm import PowerCutError, Refusal, Timing
from robot.sim.faults import Fault, FaultKind, FaultPlan
from robot.sim.fixed import SelfHomingArm
from robot.sim.world import World
from robot.wire.errand import Answer, Errand, read_errands

_PROMPT = "answer> "
_ANSWERS = {
    "SourceEmpty": Answer.EMPTY,
    "DestFull": Answer.FULL,
    "DriveNotEjected": Answer.CLOSED,
    "PickFailed": Answer.FAILED,
    "BadAddress": Answer.FAILED,
}


class SimulatedPerson:
    """Somebody."""

    def __init__(self, world: World, *, timing: Timing | None = None, faults: FaultPlan | None = None) -> None:
        self.world = world
        self.faults = faults or FaultPlan()
        self.arm = SelfHomingArm(world, timing or Timing())
        self._hands = trio.Lock()
        self._done: dict[tuple[int, int], str] = {}
        """Answers given, by terminal and number: an errand shown again is not done again."""
        self._previous = "0 done"
        self._terminals = 0

    async def serve(self, line: ByteStream) -> None:
        """Sit at this terminal until cancelled or until it is gone; what was begun is finished."""
        self._terminals += 1
        terminal, text = self._terminals, ""
        async with trio.open_nursery() as nursery:
            with suppress(CommunicationLost):
                while True:
                    text += (await line.receive()).decode("utf-8", "replace")
                    *shown, text = text.split(_PROMPT)
                    for prompt in shown:
                        for errand in read_errands(prompt):
                            nursery.start_soon(self._see_to, line, terminal, errand)

    async def _see_to(self, line: ByteStream, terminal: int, errand: Errand) -> None:
        word = "MOVE" if errand.source else "INIT"
        fault = self.faults.of_line(word)
        if fault and fault.kind is FaultKind.DEAF:
            fault.hit()
            return
        async with self._hands:
            key = terminal, errand.number
            if key not in self._done:
                self._done[key] = f"{errand.number} {await self._carry(errand, self.faults.of_motion(word))}"
        with suppress(CommunicationLost):
            await self._type(line, self._done[key], fault)

    async def _carry(self, errand: Errand, motion: Fault | None) -> str:
        if errand.source is None or errand.destination is None:
            self.arm.fault = None
            return Answer.DONE.value
        try:
            self.arm.count()
            await self.arm.move(errand.source, errand.destination, motion)
        except Refusal as refusal:
            if refusal.name == "Fault":
                return f"{Answer.STOP.value} {refusal.facts['code']}"
            return _ANSWERS.get(refusal.name, Answer.UNSURE).value
        except PowerCutError:
            return Answer.UNSURE.value
        return Answer.DONE.value

    async def _type(self, line: ByteStream, text: str, fault: Fault | None) -> None:
        previous, self._previous = self._previous, text
        data = f"{text}\n"
        if fault:
            fault.hit()
        match fault.kind if fault else None:
            case FaultKind.MUTE:
                return
            case FaultKind.LATE if fault:
                await trio.sleep(fault.seconds)
            case FaultKind.GARBLED:
                data = f"{text[:-2]}{text[-1]}{text[-2]}\n"
            case FaultKind.HALF:
                data = text[: len(text) // 2]
            case FaultKind.EARLIER:
                data = f"{previous}\n"
            case _:
                pass
        await line.send(data.encode())
