"""``mount.odarchive``: what mount(8) calls for ``mount -t odarchive`` and for lines of /etc/fstab.

Such as ``/var/lib/odarchive /srv/archive odarchive ro,_netdev,nofail,allow_other,recall=ask,umask=027 0 0``

The arguments are those of mount(8)'s helpers: ``SPEC DIR [-sfnv] [-N namespace] [-o OPTIONS] [-t TYPE]``. Options of
ours are ``allow_other``, ``recall=``, ``uid=``, ``gid=`` and ``umask=``; those that mount(8) itself acts on are passed
over; a wish to write is refused; anything else is an error, so that no misspelt word goes unnoticed. mount(8) looks for
the helper in /sbin.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from odarchive.cli.mount import mount_on
from odarchive.errors import OdarchiveError

USAGE_CODE, FAILURE_CODE = 1, 32
"""mount(8): incorrect invocation; mount failure."""
_PASSED_OVER = frozenset(
    [
        "ro",
        "auto",
        "noauto",
        "user",
        "nouser",
        "users",
        "owner",
        "group",
        "nofail",
        "defaults",
        "_netdev",
        "nosuid",
        "nodev",
        "noexec",
        "exec",
        "noatime",
        "relatime",
        "nodiratime",
        "async",
        "dev",
        "suid",
        "default_permissions",
    ]
)
_NUMBERS = {"uid": 10, "gid": 10, "umask": 8}
_RECALL = ("auto", "ask", "never")


class WrongOptions(ValueError):
    """The command line or the line of /etc/fstab is wrong; ``str()`` says where."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Mount; returns the exit code that mount(8) expects."""
    try:
        spec, directory, options, fake = parse(sys.argv[1:] if arguments is None else arguments)
        manner = manner_of(options)
    except WrongOptions as error:
        sys.stderr.write(f"mount.odarchive: {error}\n")
        return USAGE_CODE
    if fake:
        return 0
    try:
        code = mount_on(Path(spec).absolute(), Path(directory), foreground=False, ready_fd=None, manner=manner)
    except OdarchiveError as error:
        sys.stderr.write(f"mount.odarchive: {error}\n")
        return FAILURE_CODE
    return FAILURE_CODE if code else 0


def parse(arguments: Sequence[str]) -> tuple[str, str, list[str], bool]:
    """Archive, directory, options, and whether to do nothing (``-f``).

    Raises:
        WrongOptions.
    """
    places: list[str] = []
    options: list[str] = []
    fake = False
    words = iter(arguments)
    for word in words:
        if word in ("-o", "-t", "-N"):
            value = next(words, None)
            if value is None:
                raise WrongOptions(f"{word} needs a value")
            if word == "-o":
                options += [option for option in value.split(",") if option]
        elif word.startswith("-") and len(word) > 1:
            if not set(word[1:]) <= set("sfnv"):
                raise WrongOptions(f"unknown argument {word}")
            fake |= "f" in word
        else:
            places.append(word)
    if len(places) != 2:
        raise WrongOptions("usage: mount.odarchive ARCHIVE DIRECTORY [-o OPTIONS]")
    return places[0], places[1], options, fake


def manner_of(options: Sequence[str]) -> dict[str, Any]:
    """Values of ``MountManner``.

    Raises:
        WrongOptions.
    """
    manner: dict[str, Any] = {}
    for option in options:
        name, _, value = option.partition("=")
        if option == "allow_other":
            manner["allow_other"] = True
        elif name == "recall" and value in _RECALL:
            manner["recall"] = value
        elif name in _NUMBERS:
            manner[name] = _number(option, value, _NUMBERS[name])
        elif option == "rw":
            raise WrongOptions("an archive cannot be written to: write ro")
        elif name not in _PASSED_OVER and not option.startswith(("x-", "comment=")):
            raise WrongOptions(
                f"unknown option {option}; known: allow_other, recall=auto|ask|never, uid=, gid=, umask="
            )
    return manner


def _number(option: str, value: str, base: int) -> int:
    try:
        return int(value, base)
    except ValueError:
        raise WrongOptions(f"{option}: {'octal digits' if base == 8 else 'a number'} expected") from None
