"""A person is the robot and answers on the status page: discs are burned and recalled, through a browser's requests."""

import html
import os
import re
import shutil
import socket
import stat

import httpx
import pytest

from robot.ports import Element, ElementKind
from robot.sim.bins import INPUT
from robot.sim.world import DiscKind, World
from tests.e2e.site import MB, Site

pytestmark = pytest.mark.e2e

DRIVE = Element(ElementKind.DRIVE, 0)
NAME = "<b>photos & 'friends'"


class Page:
    """A browser without scripts, and the hands of who looks at it."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.browser: httpx.Client | None = None
        self.world = World.create(site.world, slots=0, drives=1, mailslots=0, blanks=())
        for number in (2, 1):
            self.world.add_disc(f"disc-{number}", INPUT, DiscKind(10 * MB))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]

    def close(self) -> None:
        if self.browser is not None:
            self.browser.close()

    def serve(self):
        self.close()
        process = self.site.serve()
        address = self.site.command("web").stdout.strip()
        self.browser = httpx.Client(base_url=f"http://127.0.0.1:{self.port}")
        answer = self.browser.get(address)
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        return process

    def look(self) -> str:
        answer = self.browser.get("/")
        assert answer.status_code == 200, answer.text
        return answer.text

    def wait(self, pattern: str) -> re.Match[str]:
        found = []

        def seen() -> bool:
            found.append(re.search(pattern, html.unescape(self.look())))
            return found[-1] is not None

        self.site.wait_for(seen, pattern)
        return found[-1]

    def post(self, path: str, **fields: str) -> httpx.Response:
        token = re.search(r'name="token" value="([0-9a-f]{64})"', self.look())[1]
        return self.browser.post(path, data={"token": token, **fields})

    def carry(self, sentence: str, disc: str | None = None) -> None:
        """Do what the page asks for and press Done."""
        self.wait(rf'<p class="sentence">{sentence}</p>')
        number = re.search(r'name="errand" value="(\d+)"', self.look())[1]
        if sentence.startswith("Put"):
            places = self.world.discs()
            self.world.lift(next(str(places[name]) for name in places if name == disc) if disc else str(INPUT), DRIVE)
        else:
            self.world.lift(DRIVE, f"shelf {self.world.at(DRIVE)[0]}")
        assert self.post("/answer", errand=number, answer="done").headers["location"] == "/"
        assert self.post("/answer", errand=number, answer="done").headers["location"] == "/?late=1"


@pytest.fixture
def page(tmp_path):
    with Site(tmp_path / "site") as site:
        (site.source / NAME).mkdir()
        for number in range(2):
            (site.source / NAME / f"{number}.raw").write_bytes(os.urandom(6_000_000))
        page = Page(site)
        site.command("init", str(site.archive), "--robot", "manual", "--drive", f"file:{site.world}/drives/0")
        settings = site.archive / "archive.toml"
        listen = f'[web]\nlisten = "127.0.0.1:{page.port}"'
        settings.write_text(settings.read_text().replace("[web]", listen))
        site.command("scan", str(site.source))
        site.command("plan", "--media", "10MB")
        yield page
        page.close()


def test_discs_are_burned_and_recalled_by_who_looks_at_the_page(page):
    site = page.site
    process = page.serve()
    site.command("burn", "all")
    page.carry("Put a blank disc into drive 0.")
    page.carry("Take disc ODA_0001 out of drive 0 and put it on the shelf.")
    page.carry("Put a blank disc into drive 0.")
    page.wait("2 discs, .* archived")
    assert site.stop(process) == 0
    page.world.set_tray(0, is_open=True)
    page.world.lift(DRIVE, "shelf disc-2")
    shutil.rmtree(site.archive / "cache")

    process = page.serve()
    site.start("recall", "-m", "odarchive", "recall", "photos", "--wait")
    number = page.wait(r"/errand/(\d+)")[1]
    assert "an unreadable disc, if there is one" in page.look()  # by the journal a disc lies there
    page.wait(r"Recalls</h2>\s*<table>(?s:.*)1\.raw")  # both are asked for
    assert NAME not in page.look()
    assert html.escape(NAME, quote=False).replace("'", "&#39;") in page.look()
    assert "What happened?" in page.browser.get(f"/errand/{number}").text
    page.post("/answer", errand=number, answer="empty")
    page.carry("Put disc ODA_0001 or ODA_0002 into drive 0.", "disc-2")
    page.carry("Take disc ODA_0002 out of drive 0 and put it on the shelf.")
    page.carry("Put disc ODA_0001 into drive 0.", "disc-1")
    page.wait("Nobody waits for a disc")
    key = site.archive / "web.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert key.read_text().strip() not in site.logs()
    assert site.violations() == []
    assert site.stop(process) == 0
