"""The order of a rebuild: sort the pile, take the newest disc's catalogue of the set, then let every disc speak.

The newest disc that carries a readable set catalogue gives the namespace and what is known of older discs. Each disc
met is then compared with that: a disc known as verified stays so; one that no catalogue knows yet is read completely
and checked against its own catalogue. Names on discs newer than the namespace are added from their entry lists
(``latecomers``). The catalogue appears under its name only when it breaks no rule.
"""

import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from odarchive.catalogue import archive, check, rebuilding, seals
from odarchive.catalogue.archive import Facts
from odarchive.catalogue.database import Catalogue, Connection
from odarchive.catalogue.latecomers import ALONE, Late, Latecomers
from odarchive.catalogue.rebuilding import Piece, SeenDisc
from odarchive.collector import uncollected
from odarchive.errors import DamageFound, NotFound, OdarchiveError
from odarchive.image import ondisc
from odarchive.model import DiscState
from odarchive.offline import texts
from odarchive.offline.disc import Disc, catalogue_of
from odarchive.offline.errors import BadDisc
from odarchive.offline.proof import prove
from odarchive.offline.sealed import Plain, as_plain
from odarchive.offline.texts import DiscCatalogue

ENTRIES = "odarchive entries"
_KINDS = {"file": stat.S_IFREG, "dir": stat.S_IFDIR, "symlink": stat.S_IFLNK}
Open = Callable[[], Disc]
Tell = Callable[[str], None]


@dataclass(slots=True)
class Pile:
    """Discs of one archive, newest first, and what was found beside them."""

    discs: list[tuple[str, Open]] = field(default_factory=list)
    parity: list[tuple[str, str]] = field(default_factory=list)
    """Parity discs: label and uuid. They hold no names."""
    archive: str = ""
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What came of it."""

    discs: int
    """Discs met."""
    names_from: str
    """Label of the disc whose catalogue gave the names."""
    notes: tuple[str, ...]
    """Foreign discs, discs without a word, files that are damaged, discs that are missing."""


def sort_out(openers: Iterable[tuple[str, Open]], only: str = "") -> Pile:
    """Look at every disc once and put the newest first.

    Args:
        openers: where each disc is, and how it is opened.
        only: the archive's uuid; discs of others are noted and left out.

    Raises:
        OdarchiveError: there are discs of several archives and ``only`` is not given.
        NotFound: no disc of an archive is among them.
    """
    pile = Pile()
    dated: list[tuple[str, int, str, Open]] = []
    archives: dict[str, str] = {}
    met: dict[tuple[str, str], str] = {}
    for where, opened in openers:
        try:
            disc = opened()
        except OdarchiveError as error:
            pile.notes.append(str(error))
            continue
        try:
            identity = disc.identity
            if only and identity.archive != only:
                pile.notes.append(f"{where} is of another archive ({identity.archive})")
                continue
            first = met.setdefault((identity.archive, identity.disc), where)
            if first != where:
                pile.notes.append(f"{where} is the same disc as {first}; one of them is enough")
            else:
                archives.setdefault(identity.archive, where)
                if _is_parity(disc):
                    pile.parity.append((identity.label, identity.disc))
                else:
                    dated.append((*_age(disc), where, opened))
        finally:
            disc.close()
    if len(archives) > 1:
        told = "; ".join(f"{uuid} ({where})" for uuid, where in archives.items())
        raise OdarchiveError(f"these are discs of {len(archives)} archives: {told}; say which with --only UUID")
    if not archives:
        raise NotFound("there is no disc of an archive among these" + "".join(f"; {note}" for note in pile.notes[:3]))
    pile.archive = next(iter(archives))
    pile.discs = [(where, opened) for _, _, where, opened in sorted(dated, key=lambda one: one[:2], reverse=True)]
    return pile


def rebuild(path: Path, pile: Pile, *, tell: Tell = lambda _: None, clock: Callable[[], int] = time.time_ns) -> Rebuilt:
    """Make the catalogue at ``path``, where none may be.

    Raises:
        OdarchiveError: there is a catalogue already.
        DamageFound: what the discs say breaks the rules of a catalogue; nothing was made.
    """
    if path.exists():
        raise OdarchiveError(f"{path} exists; move it away first if it is to be replaced by a rebuilt one")
    draft = path.with_name(f".{path.name}.rebuild")
    _remove(draft)
    catalogue = archive.create(draft, Facts(uuid=pile.archive, label_prefix="DISC", created_ns=clock()))
    try:
        with uncollected():
            done = _fill(catalogue, pile, tell, clock)
            found = check.check(catalogue, deep=False, index=False)  # the index was made of these very names just now
        if found:
            raise DamageFound(
                f"what the discs say breaks a rule ({found[0].rule}: {found[0].detail}); nothing was made"
            )
        catalogue.close()
        _appear(draft, path)
        return done
    finally:
        catalogue.close()
        _remove(draft)


def _fill(catalogue: Catalogue, pile: Pile, tell: Tell, clock: Callable[[], int]) -> Rebuilt:
    notes = list(pile.notes)
    names_from = _names(catalogue, pile, notes, tell)
    seen: list[str] = []
    late: list[tuple[int, str, Open]] = []
    with catalogue.write() as connection:
        for count, (where, opened) in enumerate(pile.discs, 1):
            tell(f"disc {count} of {len(pile.discs)} into the catalogue: {where}")
            with _noting(opened, notes) as disc:
                described = disc.catalogue()
                if not rebuilding.knows_segment(connection, described.segment):
                    late.append((described.segment, where, opened))
                _disc(connection, disc, described, notes, clock())
                seen.append(disc.identity.disc)
        for label, uuid in pile.parity:
            if rebuilding.known(connection, uuid) is None:
                notes.append(f"disc {label} is a parity disc that no other disc knows; keep it for `odarchive repair`")
            else:
                seen.append(uuid)
        for segment, where, opened in reversed(late):
            tell(f"names of {where}")
            with _noting(opened, notes) as disc:
                lost = _late(connection, disc, segment, clock())
                if lost:
                    notes.append(f"disc {disc.identity.label}: {lost} names have no bytes or folder on these discs")
        for label in rebuilding.finish(connection, seen):
            notes.append(f"disc {label} was being burned when the names were written, and is not among these")
        notes += [f"disc {label} is known and was not among these" for label in rebuilding.missing(connection)]
    return Rebuilt(len(seen), names_from, tuple(notes))


@contextmanager
def _noting(opened: Open, notes: list[str]) -> Iterator[Plain]:
    """An opened disc; what is broken on it becomes a note and ends the block."""
    try:
        disc = as_plain(opened())
    except OdarchiveError as error:
        raise DamageFound(f"{error} (it was readable a moment ago)") from error
    try:
        yield disc
    except BadDisc as error:
        notes.append(str(error))
    finally:
        disc.close()


def _names(catalogue: Catalogue, pile: Pile, notes: list[str], tell: Tell) -> str:
    """Load the newest set catalogue that can be read; returns the disc's label, or an empty string."""
    for where, opened in pile.discs:
        disc = as_plain(opened())
        try:
            tell(f"names of {where}")
            rows = texts.set_catalogue(disc.text(f"{ondisc.SET}/{ondisc.SET_CATALOGUE}"))
            with catalogue.write() as connection:
                rebuilding.load(connection, rows)
                if archive.facts(connection).uuid != pile.archive:
                    raise BadDisc(f"{where}: its catalogue of the set is of another archive")
        except (DamageFound, KeyError, ValueError) as error:
            notes.append(f"{where}: its catalogue of the set cannot be used: {error}")
        else:
            return disc.identity.label
        finally:
            disc.close()
    return ""


