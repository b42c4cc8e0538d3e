"""What has too few copies, and what discs cost."""


def test_copies(archive, source):
    assert archive("copies") == 0
    assert archive.out == ""
    assert archive("scan", source) == 0
    told = archive.json("copies", "--min", "2")
    assert (told["min"], told["segments"], told["unplanned_bytes"]) == (2, [], 70_000)
    assert archive("plan", "--media", "10MB") == 0
    told = archive.json("copies")
    assert [(one["id"], one["copies"]) for one in told["segments"]] == [(1, 0)]
    assert told["unplanned_contents"] == 0
    assert archive("copies", "--min", "2") == 0
    assert "0 of 2 copies" in archive.out


def test_cost(archive, source):
    assert archive("scan", source) == 0
    config = archive.root / "archive.toml"
    config.write_text(config.read_text().replace("# bd = 0.80", 'bd = 0.80\ndvd = 1\ncurrency = "CHF"'))
    told = archive.json("cost", "--media", "bd")
    assert (told["currency"], told["spent"], told["due"]) == ("CHF", 0, 0.8)
    assert archive("plan", "--media", "dvd") == 0
    told = archive.json("cost")
    assert told["media"] == [{"media": "dvd", "burned": 0, "to_burn": 1, "price": 1}]
    assert archive("cost") == 0
    assert "still to spend 1.00" in archive.out
