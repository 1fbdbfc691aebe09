"""PyTorch and JAX themselves, in their environments: ``nox -s peers_tests`` makes and runs them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bench.harness.peers import not_installed, python_of, start_worker
from bench.harness.pool import WorkerProcess
from bench.questions.peers import GPU_VARIANTS, ONE_THREAD, PEERS, VARIANTS, WORKLOAD
from tests.processes import ROOT

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


IN_PYTORCH = """
import sys
import numpy, torch
from bench.workloads.peers.torch_step import Network
kept = numpy.load(sys.argv[1])
network = Network()
names = [name for name in kept.files if not name.startswith("of ")]
network.load_state_dict({name: torch.from_numpy(kept[name]) for name in names}, strict=True)
with torch.no_grad():
    outputs = network.outputs(torch.from_numpy(kept["of images"]))
print(max(float(numpy.abs(made.numpy() - kept[f"of head {n}"]).max()) for n, made in enumerate(outputs)))
"""


def test_what_export_writes_are_the_parameters_of_pytorchs_network(tmp_path: Path) -> None:
    """By the names of the file, none missing and none left over, with the outputs that MXNet has."""
    from safetensors.numpy import load_file

    from bench.workloads.inference import exporting
    from mtl_core.config import NetworkConfig, StepConfig
    from mtl_core.step import TrainingStep

    python = python_of(PEERS["torch"])
    assert python, "PyTorch is not installed: python -m bench peers --install torch"
    network = TrainingStep(NetworkConfig(), StepConfig(seed=3)).network
    written = exporting.traced_block(network, (784,), tutorial=True)
    exporting.to_safetensors(written, tmp_path / "run.safetensors")
    images = np.random.default_rng(0).random((32, 784), dtype=np.float32)
    outputs = {f"of head {n}": output for n, output in enumerate(written.network(images))}
    np.savez(
        tmp_path / "kept.npz", **load_file(tmp_path / "run.safetensors"), **outputs, **{"of images": images}
    )
    done = subprocess.run(
        [str(python), "-c", IN_PYTORCH, str(tmp_path / "kept.npz")],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 1e-5
