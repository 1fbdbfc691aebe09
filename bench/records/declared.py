"""What a declared task turned out to be when a worker built and tried it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Where a mode departs most from the imperative one."""

    where: str  # "the output of 'box'", "the gradient of dense0_weight"
    share: float  # of the largest magnitude in that array

    @property
    def in_words(self) -> str:
        """What stands in the row of a mode that departs so: how far first, since a row may be cut."""
        return f"computes something else, by {self.share:.2g} of the largest value of {self.where}"


@dataclass(frozen=True, kw_only=True)
class Declared:
    """A task as its questions need to know it."""

    network: str  # "acme.bench:task"
    heads: list[str]  # in the order of the outputs
    batch_size: int
    takes_heads: bool  # whether the factory builds the network for some of them
    samples: int = 0  # of its dataset; 0 without one
    parameters: int = 0  # numbers that are learned
    training_flop: float | None = None  # of a sample; None where the symbol does not tell
    uncounted: list[str] = field(default_factory=list)  # operators whose products are not in it
    shapes: int = 1  # of batches, where they vary in length
    impossible: dict[str, str] = field(default_factory=dict)  # by mode: why it cannot be had
    # By mode: it computes something else than the imperative one.
    differs: dict[str, Difference] = field(default_factory=dict)
    # By choice of heads, such as "without box": why it cannot be built.
    heads_impossible: dict[str, str] = field(default_factory=dict)
    # Why larger batches were not tried; empty where that was not asked.
    larger_left_out: str = ""

    @property
    def best_mode(self) -> Literal["imperative", "hybridized"]:
        """What a user of Gluon would train it in: hybridized, where that computes the same."""
        wrong = self.impossible.keys() | self.differs.keys()
        return "imperative" if "hybridized" in wrong else "hybridized"

    def choices(self) -> dict[str, list[str]]:
        """The heads of each variant beside all of them: without each, and each alone."""
        without = {f"without {head}": [h for h in self.heads if h != head] for head in self.heads}
        alone = {f"{head} alone": [head] for head in self.heads}
        if len(self.heads) == 1:
            return {}
        return alone if len(self.heads) == 2 else {**without, **alone}
