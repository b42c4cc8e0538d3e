"""Independent readers of disc images, each answering {path: SHA-256 or 'dir'}.

A reader that is not installed skips its test with the reason, but fails it where CI is set: there all must be present.
"""

import ctypes
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator

import pytest

PACKAGES = {
    "bsdtar": "libarchive-tools",
    "7z": "p7zip-full or 7zip",
    "grub-fstest": "grub-common",
    "xorriso": "xorriso",
    "isoinfo": "genisoimage",
    "udfinfo": "udftools",
    "libudfread.so.0": "libudfread0",
}


def missing(what: str) -> None:
    message = f"{what} is not installed: apt-get install {PACKAGES[what]}"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        missing(name)
    return str(found)


def run(*argv: str | bytes, cwd: str | None = None) -> bytes:
    done = subprocess.run(argv, capture_output=True, check=False, cwd=cwd, env={**os.environ, "LC_ALL": "C.UTF-8"})
    assert done.returncode == 0, (argv, done.returncode, done.stdout[-2000:], done.stderr[-2000:])
    return done.stdout


def folder(root: str) -> dict[bytes, str]:
    """What a reader extracted; symlinks are not followed and not listed."""
    out: dict[bytes, str] = {}
    top = os.fsencode(root)
    for at, folders, files in os.walk(top):
        for name in folders + files:
            full = os.path.join(at, name)
            if os.path.islink(full):
                continue
            if os.path.isdir(full):
                os.chmod(full, 0o700)  # noqa: PTH101 - names are bytes
                out[os.path.relpath(full, top)] = "dir"
            else:
                os.chmod(full, 0o600)  # noqa: PTH101 - names are bytes
                with open(full, "rb") as file:
                    out[os.path.relpath(full, top)] = hashlib.sha256(file.read()).hexdigest()
    return out


def bsdtar(image: str, to: str) -> dict[bytes, str]:
    run(program("bsdtar"), "-xpf", image, "-C", to)
    return folder(to)


def seven_zip(image: str, to: str, kind: str) -> dict[bytes, str]:
    run(program("7z"), "x", "-y", f"-t{kind}", f"-o{to}", image)
    return folder(to)


def xorriso(image: str, to: str) -> dict[bytes, str]:
    run(program("xorriso"), "-osirrox", "on", "-indev", f"stdio:{image}", "-extract", "/", to)
    return folder(to)


def grub_crc(image: str, path: bytes) -> bytes:
    """A file's bytes as grub reads them."""
    return run(program("grub-fstest"), image, "cat", b"(loop0)/" + path)


class _Entry(ctypes.Structure):
    _fields_ = (("kind", ctypes.c_uint), ("name", ctypes.c_char_p))


class UdfRead:
    """libudfread through ctypes: in process, nothing extracted."""

    def __init__(self, image: str) -> None:
        try:
            lib = ctypes.CDLL("libudfread.so.0")
        except OSError:
            missing("libudfread.so.0")
        pointer = ctypes.c_void_p
        for name, result, arguments in (
            ("udfread_init", pointer, []),
            ("udfread_open", ctypes.c_int, [pointer, ctypes.c_char_p]),
            ("udfread_close", None, [pointer]),
            ("udfread_get_volume_id", ctypes.c_char_p, [pointer]),
            ("udfread_opendir", pointer, [pointer, ctypes.c_char_p]),
            ("udfread_readdir", pointer, [pointer, ctypes.POINTER(_Entry)]),
            ("udfread_closedir", None, [pointer]),
            ("udfread_opendir_at", pointer, [pointer, ctypes.c_char_p]),
            ("udfread_file_openat", pointer, [pointer, ctypes.c_char_p]),
            ("udfread_file_size", ctypes.c_int64, [pointer]),
            ("udfread_file_read", ctypes.c_ssize_t, [pointer, ctypes.c_char_p, ctypes.c_size_t]),
            ("udfread_file_close", None, [pointer]),
        ):
            function = getattr(lib, name)
            function.restype, function.argtypes = result, arguments
        self._lib = lib
        self._udf = lib.udfread_init()
        assert lib.udfread_open(self._udf, os.fsencode(image)) == 0, "libudfread does not open the image"

    def close(self) -> None:
        self._lib.udfread_close(self._udf)

    def label(self) -> str:
        return self._lib.udfread_get_volume_id(self._udf).decode()

    def tree(self, *, digests: bool = True) -> dict[bytes, str]:
        handle = self._lib.udfread_opendir(self._udf, b"/")
        assert handle
        return dict(self._walk(handle, b"", digests))

    def _walk(self, handle: int, path: bytes, digests: bool) -> Iterator[tuple[bytes, str]]:
        entry = _Entry()
        while self._lib.udfread_readdir(handle, ctypes.byref(entry)):
            raw, kind = entry.name, entry.kind
            if raw in {b".", b".."}:
                continue
            # names beyond the BMP come out as two encoded surrogates each
            text = raw.decode("utf-8", "surrogatepass")
            full = path + text.encode("utf-16", "surrogatepass").decode("utf-16").encode()
            if kind == 1:
                yield full, "dir"
                below = self._lib.udfread_opendir_at(handle, raw)
                assert below, full
                yield from self._walk(below, full + b"/", digests)
            else:
                yield full, self._digest(handle, raw) if digests else "file"
        self._lib.udfread_closedir(handle)

    def _digest(self, folder: int, name: bytes) -> str:
        handle = self._lib.udfread_file_openat(folder, name)
        assert handle, name
        buffer, hasher = ctypes.create_string_buffer(1 << 20), hashlib.sha256()
        left = self._lib.udfread_file_size(handle)
        while left > 0:
            count = self._lib.udfread_file_read(handle, buffer, len(buffer))
            assert count > 0, name
            hasher.update(buffer.raw[:count])
            left -= count
        self._lib.udfread_file_close(handle)
        return hasher.hexdigest()


def libudfread(image: str) -> dict[bytes, str]:
    reader = UdfRead(image)
    try:
        return reader.tree()
    finally:
        reader.close()


def libudfread_names(image: str) -> set[bytes]:
    """Every name; opening files by name in a directory of very many takes very long."""
    reader = UdfRead(image)
    try:
        return set(reader.tree(digests=False))
    finally:
        reader.close()
