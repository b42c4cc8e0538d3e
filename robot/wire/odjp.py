"""Messages of the Open Disc Jukebox Protocol, version 1, as frozen values (``robot/PROTOCOL.md`` is the specification).

For both sides of the wire: the driver encodes commands and decodes replies, the simulated machine does the opposite.
Not for maps of 600 slots (``robot.wire.odjp_status``) nor for exchanges in time (``robot.changers.odjp``). Pure.
Keys and error names a version does not know are kept, never dropped.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from robot.ports import Element, ElementKind
from robot.wire.lines import HOST_MARK, MACHINE_MARK, BadLineError, quote, seal, unquote, unseal

VERSION = 1
"""The version of the protocol these messages are of."""
HIGHEST_NUMBER = 2**31 - 1
"""Largest number of a command; a host that gets there opens a new session."""

Fields = tuple[tuple[str, str], ...]
"""Keys and values in the order of the line; values unquoted."""

_LETTERS = {"S": ElementKind.SLOT, "D": ElementKind.DRIVE, "M": ElementKind.MAILSLOT, "P": ElementKind.PICKER}
_KINDS = {kind: letter for letter, kind in _LETTERS.items()}
_TOKEN = re.compile(r"([SDMP])(0|[1-9][0-9]{0,5})")
_HEAD = re.compile(r"(0|[1-9][0-9]{0,9}) ([A-Z]+)((?: [!-~]+)*)")


class ErrorName(StrEnum):
    """What a machine answers when it does not do what it was told."""

    SOURCE_EMPTY = "SourceEmpty"
    DEST_FULL = "DestFull"
    BAD_ADDRESS = "BadAddress"
    BUSY = "Busy"
    NOT_READY = "NotReady"
    DRIVE_NOT_EJECTED = "DriveNotEjected"
    DOOR_OPEN = "DoorOpen"
    RETURN_ADDRESS_LOST = "ReturnAddressLost"
    PICK_FAILED = "PickFailed"
    FAULT = "Fault"
    NO_SESSION = "NoSession"
    BAD_SEQUENCE = "BadSequence"
    BAD_COMMAND = "BadCommand"
    BAD_VERSION = "BadVersion"


@dataclass(frozen=True, slots=True)
class Hello:
    """Open a session (or prove that it is still open)."""

    session: int
    """32 bits drawn at random by the host, once for each life of the host."""
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class Info:
    """Ask who the machine is and what it can do."""


@dataclass(frozen=True, slots=True)
class Status:
    """Ask for state, map and counters."""


@dataclass(frozen=True, slots=True)
class Init:
    """Home the arm, count the discs, clear a fault. A motion."""


@dataclass(frozen=True, slots=True)
class Move:
    """Take the disc at ``source`` and set it down at ``destination``. A motion."""

    source: Element
    destination: Element


Request = Hello | Info | Status | Init | Move


@dataclass(frozen=True, slots=True)
class Command:
    """A request under its number."""

    number: int
    request: Request


@dataclass(frozen=True, slots=True)
class Ack:
    """The motion has begun (or is still going on, when the command was repeated)."""


@dataclass(frozen=True, slots=True)
class Running:
    """A sign of life during a motion."""

    phase: str


@dataclass(frozen=True, slots=True)
class More:
    """Part ``index`` (from 1) of an answer that needs more than one line; the final :class:`Ok` follows."""

    index: int
    fields: Fields


@dataclass(frozen=True, slots=True)
class Ok:
    """Final: done. With field ``more=N`` it completes N parts."""

    fields: Fields = ()


@dataclass(frozen=True, slots=True)
class Failed:
    """Final: not done. ``name`` is one of :class:`ErrorName`, or one this version does not know."""

    name: str
    fields: Fields = ()


@dataclass(frozen=True, slots=True)
class Nak:
    """The machine got a line it could not check (number 0): repeat it now instead of waiting."""

    reason: str


@dataclass(frozen=True, slots=True)
class Boot:
    """The machine has just started (number 0): every session and every remembered answer is gone."""

    epoch: str


Body = Ack | Running | More | Ok | Failed | Nak | Boot


@dataclass(frozen=True, slots=True)
class Reply:
    """What the machine says, under the number of the command it answers (0: nobody asked)."""

    number: int
    body: Body


def element_token(element: Element) -> str:
    """``S42`` for slot 42, and so on.

    Raises:
        BadLineError: a kind of element the protocol has no letter for.
    """
    letter = _KINDS.get(element.kind)
    if letter is None:
        raise BadLineError(f"{element} has no address in this protocol")
    return f"{letter}{element.number}"


def element_of(token: str) -> Element:
    """Undo :func:`element_token`.

    Raises:
        BadLineError: not an address.
    """
    match = _TOKEN.fullmatch(token)
    if match is None:
        raise BadLineError(f"not an address: {token!r}")
    return Element(_LETTERS[match[1]], int(match[2]))


def encode_command(command: Command) -> bytes:
    """The line that carries ``command``."""
    match command.request:
        case Hello(session, version):
            text = f"HELLO {version} {session:08X}"
        case Move(source, destination):
            text = f"MOVE {element_token(source)} {element_token(destination)}"
        case Info() | Status() | Init():
            text = type(command.request).__name__.upper()
    return seal(f"{HOST_MARK}{command.number} {text}")


def decode_command(line: bytes) -> Command:
    """Read a line of the host.

    Raises:
        BadLineError: damaged (no number could be read with certainty).
        UnknownCommandError: whole, but not a command of this version.
    """
    number, word, args = _parse(line, HOST_MARK)
    request: Request
    if number == 0:
        raise UnknownCommandError(0, "commands are numbered from 1")
    match word, args:
        case "HELLO", [version, session, *_] if version.isdigit() and re.fullmatch("[0-9A-F]{8}", session):
            request = Hello(int(session, 16), int(version))
        case "INFO", []:
            request = Info()
        case "STATUS", []:
            request = Status()
        case "INIT", []:
            request = Init()
        case "MOVE", [source, destination] if _TOKEN.fullmatch(source) and _TOKEN.fullmatch(destination):
            request = Move(element_of(source), element_of(destination))
        case _:
            raise UnknownCommandError(number, f"{word} with {len(args)} arguments is no command of this version")
    return Command(number, request)


class UnknownCommandError(ValueError):
    """A whole line that is no command of this version; the machine answers BadCommand under ``number``."""

    def __init__(self, number: int, message: str) -> None:
        super().__init__(message)
        self.number = number


def encode_reply(reply: Reply) -> bytes:
    """The line that carries ``reply``."""
    match reply.body:
        case Ack():
            text = "ACK"
        case Running(phase):
            text = f"RUN {quote(phase)}"
        case More(index, fields):
            text = f"MORE {index}{field_text(fields)}"
        case Ok(fields):
            text = f"OK{field_text(fields)}"
        case Failed(name, fields):
            text = f"ERR {quote(name)}{field_text(fields)}"
        case Nak(reason):
            text = f"NAK {quote(reason)}"
        case Boot(epoch):
            text = f"BOOT {quote(epoch)}"
    return seal(f"{MACHINE_MARK}{reply.number} {text}")


def decode_reply(line: bytes) -> Reply:
    """Read a line of the machine.

    Raises:
        BadLineError: damaged, or not a reply of this version.
    """
    number, word, args = _parse(line, MACHINE_MARK)
    return Reply(number, _body(word, args))


def _body(word: str, args: list[str]) -> Body:
    body: Body
    match word, args:
        case "ACK", []:
            body = Ack()
        case "RUN", [phase]:
            body = Running(unquote(phase))
        case "MORE", [index, *rest] if index.isdigit():
            body = More(int(index), _fields(rest))
        case "OK", rest:
            body = Ok(_fields(rest))
        case "ERR", [name, *rest]:
            body = Failed(unquote(name), _fields(rest))
        case "NAK", [reason]:
            body = Nak(unquote(reason))
        case "BOOT", [epoch]:
            body = Boot(unquote(epoch))
        case _:
            raise BadLineError(f"not a reply: {word} with {len(args)} arguments")
    return body


def field_text(fields: Fields) -> str:
    """Fields as they stand in a line: a blank before each."""
    return "".join(f" {quote(key)}={quote(value)}" for key, value in fields)


def _fields(tokens: list[str]) -> Fields:
    found = []
    for token in tokens:
        key, equals, value = token.partition("=")
        if not equals or not key or "=" in value:
            raise BadLineError(f"not key=value: {token!r}")
        found.append((unquote(key), unquote(value)))
    return tuple(found)


def _parse(line: bytes, mark: str) -> tuple[int, str, list[str]]:
    body = unseal(line)
    match = _HEAD.fullmatch(body[1:])
    if body[0] != mark or match is None or int(match[1]) > HIGHEST_NUMBER:
        raise BadLineError(f"not a message from this side: {body[:40]!r}")
    return int(match[1]), match[2], match[3].split()
