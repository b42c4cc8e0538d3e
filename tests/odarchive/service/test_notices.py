"""What is told, once; and the ways it is told, working and broken."""

import json
import socket
import socketserver
import ssl
import threading
import time
from base64 import b64encode
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import trio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from odarchive.config import NotifyConfig, load
from odarchive.errors import ConfigError
from odarchive.service import hooks as hooks_module
from odarchive.service.hooks import Message, NotTold, hooks
from odarchive.service.notices import FORGOTTEN, Due, Memory, message, tell
from tests.odarchive.librarian.shop import Shop

HELLO = Message("a title", "put a disc in: \u2603\nand another")


@pytest.fixture
def shop(tmp_path):
    return Shop(tmp_path)


def test_a_cause_is_told_once_while_it_lasts_and_again_when_it_comes_again(tmp_path):
    memory = Memory(tmp_path / "told.json", 0)
    due = Due(memory, after=60)
    assert due.new(["a"], 0, 0) == []
    assert due.new(["a", "b"], 60, 60) == ["a"]
    assert due.new(["a", "b"], 120, 60) == ["b"]
    assert due.new(["a"], 130, 10) == []
    assert due.new([], 140, 10) == []
    assert due.new(["a"], 150, 10) == []  # away for a moment only
    assert due.new(["a"], 300, 150) == []
    due.new([], 310, 10)
    due.new([], 310 + FORGOTTEN, FORGOTTEN)
    assert due.new(["a"], 1000, 80) == []
    assert due.new(["a"], 1060, 60) == ["a"]


def test_what_passes_by_itself_is_not_told(tmp_path):
    due = Due(Memory(tmp_path / "told.json", 0), after=60)
    for now in range(0, 1000, 10):
        assert due.new(["busy"] if now % 50 else [], now, 10) == []


def test_a_restart_repeats_nothing(tmp_path):
    memory = Memory(tmp_path / "told.json", 3)
    assert Due(memory, after=0).new(["a"], 0, 0) == ["a"]
    memory.line = 9
    memory.save()
    again = Memory(tmp_path / "told.json", 100)
    assert again.line == 9
    assert Due(again, after=0).new(["a", "b"], 0, 0) == ["b"]


async def test_what_was_not_delivered_is_told_after_a_restart(autojump_clock, shop, caplog):
    shop.build(blanks=range(0))
    path = shop.root / "archive" / "run" / "told.json"
    path.parent.mkdir(exist_ok=True)
    good, late = [], []

    def broken(_message):
        raise NotTold("nobody there")

    async with shop.life() as librarian:
        for way, ways in ((broken, {"other": broken}), (late.append, {})):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(tell, librarian, {"good": good.append, "bad": way, **ways})
                await shop.work(librarian)
                await trio.sleep(300)
                nursery.cancel_scope.cancel()
    assert ["blank" in one.text for one in good] == [True]  # the restart repeats nothing
    assert late == good
    assert json.loads(path.read_text())["waiting"] == {"good": [], "bad": []}
    assert "notification by bad failed" in caplog.text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"told": [], "line": 1, "waiting": {"mail": [3]}}',
        '{"told": 3, "line": 1}',
        '{"told": [], "line": null}',
        "\x00",
    ],
)
def test_a_damaged_memory_is_begun_anew(tmp_path, text):
    (tmp_path / "told.json").write_text(text)
    memory = Memory(tmp_path / "told.json", 5)
    assert (memory.told, memory.waiting) == ({}, {})


def test_messages_hold_nothing_that_moves_a_cursor():
    told = message("archive \x1b[2J", ["one\nBcc: all@example.org", "two \udcff"])
    assert told.title == "archive ?[2J: one?Bcc: all@example.org (and 1 more)"
    assert told.text == "one?Bcc: all@example.org\ntwo ?"


async def test_a_way_that_always_fails_never_stops_the_work(autojump_clock, shop, caplog):
    shop.build(blanks=range(0))
    told, tries = [], []

    def broken(_message):
        tries.append(trio.current_time)
        raise NotTold("nobody there")

    async with shop.life() as librarian, trio.open_nursery() as nursery:
        (shop.root / "archive" / "run").mkdir(exist_ok=True)
        nursery.start_soon(tell, librarian, {"good": told.append, "bad": broken})
        await shop.work(librarian)
        await trio.sleep(2400)
        nursery.cancel_scope.cancel()
    assert len([one for one in told if "blank" in one.text]) == 1
    assert 2 < len(tries) < 8  # ever more rarely
    assert "notification by bad failed" in caplog.text
    assert shop.violations() == []


