"""The training step with work injected, to see whether a comparison notices it.

What is injected is work of the engine, not time by a clock: in a spell of a neighbour it takes longer as all
code does, and it queues behind what is under way instead of hiding beside it.
"""

from __future__ import annotations

import random
from itertools import islice
from typing import Any, Literal

from bench.workloads.steps import StepWorkload

Operator = Literal["none", "large", "small", "copy"]
WEIGHTS: dict[Operator, int] = {"large": 0, "small": 2}  # whose operator it is: 128 x 784, and 64 x 128


class SlowedStep(StepWorkload):
    """The step, and more work in each of its steps or in some; which may change between rounds.

    ``operator``: an engine operator more in every step. "large" and "small" multiply the weights of the first
    or second layer by 1, in place; "copy" copies the images once more. ``every``: one step of so many is done
    twice; 0 for none. ``at_random``: the same at random, one step of so many in the mean, drawn anew for each
    set-up.
    """

    def __init__(
        self, *, operator: Operator = "none", every: int = 0, at_random: int = 0, **settings: Any
    ) -> None:
        super().__init__(**settings)
        self.operator = operator
        self.every = every
        self.at_random = at_random
        self.rng = random.Random()
        self.steps = 0

    def run(self, iterations: int) -> None:
        self.done += iterations
        for batch in islice(self.batches, iterations):
            self.steps += 1
            for _ in range(1 + self._again()):
                self.call(*(self._to_device(batch) if self.copy_each_batch else batch))
            self._operate(batch)

    def _again(self) -> bool:
        """Whether this step is done twice."""
        if self.every:
            return self.steps % self.every == 0
        return bool(self.at_random) and self.rng.randrange(self.at_random) == 0

    def _operate(self, batch: tuple[Any, ...]) -> None:
        """The operator more; nothing depends on its result, and the engine runs it all the same."""
        if self.operator == "copy":
            batch[0].copy()
        elif self.operator in WEIGHTS:
            weights = self.step.parameter_arrays()[WEIGHTS[self.operator]]
            weights *= 1.0
