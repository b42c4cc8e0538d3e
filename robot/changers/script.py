"""Driver for any machine somebody has a changer script for: the arguments and output Bareos and Bacula use.

For joining machines this project does not know. Not for what the script does. Standing: proven against a simulated
script; each script is a machine of its own, so it warns. The script must know ``listall``, ``load``, ``unload`` and
``transfer``; it returns when the disc lies where it should.

Rules: the slot of ``unload`` is always ours, never the source a script reports. Exit status 0 is a hint that it
worked; any failure whose words are not understood leaves the position unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from robot.changers.program import Programs, TookTooLong
from robot.changers.unproven import warn_unproven
from robot.errors import (
    BadAddress,
    Busy,
    ChangerError,
    CommunicationLost,
    DestinationFull,
    DoorOpen,
    DriveNotEjected,
    MachineFault,
    PickFailed,
    PositionUnknown,
    SourceEmpty,
)
from robot.ports import (
    Capabilities,
    Element,
    ElementKind,
    ElementState,
    Fill,
    Identity,
    MachineState,
    MachineStatus,
)
from robot.wire.autochanger import arguments, explain_script, parse_listall, transfer_arguments
from robot.wire.mtx import BadOutputError, Report
from robot.wire.mtx_errors import Trouble
from robot.wire.run import Completed

QUERY_LIMIT = 60.0
MOVE_LIMIT = 600.0
"""Seconds. The script of Bareos waits up to 300 s for the drive after a load, behind 300 s mtx may take."""
_QUERY_TRIES = 3

_ERRORS: dict[Trouble, Callable[[str], ChangerError]] = {
    Trouble.SOURCE_EMPTY: SourceEmpty,
    Trouble.DESTINATION_FULL: DestinationFull,
    Trouble.BAD_ADDRESS: BadAddress,
    Trouble.BUSY: Busy,
    Trouble.NOT_EJECTED: DriveNotEjected,
    Trouble.DOOR_OPEN: DoorOpen,
    Trouble.CHANGED: DoorOpen,
    Trouble.NO_DEVICE: CommunicationLost,
    Trouble.PICK_FAILED: lambda text: PickFailed(text, held=None),
    Trouble.FAULT: MachineFault,
    Trouble.NOT_READY: MachineFault,
}
_STATES = {
    Trouble.DOOR_OPEN: MachineState.DOOR_OPEN,
    Trouble.BUSY: MachineState.BUSY,
    Trouble.FAULT: MachineState.FAULT,
}


class ScriptChanger:
    """A machine behind a script.

    Concurrency: one task at a time. A cancelled move goes on, and so does its script; meanwhile the machine is BUSY.
    """

    proven = False

    def __init__(
        self,
        script: Sequence[str],
        changer: str,
        devices: Sequence[str],
        *,
        mailslots: int = 0,
        tray_by_host: bool = True,
        programs: Programs | None = None,
    ) -> None:
        """Nothing is run before the first question.

        Args:
            script: how to call it, such as ``("/etc/bareos/mtx-changer",)``.
            changer: its first argument, such as ``/dev/sg3``.
            devices: the drives' own devices, such as ``/dev/sr0``, from drive 0 on.
            mailslots: how many of the last slots are mailslots, if the script lists them as slots.
            tray_by_host: false if the script opens and closes the drives' trays itself.
            programs: runs it; one of its own by default.
        """
        self._script = list(script)
        self._changer = changer
        self._devices = tuple(devices)
        self._mailslots = mailslots
        self._tray_by_host = tray_by_host
        self._programs = programs or Programs()
        self._last: Report | None = None
        warn_unproven(f"the changer script {self._script[-1]}")

    async def identify(self) -> Identity:
        """The script's name: scripts do not tell what machine they move."""
        return Identity("script", self._script[-1].rpartition("/")[2], "", self._changer)

    async def capabilities(self) -> Capabilities:
        """What it can do, by the counts of the list. Raises CommunicationLost, Busy."""
        shape = (self._last or await self._list()).shape
        return Capabilities(
            slots=shape.slots,
            drives=shape.drives,
            mailslots=shape.mailslots,
            tray_by_host=self._tray_by_host,
            reports_source=False,
            move_timeout=MOVE_LIMIT + QUERY_LIMIT,
        )

    async def status(self) -> MachineStatus:
        """What ``listall`` says. Raises CommunicationLost."""
        if self._programs.is_running():
            return self._unseen(MachineState.BUSY)
        try:
            return MachineStatus(MachineState.READY, (await self._list()).elements, None)
        except _NotListedError as refusal:
            return self._unseen(refusal.state)

    async def initialize(self) -> None:
        """Look whether it answers: scripts have no word for homing."""
        await self._list()

    async def move(self, source: Element, destination: Element) -> None:
        """Carry a disc; see the port."""
        words = await self._words(source, destination)
        what = f"{self._script[-1]} {' '.join(words[1:])}"
        try:
            done = await self._programs.run([*self._script, *words], MOVE_LIMIT)
        except TookTooLong as error:
            raise PositionUnknown(f"{what}: {error}; look where the disc is") from error
        if done.status < 0:
            raise PositionUnknown(f"{what}: ended by signal {-done.status}; look where the disc is")
        if done.status:
            why = explain_script(done.out, done.err)
            raise _ERRORS.get(why.trouble, PositionUnknown)(f"{what}: {why.text}")

    async def aclose(self) -> None:
        """Nothing is held open between commands; one that still runs goes on."""

    async def _words(self, source: Element, destination: Element) -> list[str]:
        """The arguments of a move. Raises BadAddress."""
        shape = (self._last or await self._list()).shape
        if source == destination:
            raise BadAddress(f"{source}: source and destination are the same")
        from_slot, to_slot = shape.number(source), shape.number(destination)
        if from_slot and to_slot:
            return transfer_arguments(self._changer, from_slot, to_slot)
        load = destination.kind is ElementKind.DRIVE
        slot, unit = (from_slot, destination) if load else (to_slot, source)
        if not slot or unit.kind is not ElementKind.DRIVE or not 0 <= unit.number < shape.drives:
            raise BadAddress(f"{source} to {destination}: a changer script moves between slots and drives only")
        if unit.number >= len(self._devices):
            raise BadAddress(f"{unit}: its device is not configured")
        return arguments(self._changer, "load" if load else "unload", slot, self._devices[unit.number], unit.number)

    async def _list(self) -> Report:
        """Ask for the list, again while it is spoiled."""
        device = self._devices[0] if self._devices else ""
        argv = [*self._script, *arguments(self._changer, "listall", 0, device, 0)]
        trouble = ""
        for _ in range(_QUERY_TRIES):
            try:
                done = await self._programs.run(argv, QUERY_LIMIT)
                self._last = self._parsed(done)
            except TookTooLong as error:
                raise CommunicationLost(f"STATUS: {error}; is the machine alive?") from error
            except BadOutputError as error:
                trouble = str(error)
            else:
                return self._last
        raise CommunicationLost(f"{self._script[-1]} listall: {trouble}")

    def _parsed(self, done: Completed) -> Report:
        if done.status == 0:
            return parse_listall(done.out, self._mailslots)
        why = explain_script(done.out, done.err)
        if why.trouble in _STATES:
            raise _NotListedError(f"{self._script[-1]} listall: {why.text}", _STATES[why.trouble])
        raise BadOutputError(why.text)

    def _unseen(self, state: MachineState) -> MachineStatus:
        known = self._last.elements if self._last else ()
        return MachineStatus(state, tuple(ElementState(e.element, Fill.UNKNOWN) for e in known), None)


class _NotListedError(MachineFault):
    """The machine says why it cannot list its elements now."""

    def __init__(self, message: str, state: MachineState) -> None:
        super().__init__(message)
        self.state = state
