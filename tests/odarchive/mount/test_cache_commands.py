"""``odarchive recall`` and ``odarchive cache`` against a librarian with a simulated robot."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.site import Site

pytestmark = pytest.mark.e2e


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Site(tmp_path) as made:
        (made.source / "tape").mkdir()
        for number in range(6):
            (made.source / "tape" / f"{number}").write_bytes(os.urandom(20_000))
        made.start_robot()
        made.init()
        made.command("scan", str(made.source))
        made.command("plan", "--media", "10MB")
        made.command("image", "all")
        made.serve()
        made.command("burn", "all", "--wait")
        yield made


def said(site: Site, *words: str) -> dict[str, object]:
    return json.loads(site.command(*words, "--json").stdout)


def test_recall_brings_a_folder_and_the_cache_is_ordered_by_path(site: Site) -> None:
    before = said(site, "cache", "status")
    assert (before["files"], before["pinned"]) == (0, 0)
    done = said(site, "recall", "--wait", "photos/tape")
    assert done == {"done": 6, "waiting": 0, "failed": 0, "contents": 6, "bytes": 120_000, "seconds_left": None}
    assert said(site, "cache", "pin", "photos/tape/1") == {"contents": 1, "changed": 1}
    assert said(site, "cache", "evict", "photos") == {"contents": 6, "changed": 5}
    after = said(site, "cache", "status")
    assert (after["files"], after["bytes"], after["pinned"]) == (1, 20_000, 1)
    assert said(site, "cache", "unpin", "/photos/tape/1")["changed"] == 1
    assert "evict: 1 of 1 contents" in site.command("cache", "evict", "photos/tape/1").stdout
    assert site.command("recall", "photos/nothing", check=False).returncode == 16
