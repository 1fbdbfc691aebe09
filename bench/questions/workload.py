"""What a worker can measure: the protocol between the harness and the measured thing."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

PEER = "MTL_PEER"  # in a worker's environment: which other framework's Python it is


class NotTheSameWorkError(Exception):
    """A variant does other work than what it would be compared with, so that it is not timed at all."""


class NotPossibleError(Exception):
    """A variant cannot be had of this network or in this environment; the others can."""


class Workload(Protocol):
    """Built in a worker from a case's settings. It neither synchronises nor prints by itself.

    One that times each of its calls has ``calls_ns`` too: nanoseconds of each iteration of the last ``run``,
    which are synchronised one by one then.
    """

    images: int
    """The work of one iteration, in images."""

    def prepare(self) -> None:
        """Untimed, before each round: return to the state from which every round starts alike."""

    def run(self, iterations: int) -> None:
        """The measured work; may return before it is done."""

    def synchronise(self) -> None:
        """Wait until everything that was started is done."""

    def round_facts(self) -> dict[str, float]:
        """What was counted in the round just timed; read untimed."""

    def facts(self) -> dict[str, float]:
        """What is known after the last round, such as the share of denormal optimizer state."""

    def close(self) -> None:
        """End whatever was started."""


@runtime_checkable
class CheckedWorkload(Protocol):
    """A workload that is compared with others' only if it does the same work."""

    def check_work(self) -> None:
        """After the first call, untimed. Raises NotTheSameWorkError with what departs, and by how much."""
