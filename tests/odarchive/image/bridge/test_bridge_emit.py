"""Emission: the same bytes everywhere, digests of what was really written, and no data but the promised ones."""

import errno
import hashlib
import io
import os
import threading

import blake3
import pytest

from odarchive.image.bridge import (
    ROOT,
    SECTOR,
    Content,
    NodeId,
    Options,
    SourceError,
    Tree,
    Written,
    emit,
    layout,
)
from tests.odarchive.image.bridge.bridge_trees import (
    FOLDER,
    IDENTITY,
    PLAIN,
    VOLUME,
    File,
    Spec,
    build,
    hostile,
    image,
    on_disk,
    pieces,
)

SIZES = (0, 1, 65_536, 65_537, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3_000_000)


def one_file(size: int, source: str = "x") -> tuple[Tree[str], NodeId]:
    tree: Tree[str] = Tree(FOLDER)
    return tree, tree.add_file(tree.add_directory(ROOT, b"d", FOLDER), b"f", PLAIN, Content(size, source))


def opened(path: str) -> int:
    return os.open(path, os.O_RDONLY)


def test_pipe_file_and_object_get_the_same_bytes(tmp_path):
    spec = hostile()
    expected, plan, _, _ = image(spec)
    with open(tmp_path / "image", "wb") as file:
        emit(plan, pieces, file.fileno())
    read, write = os.pipe()
    got: list[bytes] = []

    def drain() -> None:
        with open(read, "rb") as pipe:
            got.append(pipe.read())

    reader = threading.Thread(target=drain)
    reader.start()
    emit(plan, pieces, write)
    os.close(write)
    reader.join()
    assert got == [expected]
    assert (tmp_path / "image").read_bytes() == expected


