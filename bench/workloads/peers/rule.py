"""Adam as each framework has it, on the network in NumPy, and as peers have it that are wrong.

MXNet adds epsilon to the uncorrected root and folds the correction of the bias into the learning rate;
PyTorch and Optax add it to the corrected root, as Kingma & Ba's Algorithm 1 has it (arXiv 1412.6980).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import sqrt
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mtl_core.config import NetworkConfig, StepConfig
from mtl_core.reference import BETA1, BETA2, DECAY1, DECAY2, EPSILON, ReferenceForward, ReferenceStep

Array = NDArray[Any]
RuleName = Literal["epsilon before", "epsilon after"]  # the correction of the bias


@dataclass(frozen=True)
class Rule:
    """How a step changes parameters; the defaults are those of every framework here."""

    name: RuleName
    epsilon: float = EPSILON
    weight_decay: float = 0.0  # added to the gradient, times the parameter
    share: float = 1.0  # of each batch that is trained on


RULES: dict[RuleName, Rule] = {name: Rule(name) for name in ("epsilon before", "epsilon after")}


def wrong_rules(rule: Rule) -> dict[str, Rule]:
    """What a peer that is nearly right does in a step, by what is wrong with it."""
    other: RuleName = "epsilon after" if rule.name == "epsilon before" else "epsilon before"
    return {
        "another epsilon": replace(rule, epsilon=10 * rule.epsilon),
        "epsilon on the other side of the bias's correction": replace(rule, name=other),
        "another weight decay": replace(rule, weight_decay=1e-4),
        "half the batch": replace(rule, share=0.5),
    }


class RuledStep(ReferenceStep):
    """The step in NumPy with Adam after a rule, in the precision of the parameters given."""

    def __init__(self, parameters: Sequence[Array], rule: Rule) -> None:
        super().__init__(NetworkConfig(), StepConfig(), parameters)
        self.rule = rule

    def __call__(self, images: Array, *labels: Array) -> ReferenceForward:
        """One step on the rule's share of the batch."""
        count = max(1, round(self.rule.share * len(images)))
        return super().__call__(images[:count], *(each[:count] for each in labels))

    def _adam(self, rescale: float) -> None:
        before = self.rule.name == "epsilon before"
        decays = (DECAY1, DECAY2) if before else (BETA1, BETA2)
        self.updates += 1
        of_mean, of_variance = 1 - BETA1**self.updates, sqrt(1 - BETA2**self.updates)
        moments = zip(self.parameters, self.gradients, self.means, self.variances, strict=True)
        for parameter, gradient, mean, variance in moments:
            rescaled = gradient * rescale
            if self.rule.weight_decay:
                rescaled = rescaled + self.rule.weight_decay * parameter
            mean *= decays[0]
            mean += (1 - decays[0]) * rescaled
            variance *= decays[1]
            variance += (1 - decays[1]) * rescaled * rescaled
            root = np.sqrt(variance)
            if before:
                parameter -= self.learning_rate * of_variance / of_mean * mean / (root + self.rule.epsilon)
            else:
                parameter -= self.learning_rate / of_mean * mean / (root / of_variance + self.rule.epsilon)
