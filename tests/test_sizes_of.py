"""How large batches may grow: as far as memory and time allow, tried one after the other in one worker."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from bench.answers.heads import in_words
from bench.answers.modes import modes_of_task
from bench.benchmarks.of_task import QUESTIONS, Basis
from bench.harness import declaring
from bench.harness.pool import WorkerFailedError
from bench.records.declared import Declared
from mtl_core.errors import UserError

BASE = 100 << 20  # bytes of a worker before it holds a batch
EACH = 1 << 20  # bytes a sample


class Grows:
    """A worker that holds a mebibyte a sample and takes a millisecond for each, and may end at a size."""

    def __init__(self, ends_at: int = 10**9, sample_s: float = 1e-6) -> None:
        self.size, self.ends_at, self.sample_s = 0, ends_at, sample_s
        self.tried: list[int] = []
        self.process = SimpleNamespace(pid=1)

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        if do == "set_up":
            self.size = arguments["settings"]["batch_size"]
            self.tried.append(self.size)
            if self.size >= self.ends_at:
                raise WorkerFailedError("was killed (SIGKILL): most likely out of memory", ["last"])
        return {"ns": 1e9 * self.sample_s * self.size} if do == "round" else {}

    def end(self) -> None:
        self.size = 0


def task(**changed: Any) -> Declared:
    fields = {"network": "a.b:c", "heads": ["x"], "batch_size": 16, "takes_heads": False, "parameters": 3}
    return Declared(**{**fields, **changed})


def sizes(worker: Grows, monkeypatch: pytest.MonkeyPatch, free: int = 1 << 60) -> tuple[list[int], str]:
    def memory() -> SimpleNamespace:
        return SimpleNamespace(rss=BASE + worker.size * EACH)

    monkeypatch.setattr(declaring.psutil, "Process", lambda pid: SimpleNamespace(memory_info=memory))
    return declaring.sizes_of(task(), lambda environment: worker, lambda: free)  # type: ignore[arg-type,return-value]


def test_sizes_grow_until_memory_would_not_hold_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 1 GiB a worker may take 0.6: 512 samples fit, and 1,024 are not tried at all."""
    worker = Grows()
    found, why = sizes(worker, monkeypatch, free=1 << 30)
    assert found == worker.tried == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]
    assert why == "Batches of 1024 and more were left out: they would take some 1.0 GiB of memory."


def test_the_tasks_own_size_is_tried_however_little_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    found, why = sizes(Grows(), monkeypatch, free=1 << 20)
    assert found == [1, 2, 4, 8, 16]
    assert why.startswith("Batches of 32 and more were left out")


def test_sizes_grow_until_a_step_takes_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    found, why = sizes(Grows(sample_s=5e-3), monkeypatch)
    assert found[-1] == 64
    assert why == "Batches of 128 and more were left out: a step of 64 takes 0.3 s."


def test_a_worker_that_ends_at_a_size_leaves_that_size_out(monkeypatch: pytest.MonkeyPatch) -> None:
    found, why = sizes(Grows(ends_at=128), monkeypatch)
    assert found[-1] == 64
    assert why.startswith("Batches of 128 and more were left out: the worker was killed (SIGKILL)")
    with pytest.raises(UserError, match=r"a\.b:c: was killed .* at batch size 16 \(last\)"):
        sizes(Grows(ends_at=16), monkeypatch)


def test_all_of_them_are_measured_where_nothing_stops_them(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sizes(Grows(), monkeypatch) == ([2**power for power in range(13)], "")


def test_what_was_left_out_is_said_and_what_cannot_be_hybridized_is_measured_as_it_is() -> None:
    why = dict.fromkeys(("hybridized", "static"), "the network is a Plain, a Block and no HybridBlock")
    plain = task(impossible={**why, "whole_graph": "no"}, larger_left_out="Batches of 64 were left out.")
    basis = Basis(task=plain, sizes=[16, 32])
    asked = {name: make(basis) for name, make in QUESTIONS.items()}
    assert list(asked["hybridize"].variants) == ["imperative"]
    assert {q.fixed["mode"] for name, q in asked.items() if "mode" in q.fixed} == {"imperative"}
    measured = SimpleNamespace(iteration_s=SimpleNamespace(value=1e-3, low=1e-3, high=1e-3, n=3))
    said = modes_of_task({"imperative": measured}, plain)  # type: ignore[dict-item]
    assert said[0] == "An imperative step takes 1.0 ms (1.0 to 1.0)."
    assert said[1] == f"Hybridizing (hybridized) is not possible: {why['hybridized']}."


def test_batches_of_several_shapes_are_told() -> None:
    said = in_words(task(shapes=3))
    assert "batches of 16 of 3 shapes, for each of which in turn MXNet infers shapes and plans memory" in said
