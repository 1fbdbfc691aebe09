"""Another workload under MXNet's profiler, which is a regime of its own: bulking is off, each call is timed.

What the profiler counted in a round is that round's facts, so that the harness keeps it with the round.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from mtl_core.platform.mxnet import mx

PR_SET_PTRACER, ANYBODY = 0x59616D61, ctypes.c_ulong(-1)  # linux/prctl.h
SECONDS, CALLS = "operator_s ", "operator_calls "  # before an operator's name in a round's facts


def aggregates(table: str) -> dict[str, float]:
    """Facts from the profiler's table, which counts in milliseconds: seconds and calls by operator."""
    operators = json.loads(table).get("Time", {}).get("operator", {})
    facts: dict[str, float] = {}
    for name, row in operators.items():
        facts[SECONDS + name] = row["Total"] / 1e3
        facts[CALLS + name] = float(row["Count"])
    return facts


def let_attach() -> None:
    """Allow py-spy, which is no parent of ours, to look at this process and those forked from it.

    Under Linux's Yama, as Ubuntu sets it, only a parent may otherwise. Without Yama nothing changes.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):  # a C library without prctl has no Yama to ask
            ctypes.CDLL(None).prctl(PR_SET_PTRACER, ANYBODY, 0, 0, 0)


def steps_in(workload: Any) -> int:
    """Training steps, or batches loaded, in an iteration: its ``iteration_steps``, or else 1."""
    return int(getattr(workload, "iteration_steps", 1))


class Counted:
    """Another workload as it is; tells how many steps an iteration holds."""

    def __init__(self, *, workload: str, settings: str) -> None:
        module, factory = workload.split(":")
        self.inner = getattr(importlib.import_module(module), factory)(**json.loads(settings))
        self.images = self.inner.images

    def prepare(self) -> None:
        self.inner.prepare()

    def run(self, iterations: int) -> None:
        self.inner.run(iterations)

    def synchronise(self) -> None:
        self.inner.synchronise()

    def round_facts(self) -> dict[str, float]:
        return {}

    def facts(self) -> dict[str, float]:
        return {"steps": float(steps_in(self.inner))}

    def close(self) -> None:
        self.inner.close()


class Watched(Counted):
    """The same in a process, and DataLoader workers forked from it, that py-spy may attach to."""

    def __init__(self, *, workload: str, settings: str) -> None:
        let_attach()
        os.register_at_fork(after_in_child=let_attach)
        super().__init__(workload=workload, settings=settings)


class Profiled(Counted):
    """The same under the profiler. DataLoader workers were forked before it started: they are not in it.

    MXNet removes the file that it is given and writes its own, also unasked as the process ends: it gets a
    name in a folder of this workload's own, never a device or a file of the user's. With ``timeline`` what it
    wrote, every operator call since as Chrome's trace JSON, is moved there at the end.
    """

    def __init__(self, *, workload: str, settings: str, timeline: str = "") -> None:
        super().__init__(workload=workload, settings=settings)
        mx.nd.waitall()
        self.timeline = timeline
        self.folder = tempfile.TemporaryDirectory(prefix="mtl-")
        self.calls = Path(self.folder.name) / "calls.json"
        mx.profiler.set_config(
            profile_symbolic=True,
            profile_imperative=True,
            profile_memory=False,
            profile_api=False,
            aggregate_stats=True,
            filename=str(self.calls),
        )
        mx.profiler.set_state("run")

    def prepare(self) -> None:
        super().prepare()
        mx.nd.waitall()
        mx.profiler.dumps(reset=True)

    def round_facts(self) -> dict[str, float]:
        return aggregates(mx.profiler.dumps(reset=True, format="json"))

    def close(self) -> None:
        """End profiling. Without its folder MXNet writes nothing more as the process ends."""
        mx.nd.waitall()
        mx.profiler.set_state("stop")
        if self.timeline:
            mx.profiler.dump(finished=True)
            with contextlib.suppress(OSError):  # no room there: who asked for it finds no file and says so
                shutil.move(self.calls, self.timeline)
        self.folder.cleanup()
        super().close()
