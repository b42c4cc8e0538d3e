"""The TCP ports of the status page: the one of ``[web] listen``, and those that systemd opened (sd_listen_fds(3)).

Only loopback: a port that systemd was told to open elsewhere is refused. Not for the unix socket (``http``).
"""

import ipaddress
import os
import socket

from odarchive.config import FILE_NAME, Config
from odarchive.errors import ConfigError

_FIRST_HANDED = 3


def doors(config: Config) -> list[socket.socket]:
    """Listening sockets.

    Raises:
        ConfigError: a port is taken, or one from systemd is not of loopback.
    """
    handed = _handed()
    if config.web and not handed:
        return [_listen(config)]
    return handed


def _listen(config: Config) -> socket.socket:
    host, _, port = config.web.rpartition(":")
    host = "127.0.0.1" if host == "localhost" else host.strip("[]")
    try:
        return _bound(host, int(port))
    except OSError as error:
        raise ConfigError(
            f"{config.root / FILE_NAME}: [web] listen = {config.web!r}: {error.strerror}; choose another port, "
            "or under systemd: systemctl enable odarchive-web.socket, then restart odarchive"
        ) from error


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    door = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
    try:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.bind((host, port))
        door.listen(64)
    except OSError:
        door.close()
        raise
    return door


def _handed() -> list[socket.socket]:
    """What systemd opened for this process."""
    count = os.environ.get("LISTEN_FDS", "")
    if os.environ.get("LISTEN_PID") != str(os.getpid()) or not count.isdigit():
        return []
    found = []
    for number in range(_FIRST_HANDED, _FIRST_HANDED + int(count)):
        os.set_inheritable(number, False)
        door = socket.socket(fileno=number)
        if problem := _problem(door):
            door.close()
            raise ConfigError(f"{problem}; change the unit that opens it (descriptor {number})")
        door.setblocking(False)
        found.append(door)
    return found


def _problem(door: socket.socket) -> str:
    if door.family not in (socket.AF_INET, socket.AF_INET6):
        return "systemd handed over a socket that is no TCP port"
    address = door.getsockname()[0]
    if not ipaddress.ip_address(address).is_loopback:
        return f"systemd listens on {address}, and the status page is for loopback alone"
    return ""
