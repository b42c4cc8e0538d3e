"""The folder of questions."""

import os
from pathlib import Path

from odarchive.asked import FOLDER, STALE, Box, Question, Verdict


def test_a_question_is_answered_and_forgotten(tmp_path: Path) -> None:
    box = Box(tmp_path)
    assert box.questions() == []
    late, early = Question(7, "a/odd\udcff", 5, "x", 2.0), Question(8, "b", 6, "x", 1.0)
    box.ask(late)
    box.ask(early)
    assert Box(tmp_path).questions() == [early, late]
    assert box.verdict(7) is None
    Box(tmp_path).answer(7, Verdict.ALLOWED)
    assert (box.verdict(7), box.questions()) == (Verdict.ALLOWED, [early])
    box.answer(8, Verdict.REFUSED)
    assert box.verdict(8) is Verdict.REFUSED
    for number in (7, 8):
        box.forget(number)
        box.forget(number)
    assert os.listdir(tmp_path / FOLDER) == []


def test_what_is_dead_or_no_question_is_not_shown(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.ask(Question(7, "a", 5, "x", 2.0))
    path = tmp_path / FOLDER / "7.json"
    os.utime(path, (0, path.stat().st_mtime - STALE - 1))
    for name, text in (("8", "{"), ("9", "[]"), ("word", "{}"), ("10", '{"path": "a"}')):
        (tmp_path / FOLDER / f"{name}.json").write_text(text)
    assert box.questions() == []


def test_an_old_answer_is_no_answer_to_a_new_question(tmp_path: Path) -> None:
    box = Box(tmp_path)
    question = Question(7, "a", 5, "x", 2.0)
    box.ask(question)
    box.forget(7)
    box.answer(7, Verdict.ALLOWED)  # he saw the question a moment before
    box.ask(question)
    assert (box.verdict(7), box.questions()) == (None, [question])
    box.answer(7, Verdict.ALLOWED)  # to a mount that dies before it hears it
    path = tmp_path / FOLDER / "7.json"
    os.utime(path, (0, path.stat().st_mtime - STALE - 1))
    box.ask(question)
    assert box.verdict(7) is None
    box.answer(7, Verdict.ALLOWED)
    box.ask(question)  # keeps it alive
    assert box.verdict(7) is Verdict.ALLOWED


def test_the_later_of_two_answers_counts(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.ask(Question(7, "a", 5, "x", 2.0))
    for verdict in (Verdict.ALLOWED, Verdict.REFUSED, Verdict.ALLOWED):
        box.answer(7, verdict)
        assert box.verdict(7) is verdict
