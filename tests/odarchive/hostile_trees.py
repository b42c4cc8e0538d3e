"""Source trees with everything that names, links and times can do, and what must come back of them."""

import os
import shutil

HOSTILE = [
    b"\xff\xfe", b"new\nline", b"cr\rx", b'q"uo\\te', b"x" * 255, b"AB", "䅂".encode(), b"trail.", b"trail. ", b"Case",
    b"case", "emoji\U0001f4bf".encode(), "größe".encode(), "ﬃ日本".encode(), b"* : ; ? |", b"\x01\x7f", b"-rf", b"\\n",
    b"~at0000000000000000", ("é" * 127).encode(),
]  # fmt: skip


def hostile(source):
    root = os.fsencode(source)
    for name in HOSTILE:
        with open(os.path.join(root, name), "wb") as file:
            file.write(name * 100)
    (source / "empty").touch()
    (source / "hollow" / "inner").mkdir(parents=True)
    (source / "dangling").symlink_to("no/where")
    (source / "up").symlink_to("..")
    os.link(source / "case", source / "hard")
    shutil.copy(source / "case", source / "equal")
    deep = source
    for level in range(20):
        deep /= f"level{level}"
        deep.mkdir()
        (deep / "file").write_bytes(b"%d" % level * 500)
    (source / "sub").mkdir()
    (source / "sub" / "case").write_bytes((source / "case").read_bytes())
    for number, (path, _, _) in enumerate(os.walk(root)):
        os.utime(path, ns=(1, 1_000_000_000_123_456_789 + number))
    os.utime(source / "case", ns=(1, -5_000_000_001))
    (source / "case").chmod(0o4751)
    (source / "sub").chmod(0o700)


def read(path):
    with open(path, "rb") as file:
        return file.read()


def snapshot(folder):
    """Everything of a tree that a restore must give back."""
    found = {}
    inodes = {}
    for directory, names, files in os.walk(os.fsencode(folder)):
        for name in [b"", *names, *files]:
            path = os.path.join(directory, name)
            about = os.lstat(path)
            relative = os.path.relpath(path, os.fsencode(folder))
            link = os.readlink(path) if os.path.islink(path) else None
            data = read(path) if os.path.isfile(path) and link is None else None
            first = inodes.setdefault(about.st_ino, relative)
            found[relative] = (about.st_mode, about.st_mtime_ns, link, data, first if data else None)
    return found
