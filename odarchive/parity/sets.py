"""Making the parity discs of a set of images, and making lost or damaged discs of a set again.

What is made again is judged by its digest and only then gets its name; what cannot be made again completely is written
as ``LABEL.partial.iso``, and the files it lacks are told by name.
"""

import os
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from odarchive.digest import stream_digest
from odarchive.errors import DamageFound, OdarchiveError, SourceMissing
from odarchive.model import SECTOR
from odarchive.offline.disc import ImageDisc, catalogue_of
from odarchive.parity.discset import DiscSet, Member
from odarchive.parity.images import Gathered, ImageFile, described, describes, gather, make_image
from odarchive.parity.layout import BLOCK, Layout
from odarchive.parity.mended import Held, Holdings, Mended
from odarchive.parity.work import Checks, damaged, encode, rescue

Tell = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Wish:
    """How a set is to be: parity discs, what they are called, and who they belong to."""

    parity: int
    labels: tuple[str, ...]
    segments: tuple[int, ...]
    archive: str
    created_ns: int
    block: int = BLOCK
    uuid: str = ""


def make_set(data: Sequence[tuple[Path, Member]], wish: Wish, out: Path, told: Tell = lambda _: None) -> list[Path]:
    """Write the images of the parity discs into ``out``; ``data`` are the set's images in order.

    Beside them comes a description of the set, with which even the loss of all parity discs is mended.

    Raises:
        SourceMissing: an image is not there or not as long as it should be.
    """
    layout = Layout.of(len(data), wish.parity, wish.block, max(member.size for _, member in data))
    out.mkdir(parents=True, exist_ok=True)
    payload = layout.length * layout.block
    members = tuple(member for _, member in data) + tuple(
        Member(label, segment, payload) for label, segment in zip(wish.labels, wish.segments, strict=True)
    )
    with ExitStack() as stack:
        sources = [(_image(stack, path, member), member.size) for path, member in data]
        sinks = [stack.enter_context(_temporary(out / f".{label}.parity")) for label in wish.labels]
        checks = encode(layout, sources, [sink for sink, _ in sinks], told)
        of = described(DiscSet(wish.archive, wish.uuid or str(uuid.uuid4()), layout, members, wish.created_ns), checks)
        made = []
        (out / f"{of.uuid}.parity-set.json").write_bytes(of.to_json())
        for number, (_, path) in enumerate(sinks):
            final = out / f"{wish.labels[number]}.iso"
            _finished(of, number, checks, path, final)
            made.append(final)
    return made


def member_of(path: Path) -> Member:
    """An image as a member of a set, by its own word; its digest is taken.

    Raises:
        DamageFound: it is no disc of an archive.
    """
    disc = ImageDisc.of_file(path)
    try:
        identity = disc.identity
        segment = catalogue_of(disc).segment
    finally:
        disc.close()
    with path.open("rb") as file:
        digest, size = stream_digest(file, identity.image_size)
    if size < identity.image_size:
        raise DamageFound(f"{path} is shorter than it says")
    return Member(identity.label, segment, size, digest)


def mend(
    paths: Iterable[Path], out: Path, labels: Sequence[str] = (), *, holdings: Holdings = lambda _uuid, _number: ()
) -> list[Mended]:
    """Make discs of a set again: those named, or else all that are missing or damaged among ``paths``.

    ``holdings`` is asked what is lost on discs whose own catalogue is lost.

    Raises:
        DamageFound: the set is not described by any of the images.
        OdarchiveError: a label is not of the set.
    """
    out.mkdir(parents=True, exist_ok=True)
    with gather(paths) as found, ExitStack() as stack:
        of = found.of
        known = [member.label for member in of.members]
        for label in labels:
            if label not in known:
                raise OdarchiveError(f"{label} is not in this parity set; it has {', '.join(known)}")
        wanted = [known.index(label) for label in labels] if labels else _damaged(found)
        sinks = {number: stack.enter_context(_temporary(out / f".{known[number]}.mend")) for number in wanted}
        sizes = [member.size for member in of.members]
        if not found.checked:
            return _made_anew(found, {number: path for number, (_, path) in sinks.items()}, out)
        loss = rescue(
            of.layout, found.checks, found.images, sizes, {number: sink for number, (sink, _) in sinks.items()}
        )
        judged = _Judge(found, out, holdings)
        return [judged.of(number, path, loss.ranges.get(number, [])) for number, (_, path) in sinks.items()]