def test_descriptors_and_pieces_give_the_same_image(tmp_path):
    spec: Spec = {b"f%d" % size: File(bytes(range(251)) * (size // 251) + b"z" * (size % 251)) for size in SIZES}
    on_disk(spec, str(tmp_path))
    expected, _, written, built = image(spec)
    tree: Tree[str] = Tree(FOLDER)
    for path, what in spec.items():
        tree.add_file(ROOT, path, PLAIN, Content(len(what.data), str(tmp_path / path.decode())))
    out = io.BytesIO()
    again = emit(layout(tree, VOLUME), opened, out)
    assert out.getvalue() == expected
    for path, what in spec.items():
        want = hashlib.sha256(what.data).digest()
        assert written.digest(built.nodes[path]) == want == again.digest(built.nodes[path])


def test_any_hash_of_files_and_image(tmp_path):
    _, plan, _, built = image({b"a": File(b"x" * 200_000), b"b": File(b"y")})
    out = io.BytesIO()
    options = Options(file_hash=blake3.blake3, image_hash=hashlib.sha512)
    written = emit(plan, pieces, out, options)
    assert written.digest(built.nodes[b"a"]) == blake3.blake3(b"x" * 200_000).digest()
    assert written.image_digest == hashlib.sha512(out.getvalue()).digest()


@pytest.mark.parametrize("promised", [1, 2048, 65_536, 65_537, 1 << 20, (1 << 20) + 5, 4 << 20])
@pytest.mark.parametrize("more", [-1, 1, -500, 4096])
@pytest.mark.parametrize("kind", ["descriptor", "pieces"])
def test_short_and_long_sources_name_the_file(tmp_path, promised, more, kind):
    real = max(0, promised + more)
    path = tmp_path / "f"
    path.write_bytes(b"a" * real)
    tree, _ = one_file(promised, str(path))
    opener = opened if kind == "descriptor" else lambda p: iter([path.read_bytes()])
    with pytest.raises(SourceError, match="d/f") as caught:
        emit(layout(tree, VOLUME), opener, io.BytesIO())
    assert caught.value.path == b"d/f"
    assert ("shorter" if more < 0 else "longer") in str(caught.value)


@pytest.mark.parametrize("size", [0, 10, 100_000])
def test_an_empty_promise_is_checked_too_and_a_failing_source_is_named(tmp_path, size):
    tree, _ = one_file(size, str(tmp_path / "gone"))
    with pytest.raises(SourceError, match="No such file"):
        emit(layout(tree, VOLUME), opened, io.BytesIO())
    tree, _ = one_file(size, str(tmp_path))  # a directory opens and fails to read
    with pytest.raises(SourceError, match="directory"):
        emit(layout(tree, VOLUME), opened, io.BytesIO())

    def breaks(_: str):
        yield b"x" * (size // 2)
        raise OSError(errno.EIO, "lens dirty")

    with pytest.raises(SourceError, match="lens dirty"):
        emit(layout(tree, VOLUME), breaks, io.BytesIO())


def test_descriptors_are_closed_whatever_happens(tmp_path):
    path = tmp_path / "f"
    path.write_bytes(b"a" * 100_000)
    before = len(os.listdir("/proc/self/fd"))
    for size in (10, 99_999, 100_000, 100_001):
        tree, _ = one_file(size, str(path))
        try:
            emit(layout(tree, VOLUME), opened, io.BytesIO())
        except SourceError:
            assert size != 100_000
    assert len(os.listdir("/proc/self/fd")) == before


def test_an_error_of_the_output_is_not_blamed_on_a_source(tmp_path):
    path = tmp_path / "f"
    path.write_bytes(b"a" * (4 << 20))
    tree, _ = one_file(4 << 20, str(path))

    class Full(io.BytesIO):
        def write(self, data):
            if self.tell() > 1 << 20:
                raise OSError(errno.ENOSPC, "No space left on device")
            return super().write(data)

    with pytest.raises(OSError, match="No space") as caught:
        emit(layout(tree, VOLUME), opened, Full())
    assert not isinstance(caught.value, SourceError)


def test_a_writer_that_takes_little_at_a_time_gets_all():
    class Slow(io.BytesIO):
        def write(self, data):
            return super().write(data[:3000])

    spec: Spec = {b"a": File(b"x" * 100_000)}
    expected, plan, _, _ = image(spec)
    out = Slow()
    emit(plan, pieces, out)
    assert out.getvalue() == expected


def test_late_files_come_last_know_the_digests_and_keep_their_size():
    spec: Spec = {
        b"SHA256SUMS": File(b"?" * 64, late=True),
        b"data": File(b"d" * 70_000),
        b"zz/after": File(b"e"),
        b"AAA": File(b"!" * 3000, late=True),
    }
    built = build(spec)
    plan = layout(built.tree, VOLUME)
    asked: list[NodeId] = []

    def late(node: NodeId, written: Written[bytes]) -> bytes:
        asked.append(node)
        if node == built.nodes[b"SHA256SUMS"]:
            return written.digest(built.nodes[b"data"]).hex().encode()
        assert any(written.digest(built.nodes[b"SHA256SUMS"]))
        return b"!" * 3000

    out = io.BytesIO()
    written = emit(plan, pieces, out, late=late)
    assert asked == [built.nodes[b"SHA256SUMS"], built.nodes[b"AAA"]]
    at = plan.extent(built.nodes[b"SHA256SUMS"])
    sums = out.getvalue()[at.sector * SECTOR :][: at.length]
    assert sums == hashlib.sha256(b"d" * 70_000).hexdigest().encode()
    assert written.digest(built.nodes[b"SHA256SUMS"]) == hashlib.sha256(sums).digest()
    assert at.sector > plan.extent(built.nodes[b"zz/after"]).sector
    assert plan.extent(built.nodes[b"AAA"]).sector > at.sector
    with pytest.raises(SourceError, match="SHA256SUMS"):
        emit(plan, pieces, io.BytesIO(), late=lambda node, _: b"other size")
    with pytest.raises(SourceError, match="SHA256SUMS"):
        emit(plan, pieces, io.BytesIO())


def test_progress_counts_to_the_end_and_can_cancel():
    _, plan, _, _ = image({b"a": File(b"x" * 5_000_000)})
    seen: list[int] = []
    emit(plan, pieces, io.BytesIO(), Options(progress=seen.append))
    assert seen == sorted(seen)
    assert seen[-1] == plan.size

    class CancelledByTestError(Exception):
        pass

    def cancel(done: int) -> None:
        if done > 2_000_000:
            raise CancelledByTestError

    threads = threading.active_count()
    with pytest.raises(CancelledByTestError):
        emit(plan, pieces, io.BytesIO(), Options(progress=cancel, image_hash=hashlib.sha256))
    assert threading.active_count() == threads


def test_a_failing_hasher_fails_the_image():
    class Bad:
        def __init__(self, data: bytes = b"") -> None:
            self.taken = len(data)

        def update(self, data):
            raise MemoryError("no room for hashing")

        def digest(self) -> bytes:
            return b"bad!"

    _, plan, _, _ = image({b"a": File(b"x" * 500_000)})
    with pytest.raises(MemoryError):
        emit(plan, pieces, io.BytesIO(), Options(file_hash=Bad))


def test_an_empty_tree_is_an_image():
    data, plan, written, _ = image({})
    assert len(data) == plan.size
    assert written.digest(ROOT) == bytes(32)
    assert data[16 * SECTOR + 40 :][:9].decode() == IDENTITY.label
