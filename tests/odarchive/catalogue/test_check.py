"""Every rule is broken once and named."""

import pytest
from catalogue_kit import rows, run

from odarchive.catalogue.check import LISTED, Violation, check
from odarchive.catalogue.rules import RULES

IMAGED = (
    "INSERT INTO segment (id, label, state, media, capacity, planned_bytes, payload_bytes, created_ns, image_size,"
    " image_digest) VALUES (9, 'N', 'imaged', 'cd', 1, 1, 0, 1, 65536, zeroblob(32))"
)
DISC = (
    "INSERT INTO disc (id, uuid, segment, label, state, image_size, digest, created_ns, verified_ns)"
    " VALUES (9, 'u', 9, 'N', 'verified', 65536, zeroblob(32), 1, 1)"
)
JOB = "INSERT INTO job (id, kind, state, segment, content, created_ns, updated_ns) VALUES "
MOTION = "INSERT INTO motion (id, source, destination, intended_ns, outcome, settled_ns) VALUES "

BROKEN = {
    "content": ["UPDATE content SET size = 0"],
    "reference": ["UPDATE entry SET content = 77 WHERE name = X'66'"],
    "content-once": ["INSERT INTO content (id, digest, size) SELECT 999, digest, size FROM content LIMIT 1"],
    "root": ["UPDATE entry SET shown = 0 WHERE parent = 0"],
    "entry-form": ["UPDATE entry SET target = X'00' WHERE name = X'66'"],
    "entry-size": ["UPDATE entry SET size = size + 1 WHERE name = X'66'"],
    "entry-parent": ["UPDATE entry SET parent = 999 WHERE name = X'66'"],
    "entry-orphan": ["UPDATE entry SET until = 2 WHERE name = X'64'"],
    "entry-versions": ["UPDATE entry SET until = since WHERE name = X'66'"],
    "entry-current": [
        "INSERT INTO entry SELECT parent, name, 2, NULL, ino, mode, nlink, uid, gid, size, mtime_ns, ctime_ns, src_dev,"
        " src_ino, content, target, carrier, 0, NULL, 1 FROM entry WHERE name = X'66'"
    ],
    "entry-shown-once": [
        "INSERT INTO entry SELECT parent, name, 2, NULL, ino, mode, nlink, uid, gid, size, mtime_ns, ctime_ns, src_dev,"
        " src_ino, content, target, carrier, 1, NULL, 1 FROM entry WHERE name = X'66'"
    ],
    "ino": ["UPDATE entry SET ino = (SELECT ino FROM entry WHERE name = X'67') WHERE name = X'66'"],
    "run": ["UPDATE entry SET apart = 0 WHERE name = X'66'"],
    "hard-links": ["UPDATE entry SET nlink = 2 WHERE name = X'66'"],
    "ino-counter": ["UPDATE counter SET value = 2"],
    "entry-carrier": ["UPDATE entry SET carrier = 55 WHERE name = X'64'"],
    "shown": ["UPDATE entry SET shown = 0 WHERE name = X'66'"],
    "state": ["UPDATE snapshot SET state = 'finished' WHERE id = 2"],
    "snapshot-finish": ["UPDATE snapshot SET finished_ns = NULL WHERE id = 1"],
    "snapshot-single": ["UPDATE snapshot SET state = 'aborted', finished_ns = NULL WHERE id = 1"],
    "snapshot-problems": ["UPDATE snapshot SET problems = 4 WHERE id = 1"],
    "snapshot-counts": ["UPDATE snapshot SET files = 4 WHERE id = 2"],
    "piece-range": ["UPDATE piece SET length = 100"],
    "piece-once": [IMAGED, "INSERT INTO piece SELECT content, 9, 0, length, 1, NULL FROM piece"],
    "piece-place": ["UPDATE piece SET sector = 40"],
    "piece-overlap": ["UPDATE piece SET sector = 7"],
    "segment-payload": ["UPDATE segment SET payload_bytes = 1"],
    "segment-image": ["UPDATE piece SET sector = NULL WHERE content = (SELECT min(content) FROM piece)"],
    "segment-archived": [IMAGED, "UPDATE segment SET state = 'archived' WHERE id = 9"],
    "disc-verified": ["UPDATE disc SET verified_ns = NULL"],
    "disc-digest": ["UPDATE disc SET digest = X'00'"],
    "slot-disc": ["INSERT INTO slot (number, state, disc, seen_ns, evidence) VALUES (1, 'disc', NULL, 1, '')"],
    "slot-once": [
        "INSERT INTO slot (number, state, disc, seen_ns, evidence) VALUES (1, 'disc', 1, 1, '')",
        "INSERT INTO slot (number, state, disc, seen_ns, evidence) VALUES (2, 'stale', 1, 1, '')",
    ],
    "job-form": [JOB + "(1, 'burn', 'queued', NULL, NULL, 1, 1)"],
    "motion-form": [MOTION + "(1, 'slot 1', 'drive 0', 1, 'done', NULL)"],
    "motion-open": [
        MOTION + "(1, 'slot 1', 'drive 0', 1, NULL, NULL)",
        MOTION + "(2, 'slot 1', 'drive 0', 1, 'done', 1)",
    ],
}


@pytest.mark.parametrize("rule", BROKEN)
def test_a_broken_rule_is_named(populated, rule):
    for statement in BROKEN[rule]:
        run(populated, statement, loose=True)
    found = check(populated)
    assert rule in {violation.rule for violation in found}
    assert all(violation.detail for violation in found)


def test_every_rule_has_a_test():
    assert {rule.name for rule in RULES} <= BROKEN.keys()


def test_states_of_every_table_are_known(populated):
    run(populated, "INSERT INTO slot (number, state, disc, seen_ns, evidence) VALUES (1, 'lost', NULL, 1, '')")
    run(populated, JOB + "(1, 'polish', 'asleep', NULL, NULL, 1, 1)")
    run(populated, "UPDATE disc SET state = 'fine'")
    run(populated, "UPDATE segment SET state = 'odd'")
    found = [violation.detail for violation in check(populated) if violation.rule == "state"]
    assert len(found) == 5


def test_details_name_the_place_and_are_bounded(populated):
    run(populated, "UPDATE entry SET nlink = 3 WHERE name = X'66'")
    (violation,) = check(populated)
    assert violation == Violation(
        "hard-links",
        f"ino {violation.detail.split()[1].strip(',')}, names 1, nlink 3: "
        "the names of an inode are as many as each of them says",
    )
    for number in range(LISTED + 5):
        run(populated, MOTION + f"({number + 10}, 'a', 'b', 1, 'done', NULL)")
    found = [violation.detail for violation in check(populated) if violation.rule == "motion-form"]
    assert len(found) == LISTED + 1
    assert found[-1] == "and 5 more"


def test_a_damaged_file_is_told(populated):
    ((page,),) = rows(populated, "SELECT rootpage FROM sqlite_master WHERE name = 'entry'")
    populated.close()
    with populated.path.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xff" * 100)
    for deep in (True, False):
        assert {violation.rule for violation in check(populated, deep=deep)} == {"file"}
