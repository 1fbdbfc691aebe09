"""From stacks to places, on stacks as py-spy gives them."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.profile.places import (
    ELSEWHERE,
    PLACES,
    Frame,
    Recording,
    Stack,
    place,
    places,
    read_speedscope,
    shortened,
    waits,
    working,
)

GLUON = "/home/me/.venv/lib/python3.11/site-packages/mxnet/gluon"
WORKER = Frame("worker", "/usr/lib/python3.11/multiprocessing/pool.py", 125)
FETCH = Frame("_worker_fn", f"{GLUON}/data/dataloader.py", 429)
ITEM = Frame("_LazyTransformDataset.__getitem__", f"{GLUON}/data/dataset.py", 219)
TRANSFORM = Frame("_transform", "/home/me/project/mtl_core/data/loaders.py", 105)
DIVIDE = Frame("NDArray.__truediv__", f"{GLUON}/../ndarray/ndarray.py", 354)
STACKING = Frame("default_mp_batchify_fn", f"{GLUON}/data/dataloader.py", 172)
UPDATE = Frame("Trainer.step", f"{GLUON}/trainer.py", 334)
RECEIVE = Frame("Connection._recv", "/usr/lib/python3.11/multiprocessing/connection.py", 395)
OWN = Frame("mine", "/home/me/mine.py", 1)


@pytest.mark.parametrize(
    ("stack", "name"),
    [
        ((WORKER, FETCH, ITEM, TRANSFORM, DIVIDE), PLACES[0][0]),
        ((WORKER, FETCH, ITEM), PLACES[1][0]),
        ((WORKER, FETCH, STACKING, DIVIDE), PLACES[2][0]),
        ((WORKER, FETCH), "the rest of the DataLoader"),
        ((UPDATE, DIVIDE), "calling the optimizer"),
        ((OWN,), ELSEWHERE),
    ],
)
def test_a_stack_belongs_to_the_most_particular_place(stack: Stack, name: str) -> None:
    assert place(stack) == name


@pytest.mark.parametrize(
    ("last", "waiting"),
    [
        (RECEIVE, True),
        (Frame("_recv", RECEIVE.file, 395), True),  # Python 3.10 names no class
        (Frame("waitall", "/x/mxnet/ndarray/ndarray.py", 211), True),
        (Frame("_PollLikeSelector.select", "/usr/lib/python3.11/selectors.py", 415), True),
        (Frame("waitall", "/x/mine.py", 1), False),
        (DIVIDE, False),
    ],
)
def test_a_stack_that_ends_in_a_wait_waits(last: Frame, waiting: bool) -> None:
    assert waits((WORKER, last)) is waiting
    assert not waits((last, OWN))  # called from there, but at work


def recording(**counts: int) -> Recording:
    stacks = {"transform": (WORKER, FETCH, ITEM, TRANSFORM), "update": (UPDATE,), "wait": (RECEIVE,)}
    return Recording(Counter({stacks[name]: count for name, count in counts.items()}), frozenset({1}))


def test_shares_are_of_working_samples_and_have_an_interval_over_recordings() -> None:
    found = places([recording(transform=60, update=40, wait=500), recording(transform=64, update=36)])
    assert [one.name for one in found] == [PLACES[0][0], "calling the optimizer"]
    assert found[0].share.value == pytest.approx(0.62)
    assert found[0].share.n == 2
    assert found[0].share.low < 0.62 < found[0].share.high
    assert found[0].stack_share == pytest.approx(124 / 200)
    assert found[0].stack == [str(frame) for frame in (FETCH, ITEM, TRANSFORM)]  # without the pool's
    assert found[0].stack[-1] == "_transform (mtl_core/data/loaders.py:105)"


def test_a_recording_that_only_waited_is_left_out() -> None:
    found = places([recording(wait=10), recording(transform=3)])
    assert [(one.share.value, one.share.n) for one in found] == [(1.0, 1)]
    assert places([recording(wait=10)]) == []


FRAMES = st.sampled_from([WORKER, FETCH, ITEM, TRANSFORM, DIVIDE, STACKING, UPDATE, RECEIVE, OWN])
STACKS = st.lists(FRAMES, max_size=5).map(tuple)
RECORDINGS = st.dictionaries(STACKS, st.integers(1, 50), max_size=8).map(
    lambda told: Recording(Counter(told), frozenset({1}))
)


@given(st.lists(RECORDINGS, max_size=4))
def test_the_shares_add_up_to_one(recordings: list[Recording]) -> None:
    found = places(recordings)
    worked = any(working(one) for one in recordings)
    assert sum(one.share.value for one in found) == pytest.approx(1.0 if worked else 0.0)
    assert sorted(found, key=lambda one: -one.share.value) == found


def test_a_speedscope_file_is_read_by_thread_and_process(tmp_path: Path) -> None:
    told = {
        "shared": {
            "frames": [
                {"name": 'process 7:"python -m x"', "file": "", "line": 0},
                {"name": "mine", "file": "/home/me/mine.py", "line": 1},
                {"name": "native", "file": None, "line": None},
            ]
        },
        "profiles": [
            {"name": 'Process 7 Thread 7 "MainThread"', "samples": [[0, 1], [0, 1], [0, 1, 2]]},
            {"name": 'Process 8 Thread 9 "MainThread"', "samples": [[0, 1]]},
        ],
    }
    (tmp_path / "r.json").write_text(json.dumps(told))
    read = read_speedscope(tmp_path / "r.json")
    assert read.stacks == Counter({(OWN,): 3, (OWN, Frame("native", "", 0)): 1})
    assert read.processes == {7, 8}


@pytest.mark.parametrize(
    ("file", "short"),
    [
        (f"{GLUON}/data/dataset.py", "mxnet/gluon/data/dataset.py"),
        ("/usr/lib/python3.11/threading.py", "threading.py"),
        ("/home/me/project/mtl_core/data/loaders.py", "mtl_core/data/loaders.py"),
        ("<string>", "<string>"),
    ],
)
def test_files_are_shown_without_this_machines_folders(file: str, short: str) -> None:
    assert shortened(file) == short
