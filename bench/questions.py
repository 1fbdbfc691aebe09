"""What a benchmark module declares: a question, its variants, what is fixed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from bench.records import CONTROL, Case, Estimate, Measured, Setting

Settings = dict[str, Setting]
Results = dict[str, dict[str, Measured]]  # part -> variant -> what is known


@dataclass(frozen=True, kw_only=True)
class Variant:
    """What differs from the other variants: settings of the workload, the environment, the workload."""

    settings: Settings = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    workload: str | None = None  # where it is not the question's own


@dataclass(frozen=True, kw_only=True)
class Part:
    """One part of a question; what it does not give is the question's own."""

    settings: Settings = field(default_factory=dict)
    workload: str | None = None
    variants: dict[str, Variant] | None = None
    baseline: str | None = None


@dataclass(frozen=True, kw_only=True)
class Question:
    """A question, answered by comparing variants with a baseline in one or more parts.

    ``headline`` names the part and variant whose ratio is to be known to ``target`` (half-width of
    its interval, relative). ``answer`` turns results into sentences,
    ``fits`` into the numbers that a plot needs.
    """

    name: str
    asks: str
    workload: str  # "module:factory"
    variants: dict[str, Variant]
    baseline: str
    answer: Callable[[Results], list[str]]
    fits: Callable[[Results], dict[str, Estimate]] = lambda results: {}
    parts: dict[str, Part] = field(default_factory=lambda: {"step": Part()})
    fixed: Settings = field(default_factory=dict)
    control: bool = True  # measure the baseline against itself too
    rounds: int = 8  # a set-up
    target: float = 0.008
    warm_up: bool = True  # off where the course of time is what is measured
    least_blocks: int = 4
    skipped: Callable[[], str | None] = lambda: None  # why nothing can be measured here
    quick: tuple[str, ...] = ()  # the variants of a quick run; all without

    def groups(self, quick: bool = False) -> list[Group]:
        """One group a part: the cases compared with one another."""
        asked = self
        if quick and self.quick:
            asked = replace(self, variants={name: self.variants[name] for name in self.quick})
        return [asked._group(name, part) for name, part in asked.parts.items()]

    def _group(self, name: str, part: Part) -> Group:
        baseline = part.baseline or self.baseline
        variants = dict(part.variants or self.variants)
        if self.control:
            variants[CONTROL] = variants[baseline]
        cases = {v: self._case(name, part, v, variant) for v, variant in variants.items()}
        return Group(question=self, part=name, baseline=baseline, cases=cases)

    def _case(self, name: str, part: Part, variant_name: str, variant: Variant) -> Case:
        return Case(
            question=self.name,
            part=name,
            variant=variant_name,
            workload=variant.workload or part.workload or self.workload,
            settings={**self.fixed, **part.settings, **variant.settings},
            environment=variant.environment,
        )


@dataclass(frozen=True, kw_only=True)
class Group:
    """The cases of one part of a question; their rounds are interleaved."""

    question: Question
    part: str
    baseline: str
    cases: dict[str, Case]

    @property
    def name(self) -> str:
        return f"{self.question.name}/{self.part}"
