"""What a recording of trust holds beside each other: the step as it is, and with known work injected."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from bench.questions.gate import GATE, Benchmark
from bench.records.declared import Declared
from bench.records.run import Setting

WORKLOAD = "bench.workloads.slowed:SlowedStep"
WORKLOAD_OF_TASK = "bench.workloads.slowed:SlowedTask"
BASE, IDENTICAL = "base", "identical"
STEP: Benchmark = next(benchmark for benchmark in GATE if benchmark.name == "step")
Expected = Literal["nothing", "at rest", "now and then", "other code"]


@dataclass(frozen=True)
class Variant:
    """One process of a unit: what it runs, and how a comparison with the base ought to call it."""

    name: str
    says: str
    settings: dict[str, Setting] = field(default_factory=dict)  # beside those of the gate's step
    expected: Expected = "at rest"
    tolerance: float | None = None  # at which it is judged; None: the caller's


VARIANTS = (
    Variant(BASE, "both heads, as the gate has it", expected="nothing"),
    Variant(IDENTICAL, "the same code", expected="nothing"),
    Variant("operator", "an operator more in every step, 784 x 128", {"operator": "large"}),
    Variant(
        "part_operator", "an operator more in every step, 784 x 50", {"operator": "part"}, tolerance=0.005
    ),
    Variant(
        "small_operator", "an operator more in every step, 128 x 64", {"operator": "small"}, tolerance=0.005
    ),
    Variant("every_7", "one step of 7 done twice", {"every": 7}, "now and then"),
    Variant("every_20", "one step of 20 done twice", {"every": 20}, "now and then"),
    Variant("every_50", "one step of 50 done twice", {"every": 50}, "now and then"),
    Variant("at_random", "one step of 20 at random done twice", {"at_random": 20}, "now and then"),
    Variant("one_head", "one head", {"heads": ["digits"]}, "other code"),
    Variant("whole_graph", "the whole step one graph", {"mode": "whole_graph"}, "other code"),
    Variant("copy", "a copy of the images more in every step", {"operator": "copy"}),
    Variant("imperative", "the network not hybridized", {"mode": "imperative"}, "other code"),
)
BY_NAME = {variant.name: variant for variant in VARIANTS}
BY_NAME_ALONE = ("small_operator", "copy", "imperative")  # recorded where they are asked for
USUAL = tuple(variant.name for variant in VARIANTS if variant.name not in BY_NAME_ALONE)
QUICK = (BASE, IDENTICAL, "operator", "every_20", "one_head")  # fewer, so that ten minutes hold more units
# Whose calm value an interval has to hold: what differs at rest, and identical code.
HAVE_CALM_VALUE = (
    *(IDENTICAL, "operator", "part_operator", "small_operator"),
    *("one_head", "whole_graph", "copy", "imperative"),
)


def settings_of(name: str) -> dict[str, Setting]:
    """All settings of a variant's workload."""
    return {**STEP.settings, **BY_NAME[name].settings}


@dataclass(frozen=True)
class Subject:
    """Whose step is recorded, and what can be recorded beside it."""

    workload: str
    settings: dict[str, Setting]  # of the base
    variants: dict[str, Variant]  # by name
    network: str = ""  # of a declared one: its name, and how large its batches are

    def settings_of(self, name: str) -> dict[str, Setting]:
        """All settings of a variant's workload."""
        return {**self.settings, **self.variants[name].settings}


TUTORIAL = Subject(WORKLOAD, dict(STEP.settings), BY_NAME)
# What a declared network has in place of layers of known sizes.
SAYS = {
    "operator": "every parameter times 1, once more in every step",
    "part_operator": "the largest parameter times 1, once more in every step",
    "small_operator": "the largest parameter times 1, once more in every step",
    "copy": "a copy of the inputs more in every step",
}


def in_words(network: str) -> dict[str, Variant]:
    """Every variant by its name, as it is told of a declared network, or with none of the tutorial's."""
    if not network:
        return BY_NAME
    return {name: replace(variant, says=SAYS.get(name, variant.says)) for name, variant in BY_NAME.items()}


def subject_of(task: Declared) -> Subject:
    """A declared network: its step in the best mode that it has, and what it can be recorded beside."""
    named, best = f"{task.network}, batches of {task.batch_size}", task.best_mode
    variants, first = in_words(named), f"{task.heads[0]} alone"
    del variants["small_operator"]  # of a declared network the same as "part_operator"
    if task.takes_heads and len(task.heads) > 1 and first not in task.heads_impossible:
        one = replace(variants["one_head"], says=first, settings={"heads": [task.heads[0]]})
        variants["one_head"] = one
    else:
        del variants["one_head"]
    for mode in ("whole_graph", "imperative"):
        if mode == best or mode in task.impossible or mode in task.differs:
            del variants[mode]
    settings: dict[str, Setting] = {
        "network": task.network,
        "batch_size": task.batch_size,
        "mode": best,
        "part": "step",
    }
    return Subject(WORKLOAD_OF_TASK, settings, variants, named)
