"""What a machine says of itself in the Open Disc Jukebox Protocol: the map of its elements, and who it is.

For turning :class:`robot.ports.MachineStatus` and the answer to INFO into fields of lines, and back. A map is written
as runs (``F40E560``) or, where that would be longer, as two bits a slot in hexadecimal (``h400:1411...``). Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import groupby

from robot.ports import Capabilities, Element, ElementState, Fill, Identity, MachineState, MachineStatus
from robot.wire.lines import MACHINE_LINE_LIMIT, BadLineError
from robot.wire.odjp import Fields, More, Ok, Reply, element_of, element_token, field_text

_LETTER = {Fill.EMPTY: "E", Fill.FULL: "F", Fill.UNKNOWN: "U"}
_FILL = {letter: fill for fill, letter in _LETTER.items()}
_BITS = {Fill.EMPTY: 0, Fill.FULL: 1, Fill.UNKNOWN: 2}
_OF_BITS = (Fill.EMPTY, Fill.FULL, Fill.UNKNOWN, Fill.UNKNOWN)
_RUNS = re.compile(r"(?:[EFU](?:[1-9][0-9]{0,5})?)+")
_RUN = re.compile(r"([EFU])([0-9]*)")
_HEX = re.compile(r"h([1-9][0-9]{0,3}):([0-9A-F]+)")
_HEX_SLOTS = 400
"""Slots in one hexadecimal token: 200 digits, so that a token with its key fits every line."""
_PAYLOAD = MACHINE_LINE_LIMIT - len("<2147483647 MORE 999") - len("*FFFF\n")
_MOST = 100_000
"""Elements in one map token at most; a larger count is noise that passed the checksum, or hostile."""


def encode_map(fills: Sequence[Fill]) -> list[tuple[int, str]]:
    """``fills`` as tokens, each with the offset of its first element."""
    runs = "".join(_LETTER[fill] + (str(n) if n > 1 else "") for fill, n in _lengths(fills))
    if len(runs) <= _HEX_SLOTS // 2:
        return [(0, runs)] if runs else []
    return [(at, _hex(fills[at : at + _HEX_SLOTS])) for at in range(0, len(fills), _HEX_SLOTS)]


def decode_map(token: str) -> list[Fill]:
    """Undo one token of :func:`encode_map`.

    Raises:
        BadLineError: neither runs nor hexadecimal, or counts that cannot be.
    """
    if match := _HEX.fullmatch(token):
        count, digits = int(match[1]), match[2]
        bits = [_OF_BITS[half] for digit in digits for half in divmod(int(digit, 16), 4)]
        if len(digits) != (count + 1) // 2:
            raise BadLineError(f"map of {count} elements with {len(digits)} digits")
        return bits[:count]
    if not _RUNS.fullmatch(token):
        raise BadLineError(f"not a map: {token[:40]!r}")
    runs = [(_FILL[letter], int(count or 1)) for letter, count in _RUN.findall(token)]
    if sum(count for _, count in runs) > _MOST:
        raise BadLineError(f"map of more than {_MOST} elements")
    return [fill for fill, count in runs for _ in range(count)]


def encode_status(number: int, status: MachineStatus) -> list[Reply]:
    """The lines that answer STATUS: as many MORE as needed, then OK."""
    head = [("state", status.state.value)]
    if status.epoch is not None:
        head.append(("epoch", status.epoch))
    if status.moves is not None:
        head.append(("moves", str(status.moves)))
    return _pack(number, [*head, *_map_fields(status.elements), *_detail_fields(status.elements)])


def decode_status(fields: Fields) -> MachineStatus:
    """Read all fields of a complete answer to STATUS; unknown keys are passed over.

    Raises:
        BadLineError: no state, or a value that is not what its key promises.
    """
    states: dict[Element, ElementState] = {}
    details: list[tuple[Element, str, str]] = []
    head: dict[str, str] = {}
    for key, value in fields:
        name, dot, detail = key.partition(".")
        if not re.fullmatch(r"[SDMP][0-9]+", name):
            head[key] = value
        elif dot:
            details.append((element_of(name), detail, value))
        else:
            first = element_of(name)
            for offset, fill in enumerate(decode_map(value)):
                element = Element(first.kind, first.number + offset)
                states[element] = ElementState(element, fill)
    for element, detail, value in details:
        states[element] = _with_detail(states.get(element, ElementState(element, Fill.UNKNOWN)), detail, value)
    return MachineStatus(
        _state(head.get("state", "")), tuple(states.values()), _count(head.get("moves")), head.get("epoch")
    )


def encode_info(identity: Identity, can: Capabilities) -> Fields:
    """The fields that answer INFO."""
    return (
        ("vendor", identity.vendor),
        ("model", identity.model),
        ("firmware", identity.firmware),
        ("serial", identity.serial),
        ("slots", str(can.slots)),
        ("drives", str(can.drives)),
        ("mailslots", str(can.mailslots)),
        ("tray", "host" if can.tray_by_host else "machine"),
        ("from", str(int(can.reports_source))),
        ("tags", str(int(can.volume_tags))),
        ("flip", str(int(can.can_flip))),
        ("movetime", f"{can.move_timeout:g}"),
    )


def decode_info(fields: Fields) -> tuple[Identity, Capabilities]:
    """Read the answer to INFO.

    Raises:
        BadLineError: a count or time is missing or is no number.
    """
    said = dict(fields)
    try:
        can = Capabilities(
            slots=int(said["slots"]),
            drives=int(said["drives"]),
            mailslots=int(said.get("mailslots", "0")),
            tray_by_host=said.get("tray", "host") == "host",
            reports_source=said.get("from") == "1",
            volume_tags=said.get("tags") == "1",
            can_flip=said.get("flip") == "1",
            move_timeout=float(said.get("movetime", "120")),
        )
    except (KeyError, ValueError) as error:
        raise BadLineError(f"incomplete answer to INFO: {error}") from error
    return Identity(*(said.get(key, "") for key in ("vendor", "model", "firmware", "serial"))), can


def _lengths(fills: Sequence[Fill]) -> list[tuple[Fill, int]]:
    return [(fill, len(list(group))) for fill, group in groupby(fills)]


def _hex(fills: Sequence[Fill]) -> str:
    padded = [*fills, Fill.EMPTY] if len(fills) % 2 else fills
    digits = (f"{_BITS[a] * 4 + _BITS[b]:X}" for a, b in zip(padded[::2], padded[1::2], strict=True))
    return f"h{len(fills)}:" + "".join(digits)


def _map_fields(elements: Iterable[ElementState]) -> list[tuple[str, str]]:
    """One or more maps for each stretch of elements whose numbers follow one another."""
    fields = []
    for _, stretch in groupby(
        enumerate(elements), lambda pair: (pair[1].element.kind, pair[1].element.number - pair[0])
    ):
        states = [state for _, state in stretch]
        first = states[0].element
        fields += [
            (element_token(Element(first.kind, first.number + at)), token)
            for at, token in encode_map([state.fill for state in states])
        ]
    return fields


def _detail_fields(elements: Iterable[ElementState]) -> list[tuple[str, str]]:
    fields = []
    for state in elements:
        name = element_token(state.element)
        if state.source is not None:
            fields.append((f"{name}.from", element_token(state.source)))
        if state.volume_tag is not None:
            fields.append((f"{name}.tag", state.volume_tag))
        if state.exception is not None:
            fields.append((f"{name}.fault", state.exception))
    return fields


def _with_detail(state: ElementState, detail: str, value: str) -> ElementState:
    match detail:
        case "from":
            return replace(state, source=element_of(value))
        case "tag":
            return replace(state, volume_tag=value)
        case "fault":
            return replace(state, exception=value)
        case _:
            return state


def _pack(number: int, fields: list[tuple[str, str]]) -> list[Reply]:
    lines: list[list[tuple[str, str]]] = [[]]
    room = _PAYLOAD
    for field in fields:
        size = len(field_text((field,)))
        if size > room:
            lines.append([])
            room = _PAYLOAD
        lines[-1].append(field)
        room -= size
    *parts, last = lines
    if parts and room < len(" more=999"):
        parts, last = lines, []
    replies = [Reply(number, More(index, tuple(part))) for index, part in enumerate(parts, 1)]
    more = [("more", str(len(parts)))] if parts else []
    return [*replies, Reply(number, Ok((*more, *last)))]


def _state(text: str) -> MachineState:
    try:
        return MachineState(text)
    except ValueError as error:
        raise BadLineError(f"unknown state of the machine: {text!r}") from error


def _count(text: str | None) -> int | None:
    if text is not None and not text.isdigit():
        raise BadLineError(f"not a count: {text!r}")
    return None if text is None else int(text)
