"""What a person can meet, with the exit code a script can rely on.

Each class is one row of the table printed by ``odarchive --help``; a test proves codes unique and documented.
Messages name what failed, which disc or file, and what to do next, in one line.
"""

import errno
from typing import ClassVar


class ExitCode:
    """Exit codes of the command line that are not tied to an error class."""

    OK: ClassVar[int] = 0
    WARNINGS: ClassVar[int] = 1
    USAGE: ClassVar[int] = 2
    INTERRUPTED: ClassVar[int] = 130


class OdarchiveError(Exception):
    """A failure with a one-line message for a person."""

    exit_code: ClassVar[int] = 3
    meaning: ClassVar[str] = "the command failed; the message says why"


class DamageFound(OdarchiveError):
    """A check or a read-back found something wrong."""

    exit_code: ClassVar[int] = 5
    meaning: ClassVar[str] = "a check found damage or a broken invariant"


class NoArchive(OdarchiveError):
    """The folder is not an archive, or no archive was named."""

    exit_code: ClassVar[int] = 10
    meaning: ClassVar[str] = "no archive there (make one with `odarchive init`)"


class Locked(OdarchiveError):
    """Somebody else is at work on the same thing."""

    exit_code: ClassVar[int] = 11
    meaning: ClassVar[str] = "locked: another process is at work on the same thing"


class SourceMissing(OdarchiveError):
    """A path that should be read does not exist or is of the wrong kind."""

    exit_code: ClassVar[int] = 12
    meaning: ClassVar[str] = "a source path does not exist or cannot be read"


class MediumTooSmall(OdarchiveError):
    """The medium cannot hold what must go on it."""

    exit_code: ClassVar[int] = 13
    meaning: ClassVar[str] = "the medium is too small"


class NoSpace(OdarchiveError):
    """A staging or cache disk is full."""

    exit_code: ClassVar[int] = 14
    meaning: ClassVar[str] = "a local disk is full"


class ConfigError(OdarchiveError):
    """The configuration is wrong."""

    exit_code: ClassVar[int] = 15
    meaning: ClassVar[str] = "the configuration is wrong"


class NotFound(OdarchiveError):
    """A path, disc, segment or job is not in the catalogue."""

    exit_code: ClassVar[int] = 16
    meaning: ClassVar[str] = "no such path, disc, segment or job in the archive"


class KeyNeeded(OdarchiveError):
    """An encrypted disc cannot be opened: no key was given, or the wrong one."""

    exit_code: ClassVar[int] = 17
    meaning: ClassVar[str] = "the key of an encrypted archive is missing or does not fit"


class OperatorNeeded(OdarchiveError):
    """A person must act: blanks are missing, a disc is outside the robot, the door is open."""

    exit_code: ClassVar[int] = 20
    meaning: ClassVar[str] = "a person must act (insert blanks, a disc, close a door)"


class NoLibrarian(OdarchiveError):
    """The librarian is not running, and the command needs it."""

    exit_code: ClassVar[int] = 21
    meaning: ClassVar[str] = "no librarian is running (start it with `odarchive serve`)"


class RobotTrouble(OdarchiveError):
    """The robot or a drive does not answer or failed."""

    exit_code: ClassVar[int] = 22
    meaning: ClassVar[str] = "the robot or a drive failed or does not answer"


class BurnFailed(OdarchiveError):
    """A burn failed for good."""

    exit_code: ClassVar[int] = 23
    meaning: ClassVar[str] = "a burn failed for good"


class MountFailed(OdarchiveError):
    """The file system could not be mounted or unmounted."""

    exit_code: ClassVar[int] = 24
    meaning: ClassVar[str] = "mounting or unmounting failed"


class TryLater(OdarchiveError):
    """It may work later without anybody acting."""

    exit_code: ClassVar[int] = 75
    meaning: ClassVar[str] = "not now; try again later"


def is_full(error: OSError) -> bool:
    """Whether a disk has no room, or none for this user, which is told by other words than that it is broken."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)
