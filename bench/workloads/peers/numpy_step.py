"""The step in NumPy, in float32."""

from __future__ import annotations

import numpy as np
from threadpoolctl import threadpool_info

from bench.workloads.peers.problem import Array, Problem, State, mean_losses
from bench.workloads.peers.rule import RULES, Rule, RuledStep, RuleName


class NumPyStep:
    """NumPy, by MXNet's rule or another."""

    version = np.__version__

    def __init__(
        self, problem: Problem, way: str = "numpy", device: str = "cpu", rule: Rule | None = None
    ) -> None:
        self.problem = problem
        rule = rule or RULES["epsilon before"]
        self.rule: RuleName = rule.name
        self.step = RuledStep(problem.parameters, rule)
        self.last: tuple[Array, ...] = ()

    def run(self, first: int, count: int) -> None:
        for number in range(first, first + count):
            self.last = self.step(*self.problem.batch(number)).losses

    def wait(self) -> None:
        """Nothing here goes on by itself."""

    def restore(self, state: State) -> None:
        pairs = zip(state.means, state.variances, strict=True)
        moments = [array for pair in pairs for array in pair]
        self.step.restore(([*state.parameters, *moments], state.updates))

    def parameters(self) -> list[Array]:
        return [array.copy() for array in self.step.parameters]

    def losses(self) -> Array:
        return mean_losses(self.last)

    def threads(self) -> int | None:
        return max((int(pool["num_threads"]) for pool in threadpool_info()), default=None)
