"""The status page: what a person is asked, drives, queue, recalls, slots; buttons to answer. Needs no JavaScript.

The same pages are on the librarian's unix socket (whoever may open it is trusted) and, if ``[web] listen`` says so, on
a port of loopback behind ``guard``. Thin: shows ``overview``, and hands on what was answered. Every form carries a
token made from the key; names of files and discs are escaped by the templates.
"""

from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import parse_qs

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from odarchive.asked import Box, Verdict
from odarchive.catalogue import machine
from odarchive.librarian.scheduler import Librarian
from odarchive.service.bodies import cleaned, raw_body
from odarchive.service.guard import cookie_name, same_origin
from odarchive.service.key import equal, form_token
from odarchive.service.overview import overview, slot_count
from robot.wire.errand import Answer, choices, sentence

REFRESH = 10
"""Seconds after which the page is fetched anew."""
_PAGES = Path(__file__).parent / "pages"

Form = dict[str, str]


class StatusPages:
    """The pages of one librarian."""

    def __init__(self, librarian: Librarian, key: str) -> None:
        self._librarian = librarian
        self._token = form_token(key)
        self._templates = _templates()
        self._slots = 0
        self._style = (_PAGES / "style.css").read_text("utf-8")

    def routes(self) -> list[Route]:
        """Where each page is."""
        return [
            Route("/", self._home),
            Route("/style.css", self._css),
            Route("/errand/{number:int}", self._errand),
            Route("/answer", _checked(self._answer, self._token), methods=["POST"]),
            Route("/leave", _checked(self._leave, self._token), methods=["POST"]),
            Route("/again", _checked(self._again, self._token), methods=["POST"]),
            Route("/queue", _checked(self._queue, self._token), methods=["POST"]),
        ]

    def _page(self, name: str, **values: object) -> Response:
        return HTMLResponse(self._templates.get_template(name).render(token=self._token, **values))

    async def _home(self, request: Request) -> Response:
        late = request.query_params.get("late") == "1"
        self._slots = await slot_count(self._librarian) or self._slots
        shown = await overview(self._librarian, self._slots)
        return self._page("status.html", refresh=REFRESH, late=late, **shown)

    async def _css(self, _request: Request) -> Response:
        return Response(self._style, media_type="text/css")

    async def _errand(self, request: Request) -> Response:
        """Every answer to an errand; unlike the status page it is not fetched anew while somebody types."""
        asked = self._librarian.room.board.asked
        if asked is None or asked.errand.number != request.path_params["number"]:
            return RedirectResponse("/?late=1", 303)
        errand = asked.errand
        return self._page("errand.html", number=errand.number, sentence=sentence(errand), choices=choices(errand))

    async def _answer(self, _request: Request, form: Form) -> Response:
        try:
            number, said = int(form["errand"]), Answer(form["answer"])
        except (KeyError, ValueError):
            return PlainTextResponse("errand must be a number and answer one of the words\n", 400)
        taken = self._librarian.room.board.say(number, said, cleaned(form.get("words", "")))
        return RedirectResponse("/" if taken else "/?late=1", 303)

    async def _leave(self, _request: Request, form: Form) -> Response:
        """A reader of a mount that asks may have a disc loaded, or not."""
        try:
            number, said = int(form["question"]), Verdict(form["verdict"])
        except (KeyError, ValueError):
            return PlainTextResponse("question must be a number and verdict yes or no\n", 400)
        box = Box(self._librarian.room.config.root)
        if number not in [question.content for question in box.questions()]:
            return RedirectResponse("/?late=1", 303)
        try:
            box.answer(number, said)
        except OSError as error:
            return PlainTextResponse(f"the answer cannot be written: {error}; say it by: odarchive asked\n", 500)
        return RedirectResponse("/", 303)

    async def _again(self, _request: Request, _form: Form) -> Response:
        await self._librarian.look_again()
        return RedirectResponse("/", 303)

    async def _queue(self, _request: Request, form: Form) -> Response:
        if form.get("do") not in ("pause", "resume"):
            return PlainTextResponse("do must be pause or resume\n", 400)
        state = "paused" if form["do"] == "pause" else "running"
        await self._librarian.room.write(machine.remember, "queue", state)
        self._librarian.wake()
        return RedirectResponse("/", 303)


def _templates() -> Environment:
    loader = FileSystemLoader(_PAGES)
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


def enter_routes(key: str) -> list[Route]:
    """Where the key is given: by its address (``odarchive web`` tells it) or typed."""
    templates = _templates()

    def refused(status: int, said: str) -> Response:
        return HTMLResponse(templates.get_template("enter.html").render(said=said), status)

    async def enter(request: Request) -> Response:
        given = request.query_params.get("key", "")
        if request.method == "POST":
            form = await read_form(request)
            if form is None or not same_origin(request.headers):
                return refused(400, "That was no key.")
            given = form.get("key", "").strip()
        if not given:
            return refused(200, "")
        if not equal(given, key):
            return refused(403, "That is not the key of this archive.")
        answer = RedirectResponse("/", 303)
        name = cookie_name(request.headers["host"])
        answer.set_cookie(name, key, max_age=180 * 86400, httponly=True, samesite="strict", path="/")
        return answer

    return [Route("/enter", enter, methods=["GET", "POST"])]


Handler = Callable[[Request, Form], Awaitable[Response]]


def _checked(handler: Handler, token: str) -> Callable[[Request], Awaitable[Response]]:
    """A handler of a form that this page itself has shown."""

    async def handle(request: Request) -> Response:
        form = await read_form(request)
        if form is None:
            return PlainTextResponse("the form is too long or cannot be read\n", 400)
        if not same_origin(request.headers) or not equal(form.get("token", ""), token):
            return PlainTextResponse("this form is not of this page; load the page again\n", 403)
        return await handler(request, form)

    return handle


async def read_form(request: Request) -> Form | None:
    """The fields of a form, the last of each name; None if it is too long or no form."""
    try:
        raw = await raw_body(request)
        fields = parse_qs(raw.decode("ascii"), keep_blank_values=True, max_num_fields=16, errors="replace")
    except (ValueError, UnicodeDecodeError):
        return None
    return {name: values[-1] for name, values in fields.items()}
