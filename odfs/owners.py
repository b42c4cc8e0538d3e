"""A namespace as others shall see it: one owner, one group, permissions masked. Pure, and nothing where nothing is set.

For archives whose numbers of users mean nothing on this machine (``-o uid=,gid=,umask=`` of other file systems).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from odfs.ports import Attributes, Inode, Namespace, Totals

PERMISSIONS = 0o7777


@dataclass(frozen=True, slots=True)
class Owners:
    """What to show instead of what is recorded; None: that."""

    uid: int | None = None
    gid: int | None = None
    umask: int | None = None
    """Permission bits that nobody shall have."""

    def applied(self, namespace: Namespace) -> Namespace:
        """The namespace as it shall be seen; itself if nothing is to be changed."""
        return namespace if self == Owners() else Mapped(namespace, self)

    def of(self, attributes: Attributes) -> Attributes:
        """The attributes to show."""
        return attributes._replace(
            uid=attributes.uid if self.uid is None else self.uid,
            gid=attributes.gid if self.gid is None else self.gid,
            mode=attributes.mode & ~((self.umask or 0) & PERMISSIONS),
        )


class Mapped:
    """Implements ``Namespace`` on another one."""

    def __init__(self, inner: Namespace, owners: Owners) -> None:
        self._inner = inner
        self._of = owners.of
        self.parent: Callable[[Inode], Inode | None] = inner.parent
        self.readlink: Callable[[Inode], bytes | None] = inner.readlink
        self.path: Callable[[Inode], bytes] = inner.path
        self.totals: Callable[[], Totals] = inner.totals

    def lookup(self, parent: Inode, name: bytes) -> Attributes | None:
        """See the port."""
        found = self._inner.lookup(parent, name)
        return None if found is None else self._of(found)

    def attributes(self, ino: Inode) -> Attributes | None:
        """See the port."""
        found = self._inner.attributes(ino)
        return None if found is None else self._of(found)

    def children(self, parent: Inode, after: bytes, limit: int) -> Sequence[tuple[bytes, Attributes]]:
        """See the port."""
        return [(name, self._of(found)) for name, found in self._inner.children(parent, after, limit)]
