"""Errands and inventory over HTTP: what people ask of the machine by hand. Thin, as ``http``.

``POST /v1/errands`` with ``{"do": NAME, ...numbers}`` answers the numbers of errands at once (``carry`` has two places
instead: ``"source": "output-bin 1"``);
``GET /v1/errands/N?wait=S`` tells how one is. ``GET /v1/inventory`` compares machine and catalogue now.
"""

from collections.abc import Callable, Mapping
from typing import Any

import trio
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from odarchive.catalogue import discs
from odarchive.errors import NotFound, OdarchiveError
from odarchive.librarian.carrying import carry
from odarchive.librarian.errands import Errand, Errands
from odarchive.librarian.scheduler import Librarian
from odarchive.librarian.stock import take_stock
from odarchive.model import SlotState
from odarchive.service.bodies import json_body
from odarchive.service.report import robot_report
from robot.errors import RobotError
from robot.ports import Element, ElementKind

LONGEST_WAIT = 30.0

_NUMBERS: Mapping[str, tuple[str, ...]] = {
    "load": ("slot", "drive"),
    "next": ("drive",),
    "carry": (),
    "unload": ("drive",),
    "eject": ("drive",),
    "move": ("source", "destination"),
    "export": ("slot", "mailslot"),
    "import": ("mailslot",),
    "park": (),
    "look": ("everything",),
    "release": ("drive",),
}
"""What can be asked, and the numbers each needs."""
_ENDS = ("source", "destination")


def errand_routes(librarian: Librarian) -> list[Route]:
    """The routes of this module."""
    errands = librarian.errands

    async def order(request: Request) -> Response:
        try:
            document = await json_body(request)
            what, numbers = _order(document)
            places = [_place(document, end) for end in _ENDS] if what == "carry" else []
        except ValueError as error:
            return PlainTextResponse(str(error), 400)
        try:
            asked = [carry(errands, *places)] if places else _orders(errands)[what](*numbers)
        except OdarchiveError as error:
            return PlainTextResponse(str(error), 404 if isinstance(error, NotFound) else 409)
        return JSONResponse({"errands": [errand.number for errand in asked]})

    async def state(request: Request) -> Response:
        try:
            errand = errands.get(int(request.path_params["number"]))
            wait = min(max(0.0, float(request.query_params.get("wait", "0"))), LONGEST_WAIT)
        except NotFound as error:
            return PlainTextResponse(str(error), 404)
        except ValueError:
            return PlainTextResponse("wait must be a number of seconds", 400)
        with trio.move_on_after(wait):
            await errand.ended.wait()
        return JSONResponse({"what": errand.what, "state": errand.state, "said": errand.said})

    async def inventory(_request: Request) -> Response:
        try:
            return JSONResponse(await inventory_report(librarian))
        except RobotError as error:
            return PlainTextResponse(f"the robot does not answer: {error}", 503)

    return [
        Route("/v1/errands", order, methods=["POST"]),
        Route("/v1/errands/{number:int}", state),
        Route("/v1/inventory", inventory),
    ]


def _orders(errands: Errands) -> Mapping[str, Callable[..., list[Errand]]]:
    return {
        "load": lambda slot, drive: [errands.load(slot, drive)],
        "next": lambda drive: [errands.load_next(drive)],
        "unload": lambda drive: [errands.unload(drive)],
        "eject": lambda drive: [errands.eject(drive)],
        "move": lambda source, destination: [errands.move(source, destination)],
        "export": lambda slot, mailslot: [errands.export(slot, mailslot)],
        "import": lambda mailslot: [errands.import_(mailslot)],
        "park": errands.park,
        "look": lambda everything: [errands.look(everything=bool(everything))],
        "release": lambda drive: [errands.release(drive)],
    }


def _order(body: object) -> tuple[str, list[int]]:
    what = body.get("do") if isinstance(body, dict) else None
    if not isinstance(body, dict) or not isinstance(what, str) or what not in _NUMBERS:
        raise ValueError(f"do must be one of {', '.join(_NUMBERS)}")
    numbers = [body.get(name) for name in _NUMBERS[what]]
    if not all(isinstance(number, int) and 0 <= number < 1 << 31 for number in numbers):
        raise ValueError(f"{what} needs the numbers {', '.join(_NUMBERS[what])}")
    return what, [int(number) for number in numbers if number is not None]


def _place(document: Mapping[str, Any], end: str) -> Element:
    kind, _, number = str(document.get(end, "")).partition(" ")
    if kind not in set(ElementKind) or not (number.isascii() and number.isdigit() and len(number) < 8):
        raise ValueError(f"{end} must be a place and its number, such as 'output-bin 1'")
    return Element(ElementKind(kind), int(number))


async def inventory_report(librarian: Librarian) -> dict[str, Any]:
    """Where machine and catalogue differ before they are compared, and what is doubtful afterwards. Moves nothing."""
    room = librarian.room
    before = await robot_report(librarian)
    differences = [
        f"slot {slot['slot']}: the machine says {slot['machine']}, the catalogue says {slot['recorded']}"
        for slot in before["slots"]
        if slot["recorded"] and (slot["machine"] == "empty") != (slot["recorded"] == "empty") and not slot["out"]
    ]
    await take_stock(room)
    beliefs = await room.read(discs.slots)
    doubtful = (SlotState.UNKNOWN, SlotState.STALE, SlotState.UNREADABLE)
    return {
        "slots": before["slots"],
        "differences": differences,
        "doubtful": [
            {"slot": slot.number, "state": slot.state.value}
            for slot in sorted(beliefs.values(), key=lambda slot: slot.number)
            if slot.state in doubtful
        ],
        "missing": [f"{disc.label} ({disc.uuid})" for disc in await room.read(discs.missing)],
        "outside": sorted((await room.read(discs.outside_labels)).items()),
        "to_read": librarian.inventory.ordered,
    }
