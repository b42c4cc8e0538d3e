"""``archive PATH``: folder to verified discs in one go; again it burns nothing; a renamed folder costs nothing."""

import json

import pytest

from tests.e2e.site import Site

pytestmark = pytest.mark.e2e


def test_archive_twice_and_after_a_rename(tmp_path):
    with Site(tmp_path / "site") as site:
        for number in range(2):
            folder = site.source / f"{number}"
            folder.mkdir()
            (folder / "a.raw").write_bytes(bytes([number]) * 1_500_000)
        site.start_robot(capacity=5_000_000)
        site.init()
        site.serve()
        first = json.loads(site.command("archive", str(site.source), "--media", "5MB", "--json").stdout)
        assert (first["files"], first["new_bytes"], [job["state"] for job in first["jobs"]]) == (2, 3_000_000, ["done"])
        second = json.loads(site.command("archive", str(site.source), "--media", "5MB", "--json").stdout)
        assert (second["files"], second["new_bytes"], second["planned"], second["jobs"]) == (2, 0, 0, [])
        (site.source / "0").rename(site.source / "moved")
        site.command("scan", str(site.source))
        plan = json.loads(site.command("plan", "--media", "5MB", "--dry-run", "--json").stdout)
        assert (plan["new_bytes"], plan["segments"]) == (0, [])
        listed = json.loads(site.command("find", "moved", "--json").stdout)["found"]
        assert [one["path"] for one in listed] == ["photos/moved"]
        site.command("check")
