"""A SCSI medium changer under the program ``mtx``: its command line, over a simulated world.

For being ``mtx`` 1.3.12 and the changer together, word for word where the words were measured. Not for SCSI: the real
mtx is tried against a changer of SCSI commands in ``tests/rig``. Knows ``status``, ``inquiry``, ``inventory``,
``load``, ``unload``, ``transfer``, and ``altres``, ``nobarcode``, ``noattach``.
The changer opens and closes trays itself, but takes a disc only from a drive that has ejected it.
"""

from __future__ import annotations

from collections.abc import Sequence

from robot.ports import Element, ElementKind, ElementState, Identity, drive
from robot.sim.arm import PowerCutError, Refusal, Timing
from robot.sim.faults import Fault
from robot.sim.fixed import SelfHomingArm
from robot.sim.world import World
from robot.wire.mtx import Report, Shape, print_inquiry, print_status
from robot.wire.mtx_errors import Sense, print_sense
from robot.wire.run import Completed

_OPTIONS = {"altres", "nobarcode", "noattach"}
_WORDS = {"status": "STATUS", "inquiry": "INFO", "inventory": "INIT"}
_ADDRESSES = {ElementKind.SLOT: 1000, ElementKind.MAILSLOT: 1999, ElementKind.DRIVE: 3000}
"""SCSI address of an element: its number and this; mtx's messages speak of these, not of slots."""
_POSITIONING = Sense("Hardware Error", 0x15, 0x01)
_REFUSALS: dict[str, Sense] = {
    "DoorOpen": Sense("Not Ready", 0x04, 0x18),
    "PickFailed": _POSITIONING,
    "NotReady": Sense("Not Ready", 0x04, 0x02),
    "BadAddress": Sense("Illegal Request", 0x21, 0x01),
}
_CHANGED = Sense("Unit Attention", 0x28, 0x00)
_RESET = Sense("Unit Attention", 0x29, 0x00)


