"""The training step with work injected, to see whether a comparison notices it.

What is injected is work of the engine, not time by a clock: in a spell of a neighbour it takes longer as all
code does, and it queues behind what is under way instead of hiding beside it.
"""

from __future__ import annotations

import random
from itertools import islice
from typing import Any, Literal

from bench.workloads.steps import StepWorkload
from bench.workloads.task import TaskWorkload
from mtl_core.task_step import DeviceBatch

Operator = Literal["none", "large", "part", "small", "copy"]
# Whose weights are multiplied by 1, and how many of their rows (None: all): 128 x 784, 50 x 784, 64 x 128.
WEIGHTS: dict[Operator, tuple[int, int | None]] = {"large": (0, None), "part": (0, 50), "small": (2, None)}


class _Injects:
    """What is injected, and when."""

    operator: Operator
    every: int
    at_random: int

    def inject(self, operator: Operator, every: int, at_random: int) -> None:
        self.operator, self.every, self.at_random = operator, every, at_random
        self.rng = random.Random()
        self.steps = 0

    def _again(self) -> bool:
        """Whether this step is done twice."""
        if self.every:
            return self.steps % self.every == 0
        return bool(self.at_random) and self.rng.randrange(self.at_random) == 0


class SlowedStep(_Injects, StepWorkload):
    """The step, and more work in each of its steps or in some; which may change between rounds.

    ``operator``: an engine operator more in every step. "large" and "small" multiply the weights of the first
    or second layer by 1, in place, "part" the first 50 of the first layer's 128 rows; "copy" copies the
    images once more. ``every``: one step of so many is done twice; 0 for none. ``at_random``: the same at
    random, one step of so many in the mean, drawn anew for each set-up.
    """

    def __init__(
        self, *, operator: Operator = "none", every: int = 0, at_random: int = 0, **settings: Any
    ) -> None:
        super().__init__(**settings)
        self.inject(operator, every, at_random)

    def run(self, iterations: int) -> None:
        self.done += iterations
        for batch in islice(self.batches, iterations):
            self.steps += 1
            for _ in range(1 + self._again()):
                self.call(*(self._to_device(batch) if self.copy_each_batch else batch))
            self._operate(batch)

    def _operate(self, batch: tuple[Any, ...]) -> None:
        """The operator more; nothing depends on its result, and the engine runs it all the same."""
        if self.operator == "copy":
            batch[0].copy()
        elif self.operator in WEIGHTS:
            layer, rows = WEIGHTS[self.operator]
            weights = self.step.parameter_arrays()[layer]
            if rows is not None:
                weights = weights[:rows]  # a view: no copy, and multiplied in place
            weights *= 1.0


class SlowedTask(_Injects, TaskWorkload):
    """A declared network's step, and more work in each of its steps or in some.

    ``operator``: "large" multiplies every parameter that is learned by 1, in place, and "part" or "small" the
    largest one; "copy" copies the inputs once more. The others are as for :class:`SlowedStep`.
    """

    def __init__(
        self, *, operator: Operator = "none", every: int = 0, at_random: int = 0, **settings: Any
    ) -> None:
        super().__init__(**settings)
        self.inject(operator, every, at_random)
        learned = [parameter.data() for _, parameter in self.step.learned()]
        self.weights = learned if operator == "large" else [max(learned, key=lambda array: array.size)]

    def run(self, iterations: int) -> None:
        self.done += iterations
        for batch in islice(self.batches, iterations):
            self.steps += 1
            for _ in range(1 + self._again()):
                self.call(batch)
            self._operate(batch)

    def _operate(self, batch: DeviceBatch) -> None:
        if self.operator == "copy":
            for array in batch.inputs:
                array.copy()
        elif self.operator in WEIGHTS:
            for weights in self.weights:
                weights *= 1.0
