"""What a person who is the robot is asked, over the socket: for commands and scripts. Thin, as ``http``.

``GET /v1/asked`` tells it, ``POST /v1/asked`` with ``{"number": N, "answer": WORD, "words": TEXT}`` answers it.
"""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from odarchive.librarian.scheduler import Librarian
from odarchive.service.bodies import cleaned, json_body
from robot.changers.people import Asked
from robot.wire.errand import Answer, choices, sentence


def asked_routes(librarian: Librarian) -> list[Route]:
    """The routes of this module."""

    async def asked(request: Request) -> Response:
        board = librarian.room.board
        if request.method == "GET":
            return JSONResponse(_asked(board.asked))
        try:
            number, said, words = _answer(await json_body(request))
        except ValueError as error:
            return PlainTextResponse(str(error), 400)
        if not board.say(number, said, words):
            return PlainTextResponse("that errand is not asked any more", 409)
        return JSONResponse({})

    return [Route("/v1/asked", asked, methods=["GET", "POST"])]


def _answer(body: object) -> tuple[int, Answer, str]:
    document = body if isinstance(body, dict) else {}
    number, said = document.get("number"), document.get("answer")
    if not isinstance(number, int) or said not in list(Answer):
        raise ValueError("number must be an errand's, and answer one of the words")
    return number, Answer(said), cleaned(str(document.get("words", "")))


def _asked(asked: Asked | None) -> dict[str, Any]:
    if asked is None:
        return {"number": None, "sentence": "", "answers": {}}
    errand = asked.errand
    answers = {answer.value: meaning for answer, meaning in choices(errand)}
    return {"number": errand.number, "sentence": sentence(errand), "answers": answers}
