"""The configuration of one archive: ``archive.toml`` in its folder, read into frozen values.

The folder that holds ``archive.toml`` *is* the archive: catalogue, staging, cache and socket lie in it unless the file
names other places. Every mistake is reported with the file, the key and what is expected. Not for finding the archive
(``cli``) nor for making objects of it (``bootstrap``).
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from odarchive.errors import ConfigError, NoArchive

FILE_NAME = "archive.toml"


@dataclass(frozen=True, slots=True)
class RobotConfig:
    """Which changer driver to use and how to reach the machine. Which keys a driver reads: ``DRIVERS``."""

    driver: str = "none"
    port: str = ""
    """A serial port; for ``manual`` the person's terminal, empty: the one the librarian was started on."""
    baud: int = 0
    """0: what the machine's protocol says."""
    parking: int = 0
    """Slot kept free for a disc found in the picker; people never put discs there. 0: none is reserved."""
    device: str = ""
    """The changer's SCSI generic device, or the first argument of a changer script."""
    program: tuple[str, ...] = ("mtx",)
    altres: bool = False
    barcodes: bool = True
    script: tuple[str, ...] = ()
    """How to call the changer script."""
    tray_by_host: bool = True
    """False: the script opens and closes trays itself."""
    slots: int = 0
    """Numbered places of a person's shelf; 0: the person brings what is asked for by name."""
    mailslots: int = 0
    patience: float = 86_400.0
    """Seconds a person is given to answer."""
    get_first: bool = False
    bins: tuple[str, ...] = ("input", "output", "reject")
    """What the robot's bins are for, from bin 1."""
    calibration: str = ""
    """The robot's calibration file; empty: its defaults."""
    bin_holds: int = 0
    """Discs that go into an output or reject bin, which the machine itself does not count; 0: any number."""


@dataclass(frozen=True, slots=True)
class Driver:
    """What there is to say of a driver in ``[robot]``: keys it cannot do without, keys it can."""

    machine: str
    needs: tuple[str, ...] = ()
    may: tuple[str, ...] = ()


DRIVERS: Mapping[str, Driver] = {
    "none": Driver("no robot"),
    "odjp": Driver("a home-built jukebox that speaks the open line protocol", ("port",), ("baud",)),
    "mtx": Driver("a SCSI medium changer", ("device",), ("program", "altres", "barcodes")),
    "script": Driver(
        "any machine with a Bareos or Bacula changer script", ("script", "device"), ("mailslots", "tray_by_host")
    ),
    "manual": Driver("a person at a terminal", (), ("slots", "port", "mailslots", "patience")),
    "generic": Driver("a duplicator with the one-letter command set", ("port",), ("baud", "get_first", "bin_holds")),
    "ras13": Driver("a Rimage RAS-13 or DTP-4500", ("port",), ("baud", "bins", "bin_holds")),
    "odrobot": Driver(
        "the MicroPython robot of this project's ancestor", ("port",), ("baud", "calibration", "bin_holds")
    ),
}
"""The drivers by name; ``odarchive.drivers`` builds them."""


@dataclass(frozen=True, slots=True)
class DriveConfig:
    """One drive of the robot: ``kind`` is ``sr`` (a Linux optical drive) or ``file`` (a simulated one)."""

    kind: str
    path: str


@dataclass(frozen=True, slots=True)
class NotifyConfig:
    """How a person is told what needs him; nothing set: not at all. Each cause is told once."""

    command: tuple[str, ...] = ()
    """A program and its arguments; the message comes on its standard input."""
    webhook: str = ""
    """An address that gets the message by POST, as JSON."""
    mail_to: str = ""
    mail_from: str = ""
    smtp: str = "localhost:25"
    smtp_user: str = ""
    """Then the connection is encrypted, and ``smtp_password_file`` holds the password."""
    smtp_password_file: str = ""
    after: float = 60.0
    """Seconds that something must last before it is told: what passes by itself is no news."""


