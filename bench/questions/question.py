"""What a benchmark module declares: a question, its variants, what is fixed."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace

from msgspec import UNSET

from bench.questions.plan import Group, Plan
from bench.records.declared import Declared
from bench.records.run import CONTROL, Case, Estimate, Measured, Setting
from mtl_core.errors import UserError

Settings = dict[str, Setting]
Results = dict[str, dict[str, Measured]]  # part -> variant -> what is known
BESIDE_HEADLINE = 5.0  # times wider may the interval of a part be that is not the headline
BESIDE_SET_UPS = 2  # of such a part, at the least: what has an interval may be decided


@dataclass(frozen=True, kw_only=True)
class Variant:
    """What differs from the other variants: settings of the workload, the environment, the workload."""

    settings: Settings = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    workload: str | None = None  # where it is not the question's own
    departs: str = ""  # in words, where it computes something else than the baseline


@dataclass(frozen=True, kw_only=True)
class Part:
    """One part of a question; what it does not give is the question's own."""

    settings: Settings = field(default_factory=dict)
    workload: str | None = None
    variants: dict[str, Variant] | None = None
    baseline: str | None = None
    beside: bool = False  # what the question is about stands in the others, as beside a headline


@dataclass(frozen=True)
class Quick:
    """What a quick run asks of a question; what it does not give stays as it is."""

    variants: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    settings: Settings = field(default_factory=dict)
    part_settings: dict[str, Settings] = field(default_factory=dict)  # of a part, over what it has itself
    rounds: int | None = None
    control: bool = True  # where the question has one at all

    def chosen(self, variants: dict[str, Variant]) -> dict[str, Variant]:
        """Those of the variants that a quick run measures; all where none is named."""
        return {name: v for name, v in variants.items() if name in self.variants} or variants


@dataclass(frozen=True, kw_only=True)
class Asked:
    """How the questions are asked: quickly or in full, and what the user fixed otherwise.

    ``settings`` replace what a question names in ``fixed`` and nothing else; ``environment`` is given
    to every worker, but for what a variant sets by itself.
    """

    quick: bool = False
    settings: Settings = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    task: Declared | None = None  # whose network is measured; None for the tutorial's


AS_DECLARED = Asked()


@dataclass(frozen=True, kw_only=True)
class Question:
    """A question, answered by comparing variants with a baseline in one or more parts.

    ``plan`` is that of the part ``headline``, which has the control; the ratios of other parts need not be as
    narrow, and have fewer set-ups at the least. ``answer`` turns results into sentences,
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
    control: bool = True  # measure the baseline against itself too, in the headline or in all parts
    headline: str | None = None  # a part; without it all are
    plan: Plan = field(default_factory=Plan)
    also: tuple[tuple[str, str], ...] = ()  # ratios beside those to the baseline: (variant, against which)
    counted: bool = False  # count the operators of the headline's steps too, beside what is timed
    skipped: Callable[[], str | None] = lambda: None  # why nothing can be measured here
    impossible: Callable[[Settings], str | None] = lambda settings: None  # why a case cannot be measured
    quick: Quick = Quick()
    left_out: Callable[[], Collection[str]] = lambda: ()  # variants that cannot be had here
    make_ready: Callable[[Callable[[str], None]], None] = lambda say: None  # before a run that names it
    by_name: bool = False  # asked only where it is named: it would take a whole budget for itself

    def groups(self, asked: Asked = AS_DECLARED) -> list[Group]:
        """One group a part: the cases compared with one another."""
        mine = self._in_haste() if asked.quick else self
        mine = replace(mine, fixed={name: asked.settings.get(name, s) for name, s in mine.fixed.items()})
        return [mine._group(name, part, asked) for name, part in mine.parts.items()]

    def check(self, asked: Asked = AS_DECLARED) -> None:
        """Raises UserError where what the user fixed leaves nothing to measure."""
        for case in (case for group in self.groups(asked) for case in group.cases.values()):
            why = self.impossible(case.settings)
            if why:
                raise UserError(f"{case.name}: {why}")

    def _in_haste(self) -> Question:
        """The question of a quick run: no interval without two set-ups, so three, and less of the rest."""
        quick = self.quick
        parts = {name: self._part_in_haste(name) for name in quick.parts or self.parts}
        return replace(
            self,
            variants=quick.chosen(self.variants),
            parts=parts,
            control=self.control and quick.control,
            fixed={**self.fixed, **quick.settings},
            plan=replace(
                self.plan,
                rounds=quick.rounds or self.plan.rounds,
                least_blocks=min(3, self.plan.least_blocks),
            ),
        )

    def _part_in_haste(self, name: str) -> Part:
        part, less = self.parts[name], self.quick.part_settings.get(name, {})
        variants = part.variants and self.quick.chosen(part.variants)
        return replace(part, variants=variants, settings={**part.settings, **less})

    def _group(self, name: str, part: Part, asked: Asked) -> Group:
        baseline = part.baseline or self.baseline
        gone = self.left_out()
        variants = {v: each for v, each in (part.variants or self.variants).items() if v not in gone}
        if self.control and not self._is_beside(name):
            variants[CONTROL] = variants[baseline]
        return Group(
            question=self.name,
            part=name,
            baseline=baseline,
            cases={
                v: self._case(name, part, v, variant, asked.environment) for v, variant in variants.items()
            },
            plan=self._plan(name),
            also=self.also,
            beside=self._is_beside(name),
            counted=self.counted and name == self.headline,
        )

    def _is_beside(self, part: str) -> bool:
        return self.headline not in (None, part) or self.parts[part].beside

    def _plan(self, part: str) -> Plan:
        """The question's, with wider intervals and fewer set-ups beside the headline."""
        if not self._is_beside(part):
            return self.plan
        wide = replace(self.plan, target=BESIDE_HEADLINE * self.plan.target, narrow=False)
        if self.plan.fresh:  # as few would have no quantiles over processes
            return wide
        return replace(wide, least_blocks=min(BESIDE_SET_UPS, self.plan.least_blocks))

    def _case(
        self, name: str, part: Part, variant_name: str, variant: Variant, environment: dict[str, str]
    ) -> Case:
        return Case(
            question=self.name,
            part=name,
            variant=variant_name,
            workload=variant.workload or part.workload or self.workload,
            settings={**self.fixed, **part.settings, **variant.settings},
            environment={**environment, **variant.environment},
            departs=variant.departs or UNSET,
        )
