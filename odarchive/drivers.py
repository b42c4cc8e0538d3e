"""The robot's drivers by name: ``[robot]`` and ``[[drive]]`` to a changer and drives. A part of ``bootstrap``.

Concrete drivers are imported by the builder that needs them, so that a missing package of one is no concern of the
others. Not for talking to the machine: a builder opens a line at most.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from odarchive.config import DRIVERS, FILE_NAME, Config, DriveConfig, RobotConfig
from odarchive.errors import ConfigError, RobotTrouble
from robot.errors import RobotError
from robot.ports import Burner, ByteStream, Changer, Drive, DriveId, Element, ElementKind

if TYPE_CHECKING:
    from robot.changers.manual import Person
    from robot.changers.people import Board


@dataclass(frozen=True, slots=True)
class Around:
    """What a driver may know beside its own settings."""

    drives: Mapping[DriveId, Drive]
    captions: Mapping[Element, str]
    """Which disc lies at a place, or should come from it, in words."""
    board: "Board | None"
    """Where a person who is the robot is asked beside his terminal."""
    board_is_shown: bool = True
    """Whether anybody can see the board; else the terminal is needed."""


Builder = Callable[[Config, Around], Changer]

_BINS = {
    "input": ElementKind.INPUT_BIN,
    "output": ElementKind.OUTPUT_BIN,
    "reject": ElementKind.REJECT_BIN,
}


def open_drives(config: Config) -> dict[DriveId, Drive]:
    """All drives, in the robot's order. Raises ConfigError."""
    return {DriveId(number): _drive(config, DriveId(number), drive) for number, drive in enumerate(config.drives)}


def _drive(config: Config, number: DriveId, drive: DriveConfig) -> Drive:
    from robot.drives.file import FileDrive  # noqa: PLC0415
    from robot.drives.sr import SrDrive  # noqa: PLC0415

    match drive.kind:
        case "file":
            return FileDrive(number, Path(drive.path))
        case "sr":
            return SrDrive(number, drive.path)
        case _:
            raise _wrong(config, f"[[drive]] kind = {drive.kind!r} is not known (drive {number}); known: sr, file")


def open_changer(
    config: Config,
    drives: Mapping[DriveId, Drive],
    captions: Mapping[Element, str] | None = None,
    board: "Board | None" = None,
    *,
    board_is_shown: bool = True,
) -> Changer:
    """The driver that ``[robot]`` names, with its line open.

    Args:
        config: of the archive.
        drives: of the robot.
        captions: which disc lies at a place, or should come from it, in words; read by a person who is the robot.
        board: where that person is asked too.
        board_is_shown: that person can see the board, and needs no terminal.

    Raises:
        ConfigError: there is no such driver, or a key it needs is not set.
        RobotTrouble: the line cannot be opened.
    """
    name = config.robot.driver
    if name == "none":
        raise _wrong(config, "no robot is configured; set [robot] driver and the keys it needs")
    if name not in BUILDERS:
        known = ", ".join(sorted(BUILDERS))
        raise _wrong(config, f"[robot] driver = {name!r} is not known; known: {known}")
    for key in DRIVERS[name].needs:
        if not getattr(config.robot, key):
            raise _wrong(config, f"[robot] {key} is not set; driver {name!r} needs it")
    try:
        return BUILDERS[name](config, Around(drives, {} if captions is None else captions, board, board_is_shown))
    except RobotError as error:
        raise RobotTrouble(f"the robot ({address(config.robot)}) cannot be reached: {error}") from error


def open_burner(config: Config, locks: Path) -> Burner:
    """The burning program that ``[burn]`` names. ``locks``: a folder that is the same in every life."""
    from robot.burners.cdrecord import Cdrecord  # noqa: PLC0415
    from robot.burners.growisofs import Growisofs  # noqa: PLC0415
    from robot.burners.program import Manner, ProgramBurner  # noqa: PLC0415
    from robot.burners.xorriso import Xorriso  # noqa: PLC0415

    dialects = {"xorriso": Xorriso, "cdrecord": Cdrecord, "growisofs": Growisofs}
    manner = Manner(speed=config.speed or None, defects=config.defects)
    return ProgramBurner(locks, dialects[config.program](), manner=manner)


def address(robot: RobotConfig) -> str:
    """Driver and line in a few words, for messages."""
    line = robot.device or robot.port
    return f"{robot.driver} on {line}" if line else robot.driver


def _wrong(config: Config, what: str) -> ConfigError:
    return ConfigError(f"{config.root / FILE_NAME}: {what}")


_ODJP: Mapping[str, int] = {"baudrate": 115_200}