@dataclass(frozen=True, slots=True)
class MountConfig:
    """Who may have discs loaded by reading the mount."""

    refuse: tuple[str, ...] = ()
    """Shell patterns of programs that may not, beside the known indexers and thumbnailers."""
    trust: tuple[str, ...] = ()
    """Patterns of programs that may all the same."""
    users: tuple[str, ...] = ()
    """Users, by name or number, who may; empty: all."""
    rate: int = 0
    """Files that one process may have brought in a minute; 0: any number."""


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that is set for one archive. Sizes in bytes, times in seconds."""

    root: Path
    robot: RobotConfig = RobotConfig()
    mount: MountConfig = MountConfig()
    drives: tuple[DriveConfig, ...] = ()
    staging: Path = Path("staging")
    cache: Path = Path("cache")
    socket: Path = Path("librarian.sock")
    cache_bytes: int = 20_000_000_000
    keep_free: int = 500_000_000
    """How much of the cache's disk is left for others; never more than a twentieth of the disk."""
    keep_small: int = 0
    """Contents of at most this size stay in the cache while anything else can go."""
    keep_head: int = 0
    """This much of the beginning of large files stays in the cache when they go."""
    copies: int = 1
    ecc: str = "none"
    """Error correction behind each image that is planned: ``none``, ``auto`` or a percentage."""
    parity: str = "none"
    """Parity discs for the sets that new segments are put into: ``none``, or data+parity such as ``16+4``."""
    streamed: bool = False
    """Images go straight into the burner; otherwise through a file in ``staging``."""
    program: str = "xorriso"
    """What burns: one of ``BURNERS``."""
    speed: int = 0
    """As the burning program counts for the medium; 0: the drive's own choice."""
    defects: bool = False
    """BD-R with the drive's defect management: at half the speed, with less space."""
    deadline: float = 600.0
    """How long a read in the mount may wait for a disc."""
    hold: float = 2.0
    """How long a disc stays in its drive after the last read while others wait."""
    read_ahead: int = 256_000_000
    """How many further bytes of a disc follow into the cache while it is in the drive and nobody else waits."""

    notify: NotifyConfig = NotifyConfig()
    web: str = ""
    """Address and port of loopback where the status page is, such as ``127.0.0.1:8610``; empty: on the socket alone."""
    renew_at: float = 0.01
    """Share of sectors that come at the second try only, from which on a disc is burned anew; 0: never for that."""

    prices: tuple[tuple[str, float], ...] = ()
    """What one disc costs, by kind of medium."""
    currency: str = "EUR"
    key: Path | None = None
    """The file with the key of an encrypted archive; None: discs are written but not read."""

    @property
    def catalogue(self) -> Path:
        """The catalogue's database file."""
        return self.root / "catalogue.db"


_ROBOT_KEYS: Mapping[str, type | tuple[type, ...]] = {
    "driver": str,
    **dict.fromkeys(("port", "device", "calibration"), str),
    **dict.fromkeys(("baud", "parking", "slots", "mailslots", "bin_holds"), int),
    **dict.fromkeys(("altres", "barcodes", "tray_by_host", "get_first"), bool),
    **dict.fromkeys(("program", "script", "bins"), list),
    "patience": (int, float),
}
_SECTIONS: Mapping[str, Mapping[str, type | tuple[type, ...]]] = {
    "robot": _ROBOT_KEYS,
    "paths": {"staging": str, "cache": str, "socket": str},
    "cache": dict.fromkeys(("bytes", "read_ahead", "keep_free", "keep_small", "keep_head"), int),
    "burn": {"copies": int, "ecc": str, "parity": str, "staging": str, "program": str, "speed": int, "defects": bool},
    "recall": {"deadline": (int, float), "hold": (int, float)},
    "mount": {"refuse": list, "trust": list, "users": list, "rate": int},
    "web": {"listen": str},
    "notify": {
        "command": list,
        **dict.fromkeys(
            ("webhook", "mail_to", "mail_from", "smtp", "smtp_user", "smtp_password_file"),
            str,
        ),
        "after": (int, float),
    },
    "verify": {"renew_at": (int, float)},
    "privacy": {"key": str},
    "prices": {"currency": str} | dict.fromkeys(("cd", "dvd", "dvd-dl", "bd", "bd-dl", "bd-xl", "bd-xx"), (int, float)),
}
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_STAGING = ("file", "stream")
BURNERS = ("xorriso", "cdrecord", "growisofs")
"""Burning programs; cdrecord is wodim as well."""
_DRIVE_KEYS = {"kind": str, "path": str}


def load(root: Path) -> Config:
    """Read the archive's configuration.

    Raises:
        NoArchive: ``root`` is not an archive.
        ConfigError: the file cannot be read or a key is wrong; names file and key.
    """
    path = root / FILE_NAME
    try:
        with path.open("rb") as file:
            raw = tomllib.load(file)
    except (FileNotFoundError, NotADirectoryError):
        raise NoArchive(f"{root} is not an archive (no {FILE_NAME} in it); make one: odarchive init {root}") from None
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}; correct the file and try again") from error
    return _config(root.resolve(), path, raw)


