"""From exceptions to exit codes, and the table of them in ``--help``; the classes in ``errors`` are its source."""

from dataclasses import dataclass

from odarchive.errors import ExitCode, OdarchiveError

BUG = 70
"""EX_SOFTWARE of sysexits.h: an error nobody foresaw; a traceback goes with it."""

_PLAIN = {
    ExitCode.OK: "done",
    ExitCode.WARNINGS: "done, but something was left out; stderr says what",
    ExitCode.USAGE: "wrong usage",
    BUG: "a defect of this program; please report the traceback",
    ExitCode.INTERRUPTED: "interrupted",
}


@dataclass(frozen=True, slots=True)
class Failure:
    """What is told of an exception."""

    code: int
    kind: str
    message: str
    is_bug: bool = False


def codes() -> dict[int, str]:
    """Every exit code with its meaning, ascending."""
    classes: list[type[OdarchiveError]] = [OdarchiveError, *OdarchiveError.__subclasses__()]
    documented = {kind.exit_code: kind.meaning for kind in classes if kind.__module__ == OdarchiveError.__module__}
    return dict(sorted((_PLAIN | documented).items()))


def table() -> str:
    r"""The table for ``--help``; ``\b`` keeps click from filling it into a paragraph."""
    return "\b\nExit codes:\n" + "\n".join(f"  {code:>3}  {meaning}" for code, meaning in codes().items())


def describe(error: BaseException) -> Failure:
    """The code and the line for an exception; of a group (from a nursery) the first failure that has a message."""
    for leaf in _leaves(error):
        if isinstance(leaf, OdarchiveError):
            return Failure(leaf.exit_code, type(leaf).__name__, _one_line(str(leaf)))
    for leaf in _leaves(error):
        if isinstance(leaf, OSError) and leaf.strerror:
            where = f"{leaf.filename}: " if leaf.filename is not None else ""
            return Failure(OdarchiveError.exit_code, "OSError", _one_line(f"{where}{leaf.strerror}"))
    return Failure(BUG, type(error).__name__, f"internal error: {_one_line(str(error))}", is_bug=True)


def _leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for inner in error.exceptions for leaf in _leaves(inner)]
    return [error]


def _one_line(text: str) -> str:
    return " ".join(text.split())
