"""Every setting with its meaning, unit and default. The defaults are the tutorial's numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

from mtl_core.errors import UserError

Head = Literal["digits", "odd_even"]
HEADS: tuple[Head, ...] = get_args(Head)
HEAD_UNITS: dict[Head, int] = {"digits": 10, "odd_even": 1}

Mode = Literal["imperative", "hybridized", "static", "whole_graph"]
MODES: tuple[Mode, ...] = get_args(Mode)


def _check(holds: bool, name: str, value: object, expected: str) -> None:
    if not holds:
        raise UserError(f"{name} is {value!r}; expected {expected}")


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """The shape of the network: what it reads, its shared trunk and its heads."""

    inputs: int = 784  # pixels an image, flattened from 28 x 28
    trunk: tuple[int, ...] = (128, 64, 10)  # units of the shared Dense layers, each followed by relu
    heads: tuple[Head, ...] = HEADS  # one Dense layer each; a single-task network has one

    def __post_init__(self) -> None:
        _check(self.inputs >= 1, "inputs", self.inputs, "at least 1")
        _check(all(units >= 1 for units in self.trunk), "trunk", self.trunk, "layers of at least 1 unit")
        valid = set(self.heads) <= set(HEADS) and len(set(self.heads)) == len(self.heads)
        _check(
            bool(self.heads) and valid, "heads", self.heads, f"one or more of {', '.join(HEADS)}, each once"
        )


@dataclass(frozen=True, kw_only=True)
class StepConfig:
    """One training step: how it is run, how its losses are blended, how Adam moves."""

    mode: Mode = "hybridized"  # how much of the step MXNet compiles; see mtl_core.step
    alpha: float = 0.5  # weight of the odd/even loss in the blend, 0 to 1; unused with one head
    learning_rate: float = 0.01  # Adam's
    seed: int = 42  # of MXNet, NumPy and random

    def __post_init__(self) -> None:
        _check(self.mode in MODES, "mode", self.mode, f"one of {', '.join(MODES)}")
        _check(0.0 <= self.alpha <= 1.0, "alpha", self.alpha, "a number from 0 to 1")
        _check(
            0.0 < self.learning_rate < float("inf"), "learning-rate", self.learning_rate, "a number above 0"
        )
        _check(0 <= self.seed < 2**31, "seed", self.seed, "a whole number from 0 to 2147483647")


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """A whole training run."""

    epochs: int = 5  # passes over the training images
    batch_size: int = 128  # images a step
    network: NetworkConfig = field(default_factory=NetworkConfig)
    step: StepConfig = field(default_factory=StepConfig)

    def __post_init__(self) -> None:
        _check(self.epochs >= 1, "epochs", self.epochs, "at least 1")
        _check(1 <= self.batch_size <= 60_000, "batch-size", self.batch_size, "1 to 60000 images")
