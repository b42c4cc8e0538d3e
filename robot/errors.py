"""What can go wrong with a machine, named for what failed.

Only :class:`Busy` may be retried blindly. After every other error the caller re-reads the machine's state first,
because a lost reply is not a failed move.
"""


class RobotError(Exception):
    """Base of all errors of this package; ``str()`` is one line for a person."""


class ChangerError(RobotError):
    """The changer refused or failed a command."""


class SourceEmpty(ChangerError):
    """There is no disc where the move should take one (sense 05/3B/0E)."""


class DestinationFull(ChangerError):
    """There is a disc where the move should put one (sense 05/3B/0D)."""


class BadAddress(ChangerError):
    """The machine has no such element (sense 05/21/01)."""


class Busy(ChangerError):
    """The machine is doing something else and has not begun this command: the one error that may be retried."""


class DriveNotEjected(ChangerError):
    """The drive's tray is closed or locked: the picker cannot reach the disc."""


class DoorOpen(ChangerError):
    """A door or magazine is open; a person has or had access, so no slot can be trusted afterwards."""


class ReturnAddressLost(ChangerError):
    """The machine does not know where the disc it holds came from."""


class PickFailed(ChangerError):
    """The picker did not get or could not set down the disc. ``held`` tells whether the picker still has one."""

    def __init__(self, message: str, *, held: bool | None) -> None:
        super().__init__(message)
        self.held = held


class MachineFault(ChangerError):
    """A hardware error the machine reports by its own code."""


class PositionUnknown(ChangerError):
    """No answer within the time a move may take. Whether the disc moved is not known: look before acting."""


class CommunicationLost(ChangerError):
    """The line to the machine is gone, mute or garbled beyond the protocol's own recovery."""


class DriveError(RobotError):
    """A drive refused or failed an operation."""


class NoMedium(DriveError):
    """The drive is closed and holds no disc, or none it can recognise, after the time allowed to spin up."""


class NotReady(DriveError):
    """The drive did not become ready within its time."""


class ReadFailed(DriveError):
    """Sectors could not be read. ``sector`` is the first of them (2,048-byte sectors)."""

    def __init__(self, message: str, *, sector: int) -> None:
        super().__init__(message)
        self.sector = sector


class BurnError(RobotError):
    """A burn did not end well; the medium must be taken as spoiled unless ``medium_touched`` is False."""

    def __init__(self, message: str, *, medium_touched: bool) -> None:
        super().__init__(message)
        self.medium_touched = medium_touched


class NotBlank(BurnError):
    """The medium is not blank; nothing was written."""

    def __init__(self, message: str) -> None:
        super().__init__(message, medium_touched=False)


class TooSmall(BurnError):
    """The image does not fit the medium; nothing was written."""

    def __init__(self, message: str) -> None:
        super().__init__(message, medium_touched=False)


class MediumRefused(BurnError):
    """The burning program did not begin, and the medium is still blank: drive or program cannot write it."""

    def __init__(self, message: str) -> None:
        super().__init__(message, medium_touched=False)


class BurnerMissing(BurnError):
    """The burning program is not installed or could not be started; nothing was written."""

    def __init__(self, message: str) -> None:
        super().__init__(message, medium_touched=False)