def _made_anew(found: Gathered, wanted: Mapping[int, Path], out: Path) -> list[Mended]:
    """All parity discs are lost: with every data disc right, they are made from these as they were the first time."""
    of = found.of
    data = []
    for number, member in enumerate(of.members[: of.layout.data]):
        path = found.paths.get(number)
        if path is None or _digest(path, member.size) != member.digest:
            raise DamageFound(
                f"the checksums of the set are on none of these parity discs, and {member.label} is missing or "
                "damaged; give a parity disc of the set"
            )
        data.append((path, member))
    parity = of.members[of.layout.data :]
    labels, segments = tuple(one.label for one in parity), tuple(one.segment for one in parity)
    wish = Wish(len(parity), labels, segments, of.archive, of.created_ns, of.layout.block, of.uuid)
    made = make_set(data, wish, out)
    chosen = [path for number, path in enumerate(made) if number + of.layout.data in wanted]
    for path in made:
        if path not in chosen:
            path.unlink()
    return [Mended(path.stem, path, right=True, lost=()) for path in chosen]


def _digest(path: Path, size: int) -> bytes:
    with path.open("rb") as file:
        return stream_digest(file, size)[0]


def _damaged(found: Gathered) -> list[int]:
    """Discs that are not there, or have a block that is not what it was."""
    layout = found.of.layout
    if not found.checked:
        return [number for number in range(layout.data, layout.discs) if number not in found.images]
    wrong = []
    for number, member in enumerate(found.of.members):
        source = found.images.get(number)
        right = source is not None and not damaged(layout, found.checks, number, source, member.size)
        if source is not None and right and number >= layout.data:
            right = describes(found.of, source)
        if not right:
            wrong.append(number)
    return wrong


@dataclass(frozen=True, slots=True)
class _Judge:
    """Says what became of discs, and gives their images a name."""

    found: Gathered
    out: Path
    holdings: Holdings

    def of(self, number: int, path: Path, lost: list[tuple[int, int]]) -> Mended:
        """Of the disc ``number``, made again as ``path`` but for the ranges ``lost``."""
        of, member = self.found.of, self.found.of.members[number]
        final = self.out / f"{member.label}.iso"
        if number >= of.layout.data:
            if lost:
                return Mended(member.label, final, right=False, lost=(), note="it holds parity, no file of the archive")
            _finished(of, number - of.layout.data, self.found.checks, path, final)
            return Mended(member.label, final, right=True, lost=())
        if _digest(path, member.size) == member.digest and not lost:
            _named(path, final)
            return Mended(member.label, final, right=True, lost=())
        partial = self.out / f"{member.label}.partial.iso"
        own = _own(path)
        held = self.holdings(of.archive, member.segment) if own is None else own
        names, note = _lost(held, lost)
        if own is None and not held:
            note = "its own catalogue is lost too, and no other one names its files"
        _named(path, partial)
        return Mended(member.label, partial, right=False, lost=names, note=note)


def _own(path: Path) -> list[Held] | None:
    """What an image says that it holds; None: that is lost too."""
    try:
        disc = ImageDisc.of_file(path)
        try:
            contents = catalogue_of(disc).contents
        finally:
            disc.close()
    except OdarchiveError:
        return None
    return [
        Held(piece.paths[0] if piece.paths else piece.digest.hex(), piece.sector * SECTOR, piece.length)
        for piece in sorted(contents, key=lambda piece: piece.sector)
    ]


def _lost(held: Sequence[Held], lost: list[tuple[int, int]]) -> tuple[tuple[str, ...], str]:
    """Files that have bytes in the lost ranges, and what is to be said beside them."""
    found: dict[str, None] = {}
    for one in held:
        if one.begin is not None and any(first < one.begin + one.length and last > one.begin for first, last in lost):
            found[one.path] = None
    unplaced = sum(one.begin is None for one in held)
    note = "" if found else "no file is lost, but own sectors of the disc"
    if unplaced:
        note = f"which of {unplaced}{' more' if found else ''} files on it are lost cannot be told"
    return tuple(found), note


def _image(stack: ExitStack, path: Path, member: Member) -> ImageFile:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise SourceMissing(f"{path}: {error.strerror}") from error
    stack.callback(os.close, descriptor)
    if os.lseek(descriptor, 0, os.SEEK_END) < member.size:
        raise SourceMissing(f"{path} is shorter than {member.size} bytes")
    return ImageFile(descriptor)


def _finished(of: DiscSet, number: int, checks: Checks, payload: Path, final: Path) -> None:
    draft = final.with_name(f".{final.name}.tmp")
    try:
        make_image(of, number, checks, payload, draft)
        _named(draft, final)
    finally:
        draft.unlink(missing_ok=True)


def _named(draft: Path, final: Path) -> None:
    """Give a finished file its name; nothing is replaced."""
    try:
        os.link(draft, final)
    except FileExistsError:
        raise OdarchiveError(f"{final} exists already; nothing was replaced") from None
    draft.unlink()


@contextmanager
def _temporary(path: Path) -> Iterator[tuple[ImageFile, Path]]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640)
    try:
        yield ImageFile(descriptor), path
    finally:
        os.close(descriptor)
        path.unlink(missing_ok=True)
