"""The ways a message reaches a person: a program, a webhook, e-mail. Each call tries once and ends in bounded time.

Blocking: for threads. Not for what is told and when (``notices``). Nothing secret is put into errors: no password, and
of a webhook's address, which often holds a token, only the host.
"""

import os
import signal
import smtplib
import ssl
import subprocess
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from email.message import EmailMessage
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from odarchive.config import NotifyConfig
from odarchive.errors import OdarchiveError

PATIENCE = 30.0
"""Seconds a program, a server or a webhook is given."""


class NotTold(OdarchiveError):
    """A message did not reach anybody in this way."""

    meaning = "a notification could not be sent"


@dataclass(frozen=True, slots=True)
class Message:
    """What is told: one line, and the whole of it."""

    title: str
    text: str


Hook = Callable[[Message], None]
"""Sends a message or raises NotTold."""


def hooks(root: Path, told: NotifyConfig) -> Mapping[str, Hook]:
    """The ways that are configured, by name. ``root``: where relative paths begin."""
    ways: dict[str, Hook] = {}
    if told.command:
        ways["command"] = partial(run, told.command)
    if told.webhook:
        ways["webhook"] = partial(post, told.webhook)
    if told.mail_to:
        ways["mail"] = partial(mail, root, told)
    return ways


def run(argv: tuple[str, ...], message: Message) -> None:
    """Have a program tell it: the text on its standard input; no shell, no terminal."""
    name = argv[0]
    try:
        with subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
        ) as process:
            try:
                _, said = process.communicate(f"{message.text}\n".encode(), timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                raise NotTold(f"{name} did not end within {PATIENCE:g} s") from None
    except (OSError, ValueError) as error:
        raise NotTold(f"{name} cannot be started: {_short(error)}") from error
    if process.returncode:
        words = said.decode("utf-8", "replace").strip().splitlines()
        raise NotTold(f"{name} ended with {process.returncode}{f': {words[-1][:200]}' if words else ''}")


def post(address: str, message: Message) -> None:
    """POST it as JSON. Redirections are not followed."""
    import httpx  # noqa: PLC0415

    host = urlsplit(address).hostname or "the webhook"
    try:
        answer = httpx.post(address, json={"title": message.title, "text": message.text}, timeout=PATIENCE)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise NotTold(f"{host} does not answer ({type(error).__name__})") from None
    if not answer.is_success:
        raise NotTold(f"{host} answers {answer.status_code}")


def mail(root: Path, told: NotifyConfig, message: Message) -> None:
    """Send it by e-mail. A password goes to a server only whose certificate this machine trusts."""
    host, _, port = told.smtp.rpartition(":")
    host = host.strip("[]")
    try:
        letter = _letter(told, message)
        with smtplib.SMTP(host, int(port), timeout=PATIENCE) as server:
            if told.smtp_user:
                server.starttls(context=ssl.create_default_context())
                server.login(told.smtp_user, (root / told.smtp_password_file).read_text("utf-8").strip())
            server.send_message(letter)
    except smtplib.SMTPAuthenticationError:
        raise NotTold(f"{told.smtp} does not accept the name and the password") from None
    except ssl.SSLCertVerificationError as error:
        raise NotTold(
            f"{told.smtp}: its certificate is not to be trusted ({error.verify_message}), so it gets no password; "
            "name the server as its certificate does, or add who signed it to /etc/ssl/certs"
        ) from error
    except (OSError, ValueError, smtplib.SMTPException) as error:
        raise NotTold(f"mail through {told.smtp}: {_short(error)}") from error


def _letter(told: NotifyConfig, message: Message) -> EmailMessage:
    letter = EmailMessage()
    letter["Subject"] = message.title
    letter["From"] = told.mail_from or told.mail_to
    letter["To"] = told.mail_to
    letter["Auto-Submitted"] = "auto-generated"
    letter.set_content(message.text)
    return letter


def _short(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0][:200]
