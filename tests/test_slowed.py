"""Injected work: as often as it says, and without a trace in what is learned."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.records.declared import Declared
from bench.trust.variants import VARIANTS, settings_of, subject_of
from bench.workloads.slowed import WEIGHTS, SlowedStep, SlowedTask
from tests.test_network_command import NETWORK

SMALL: dict[str, Any] = {"batch_size": 8}


def steps_of(workload: SlowedStep | SlowedTask, iterations: int) -> int:
    """How many training steps so many iterations make."""
    done: list[int] = []
    call = workload.call
    workload.call = lambda *batch: done.append(1) or call(*batch)
    workload.run(iterations)
    workload.synchronise()
    return len(done)


def test_every_so_many_steps_one_is_done_twice_across_rounds() -> None:
    workload = SlowedStep(every=7, **SMALL)
    assert [steps_of(workload, 10) for _ in range(7)] == [11, 11, 12, 11, 12, 11, 12]


def test_at_random_steps_are_done_twice_as_often_as_it_says() -> None:
    workload = SlowedStep(at_random=20, **SMALL)
    workload.rng.seed(0)
    assert 410 <= steps_of(workload, 400) <= 432


@pytest.mark.parametrize("operator", ["large", "part", "small", "copy"])
def test_an_operator_more_changes_nothing_that_is_learned(operator: Any) -> None:
    plain, more = SlowedStep(**SMALL), SlowedStep(operator=operator, **SMALL)
    for workload in (plain, more):
        assert steps_of(workload, 4) == 4
    for one, other in zip(plain.step.parameter_arrays(), more.step.parameter_arrays(), strict=True):
        np.testing.assert_array_equal(one.asnumpy(), other.asnumpy())


def test_the_operators_weights_are_those_of_the_first_two_layers() -> None:
    arrays = SlowedStep(**SMALL).step.parameter_arrays()
    assert (arrays[0].shape, arrays[2].shape) == ((128, 784), (64, 128))


def test_a_part_of_the_weights_is_multiplied_in_place() -> None:
    """A copy in place of a view would cost more, and multiply something else."""
    workload = SlowedStep(**SMALL)
    weights = workload.step.parameter_arrays()[0]
    before, part = weights.asnumpy(), weights[: WEIGHTS["part"][1]]
    part *= 2.0
    np.testing.assert_array_equal(weights.asnumpy(), np.concatenate([2 * before[:50], before[50:]]))


def test_work_may_change_between_rounds() -> None:
    workload = SlowedStep(**SMALL)
    assert steps_of(workload, 10) == 10
    workload.every = 5
    assert steps_of(workload, 10) == 12


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_every_variant_is_a_workload_that_runs(variant: Any) -> None:
    workload = SlowedStep(**{**settings_of(variant.name), **SMALL})
    workload.run(2)
    workload.close()


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Declared:
    """Somebody's, in a folder of its own."""
    (tmp_path / "slowed_net.py").write_text(NETWORK, encoding="utf-8")
    monkeypatch.setenv("BENCH_PROJECT", str(tmp_path))
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "slowed_net", raising=False)
    return Declared(network="slowed_net:task", heads=["nose", "tail"], batch_size=4, takes_heads=True)


def test_a_declared_network_is_slowed_alike(network: Declared) -> None:
    """Every variant runs; what is injected is as much as it says and leaves no trace in what is learned."""
    subject, learned = subject_of(network), {}
    for name in subject.variants:
        workload = SlowedTask(**subject.settings_of(name))
        assert steps_of(workload, 20) == {"every_7": 22, "every_20": 21}.get(name, 20) or "random" in name
        learned[name] = [array.asnumpy() for array in workload.step.parameter_arrays()]
        workload.close()
    for name in ("operator", "part_operator", "copy"):
        for one, other in zip(learned["base"], learned[name], strict=True):
            np.testing.assert_array_equal(one, other)
