"""A process that reads directories for a scan: ``python -P -m odarchive.reading.worker``, told by ``pool`` what to do.

Frames on stdin and stdout: length (4 bytes), then a marshalled tuple. First in: (path, device, inode, rules), then
(number, folder, names or None, time of asking). Out: (number, kind, payload) as the constants say. It ends with its
input, and it may die at any moment: who started it reads again what it did not answer.
"""

import marshal
import os
import signal
import struct
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import IO, Any

from odarchive.collector import seldom_collected
from odarchive.reading.folder import Means, Reading, read_names
from odarchive.reading.plain import read_usual
from odarchive.reading.rules import CACHE_TAG, Rules
from odarchive.reading.sheet import EMPTY, Plain, Sheet, count, packed, total
from odarchive.reading.tree import Tree, names, told_apart

ROWS = 0
"""A sheet of usual files, and a list of ``Reading`` values."""
SPLIT = 1
"""The directory has many names: two lists of them, files and others, to be asked for in parts."""
END = 2
"""The directory cannot be read (any further): errno."""
READ = 3
"""So many bytes more were read."""
LAST = 4
"""As ``ROWS``; the request is answered."""
MANY = 2_048
"""Names of one directory from which on it is divided among processes."""
CHUNK = 256
"""Readings in one frame."""
AT_ONCE = 1 << 20
"""Bytes of frames read at once."""
_BUFFER = 1 << 15
"""Bytes of answers written at once, unless somebody waits for them."""
TOLD = 1 << 26
"""Bytes between two words of progress."""
Wanted = tuple[Sequence[bytes], Sequence[bytes]] | None
"""Names of files and other names; None: all that there are."""
Rows = tuple[Sheet, list[tuple[Any, ...]]]
NO_ROWS: Rows = (EMPTY, [])
_LENGTH = struct.Struct("<I")
_VERSION = 2
"""Of marshal: without a search for values that come twice, which takes longer than writing them twice."""


def framed(message: tuple[Any, ...]) -> bytes:
    """One frame."""
    data = marshal.dumps(message, _VERSION)
    return _LENGTH.pack(len(data)) + data


def send(file: IO[bytes], message: tuple[Any, ...]) -> None:
    """Write one frame into an unbuffered pipe."""
    write(file, framed(message))


def write(file: IO[bytes], data: bytes) -> None:
    """Write all of it into an unbuffered pipe."""
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]


class Frames:
    """The frames of an unbuffered pipe, as many as there are, with one reading."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._rest = file, b""

    def read(self) -> list[tuple[Any, ...]] | None:
        """Those that are complete now; waits if there is nothing at all. None: the other side has gone."""
        more = self._file.read(AT_ONCE)
        if not more:
            return None
        data = memoryview(self._rest + more)
        start, found = 0, []
        while (body := start + _LENGTH.size) <= len(data):
            end = body + _LENGTH.unpack_from(data, start)[0]
            if end > len(data):
                break
            found.append(marshal.loads(data[body:end]))  # noqa: S302  from our own other half, over a private pipe
            start = end
        self._rest = bytes(data[start:])
        return found


class _Worker:
    def __init__(self, tree: Tree, rules: Rules, out: IO[bytes]) -> None:
        """``out`` is buffered; ``main`` flushes it before it waits."""
        self._tree, self._rules, self._out = tree, rules, out
        self._read = 0

    def answer(self, number: int, path: bytes, wanted: Wanted, read_ns: int) -> None:
        """Serve one request; a failure of the directory is an answer."""
        means = Means(self._rules, self._progress, mapped=True, read_ns=read_ns)
        last = NO_ROWS
        try:
            files, others = wanted or self._listed(path)
            if wanted is None and len(files) + len(others) > MANY:
                self._say(number, SPLIT, (files, others))
                self._out.flush()  # another process may begin with it
                files, others = (), ()
            for rows in self._read_all(path, files, others, means):
                self._progress(total(rows[0]))
                if not rows[0] and not last[1] and count(last[0]) + len(rows[1]) <= CHUNK:
                    last = (last[0], rows[1])
                    continue
                if any(last):
                    self._say(number, ROWS, last)
                last = rows
        except OSError as error:
            if isinstance(error, BrokenPipeError):
                raise
            self._say(number, END, error.errno or 5)
        else:
            self._say(number, LAST, last)

    def _read_all(self, path: bytes, files: Sequence[bytes], others: Sequence[bytes], means: Means) -> Iterator[Rows]:
        """Names of one directory in parts; most directories are one."""
        rest = list(others)
        for start in range(0, len(files), CHUNK):
            plain, unusual = read_usual(self._tree.enter(path), files[start : start + CHUNK], means.read_ns)
            rest += unusual
            yield plain, []
        if rest:
            self._out.flush()  # large files may follow, and directories that others could read
            yield from _chunks(read_names(self._tree, path, rest, means))

    def _listed(self, path: bytes) -> tuple[Sequence[bytes], Sequence[bytes]]:
        if self._rules:
            return (), listed(self._tree, path, self._rules)
        return told_apart(self._tree.enter(path))

    def _progress(self, size: int) -> None:
        self._read += size
        if self._read >= TOLD:
            self._say(0, READ, self._read)
            self._out.flush()
            self._read = 0

    def _say(self, number: int, kind: int, payload: Any) -> None:  # noqa: ANN401  as the constants say
        self._out.write(framed((number, kind, payload)))


def listed(tree: Tree, path: bytes, rules: Rules) -> list[bytes]:
    """The names of a directory; of a cache that is to be left out only its mark.

    Raises:
        OSError: it cannot be read.
    """
    folder = tree.enter(path)
    return [CACHE_TAG] if rules.is_cache(folder) else names(folder)


def _chunks(found: Iterator[Plain | Reading]) -> Iterator[Rows]:
    """Parts of ``CHUNK`` names; the last one has fewer, perhaps none."""
    while True:
        some = list(islice(found, CHUNK))
        plain = packed(one for one in some if not isinstance(one, Reading))
        yield plain, [tuple(one) for one in some if isinstance(one, Reading)]
        if len(some) < CHUNK:
            return


def _messages(frames: Frames, out: IO[bytes]) -> Iterator[tuple[Any, ...]]:
    """What comes, until nothing does; ``out`` is flushed before each wait, so that nobody waits for what lies in it."""
    while (found := frames.read()) is not None:
        yield from found
        out.flush()


def main() -> None:
    """Serve until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the scan itself ends this process
    with open(0, "rb", 0, closefd=False) as into, open(1, "wb", _BUFFER, closefd=False) as out:
        messages = _messages(Frames(into), out)
        hello = next(messages, None)
        if hello is None:
            return
        path, device, inode, rules = hello
        with Tree(path) as tree, seldom_collected():
            if (tree.root.st_dev, tree.root.st_ino) != (device, inode):
                return
            worker = _Worker(tree, Rules(*rules), out)
            for request in messages:
                worker.answer(*request)


if __name__ == "__main__":
    try:
        main()
    except BrokenPipeError:
        os._exit(0)  # the scan has ended; nothing is left to flush
