"""A peer's training step as a workload: proved to be the same work, then stepped on rotating batches."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any

from bench.workloads.peers.parity import PeerStep, check_numbers, check_time
from bench.workloads.peers.problem import Problem
from bench.workloads.peers.problem_file import problem_for
from mtl_core.errors import UserError

STEPS_BEFORE_RESET = 200  # as in bench.workloads.steps: far below those after which denormals come
STEPS = {
    "mxnet": "bench.workloads.peers.mxnet_step:MXNetStep",
    "numpy": "bench.workloads.peers.numpy_step:NumPyStep",
    "torch": "bench.workloads.peers.torch_step:TorchStep",
    "jax": "bench.workloads.peers.jax_step:JaxStep",
}


class PeerWorkload:
    """One framework's step. Its first call, which compiles, comes before the proof."""

    def __init__(self, step: PeerStep, problem: Problem) -> None:
        self.step, self.problem = step, problem
        self.images = problem.images.shape[1]
        self.done = 0
        self.departure = 0.0

    def check_work(self) -> None:
        """Raises NotTheSameWorkError where it does other work than the reference, or is not waited for."""
        self.departure = check_numbers(self.step, self.problem)
        check_time(self.step)
        self._start_again()

    def _start_again(self) -> None:
        self.step.restore(self.problem.start)
        self.done = 0

    def prepare(self) -> None:
        if self.done > STEPS_BEFORE_RESET:
            self._start_again()

    def run(self, iterations: int) -> None:
        self.step.run(self.done, iterations)
        self.done += iterations

    def synchronise(self) -> None:
        self.step.wait()

    def round_facts(self) -> dict[str, float]:
        return {}

    def facts(self) -> dict[str, float]:
        """Threads, how far it was from its reference, and after how many steps it was compared freely."""
        free = [check.steps for check in self.problem.checks[self.step.rule] if check.start is None]
        threads = self.step.threads()
        counted = {} if threads is None else {"threads": float(threads)}
        return {
            **counted,
            **_system_threads(),
            "departure_of_allowed": self.departure,
            "free_steps": float(max(free, default=0)),
        }

    def close(self) -> None:
        self.step.wait()


def _system_threads() -> dict[str, float]:
    """All threads that this process has; empty where the system does not tell."""
    tasks = Path("/proc/self/task")
    return {"system_threads": float(len(os.listdir(tasks)))} if tasks.is_dir() else {}  # noqa: PTH208


def peer(
    *, framework: str, way: str, batch_size: int = 128, device: str = "cpu", version: str = ""
) -> PeerWorkload:
    """The workload of a framework, in one of its ways, such as ``eager``.

    Raises UserError where the framework is of another version than the case says.
    """
    module, name = STEPS[framework].split(":")
    problem = problem_for(batch_size)
    build: Any = getattr(importlib.import_module(module), name)
    step: PeerStep = build(problem, way, device)
    if version and step.version.partition("+")[0] != version:
        raise UserError(
            f"{framework} is {step.version}, {version} is locked: remove its environment by --remove of "
            "bench peers, and run again"
        )
    return PeerWorkload(step, problem)
