"""How what is compared is repeated: all that the harness and the schedule need to know of a question."""

from __future__ import annotations

from dataclasses import dataclass, field

from bench.records.run import Case


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How often the cases of a group are repeated, and how well their ratios are to be known."""

    rounds: int = 20  # a set-up: the least that tells a time at rest
    warm_ups: int = 8  # rounds at most, until two agree; none where the course of time is what is measured
    steady_within: float = 0.05  # two warm-up rounds this alike are steady
    least_blocks: int = 4  # each a set-up of every case
    target: float = 0.01  # half the interval of a ratio, relative
    fresh: bool = False  # each set-up in new processes: they are what is repeated
    narrow: bool = True  # to the target although it is decided; else what is decided needs nothing more


@dataclass(frozen=True, kw_only=True)
class Group:
    """Cases compared with one another; their rounds are interleaved."""

    question: str  # the name of what asks for it
    part: str
    baseline: str
    cases: dict[str, Case]  # by variant
    plan: Plan = field(default_factory=Plan)
    also: tuple[tuple[str, str], ...] = ()  # ratios beside those to the baseline: (variant, against which)
    beside: bool = False  # what its question is about stands in another part
    counted: bool = False  # count the operators of its steps too, beside what is timed

    @property
    def name(self) -> str:
        return f"{self.question}/{self.part}"