def test_a_program_gets_the_text_on_its_input_and_no_shell(tmp_path):
    out = tmp_path / "out; rm -rf *"
    (way,) = hooks(tmp_path, NotifyConfig(command=("tee", str(out)))).values()
    way(HELLO)
    assert out.read_text() == HELLO.text + "\n"


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("/nowhere/program",), "cannot be started"),
        (("sh", "-c", "echo no such user >&2; exit 67"), "ended with 67: no such user"),
        (("sh", "-c", "exec <&-; exit 0"), ""),
        (("sh", "-c", "sleep 60 & sleep 60"), "did not end within"),
    ],
)
def test_a_program_that_fails_says_why(tmp_path, monkeypatch, argv, said):
    if "sleep" in argv[-1]:
        monkeypatch.setattr(hooks_module, "PATIENCE", 0.3)
    (way,) = hooks(tmp_path, NotifyConfig(command=argv)).values()
    if not said:
        way(HELLO)
        return
    began = time.monotonic()
    with pytest.raises(NotTold, match=said):
        way(HELLO)
    assert time.monotonic() - began < 40


@contextmanager
def serving(server):
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Webhook(BaseHTTPRequestHandler):
    got: list[bytes] = []  # noqa: RUF012  of one test
    status = 200

    def do_POST(self):
        self.got.append(self.rfile.read(int(self.headers["content-length"])))
        self.send_response(self.status)
        self.send_header("location", "http://127.0.0.1:1/")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.mark.parametrize(("status", "said"), [(200, ""), (302, "answers 302"), (500, "answers 500")])
def test_a_webhook_gets_json_and_its_address_is_never_shown(tmp_path, monkeypatch, status, said):
    monkeypatch.setattr(Webhook, "got", [])
    monkeypatch.setattr(Webhook, "status", status)
    with serving(HTTPServer(("127.0.0.1", 0), Webhook)) as port:
        (way,) = hooks(tmp_path, NotifyConfig(webhook=f"http://127.0.0.1:{port}/SECRET")).values()
        if said:
            with pytest.raises(NotTold, match=said) as caught:
                way(HELLO)
            assert "SECRET" not in str(caught.value)
        else:
            way(HELLO)
    assert [json.loads(body) for body in Webhook.got] == [{"title": HELLO.title, "text": HELLO.text}]
    with pytest.raises(NotTold, match="does not answer") as caught:
        way(HELLO)
    assert "SECRET" not in str(caught.value)


class Smtp(socketserver.StreamRequestHandler):
    """As much of RFC 5321 as a client that sends one letter needs."""

    got: list[bytes] = []  # noqa: RUF012  of one test

    def handle(self):
        self.wfile.write(b"220 here\r\n")
        while line := self.rfile.readline():
            word = line.split()[0].upper()
            if word == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                letter = []
                while (text := self.rfile.readline()) != b".\r\n":
                    letter.append(text)
                self.got.append(b"".join(letter))
            self.wfile.write(b"221 bye\r\n" if word == b"QUIT" else b"250 yes\r\n")
            if word == b"QUIT":
                return


def test_mail_is_sent(tmp_path, monkeypatch):
    monkeypatch.setattr(Smtp, "got", [])
    with serving(socketserver.TCPServer(("127.0.0.1", 0), Smtp)) as port:
        told = NotifyConfig(mail_to="me@example.org", smtp=f"127.0.0.1:{port}")
        (way,) = hooks(tmp_path, told).values()
        way(HELLO)
    (letter,) = Smtp.got
    assert b"Subject: a title\r\n" in letter
    assert b"To: me@example.org\r\n" in letter
    with pytest.raises(NotTold, match="mail through"):
        way(HELLO)


def test_a_mail_server_that_says_nothing_is_left(tmp_path, monkeypatch):
    monkeypatch.setattr(hooks_module, "PATIENCE", 0.2)
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        told = NotifyConfig(mail_to="me@example.org", smtp=f"127.0.0.1:{mute.getsockname()[1]}")
        (way,) = hooks(tmp_path, told).values()
        with pytest.raises(NotTold, match="mail through"):
            way(HELLO)


