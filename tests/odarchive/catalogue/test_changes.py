"""What a kernel that caches everything believes after being told, against what the mount would answer."""

import random

import pytest
from catalogue_kit import rows, run
from story import Story
from trees import scanned, write

from odarchive.catalogue.changes import Changes, ChangeWatch
from odarchive.catalogue.namespace import CatalogueNamespace
from odarchive.errors import DamageFound, NoArchive
from odfs.ports import ROOT, Totals


def seen(attributes):
    """Without ctime, which a scan may refresh in place: nobody is told of that."""
    return attributes and attributes._replace(ctime_ns=0)


class Kernel:
    """Believes every name and every attribute it ever saw, until told."""

    def __init__(self) -> None:
        self.names: dict[tuple[int, bytes], int] = {}
        self.attributes: dict[int, object] = {}

    def told(self, changes: Changes) -> None:
        for name in changes.entries:
            self.names.pop(name, None)
        for ino in changes.inodes:
            self.attributes.pop(ino, None)

    def wrong(self, space: CatalogueNamespace) -> list[object]:
        """Beliefs that are not so."""
        names = [name for name, ino in self.names.items() if getattr(space.lookup(*name), "ino", None) != ino]
        inos = set(self.names.values()) & self.attributes.keys()
        return names + [ino for ino in inos if seen(space.attributes(ino)) != self.attributes[ino]]

    def crawl(self, space: CatalogueNamespace, folder: int = ROOT) -> None:
        for name, found in space.children(folder, b"", 1000):
            self.names[folder, name] = found.ino
            self.attributes[found.ino] = seen(found)
            if found.mode & 0o170000 == 0o040000:
                self.crawl(space, found.ino)


@pytest.mark.parametrize("seed", range(12))
def test_a_kernel_that_is_told_believes_nothing_wrong(catalogue, tmp_path, seed):
    source = tmp_path / "source"
    source.mkdir()
    story = Story(catalogue, source, random.Random(seed))
    kernel, watch = Kernel(), ChangeWatch(catalogue.path)
    with CatalogueNamespace(catalogue.path) as space:
        for step in range(40):
            action = story.rng.choice([story.scan, story.scan, story.plan, story.burn, story.burn, story.lose])
            action()
            kernel.told(watch.look() or Changes())
            assert kernel.wrong(space) == [], f"seed {seed}, step {step}, {action.__name__}"
            kernel.crawl(space)
    watch.close()


def test_nothing_is_told_when_nothing_happened_or_names_are_only_new(catalogue, tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    story = Story(catalogue, source, random.Random(0))
    watch = ChangeWatch(catalogue.path)
    assert watch.look() is None
    write(source / "f", b"one")
    scanned(catalogue, source)
    assert watch.look() == Changes()
    assert watch.look() is None
    story.rng.random = lambda: 0.0
    story.plan()
    story.burn()
    assert watch.look() == Changes()
    watch.close()


def test_it_knows_contents_by_digest_and_who_shows_them(populated):
    watch = ChangeWatch(populated.path)
    ((digest, number, ino),) = rows(
        populated,
        "SELECT digest, content.id, ino FROM entry JOIN content ON content.id = entry.content"
        " WHERE name = x'66' AND shown = 1",
    )
    assert watch.numbers([digest, b"\0" * 32]) == {digest: number}
    assert watch.shown_inodes([number]) == {ino}
    run(populated, "UPDATE entry SET shown = 0")
    assert watch.shown_inodes([number]) == set()
    watch.close()


def test_totals_are_counted_after_a_commit_but_not_all_the_time(populated):
    now = [0.0]
    watch = ChangeWatch(populated.path, clock=lambda: now[0])
    first = watch.totals()
    with CatalogueNamespace(populated.path) as space, CatalogueNamespace(populated.path, counts=False) as told:
        assert first == space.totals()
        assert told.totals() == Totals(0, 0)
        told.told_totals(first)
        assert told.totals() == first
    assert watch.totals() is None
    run(populated, "UPDATE entry SET shown = 0")
    assert watch.look() is not None
    assert watch.totals() is None
    now[0] = 10.0
    assert watch.totals() == Totals(0, 0)
    watch.close()


def test_a_catalogue_that_cannot_be_read_is_an_error_to_try_again(tmp_path, populated):
    with pytest.raises(NoArchive):
        ChangeWatch(tmp_path / "none.db")
    watch = ChangeWatch(populated.path)
    run(populated, "DROP TABLE snapshot", loose=True)
    with pytest.raises(DamageFound, match="cannot be read"):
        watch.look()
    watch.close()
