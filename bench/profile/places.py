"""From py-spy's stacks to places: where Python's time goes, in words.

A stack belongs to the first place of PLACES with which one of its frames agrees, so that what is more
particular stands first. py-spy takes threads for busy that have just gone to sleep; a stack that ends
in a wait is counted as waiting, and no share is taken of it.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.records.profile import Place
from bench.stats.estimates import t_interval
from bench.workloads.code import AROUND, OF_LOADERS, OF_STEPS, OF_TRANSFORMS, Rule


@dataclass(frozen=True)
class Frame:
    """One call of a stack. Python 3.11 and newer name a method with its class."""

    name: str
    file: str
    line: int

    @property
    def function(self) -> str:
        """The function's own name, with or without a class in front."""
        return self.name.rpartition(".")[2]

    def __str__(self) -> str:
        return f"{self.name} ({shortened(self.file)}:{self.line})" if self.line else self.name


Stack = tuple[Frame, ...]  # the outermost call first


@dataclass(frozen=True)
class Recording:
    """What one recording of py-spy holds: how often each stack was seen, and in which processes."""

    stacks: Counter[Stack]
    processes: frozenset[int]


# The first that agrees with any frame of a stack is the stack's place: what is more particular stands first.
PLACES: tuple[Rule, ...] = (
    *OF_TRANSFORMS,
    ("the DataLoader's reading of single samples", ("__getitem__",), "gluon/data/dataset.py"),
    (
        "the DataLoader's stacking of samples into batches",
        ("default_batchify_fn", "default_mp_batchify_fn"),
        "gluon/data/dataloader.py",
    ),
    (
        "handing batches from process to process",
        ("rebuild_ndarray", "reduce_ndarray", "dumps", "_handle_tasks", "_handle_results", "_serve"),
        "",
    ),
    ("the rest of the DataLoader", (), "gluon/data/dataloader.py"),
    *OF_LOADERS,
    ("the metrics", (), "mxnet/metric.py"),
    ("calling the optimizer", (), "gluon/trainer.py"),
    ("calling the backward pass", ("backward",), ""),
    *OF_STEPS,
    ("moving batches to the device", ("as_in_context",), ""),
)
ELSEWHERE = "elsewhere"

# Where the innermost Python frame waits: for MXNet's engine, another thread or another process.
WAITS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("waitall", "wait_to_read", "asnumpy"), "mxnet/ndarray/ndarray.py"),
    (("wait", "_wait_for_tstate_lock", "join"), "threading.py"),
    (("select",), "selectors.py"),
    (("accept",), "socket.py"),
    (("_recv", "_poll", "wait", "poll"), "multiprocessing/connection.py"),
    (("_handle_tasks",), "multiprocessing/pool.py"),
    (("get",), "multiprocessing/queues.py"),
    (("__enter__", "acquire"), "multiprocessing/synchronize.py"),
    (("serve",), "bench/worker/process.py"),
)

BEGINNINGS = (
    "multiprocessing/pool.py",
    "bench/worker/__main__.py",
    "bench/worker/process.py",
    AROUND,
)


def shortened(file: str) -> str:
    """A file as a reader knows it: from the package on, without this machine's folders."""
    for mark in (r".*/site-packages/", r".*/lib/python3\.\d+/", r".*/(?=(?:bench|mtl_core|reports)/)"):
        short, count = re.subn(mark, "", file)
        if count:
            return short
    return "/".join(file.split("/")[-2:])


def read_speedscope(path: Path) -> Recording:
    """A recording in speedscope's format, as py-spy writes it: one profile a thread.

    Raises ValueError or KeyError for anything else.
    """
    document = json.loads(path.read_bytes())
    frames = [Frame(f["name"], f["file"] or "", f["line"] or 0) for f in document["shared"]["frames"]]
    stacks: Counter[Stack] = Counter()
    processes = set()
    for thread in document["profiles"]:
        number = re.match(r"Process (\d+)", thread["name"])
        processes.add(int(number[1]) if number else 0)
        for sample in thread["samples"]:
            called = (frames[index] for index in sample)
            stacks[tuple(frame for frame in called if not frame.name.startswith("process "))] += 1
    return Recording(stacks, frozenset(processes))


def waits(stack: Stack) -> bool:
    """Whether the innermost call of a stack does nothing but wait."""
    if not stack:
        return True
    last = stack[-1]
    return any(last.function in names and last.file.endswith(file) for names, file in WAITS)


def place(stack: Stack) -> str:
    """Which of PLACES a stack belongs to."""
    for name, functions, file in PLACES:
        if any((not functions or f.function in functions) and f.file.endswith(file) for f in stack):
            return name
    return ELSEWHERE


def own(stack: Stack) -> Stack:
    """A stack without what every stack begins with: this suite's worker, or Python's pool of processes."""
    begins = [i for i, frame in enumerate(stack) if frame.file.endswith(BEGINNINGS)]
    return stack[begins[-1] + 1 :] or stack if begins else stack


def working(recording: Recording) -> Counter[Stack]:
    """The stacks of a recording that do not wait."""
    return Counter({stack: count for stack, count in recording.stacks.items() if not waits(stack)})


def places(recordings: Iterable[Recording]) -> list[Place]:
    """The share of each place among the working samples, largest first, over recordings of a set-up each."""
    counted = [stacks for recording in recordings if (stacks := working(recording))]
    together: Counter[Stack] = sum(counted, Counter())
    by_place: dict[str, Counter[Stack]] = {}
    for stack, count in together.items():
        by_place.setdefault(place(stack), Counter())[stack] = count
    shares = [_place(name, stacks, counted, together.total()) for name, stacks in by_place.items()]
    return sorted(shares, key=lambda one: one.share.value, reverse=True)


def _place(name: str, stacks: Counter[Stack], counted: list[Counter[Stack]], total: int) -> Place:
    shares = [sum(n for s, n in one.items() if s in stacks) / one.total() for one in counted]
    stack, count = max(stacks.items(), key=lambda item: (item[1], [str(frame) for frame in item[0]]))
    return Place(
        name=name,
        share=t_interval(np.array(shares)),
        stack=[str(frame) for frame in own(stack)],
        stack_share=count / total,
    )