def _config(root: Path, path: Path, raw: Mapping[str, Any]) -> Config:
    for name in raw:
        if name not in _SECTIONS and name != "drive":
            raise ConfigError(f"{path}: unknown section [{name}]; known: {', '.join([*_SECTIONS, 'drive'])}")
    sections = {name: _section(path, name, raw.get(name, {}), keys) for name, keys in _SECTIONS.items()}
    drives = raw.get("drive", [])
    if not isinstance(drives, list):
        raise ConfigError(f"{path}: drives are written as [[drive]] with kind and path")
    values: dict[str, Any] = {key: root / value for key, value in sections["paths"].items()}
    values["streamed"] = _streamed(path, sections["burn"])
    values |= {key: value for name in ("burn", "recall", "verify") for key, value in sections[name].items()}
    values |= {{"bytes": "cache_bytes"}.get(key, key): value for key, value in sections["cache"].items()}
    if "key" in sections["privacy"]:
        values["key"] = root / sections["privacy"]["key"]
    for key in ("staging", "cache", "socket"):
        values.setdefault(key, root / getattr(_DEFAULTS, key))
    prices = sections["prices"]
    values["currency"] = prices.pop("currency", _DEFAULTS.currency)
    values["prices"] = tuple(prices.items())
    return Config(
        root=root,
        robot=RobotConfig(**sections["robot"]),
        mount=MountConfig(**sections["mount"]),
        notify=_notify(path, NotifyConfig(**sections["notify"])),
        web=_loopback(path, sections["web"].get("listen", "")),
        drives=tuple(DriveConfig(**_section(path, "drive", drive, _DRIVE_KEYS)) for drive in drives),
        **values,
    )


def _loopback(path: Path, listen: str) -> str:
    """``[web] listen``, checked: the page is for this machine; others come through a proxy or a tunnel."""
    host, _, port = listen.rpartition(":")
    if listen and not (host in LOOPBACK and port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise ConfigError(
            f'{path}: [web] listen = {listen!r}: write an address of loopback and a port, such as "127.0.0.1:8610"'
        )
    return listen


_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_ADDRESS = re.compile(rf"{_ATOM}(\.{_ATOM})*@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")
"""As RFC 5322, 3.4.1, without quotes and literals: of others Python's ``email`` cannot always make a header."""


def _notify(path: Path, told: NotifyConfig) -> NotifyConfig:
    if told.webhook and not told.webhook.startswith(("http://", "https://")):
        raise ConfigError(f"{path}: [notify] webhook = {told.webhook!r}: it must begin with https:// or http://")
    for key in ("mail_to", "mail_from"):
        address = getattr(told, key)
        if address and not all(_ADDRESS.fullmatch(one) for one in address.split(",")):
            raise ConfigError(f"{path}: [notify] {key} = {address!r} is no address")
    if bool(told.smtp_user) != bool(told.smtp_password_file):
        raise ConfigError(f"{path}: [notify] smtp_user and smtp_password_file belong together")
    host, _, port = told.smtp.rpartition(":")
    if not (host and port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise ConfigError(f'{path}: [notify] smtp = {told.smtp!r}: write host and port, such as "localhost:25"')
    return told


def _streamed(path: Path, burn: dict[str, Any]) -> bool:
    chosen = burn.pop("staging", _STAGING[0])
    if chosen not in _STAGING:
        raise ConfigError(f"{path}: [burn] staging = {chosen!r} is not known; known: {', '.join(_STAGING)}")
    if burn.get("program", BURNERS[0]) not in BURNERS:
        raise ConfigError(f"{path}: [burn] program = {burn['program']!r} is not known; known: {', '.join(BURNERS)}")
    return bool(chosen == _STAGING[1])


def _section(path: Path, name: str, raw: object, keys: Mapping[str, type | tuple[type, ...]]) -> dict[str, Any]:
    if not isinstance(raw, Mapping):
        raise ConfigError(f"{path}: [{name}] must be a section")
    for key, value in raw.items():
        if key not in keys:
            raise ConfigError(f"{path}: [{name}] has no key {key!r}; known: {', '.join(keys)}")
        if not isinstance(value, keys[key]) or (isinstance(value, bool) and keys[key] is not bool):
            raise ConfigError(f"{path}: [{name}] {key} = {value!r} is of the wrong type")
        if isinstance(value, list) and not (value and all(isinstance(word, str) for word in value)):
            raise ConfigError(f'{path}: [{name}] {key} = {value!r}: write a list of words, such as ["a", "b"]')
        if isinstance(value, int | float) and value < 0:
            raise ConfigError(f"{path}: [{name}] {key} = {value} must not be negative")
    return {key: tuple(value) if isinstance(value, list) else value for key, value in raw.items()}


_DEFAULTS = Config(root=Path())
