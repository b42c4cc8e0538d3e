"""Owners and permissions as a mount may show them."""

import stat

from memory_tree import MemoryNamespace

from odfs.owners import Owners
from odfs.ports import ROOT


def test_nothing_set_is_nothing_between() -> None:
    namespace = MemoryNamespace()
    assert Owners().applied(namespace) is namespace


def test_every_way_to_an_inode_shows_the_same() -> None:
    namespace = MemoryNamespace()
    folder = namespace.add_directory(ROOT, b"folder", 0o755)
    file = namespace.add(folder, b"file", stat.S_IFREG | 0o4664, 5, uid=7, gid=8)
    shown = Owners(uid=1000, umask=0o027).applied(namespace)
    found = shown.lookup(folder, b"file")
    assert found is not None
    assert (found.uid, found.gid, found.mode, found.size) == (1000, 8, stat.S_IFREG | 0o4640, 5)
    assert shown.attributes(file) == found
    assert list(shown.children(folder, b"", 10)) == [(b"file", found)]
    assert (shown.parent(folder), shown.path(file)) == (ROOT, b"/folder/file")
    assert shown.lookup(folder, b"nothing") is shown.attributes(file + 1) is None  # type: ignore[arg-type]
