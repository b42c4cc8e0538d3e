"""What holds for every test: the order in which trio runs its tasks is a number's, so a failure can be repeated.

trio shuffles the tasks that are ready at one moment, with a source of chance of its own: a test that passes in one
order may fail in another, seldom, and elsewhere. ``TEST_SEED=7 make test`` plays other orders than without. Threads and
other processes keep their own time.
"""

import os

import pytest
from trio._core import _run as trio_run

SEED = os.environ.get("TEST_SEED", "0")


def pytest_report_header():
    return f"order of tasks: TEST_SEED={SEED}"


@pytest.fixture(autouse=True)
def _order_of_tasks(request, monkeypatch):
    """Each test has its own order, whatever ran before it."""
    monkeypatch.setattr(trio_run, "_ALLOW_DETERMINISTIC_SCHEDULING", True)
    trio_run._r.seed(f"{SEED} {request.node.nodeid}")