def _disc(connection: Connection, disc: Plain, catalogue: DiscCatalogue, notes: list[str], now_ns: int) -> None:
    identity = disc.identity
    known = rebuilding.known(connection, identity.disc)
    state, digest, note = DiscState.VERIFIED, None, ""
    if known is None or known[0] not in (DiscState.VERIFIED, DiscState.SUSPECT, DiscState.MISSING):
        proof = prove(disc.disc, catalogue_of(disc.disc) if disc.sealed else catalogue)
        digest = proof.digest
        if proof.wrong:
            state, note = DiscState.SUSPECT, f"{len(proof.wrong)} files are damaged"
            notes += [f"disc {identity.label}: {path} is damaged" for path in proof.wrong]
    elif known[0] is DiscState.SUSPECT:
        state, note = DiscState.SUSPECT, "it had failed a read before the catalogue was rebuilt"
    seen = SeenDisc(
        uuid=identity.disc,
        label=identity.label,
        segment=catalogue.segment,
        segment_label=catalogue.label,
        capacity=catalogue.capacity,
        image_size=identity.image_size or rebuilding.image_size(connection, catalogue.segment) or _extent(catalogue),
        digest=digest,
        state=state,
        note=note,
    )
    pieces = [
        Piece(c.digest, c.size, c.start, c.length, c.sector, c.chunks, c.stored or None) for c in catalogue.contents
    ]
    seals.encrypted_to(connection, catalogue.recipients)
    rebuilding.put_disc(connection, seen, pieces, now_ns=now_ns)


def _late(connection: Connection, disc: Disc, segment: int, now_ns: int) -> int:
    names = Latecomers(connection, segment, now_ns)
    lost = names.add(_late_name(row) for row in texts.lines(disc.text(f"{ondisc.SET}/{ondisc.ENTRIES}"), ENTRIES))
    names.finish()
    return lost


def _late_name(row: texts.Row) -> Late:
    kind = row.get("type")
    if kind not in _KINDS:
        raise BadDisc("an entry list has a name of a kind that is not known")
    is_file = kind == "file"
    return Late(
        path=texts.name(row, "path"),
        mode=_KINDS[kind] | texts.octal(row, "mode"),
        uid=texts.number(row, "uid"),
        gid=texts.number(row, "gid"),
        size=texts.number(row, "size") if is_file else len(texts.name(row, "target")) if kind == "symlink" else 0,
        mtime_ns=texts.number(row, "mtime_ns", least=-(2**62)),
        group=texts.number(row, "ino") if is_file else ALONE,
        digest=texts.digest(row, "blake3") if is_file and row.get("size") else None,
        target=texts.name(row, "target") if kind == "symlink" else None,
    )


def _extent(catalogue: DiscCatalogue) -> int:
    """A size that holds everything, when nothing tells the image's own: mounted discs do not."""
    end = max((c.sector * 2048 + max(c.length, c.stored_size) for c in catalogue.contents), default=0)
    return -(-max(end, 1) // 65_536) * 65_536


def _is_parity(disc: Disc) -> bool:
    """Whether a disc holds parity and no names (FORMAT.md)."""
    try:
        return bool(b"".join(disc.text("PARITY/1-set.json")))
    except BadDisc:
        return False


def _age(disc: Disc) -> tuple[str, int]:
    """Date and segment of a disc by its own word; discs that do not tell are the oldest."""
    try:
        return texts.age(b"".join(disc.text(ondisc.DISC_INFO)))
    except BadDisc:
        return "", 0


def _appear(draft: Path, path: Path) -> None:
    """Give the finished file its name; unlike a rename a link never replaces."""
    try:
        os.link(draft, path)
    except FileExistsError:
        raise OdarchiveError(f"{path} appeared meanwhile; nothing was replaced") from None


def _remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