def certificate(folder, name):
    """One that nobody has signed, and its key, in a file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    days = (datetime(2020, 1, 1, tzinfo=UTC), datetime(2049, 1, 1, tzinfo=UTC))
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), 1, *days)
    names = x509.SubjectAlternativeName([x509.DNSName(name)])
    made = builder.add_extension(names, critical=False).sign(key, hashes.SHA256())
    plain = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = folder / f"{name}.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM) + key.private_bytes(serialization.Encoding.PEM, *plain)
    )
    return path


class SecretSmtp(socketserver.StreamRequestHandler):
    """Encrypts when asked to (RFC 3207), and takes every password (RFC 4616)."""

    certificate = None
    got: list[bytes] = []  # noqa: RUF012  of one test

    def handle(self):
        self.wfile.write(b"220 here\r\n")
        with suppress(OSError), ExitStack() as self.open:
            while line := self.rfile.readline():
                self.answer(line.split()[0].upper(), line)

    def answer(self, word, line):
        if word == b"EHLO":
            self.wfile.write(b"250-here\r\n250-STARTTLS\r\n250 AUTH PLAIN\r\n")
        elif word == b"STARTTLS":
            self.wfile.write(b"220 go on\r\n")
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.certificate)
            inner = self.open.enter_context(context.wrap_socket(self.connection, server_side=True))
            self.rfile, self.wfile = inner.makefile("rb"), inner.makefile("wb", buffering=0)
        elif word == b"AUTH":
            self.got.append(line)
            self.wfile.write(b"235 yes\r\n")
        elif word == b"DATA":
            self.wfile.write(b"354 go on\r\n")
            while (text := self.rfile.readline()) != b".\r\n":
                self.got.append(text)
            self.wfile.write(b"250 yes\r\n")
        else:
            self.wfile.write(b"221 bye\r\n" if word == b"QUIT" else b"250 yes\r\n")


@pytest.mark.parametrize(
    ("name", "known", "said"),
    [
        ("localhost", True, ""),
        ("localhost", False, "not to be trusted .*self.signed.*gets no password"),
        ("mail.example.org", True, "not to be trusted .*localhost.*gets no password"),
    ],
)
def test_a_password_goes_to_a_server_only_that_shows_who_it_is(tmp_path, monkeypatch, name, known, said):
    monkeypatch.setattr(SecretSmtp, "got", [])
    monkeypatch.setattr(SecretSmtp, "certificate", certificate(tmp_path, name))
    monkeypatch.setenv("SSL_CERT_FILE", str(SecretSmtp.certificate if known else tmp_path / "none.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "none"))
    (tmp_path / "password").write_text("sesame\n")
    with serving(socketserver.TCPServer(("127.0.0.1", 0), SecretSmtp)) as port:
        told = NotifyConfig(mail_to="me@example.org", smtp=f"localhost:{port}", smtp_user="me")
        told = replace(told, smtp_password_file="password")  # noqa: S106  the name of a file
        (way,) = hooks(tmp_path, told).values()
        if said:
            with pytest.raises(NotTold, match=said):
                way(HELLO)
            assert SecretSmtp.got == []
        else:
            way(HELLO)
            assert SecretSmtp.got[0] == b"AUTH PLAIN " + b64encode(b"\0me\0sesame") + b"\r\n"
            assert b"Subject: a title\r\n" in SecretSmtp.got


def test_what_cannot_be_a_letter_is_not_told(tmp_path):
    (way,) = hooks(tmp_path, NotifyConfig(mail_to="me@example.org", smtp="localhost:1")).values()
    with pytest.raises(NotTold, match="mail through"):
        way(Message("two\nlines", ""))


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ('webhook = "ftp://x"', "webhook"),
        ('mail_to = "nobody"', "mail_to"),
        ('mail_to = "a?@"', "mail_to"),
        ('mail_to = "a@b,"', "mail_to"),
        ('mail_from = "(:@b"', "mail_from"),
        ('mail_to = "a@b\\nBcc: c@d"', "mail_to"),
        ('smtp = "localhost"', "smtp"),
        ('smtp_user = "me"', "belong together"),
        ('command = "tell me"', "command"),
        ("after = -1", "after"),
    ],
)
def test_what_is_wrong_in_the_settings_is_named(tmp_path, lines, said):
    (tmp_path / "archive.toml").write_text(f"[notify]\n{lines}\n")
    with pytest.raises(ConfigError, match=said):
        load(tmp_path)