def _serial(robot: RobotConfig, settings: Mapping[str, int]) -> ByteStream:
    """The line, with the settings of its protocol (robot.wire); it is opened again after a loss."""
    from robot.transport import ReopeningStream, SerialStream  # noqa: PLC0415

    baudrate = robot.baud or settings["baudrate"]
    return ReopeningStream(partial(SerialStream, robot.port, baudrate, rtscts=bool(settings.get("rtscts"))))


def _odjp(config: Config, _around: Around) -> Changer:
    from robot.changers.odjp import OdjpChanger  # noqa: PLC0415

    return OdjpChanger(_serial(config.robot, _ODJP))


def _mtx(config: Config, _around: Around) -> Changer:
    from robot.changers.mtx import MtxChanger  # noqa: PLC0415

    robot = config.robot
    return MtxChanger(robot.device, program=robot.program, altres=robot.altres, barcodes=robot.barcodes)


def _script(config: Config, around: Around) -> Changer:
    from robot.changers.script import ScriptChanger  # noqa: PLC0415

    robot = config.robot
    devices = [drive.device for _, drive in sorted(around.drives.items())]
    return ScriptChanger(
        robot.script, robot.device, devices, mailslots=robot.mailslots, tray_by_host=robot.tray_by_host
    )


def _manual(config: Config, around: Around) -> Changer:
    from robot.changers.manual import ManualChanger  # noqa: PLC0415
    from robot.changers.people import Several  # noqa: PLC0415

    robot = config.robot
    terminal = _person_at_terminal(config, needed=around.board is None or not around.board_is_shown)
    ways = [way for way in (terminal, around.board) if way is not None]
    return ManualChanger(
        Several(ways) if len(ways) > 1 else ways[0],
        slots=robot.slots,
        drives=len(around.drives),
        mailslots=robot.mailslots,
        patience=robot.patience,
        captions=around.captions,
    )


def _person_at_terminal(config: Config, *, needed: bool) -> "Person | None":
    """The terminal of ``[robot] port``, else the one of this process; None if there is none and none is needed."""
    from robot.changers.manual import TerminalPerson  # noqa: PLC0415
    from robot.transport import DescriptorStream  # noqa: PLC0415

    if config.robot.port:
        return TerminalPerson(_serial(config.robot, _ODJP))
    try:
        descriptor = os.open("/dev/tty", os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError as error:
        if not needed:
            return None
        raise _wrong(
            config,
            f"driver 'manual' asks on the terminal, and there is none ({error.strerror}); "
            "start this command in a terminal, or set [robot] port to one",
        ) from error
    return TerminalPerson(DescriptorStream(descriptor, "the terminal"))


def _generic(config: Config, around: Around) -> Changer:
    from robot.changers.look import look_into  # noqa: PLC0415
    from robot.changers.oneletter import OneLetterChanger  # noqa: PLC0415
    from robot.wire.oneletter import SETTINGS  # noqa: PLC0415

    line = _serial(config.robot, SETTINGS)
    return OneLetterChanger(line, look=look_into(around.drives), get_first=config.robot.get_first)


def _ras13(config: Config, around: Around) -> Changer:
    from robot.changers.ras13 import Ras13Changer  # noqa: PLC0415
    from robot.wire.ras13 import BINS, SETTINGS  # noqa: PLC0415

    bins = config.robot.bins
    if not 1 < len(bins) <= BINS or not {"input", "output"} <= set(bins) <= set(_BINS):
        raise _wrong(
            config, f"[robot] bins = {list(bins)}: name up to {BINS} of input, output, reject; the first two are needed"
        )
    line = _serial(config.robot, SETTINGS)
    return Ras13Changer(line, drives=len(around.drives), roles=[_BINS[name] for name in bins])


def _odrobot(config: Config, around: Around) -> Changer:
    from robot.changers.look import look_into  # noqa: PLC0415
    from robot.changers.odrobot import OdRobotChanger  # noqa: PLC0415
    from robot.wire.odrobot import SETTINGS, BadCalibrationError, Calibration, parse_calibration  # noqa: PLC0415

    calibration = Calibration()
    if config.robot.calibration:
        path = config.root / config.robot.calibration
        try:
            calibration = parse_calibration(path.read_text("utf-8"))
        except (OSError, UnicodeDecodeError, BadCalibrationError) as error:
            raise _wrong(config, f"[robot] calibration: {path}: {error}") from error
    line = _serial(config.robot, SETTINGS)
    return OdRobotChanger(line, calibration=calibration, look=look_into(around.drives))


BUILDERS: Mapping[str, Builder] = {
    "odjp": _odjp,
    "mtx": _mtx,
    "script": _script,
    "manual": _manual,
    "generic": _generic,
    "ras13": _ras13,
    "odrobot": _odrobot,
}
"""Every driver, by the name it has in ``[robot]``."""
