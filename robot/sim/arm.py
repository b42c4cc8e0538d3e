"""The mechanics of a random-access machine: one picker between slots, mailslots and drives whose trays the host moves.

For what happens to discs when an order is carried out, how long it takes, what the machine knows afterwards, and the
mechanical faults. Not for any protocol: machines that speak different languages share this arm. What the machine
knows (``fills``, ``sources``) may differ from what is true (:class:`robot.sim.world.World`): that is the point.

Concurrency: one motion at a time. Between awaits the world is whole; a motion that is cancelled (power) leaves the
discs where they physically are at that moment.
"""

from __future__ import annotations

from dataclasses import dataclass

import trio

from robot.ports import PICKER, Element, ElementKind, ElementState, Fill, MachineState, slot
from robot.sim.faults import Fault, FaultKind
from robot.sim.world import FLOOR, World


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds each part of a motion takes; the defaults make a move of about 7.5 s, as desktop robots need."""

    travel: float = 1.5
    pick: float = 2.0
    place: float = 2.5
    home: float = 5.0
    count: float = 0.05
    """For each slot the sensor passes."""
    boot: float = 2.0

    def scaled(self, speed: float) -> Timing:
        """The same machine ``speed`` times as fast; infinity for no waiting at all."""
        return Timing(*(getattr(self, name) / speed for name in self.__slots__))


class Refusal(Exception):
    """The arm did not do what it was told; ``name`` is the word of ROBOTS for why, ``facts`` what else it says."""

    def __init__(self, name: str, **facts: str) -> None:
        super().__init__(name)
        self.name = name
        self.facts = facts


class PowerCutError(Exception):
    """Power failed: nothing of the motion is reported, discs lie where they are."""


class Arm:
    """The picker, its sensors, and the machine's knowledge of its places."""

    def __init__(self, world: World, timing: Timing) -> None:
        self.world = world
        self.timing = timing
        self.fills: dict[Element, Fill] = {}
        self.ready = False
        self.fault: str | None = None
        self.forget()

    def forget(self) -> None:
        """Lose what only working memory held: homing, and which slots are full."""
        self.ready = False
        self.fills = {
            element: Fill.UNKNOWN for element in self.world.shape.elements() if element.kind is not ElementKind.PICKER
        }
        for element in self.fills:
            if element.kind is ElementKind.DRIVE:
                self.fills[element] = Fill(self.world.memory.get(f"fill {element}", Fill.EMPTY.value))

    def look_at_door(self) -> bool:
        """Read the door switch; an opening since the last look makes every slot unknown. True while open."""
        is_open, openings = self.world.door()
        if str(openings) != self.world.memory.get("openings", "0"):
            self.forget()
            if not is_open:
                self.world.reload()
                self.world.memory["openings"] = str(openings)
                self.world.save()
        return is_open

    @property
    def epoch(self) -> str:
        """Starts of the machine, dot, openings of its door."""
        return f"{self.world.memory.get('boots', '0')}.{self.world.door()[1]}"

    @property
    def moves(self) -> int:
        """Discs moved in the machine's life."""
        return int(self.world.memory.get("moves", "0"))

    def state(self) -> MachineState:
        """The machine as a whole, while it stands still."""
        if self.look_at_door():
            return MachineState.DOOR_OPEN
        if self.fault:
            return MachineState.FAULT
        return MachineState.READY if self.ready else MachineState.UNINITIALISED

    def elements(self) -> tuple[ElementState, ...]:
        """What the machine knows of every place; the picker and open trays have sensors."""
        return tuple(
            ElementState(element, self._fill(element), self._source(element)) for element in self.world.shape.elements()
        )

    async def initialize(self, fault: Fault | None = None) -> None:
        """Home and count. A disc in the picker stays there.

        Raises:
            Refusal: DoorOpen, Fault.
        """
        self._stop_for_door()
        await trio.sleep(self.timing.home)
        self._act_on_start(fault)
        await trio.sleep(self.timing.count * self.world.shape.slots)
        self._stop_for_door()
        for element in self.fills:
            if element.kind is not ElementKind.DRIVE or self.world.tray_is_open(element.number):
                self._know(element, Fill.FULL if self.world.at(element) else Fill.EMPTY)
        self.world.save()
        self.ready, self.fault = True, None

    async def move(self, source: Element, destination: Element, fault: Fault | None = None) -> None:
        """Carry one disc.

        Raises:
            Refusal: any of the names of PROTOCOL.md for MOVE.
            PowerCutError: by order of ``fault``.
        """
        self._check(source, destination)
        await trio.sleep(self.timing.travel)
        self._act_on_start(fault)
        if source != PICKER:
            await self._pick(source, fault)
        await trio.sleep(self.timing.travel)
        self._act_on_the_way(fault)
        if destination == PICKER:
            self._count_move()
            self.world.save()
        else:
            await self._place(destination, fault)
        if fault and fault.kind is FaultKind.POWER and fault.at == "placed":
            fault.hit()
            raise PowerCutError

    def _check(self, source: Element, destination: Element) -> None:
        """Everything that can be known before the arm moves: after these refusals nothing has moved."""
        self._stop_for_door()
        if self.fault:
            raise Refusal("Fault", code=self.fault)
        if not self.ready:
            raise Refusal("NotReady")
        known = {*self.fills, PICKER}
        for element in (source, destination):
            if element not in known:
                raise Refusal("BadAddress")
        if source == destination:
            raise Refusal("BadAddress")
        if source != PICKER and self.world.at(PICKER):
            raise Refusal("PickFailed", held="1")
        if self._fill(source) is Fill.EMPTY:
            raise Refusal("SourceEmpty")
        if destination != PICKER and self._fill(destination) is Fill.FULL:
            raise Refusal("DestFull")
        if not all(self._reachable(element) for element in (source, destination)):
            raise Refusal("DriveNotEjected")

    async def _pick(self, source: Element, fault: Fault | None) -> None:
        if not self._reachable(source):
            raise Refusal("DriveNotEjected")
        await trio.sleep(self.timing.pick)
        self._stop_for_door()
        taken = source
        if fault and fault.kind is FaultKind.WRONG_SLOT and (other := self._neighbour(source)):
            fault.hit()
            taken = other
        if not self.world.at(taken):
            self._know(source, Fill.EMPTY)
            raise Refusal("SourceEmpty")
        if fault and fault.kind is FaultKind.JAM_EMPTY:
            fault.hit()
            raise Refusal("PickFailed", held="0")
        if fault and fault.kind is FaultKind.DOUBLE and (other := self._neighbour(source)):
            fault.hit()
            self.world.shift(other, taken)
        self._know(source, Fill.EMPTY)
        self._remember_source(PICKER, self._source(source) or source)
        self.world.memory.pop(f"source {source}", None)
        self.world.shift(taken, PICKER)

    async def _place(self, destination: Element, fault: Fault | None) -> None:
        if not self._reachable(destination) or (fault and fault.kind is FaultKind.JAM_HELD):
            if fault and fault.kind is FaultKind.JAM_HELD:
                fault.hit()
            raise Refusal("PickFailed", held="1")
        await trio.sleep(self.timing.place)
        self._stop_for_door()
        if self.world.at(destination):
            self._know(destination, Fill.FULL)
            raise Refusal("PickFailed", held="1")
        self._know(destination, Fill.FULL)
        if destination.kind is ElementKind.DRIVE and (origin := self._source(PICKER)):
            self._remember_source(destination, origin)
        self.world.memory.pop(f"source {PICKER}", None)
        self._count_move()
        self.world.shift(PICKER, destination)

    def _act_on_start(self, fault: Fault | None) -> None:
        if fault and fault.kind is FaultKind.FAULT:
            fault.hit()
            self.fault = fault.code
            raise Refusal("Fault", code=fault.code)
        if fault and fault.kind is FaultKind.POWER and fault.at == "start":
            fault.hit()
            raise PowerCutError

    def _act_on_the_way(self, fault: Fault | None) -> None:
        if fault and fault.kind is FaultKind.POWER and fault.at == "held":
            fault.hit()
            raise PowerCutError
        if fault and fault.kind is FaultKind.DOOR:
            fault.hit()
            self.world.open_door()
        if fault and fault.kind is FaultKind.DROP:
            fault.hit()
            self.world.memory.pop(f"source {PICKER}", None)
            self.world.shift(PICKER, FLOOR)
            raise Refusal("PickFailed", held="0")
        self._stop_for_door()

    def _stop_for_door(self) -> None:
        if self.look_at_door():
            raise Refusal("DoorOpen")

    def _count_move(self) -> None:
        self.world.memory["moves"] = str(self.moves + 1)

    def _reachable(self, element: Element) -> bool:
        return element.kind is not ElementKind.DRIVE or self.world.tray_is_open(element.number)

    def _fill(self, element: Element) -> Fill:
        has_sensor = element == PICKER or (element.kind is ElementKind.DRIVE and self._reachable(element))
        if has_sensor:
            return Fill.FULL if self.world.at(element) else Fill.EMPTY
        return self.fills[element]

    def _know(self, element: Element, fill: Fill) -> None:
        if element == PICKER:
            return
        self.fills[element] = fill
        if element.kind is ElementKind.DRIVE:
            self.world.memory[f"fill {element}"] = fill.value

    def _source(self, element: Element) -> Element | None:
        said = self.world.memory.get(f"source {element}")
        if said is None:
            return None
        kind, _, number = said.partition(" ")
        return Element(ElementKind(kind), int(number))

    def _remember_source(self, element: Element, source: Element) -> None:
        self.world.memory[f"source {element}"] = str(source)

    def _neighbour(self, source: Element) -> Element | None:
        """The next slot, if ``source`` is a slot and there is a disc in the next one."""
        other = slot(source.number + 1)
        return other if source.kind is ElementKind.SLOT and self.world.at(other) else None
