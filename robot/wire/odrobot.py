"""The optical-disc robot this project descends from: a MicroPython prompt that is typed at, as its own program did.

115200 baud, 8N1. A line of Python and CR LF; the board echoes the line, prints what it evaluates to, and then ``>>> ``.
Source: the public source of that robot's program (the class ``ODRobot``): every expression, the order of the steps,
the pauses, the calibration file with its defaults. Guesses, for lack of the board's own program: what state 1 of the
axis means over a pile (taken as: the tool head stands on a disc), that ``park`` lets go of a disc, that ``nudge``
counts in tenths of a second and returns when it has ended. For both sides of the wire. Pure.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from enum import IntEnum

SETTINGS = {"baudrate": 115200}
"""Of the serial port."""
CALIBRATION_FILE = "od_robot_calibration.json"
"""Its name in the ancestor's working directory."""
PROMPT = b">>> "
IMPORT = "import control1"
STATE = "control1.z_axis.state()"
GRIP = "control1.th.grip()"
RELEASE = "control1.th.release()"
PARK = "control1.th.park()"
HEAD_OFF = "control1.th.shutdown()"
Z_OFF = "control1.z_axis.shutdown()"
_RAISE_MM = 200
"""Further than the tool head can be from the top, where a switch stops it."""
_BACKLASH = 5
"""A position is approached from this much below, against the play in the gear."""
_TRACEBACK = "Traceback (most recent call last):"


class ZState(IntEnum):
    """What the switches of the tool head's axis say."""

    MIDDLE = 0
    BOTTOM = 1
    TOP = 2


class BadCalibrationError(ValueError):
    """This is not a calibration file."""


class BadAnswerError(ValueError):
    """This is not an answer to what was typed; the line is disturbed."""


@dataclass(frozen=True, slots=True)
class Bin:
    """Where a pile is, in the robot's own units: servo positions, tenths of a second."""

    position: float
    drop_offset: float
    pickup_offset: float
    drop_time: float
    pickup_time: float
    """0: nothing is ever taken from it."""


def _default_bins() -> dict[str, Bin]:
    return {
        "in": Bin(86, 0, 0, 10, 150),
        "out": Bin(14, 0, 0, 10, 150),
        "od": Bin(51.0, -0.2, 0.5, 40, 70),
        "waste": Bin(0, 0, 0, 10, 0),
    }


@dataclass(frozen=True, slots=True)
class Calibration:
    """The calibration file; the defaults are those the ancestor writes when it finds none."""

    down: float = 51
    up: float = 44
    speed_down: float = 10
    """Millimetres a second; the ancestor divides upward ways by this one."""
    bins: dict[str, Bin] = field(default_factory=_default_bins)


def parse_calibration(text: str) -> Calibration:
    """Read a calibration file.

    Raises:
        BadCalibrationError: not JSON, or one of the four bins or a number is missing.
    """
    try:
        said = json.loads(text)
        bins = {str(name): Bin(*map(float, row)) for name, row in said["bins"].items()}
        down, up = float(said["z_axis_down_setting"]), float(said["z_axis_up_setting"])
        speed = float(said.get("toolhead_speed_down", 10))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise BadCalibrationError(f"the robot's calibration cannot be read: {error!r}") from error
    if missing := {"in", "out", "od", "waste"} - bins.keys():
        raise BadCalibrationError(f"the robot's calibration has no bin {', '.join(sorted(missing))}")
    if speed <= 0:
        raise BadCalibrationError("toolhead_speed_down is not above 0")
    return Calibration(down, up, speed, bins)


@dataclass(frozen=True, slots=True)
class Step:
    """One line to type, and seconds to wait after its prompt."""

    text: str
    pause: float = 0.0


def make_safe(calibration: Calibration) -> list[Step]:
    """Tool head parked and off, up, motor off: before and after everything."""
    return [Step(PARK, 2.0), Step(HEAD_OFF), *_up(calibration)]


def approach(calibration: Calibration, name: str) -> list[Step]:
    """Go over a bin, open, and down until the switch or the time stops it. Then look at ``STATE``."""
    target = calibration.bins[name]
    turn = _turn(target.position + target.pickup_offset)
    return [*turn, Step(RELEASE, 1.0), _nudge(calibration.down, target.pickup_time)]


def take(calibration: Calibration) -> list[Step]:
    """Grip what the tool head stands on, and up."""
    return [Step(GRIP, 1.0), *_up(calibration)]


def drop(calibration: Calibration, name: str) -> list[Step]:
    """Carry what is gripped over a bin, nearer to it, let go, and make safe."""
    target = calibration.bins[name]
    turn = _turn(target.position + target.drop_offset)
    return [*turn, _nudge(calibration.down, target.drop_time, 2.0), Step(RELEASE, 1.0), *make_safe(calibration)]


def _turn(position: float) -> list[Step]:
    first = max(0, position - _BACKLASH)
    return [
        Step(f"control1.rotate.wait_set_position({first:g})", 1.0),
        Step(f"control1.rotate.wait_set_position({position:g})"),
    ]


def _up(calibration: Calibration) -> list[Step]:
    return [_nudge(calibration.up, _RAISE_MM * 10 / calibration.speed_down), Step(Z_OFF)]


def _nudge(setting: float, time: float, pause: float = 0.0) -> Step:
    return Step(f"control1.z_axis.nudge({setting:g}, run_time={time:g})", pause)


def encode_line(text: str) -> bytes:
    """What is typed."""
    return text.encode("ascii") + b"\r\n"


def cut_answer(buffer: bytearray) -> bytes | None:
    """Take everything up to and including the first prompt."""
    end = buffer.find(PROMPT)
    if end < 0:
        return None
    answer = bytes(buffer[: end + len(PROMPT)])
    del buffer[: end + len(PROMPT)]
    return answer


def decode_answer(answer: bytes, text: str) -> str:
    """What the board printed for ``text``: empty for most calls; for errors the last line of the traceback.

    Raises:
        BadAnswerError: the echo is not ``text``.
    """
    lines = answer.decode("ascii", "replace").removesuffix(PROMPT.decode()).replace("\r", "").split("\n")
    if text not in lines:
        raise BadAnswerError(f"the board echoes {lines[0][:60]!r}, typed was {text!r}")
    printed = [line for line in lines[lines.index(text) + 1 :] if line.strip()]
    return printed[-1].strip() if printed else ""


def is_error(answer: bytes) -> bool:
    """Whether Python raised an exception."""
    return _TRACEBACK.encode() in answer


def decode_call(text: str) -> tuple[str, tuple[float, ...]] | None:
    """A line of Python as the board understands it: name and numbers. None: not a call this robot knows."""
    if text == IMPORT:
        return "import", ()
    match = re.fullmatch(r"control1\.([a-z_]+\.[a-z_]+)\(([^()]*)\)", text)
    if match is None:
        return None
    try:
        numbers = tuple(float(word.rpartition("=")[2]) for word in match[2].split(",") if word.strip())
    except ValueError:
        return None
    return match[1], numbers
