"""The workloads do in earnest what the questions say of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bench.benchmarks.test_device import question_for
from bench.harness.pool import WorkerPool
from bench.harness.rounds import Harness
from bench.questions.plan import Plan
from bench.workloads.loading import MOST_IMAGES, EpochWorkload, LoadingWorkload, TrainingRun, images_for
from bench.workloads.profiling import steps_in
from bench.workloads.steps import SeparateNetworks, StepWorkload
from mtl_core.platform.mxnet import mx


def test_the_work_stays_the_same_far_past_the_point_where_one_batch_makes_denormals() -> None:
    """Without returning it makes them, as the next test shows."""
    workload = StepWorkload(batch_size=16)
    for _ in range(30):
        workload.prepare()
        workload.run(50)
    workload.synchronise()
    assert workload.facts()["denormal_share"] < 1e-3


def test_training_on_without_return_makes_denormals() -> None:
    workload = StepWorkload(batch_size=16)
    workload.run(1500)
    workload.synchronise()
    assert workload.facts()["denormal_share"] > 1e-2


def test_the_first_call_of_a_step_is_the_networks_first() -> None:
    workload = StepWorkload(mode="hybridized")
    assert workload.step.network._cached_graph == ()
    workload.run(1)
    workload.synchronise()
    assert workload.step.network._cached_graph != ()


def test_two_separate_networks_do_the_work_of_both_heads() -> None:
    both, apart = StepWorkload(), SeparateNetworks()
    for workload in (both, apart):
        workload.run(2)
        workload.synchronise()
    assert apart.images == both.images
    assert [part.step.network.config.heads for part in apart.parts] == [("digits",), ("odd_even",)]
    assert apart.facts()["parameters"] > 1.9 * both.facts()["parameters"]


@pytest.mark.parametrize("part", ["forward", "forward_backward", "step"])
def test_only_a_whole_step_moves_the_parameters(part: Any) -> None:
    workload = StepWorkload(part=part, batch_size=8)
    before = [array.asnumpy() for array in workload.step.parameter_arrays()]
    workload.run(3)
    after = [array.asnumpy() for array in workload.step.parameter_arrays()]
    moved = any(not np.array_equal(one, other) for one, other in zip(before, after, strict=True))
    assert moved == (part == "step")


@pytest.mark.parametrize("copied", [False, True])
def test_a_step_computes_on_its_device_and_copies_only_when_it_is_to(copied: bool) -> None:
    workload = StepWorkload(device="cpu(1)", batch_size=8, copy_each_batch=copied)
    batch = next(workload.batches)
    assert {array.context for array in batch} == {mx.cpu(0) if copied else mx.cpu(1)}
    workload.run(2)
    workload.synchronise()
    assert {array.context for array in workload.step.parameter_arrays()} == {mx.cpu(1)}


@pytest.mark.whole
def test_the_device_question_measures_a_second_device_in_real_workers() -> None:
    (group, *_) = replace(question_for(("cpu(1)",), None), plan=Plan(rounds=1)).groups()
    harness = Harness(0, pool=WorkerPool)
    try:
        block = harness.measure(group)
    finally:
        harness.close()
    assert set(block.set_ups) == {"cpu", "cpu(1)_resident", "cpu(1)_copied", "control"}
    assert not harness.failures


def test_loading_gives_every_image_and_tells_its_first_batch_and_memory() -> None:
    for way in ("tutorial", "fast"):
        workload = LoadingWorkload(way=way, images=200, batch_size=64)  # type: ignore[arg-type]
        assert sum(batch.digits.shape[0] for batch in workload.loader) == 200
        facts = workload.facts()
        assert facts["first_batch_s"] > 0
        assert facts["pss_bytes"] > 1 << 20
        workload.close()


def test_the_parts_of_a_split_epoch_are_those_of_one_epoch() -> None:
    workload = EpochWorkload(way="fast", images=640)
    workload.prepare()
    workload.run(1)
    workload.run(3)
    assert workload.epochs == 4
    parts = workload.round_facts()
    seconds = {name: parts.pop(name) for name in workload.spent}
    assert seconds == {name: spent / 4 for name, spent in workload.spent.items()}
    assert set(parts) == {"waiting_share", "computing_share", "synchronising_share"}
    assert sum(parts.values()) == pytest.approx(1.0)
    workload.prepare()
    assert workload.step.trainer.optimizer.num_update == 0
    assert set(seconds) == {"waiting_s", "computing_s", "synchronising_s"}
    assert all(each >= 0 for each in seconds.values())
    unsplit = EpochWorkload(way="fast", split=False, images=640)
    unsplit.run(1)
    assert unsplit.round_facts() == {}


def rounds(run: TrainingRun, count: int) -> list[int]:
    """The optimizer's updates after each of so many rounds, as the worker runs them."""
    seen = []
    for _ in range(count):
        run.prepare()
        run.run(1)
        run.synchronise()
        seen.append(run.step.trainer.optimizer.num_update)
    return seen


@pytest.mark.parametrize(("batch_size", "images"), [(32, 640), (128, 640), (200, 1280), (512, 2560)])
def test_larger_batches_are_as_many(batch_size: int, images: int) -> None:
    """With one batch for five workers none of them would help."""
    for workload in (
        LoadingWorkload(way="fast", images=640, batch_size=batch_size),
        EpochWorkload(way="fast", images=640, batch_size=batch_size),
    ):
        assert workload.images == images
        assert len(workload.loader) >= 5
        workload.close()


def test_the_largest_batches_are_fewer_but_never_less_than_was_asked_for() -> None:
    assert images_for(640, 60_000) == MOST_IMAGES
    assert images_for(60_000, 60_000) == 60_000


def test_a_training_run_goes_on_from_epoch_to_epoch() -> None:
    run = TrainingRun(images=640, data="synthetic", pieces=2)
    assert rounds(run, 4) == [2, 5, 7, 10]  # five batches an epoch, in two pieces
    assert (run.round_facts()["epoch"], run.round_facts()["steps"]) == (2.0, 3.0)
    assert run.images == 128  # of a step


def test_a_profile_of_a_training_run_counts_the_steps_of_a_piece() -> None:
    run = TrainingRun(images=640, data="synthetic", pieces=2)
    rounds(run, 1)
    assert steps_in(run) == 2


def test_the_first_epoch_again_has_the_same_numbers() -> None:
    """What the pieces of a training run are held against: nothing in it may depend on how long it ran."""
    run = TrainingRun(images=640, data="synthetic", pieces=2, again=True)
    ends = []
    for _ in range(3):
        assert rounds(run, 2) == [2, 5]
        ends.append([array.asnumpy() for array in run.step.parameter_arrays()])
    assert all(np.array_equal(a, b) for a, b in zip(ends[0], ends[2], strict=True))
    once = TrainingRun(images=640, data="synthetic", pieces=1)
    rounds(once, 1)
    whole = [array.asnumpy() for array in once.step.parameter_arrays()]
    assert all(np.array_equal(a, b) for a, b in zip(ends[0], whole, strict=True))
