"""Which files a disc held that can say nothing itself: by the archive's catalogue, else by one on other discs.

Not for repair itself, which needs no names.
"""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

from odarchive.catalogue import archive, rebuilding
from odarchive.catalogue.archive import Facts
from odarchive.catalogue.carried import carried
from odarchive.catalogue.database import Catalogue
from odarchive.errors import OdarchiveError
from odarchive.image import ondisc
from odarchive.model import SegmentId
from odarchive.offline import texts
from odarchive.offline.disc import ImageDisc
from odarchive.offline.errors import BadDisc
from odarchive.parity.mended import Held


class Names:
    """Asked for the discs of a set; a context manager, because a catalogue from a disc needs a file for a time."""

    def __init__(self, own: Catalogue | None, images: Sequence[Path], folder: Path) -> None:
        """Nothing is read before something is asked.

        Args:
            own: the archive's catalogue, if there is one at hand.
            images: of discs of any archive; those that cannot be read are passed over.
            folder: for what is needed for a time.
        """
        self._own, self._images, self._folder = own, images, folder
        self._read: dict[str, Catalogue | None] = {}
        self._room: TemporaryDirectory[str] | None = None

    def __enter__(self) -> Self:
        """Nothing is opened."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """What was read from discs goes."""
        for catalogue in self._read.values():
            if catalogue is not None:
                catalogue.close()
        if self._room is not None:
            self._room.cleanup()

    def of(self, uuid: str, segment: int) -> Sequence[Held]:
        """What the discs of a segment of archive ``uuid`` hold; nothing if no catalogue tells."""
        return _held(self._own, uuid, segment) or _held(self._from_discs(uuid), uuid, segment)

    def _from_discs(self, uuid: str) -> Catalogue | None:
        if uuid not in self._read:
            dated = [(age, path) for path in self._images if (age := _age(path, uuid)) is not None]
            self._read[uuid] = None
            for _, path in sorted(dated, reverse=True):
                with suppress(OdarchiveError, KeyError, ValueError):
                    self._read[uuid] = self._loaded(path, uuid)
                    break
        return self._read[uuid]

    def _loaded(self, path: Path, uuid: str) -> Catalogue:
        if self._room is None:
            self._room = TemporaryDirectory(prefix=".names.", dir=self._folder)
        facts = Facts(uuid=uuid, label_prefix="DISC", created_ns=0)
        made = archive.create(Path(self._room.name) / f"{len(os.listdir(self._room.name))}.db", facts)
        disc = ImageDisc.of_file(path)
        try:
            rows = texts.set_catalogue(disc.text(f"{ondisc.SET}/{ondisc.SET_CATALOGUE}"))
            with made.write() as connection:
                rebuilding.load(connection, rows)
        except BaseException:
            made.close()
            raise
        finally:
            disc.close()
        return made


def _held(catalogue: Catalogue | None, uuid: str, segment: int) -> Sequence[Held]:
    """Nothing by a catalogue of another archive, whatever disc it was on."""
    if catalogue is None:
        return ()
    with catalogue.read() as connection:
        if archive.facts(connection).uuid != uuid:
            return ()
        return [Held(_named(one.path), one.begin, one.length) for one in carried(connection, SegmentId(segment))]


def _named(path: bytes) -> str:
    return f"{ondisc.DATA}/{os.fsdecode(path)}" if path else "a file that has no name any more"


def _age(path: Path, uuid: str) -> tuple[str, int] | None:
    """How new an image of the archive is; None if it is of another one, or cannot be read."""
    try:
        disc = ImageDisc.of_file(path)
    except (OdarchiveError, OSError):
        return None
    try:
        return texts.age(b"".join(disc.text(ondisc.DISC_INFO))) if disc.identity.archive == uuid else None
    except BadDisc:
        return None
    finally:
        disc.close()
