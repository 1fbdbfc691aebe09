"""PyTorch and JAX themselves, in their environments: ``nox -s peers_tests`` makes and runs them."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from bench.harness.peers import not_installed, start_worker
from bench.harness.pool import WorkerProcess
from bench.questions.peers import GPU_VARIANTS, ONE_THREAD, VARIANTS, WORKLOAD

pytestmark = pytest.mark.real_peers


@pytest.fixture(params=[name for name in VARIANTS if name not in GPU_VARIANTS])
def variant(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    if name in not_installed():
        pytest.fail(f"{name} is not installed: python -m bench peers --install")
    return name


@pytest.fixture
def worker(variant: str) -> Iterator[WorkerProcess]:
    started = start_worker({**VARIANTS[variant].environment, **ONE_THREAD})
    yield started
    started.end()


def test_a_framework_does_the_same_work_and_is_timed(worker: WorkerProcess, variant: str) -> None:
    told = worker.ask("hello")
    assert (told["mxnet"] is None) == variant.startswith(("pytorch", "jax"))
    settings = {**VARIANTS[variant].settings, "batch_size": 128}
    built = worker.ask("set_up", workload=WORKLOAD, settings=settings, seed=1)
    assert built.get("refused") is None, built
    assert built["images"] == 128 and built["first_call_ns"] > 0
    assert worker.ask("round", iterations=10)["ns"] > 0
    facts = worker.ask("facts")
    print(variant, facts, built, file=sys.stderr)
    assert 0 < facts["departure_of_allowed"] < 1
    if "threads" in facts:
        assert facts["threads"] == 1


def test_a_framework_with_another_batch_is_another_work(worker: WorkerProcess, variant: str) -> None:
    """The check is a check in its environment too: half the batch, as the workload of the tests has it."""
    worker.ask("hello")
    settings = {
        "framework": VARIANTS[variant].settings["framework"],
        "way": VARIANTS[variant].settings["way"],
    }
    refused = worker.ask("set_up", workload="tests.halved:halved", settings=settings, seed=1)
    assert refused["refused"].startswith("not the same work: after 1 step parameters are off by")
