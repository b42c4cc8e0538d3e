"""What a new archive is made with, and its ``archive.toml``: every key with what it is for. Writes no file."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from odarchive.cli import output
from odarchive.errors import ConfigError

_TOML = """\
# An odarchive archive: this folder holds the catalogue, and by default everything else too.
# Paths are relative to this folder. What is commented out shows the default.

[robot]
# The machine that moves the discs, and the settings each needs; how much of each is known: robot/MACHINES.md.
#   none     no robot
#   odjp     a home-built jukebox that speaks the open line protocol: port
#   mtx      a SCSI medium changer: device
#   script   any machine with a Bareos or Bacula changer script: script, device
#   manual   a person, asked on the terminal of `odarchive serve`
#   generic  a duplicator with the one-letter command set: port
#   ras13    a Rimage RAS-13 or DTP-4500: port
#   odrobot  the MicroPython robot of this project's ancestor: port
driver = {driver}
{settings}# port = "/dev/serial/by-id/..."  # a serial port, by a name that stays; manual: another terminal than its own
# baud = 0                     # bits a second on it; 0: what the machine's protocol says
# parking = 0                  # a slot kept free for a disc found in the picker; 0: none
# device = "/dev/sg3"          # mtx: the changer (better a name under /dev/tape/by-id); script: its first argument
# program = ["mtx"]            # mtx: how to call it
# altres = false               # mtx: ask for all elements at once, for machines that refuse anything else
# barcodes = true              # mtx: ask for volume tags
# script = ["/etc/bareos/mtx-changer"]
# tray_by_host = true          # script: false if it opens and closes the drives' trays itself
# slots = 0                    # manual: numbered places on the shelf; 0: discs are asked for by name
# mailslots = 0                # manual, script: further places, for what comes in and goes out
# patience = 86400             # manual: seconds a person is given to answer
# get_first = false            # generic: send G before A, which some machines need
# bins = ["input", "output", "reject"]  # ras13: what its bins are for, from bin 1
# calibration = ""             # odrobot: its calibration file
# bin_holds = 0                # generic, ras13, odrobot: discs that go into an output or reject bin; 0: any number

# One block for each drive of the robot, in the robot's order from drive 0.
# kind: sr (a Linux optical drive, path = "/dev/sr0") or file (a simulated drive, path = its folder).
{drives}
[paths]
# staging = "staging"          # images wait here until their discs are verified
# cache = "cache"              # files that were read from discs
# socket = "librarian.sock"    # where `odarchive serve` listens

[cache]
# bytes = 20000000000          # the cache keeps at most so much
# read_ahead = 256000000       # so much of a disc follows into the cache while nobody else waits
# keep_free = 500000000        # so much of its disk stays free (at most a twentieth of it)
# keep_small = 0               # contents up to this size stay while anything else can go
# keep_head = 0                # so much of the beginning of large files stays when they go

[burn]
# copies = 1                   # verified discs of every segment, unless its plan says (plan --copies)
{ecc}# ecc = "none"                 # error correction on each disc: "auto" (all that is free, 20 % at least), or "15%"
{parity}# parity = "none"              # parity discs: "16+4" is 4 for each 16; any 4 of these 20 may then be lost
# staging = "file"             # or "stream": images go straight into the burner, after their sources were read once
# program = "xorriso"          # or "cdrecord" (wodim; CD and DVD) or "growisofs" (DVD and BD)
# speed = 0                    # as that program counts; 0: as fast as drive and disc like
# defects = false              # BD-R with the drive's defect management: half the speed, less space

[verify]
# renew_at = 0.01              # share of sectors that come at the second try only, from which on a disc is burned anew

[prices]
# currency = "EUR"             # of what one disc costs, by kind of medium: cd, dvd, dvd-dl, bd, bd-dl, bd-xl, bd-xx
# bd = 0.80

[privacy]
{key}
[recall]
# deadline = 600               # seconds a read in the mount may wait for its disc
# hold = 2.0                   # seconds a disc stays in its drive after the last read while others wait

[mount]
# refuse = ["backup-agent*"]   # programs that may not have discs loaded by reading, beside the known crawlers
# trust = ["clamscan"]         # programs that may all the same
# users = ["anna"]             # only these users may; default: all
# rate = 0                     # files that one process may have brought in a minute; 0: any number

[web]
# listen = "127.0.0.1:8610"    # the status page for a browser of this machine; `odarchive web` tells its address

[notify]
# What needs a person is told in each of these ways, once; try them: odarchive notify --test
# command = ["/usr/local/bin/tell", "me"]  # a program and its arguments; the message comes on its standard input
# webhook = "https://..."      # gets the message by POST, as JSON: {{"title": ..., "text": ...}}
# mail_to = "me@example.org"
# mail_from = ""               # who it is from; default: as mail_to
# smtp = "localhost:25"        # with smtp_user and smtp_password_file it is encrypted and its certificate checked
# after = 60                   # seconds that something must last before it is told
"""


@dataclass(frozen=True, slots=True)
class NewArchive:
    """What an archive is made with. ``drives`` are (kind, path)."""

    root: Path
    driver: str
    robot: Mapping[str, str | int | tuple[str, ...]]
    """Further keys of ``[robot]``."""
    drives: tuple[tuple[str, str], ...]
    label: str
    udf_symlinks: bool = False
    recipients: tuple[str, ...] = ()
    """Whom all discs are encrypted to."""
    key: str = ""
    """The file with the key, if this machine has it."""
    ecc: str = ""
    parity: str = ""


def archive_toml(new: NewArchive) -> str:
    """The text of the archive's configuration.

    Raises:
        ConfigError: a device's path is not UTF-8.
    """
    blocks = [f"[[drive]]\nkind = {json.dumps(kind)}\npath = {_quoted(path)}\n" for kind, path in new.drives]
    drives = "\n".join(blocks) or '# [[drive]]\n# kind = "sr"\n# path = "/dev/sr0"\n'
    settings = "".join(f"{key} = {_value(value)}\n" for key, value in new.robot.items())
    shown = f"key = {_quoted(new.key)}" if new.key else '# key = "key.txt"'
    key = f"{shown:<30} # the file that opens the discs of an encrypted archive; without it they are only written\n"
    ecc = f"ecc = {_quoted(new.ecc)}\n" if new.ecc else ""
    parity = f"parity = {_quoted(new.parity)}\n" if new.parity else ""
    return _TOML.format(driver=_quoted(new.driver), settings=settings, drives=drives, key=key, ecc=ecc, parity=parity)


def _value(value: str | int | tuple[str, ...]) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_quoted, value))}]"
    return _quoted(value) if isinstance(value, str) else str(value)


def _quoted(text: str) -> str:
    """A TOML basic string. JSON's escapes are a subset of TOML's as long as no surrogate pair is written."""
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise ConfigError(f"{output.visible(text.encode('utf-8', 'surrogateescape'))}: paths of devices must be UTF-8")
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
