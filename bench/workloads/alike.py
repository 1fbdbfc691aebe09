"""What workloads of the tutorial's network and of a declared one have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from bench.records.shared import EPOCH, STEPS
from mtl_core.platform.mxnet import mx
from mtl_core.platform.proportional import proportional_bytes

STEPS_BEFORE_RESET = 200  # far below the 700 steps after which a fixed batch makes denormals


class Synchronised:
    """Whatever runs on MXNet's engine is over when the engine has nothing left to do."""

    def synchronise(self) -> None:
        mx.nd.waitall()

    def round_facts(self) -> dict[str, float]:
        return {}


class Stepped(Synchronised):
    """One network that is stepped, and returns to a snapshot after so many steps."""

    step: Any  # with ``restore``
    start: Any  # its snapshot
    done: int  # steps since it was there

    def prepare(self) -> None:
        if self.done > STEPS_BEFORE_RESET:
            self.step.restore(self.start)
            self.done = 0

    def close(self) -> None:
        mx.nd.waitall()


class OneHead(Protocol):
    """A workload of a single head."""

    images: int
    step: Any

    def prepare(self) -> None: ...
    def run(self, iterations: int) -> None: ...
    def close(self) -> None: ...


class OneAfterTheOther(Synchronised):
    """Several networks of one head each, stepped one after the other: no multi-task learning."""

    parts: Sequence[OneHead]

    @property
    def images(self) -> int:
        """In an iteration: all are stepped on the same ones."""
        return self.parts[0].images

    @property
    def training_steps(self) -> list[Any]:
        return [part.step for part in self.parts]

    def prepare(self) -> None:
        for part in self.parts:
            part.prepare()

    def run(self, iterations: int) -> None:
        for _ in range(iterations):
            for part in self.parts:
                part.run(1)

    def close(self) -> None:
        for part in self.parts:
            part.close()


class Passes(Synchronised):
    """Passes over a loader's batches."""

    loader: Any  # with a length in batches, and ``close``

    @property
    def iteration_steps(self) -> int:
        """Batches in an iteration, each a training step where it trains."""
        return len(self.loader)

    def close(self) -> None:
        self.loader.close()


class LoadingAlone(Passes):
    """Passes with nothing done to the batches."""

    first_batch_s: float

    def prepare(self) -> None:
        """Every pass starts alike."""

    def facts(self) -> dict[str, float]:
        return {"first_batch_s": self.first_batch_s, "pss_bytes": float(proportional_bytes())}


class Epochs(Passes, ABC):
    """Whole epochs of training, their time told apart where they are ``split``."""

    step: Any  # with ``restore``
    start: Any  # its snapshot
    split: bool
    epochs: int
    spent: dict[str, float]  # seconds, by what it is spent on: names that end in ``_s``

    def prepare(self) -> None:
        self.step.restore(self.start)
        self.epochs = 0
        self.spent = dict.fromkeys(self.spent, 0.0)

    def run(self, iterations: int) -> None:
        for _ in range(iterations):
            self.epochs += 1
            self.epoch()

    @abstractmethod
    def epoch(self) -> None:
        """One epoch; what it is spent on is added to ``spent``."""

    def round_facts(self) -> dict[str, float]:
        """Seconds an epoch, and shares of it; those of a lead-in are epochs like the others."""
        if not self.split:
            return {}
        whole = sum(self.spent.values()) or 1.0
        shares = {f"{name[:-2]}_share": s / whole for name, s in self.spent.items()}
        return {name: s / max(1, self.epochs) for name, s in self.spent.items()} | shares


class Pieces(Synchronised, ABC):
    """Training that goes on: each round is the next piece of an epoch, counted in steps."""

    done: int  # pieces so far
    pieces: int  # an epoch
    steps: int  # of training in the last piece
    whole: int  # steps an epoch

    def prepare(self) -> None:
        """Begin an epoch where one is over: the next, or the first again."""
        if self.done % self.pieces == 0:
            self.begin_epoch()

    @abstractmethod
    def begin_epoch(self) -> None:
        """Have :meth:`stepped` go on with its first batch."""

    @abstractmethod
    def stepped(self, steps: int) -> Iterator[None]:
        """Train on the next batches of the epoch, one at a time."""

    def run(self, iterations: int) -> None:
        for _ in range(iterations):
            self.prepare()
            piece = self.done % self.pieces
            self.steps = self.whole * (piece + 1) // self.pieces - self.whole * piece // self.pieces
            for number, _ in enumerate(self.stepped(self.steps)):
                if number % 50 == 49:
                    mx.nd.waitall()  # a queue without bound would measure memory
            self.done += 1

    @property
    def iteration_steps(self) -> int:
        """Training steps in the last piece."""
        return self.steps

    @abstractmethod
    def facts(self) -> dict[str, float]:
        """The share of denormals."""

    def round_facts(self) -> dict[str, float]:
        """The steps of the last piece, and the epoch, from 1, that it belongs to."""
        epoch = (self.done - 1) // self.pieces + 1.0
        return {**self.facts(), EPOCH: epoch, STEPS: float(self.steps)}