class MtxCommands:
    """The command line."""

    def __init__(self, world: World, timing: Timing | None = None) -> None:
        self.world = world
        self.arm = SelfHomingArm(world, timing or Timing())
        self.tags = world.memory.get("tags") == "yes"
        self._attention: Sense | None = None
        shape = world.shape
        self._shape = Shape(shape.slots, shape.drives, shape.mailslots)

    def word(self, arguments: Sequence[str]) -> str:
        """What the fault plan calls it."""
        _, words = _split(arguments)
        return _WORDS.get(words[0] if words else "", "MOVE")

    async def execute(self, arguments: Sequence[str], motion: Fault | None) -> Completed:
        """One run of mtx."""
        device, words = _split(arguments)
        try:
            return Completed(0, await self._perform(device, words, motion))
        except _FailedError as failure:
            return Completed(1, failure.out, str(failure))
        except Refusal as refusal:
            return Completed(1, "", print_sense(self._sense(refusal), "mtx:inventory failed"))

    async def _perform(self, device: str, words: list[str], motion: Fault | None) -> str:
        out = ""
        match words:
            case ["inquiry"]:
                out = print_inquiry(Identity("ODARCHIV", "MTXSIM", "1.00", ""))
            case ["status"]:
                self._unit_attention("READ ELEMENT STATUS Command Failed")
                out = print_status(device, self._report())
            case ["inventory"]:
                self._unit_attention("mtx:inventory failed")
                await self.arm.initialize(motion)
            case [("load" | "unload") as verb, slot, number]:
                out = await self._exchange(verb, slot, number, motion)
            case ["transfer", first, second]:
                out = await self._transfer(first, second, motion)
            case _:
                raise _FailedError("Usage:\n\tmtx --version\n")
        return out

    def _report(self) -> Report:
        states = [self._state(state) for state in self.arm.elements() if state.element.kind is not ElementKind.PICKER]
        return Report(self._shape, tuple(states))

    def _state(self, state: ElementState) -> ElementState:
        """What the changer tells: no source if it does not know it, a barcode if it can see one."""
        disc = next(iter(self.world.at(state.element)), None) if self.tags else None
        return ElementState(state.element, state.fill, state.source, disc)

    async def _exchange(self, verb: str, slot: str, number: str, motion: Fault | None) -> str:
        place = self._place(slot)
        if place is None:
            word = "Invalid" if verb == "load" else "illegal"
            raise _FailedError(f"{word} <storage-element-number> argument '{slot}' to '{verb}' command\n")
        if not (number.isdigit() and int(number) < self._shape.drives):
            raise _FailedError(f"illegal <drive-number> argument '{number}' to '{verb}' command\n")
        target = drive(int(number))
        unit = self.arm.fills[target].value == "full"
        if verb == "load":
            if unit:
                raise _FailedError(f"Drive {number} Full (Storage Element {self._origin(target)} loaded)\n")
            out = f"Loading media from Storage Element {slot} into drive {number}..."
            return await self._carry(place, target, out, motion)
        if not unit:
            raise _FailedError(f"Data Transfer Element {number} is Empty\n")
        if self.arm.fills[place].value == "full":
            raise _FailedError(f"Storage Element {slot} is Already Full\n")
        return await self._carry(target, place, f"Unloading drive {number} into Storage Element {slot}...", motion)

    async def _transfer(self, first: str, second: str, motion: Fault | None) -> str:
        source, destination = self._place(first), self._place(second)
        if source is None or destination is None:
            raise _FailedError(f"Invalid {'source' if source is None else 'destination'}\n")
        return await self._carry(source, destination, "", motion)

    async def _carry(self, source: Element, destination: Element, out: str, motion: Fault | None) -> str:
        said = f"MOVE MEDIUM from Element Address {_address(source)} to {_address(destination)} Failed"
        self._unit_attention(said, out)
        if destination.kind is ElementKind.DRIVE:
            self.world.set_tray(destination.number, is_open=True)
        try:
            await self.arm.move(source, destination, motion)
        except Refusal as refusal:
            raise _FailedError(self._words(refusal, source, destination, said), out) from refusal
        except PowerCutError as cut:
            self.arm = SelfHomingArm(self.world, self.arm.timing)
            self._attention = _RESET
            raise _FailedError(print_sense(Sense("Aborted Command", 0x4B, 0x00), said), out) from cut
        finally:
            for end in (source, destination):
                if end.kind is ElementKind.DRIVE:
                    self.world.set_tray(end.number, is_open=False)
        return f"{out}done\n" if out else ""

    def _words(self, refusal: Refusal, source: Element, destination: Element, said: str) -> str:
        match refusal.name:
            case "SourceEmpty":
                return f"Source Element Address {_address(source)} is Empty\n"
            case "DestFull":
                return f"Destination Element Address {_address(destination)} is Already Full\n"
            case "DriveNotEjected":
                return "Drive needs offline before move\n"
            case _:
                return print_sense(self._sense(refusal), said)

    def _sense(self, refusal: Refusal) -> Sense:
        if refusal.name == "Fault":
            return Sense("Hardware Error", 0x40, int(refusal.facts["code"].lstrip("E"), 16))
        return _REFUSALS[refusal.name]

    def _unit_attention(self, said: str, out: str = "") -> None:
        """Tell of a change once, in place of the first command after it; and of an open door each time."""
        if self.arm.is_open():
            raise _FailedError(print_sense(_REFUSALS["DoorOpen"], said), out)
        news, self._attention = self._attention, None
        if self.arm.changed:
            self.arm.changed, news = False, _CHANGED
        if news:
            raise _FailedError(print_sense(news, said), out)

    def _place(self, number: str) -> Element | None:
        """The slot or mailslot mtx knows by this number."""
        count = self._shape.slots + self._shape.mailslots
        return self._shape.element(int(number)) if number.isdigit() and 1 <= int(number) <= count else None

    def _origin(self, target: Element) -> int:
        """Where mtx says a drive's disc is from; it invents the first empty slot when it does not know."""
        states = self._report().elements
        source = next(state.source for state in states if state.element == target)
        known = self._shape.number(source) if source else None
        return known or next((e.element.number for e in states if e.fill.value == "empty"), 0)


class _FailedError(Exception):
    """The text on stderr; ``out`` is the unfinished line on stdout."""

    def __init__(self, text: str, out: str = "") -> None:
        super().__init__(text)
        self.out = out


def _address(element: Element) -> int:
    return _ADDRESSES[element.kind] + element.number


def _split(arguments: Sequence[str]) -> tuple[str, list[str]]:
    """The device, and the words after it and the options."""
    words = [word for word in arguments if word not in _OPTIONS]
    return (words[1], words[2:]) if words[:1] == ["-f"] and len(words) > 1 else ("/dev/changer", words)
