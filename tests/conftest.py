"""What holds for every test: the order in which trio runs its tasks is a number's, so a failure can be repeated.

trio shuffles the tasks that are ready at one moment, with a source of chance of its own: a test that passes in one
order may fail in another, seldom, and elsewhere. ``TEST_SEED=7 make test`` plays other orders than without. Threads and
other processes keep their own time.

Ctrl-C is heard although whoever starts the tests may have it ignored, as shells do for what they start beside.

The catalogue's schema is made by the migrations once, and what was imported and collected is not looked through by the
collector again and again.
"""

import gc
import os
import signal

import pytest
from trio._core import _run as trio_run

from odarchive.catalogue import archive
from tests.new_catalogues import Migrated

SEED = os.environ.get("TEST_SEED", "0")


def pytest_configure():
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_report_header():
    return f"order of tasks: TEST_SEED={SEED}"


@pytest.fixture(autouse=True)
def _order_of_tasks(request, monkeypatch):
    """Each test has its own order, whatever ran before it."""
    monkeypatch.setattr(trio_run, "_ALLOW_DETERMINISTIC_SCHEDULING", True)
    trio_run._r.seed(f"{SEED} {request.node.nodeid}")


def pytest_collection_finish():
    """All that is there now stays to the end: left to the collector, it takes a third of the time of some tests."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _new_catalogues_like_the_first():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(archive, "_migrate", Migrated(archive._migrate))
        yield
