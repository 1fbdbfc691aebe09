"""Two revisions compared: checkouts, workers, trials and verdicts put together; used by the command."""

from __future__ import annotations

import hashlib
import platform
import time
from collections.abc import Callable, Collection
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench.gate.checkouts import Checkout, check_age, prune, repository, resolve, working_tree, worktree
from bench.gate.environments import PROJECT, differing, python_for
from bench.gate.sides import SIDE, Side, SidePool, declared
from bench.gate.task_side import Compared, task_side
from bench.gate.trial import Trial
from bench.gate.work import work_changes
from bench.harness.pool import WorkerFailedError, silence_for
from bench.harness.rounds import LEAD_IN, Harness
from bench.machine.interpreter import in_words, is_other, workers_python
from bench.questions.gate import Benchmark
from bench.questions.plan import Group, Plan
from bench.records.regression import Comparison, Regression
from bench.records.run import Block, Case
from bench.stats.estimates import exponential
from bench.stats.ratios import Effects, log_times, of_invocation, typical
from bench.stats.rest import AtRest
from bench.stats.sequential import (
    LEAST_CALM,
    Decision,
    Stream,
    decide,
    holm,
    relative_spread,
    seen,
    times_the_budget,
)
from bench.stats.verdict import ALPHA
from mtl_core.errors import UserError

BASE, HEAD = "base", "head"


@dataclass
class Settings:
    """What the caller wants."""

    budget_s: float
    tolerance: Callable[[str], float]  # by benchmark
    check: Callable[[Collection[str]], None] = lambda names: None  # raises for settings of unknown benchmarks
    seed: int | None = None  # of the random orders; None: drawn from what is compared
    say: Callable[[str], None] = lambda line: None
    show: Callable[[str, int, float], None] = lambda benchmark, units, spent_s: None
    clock: Callable[[], float] = time.monotonic
    network: Compared | None = None  # somebody's, in place of the suite's own benchmarks


@dataclass
class BenchmarkTrial:
    """One benchmark's trial, before the verdicts are made together."""

    benchmark: Benchmark
    stream: Stream
    seconds: float
    blocks: list[Block] = field(default_factory=list)
    failure: str | None = None


def seed_of(*parts: object) -> int:
    """A seed that follows from the parts alone: other revisions draw other orders, the same ones the same."""
    joined = "\0".join(map(str, parts))
    return int.from_bytes(hashlib.sha256(joined.encode()).digest()[:4], "big")


def plan_of(benchmark: Benchmark) -> Plan:
    """The benchmark in the harness's terms."""
    return Plan(rounds=benchmark.rounds, warm_ups=benchmark.warm_ups)


def group_of(benchmark: str, sides: tuple[Side, ...]) -> Group:
    """Each side's own declaration as a case that its own workers measure."""
    own = {side.name: side.benchmarks[benchmark] for side in sides}
    cases = {
        name: Case(
            question=benchmark,
            part="gate",
            variant=name,
            workload=mine.workload,
            settings=mine.settings,
            environment={SIDE: name},
        )
        for name, mine in own.items()
    }
    return Group(
        question=benchmark,
        part="gate",
        baseline=BASE,
        cases=cases,
        plan=plan_of(own[sides[-1].name]),
    )


def chosen(names: list[str], sides: tuple[Side, ...]) -> list[str]:
    """The benchmarks asked for, or all that either side has. Raises UserError for one that neither has."""
    there = list(dict.fromkeys(name for side in reversed(sides) for name in side.benchmarks))
    for name in names:
        if name not in there:
            raise UserError(f"no benchmark of the gate is named {name!r}; expected one of {', '.join(there)}")
    return list(dict.fromkeys(names)) or there


def unit(harness: Harness, group: Group, set_ups: int, kept: list[Block]) -> Effects | AtRest | None:
    """One invocation: a log ratio a set-up; None when a side failed."""
    harness.next_invocation()
    blocks = []
    for _ in range(set_ups):
        blocks.append(harness.measure(group))
        if harness.failures:
            return None
    kept += blocks
    return of_invocation(blocks, HEAD, BASE)


def measure(name: str, sides: tuple[Side, ...], settings: Settings, alpha: float) -> BenchmarkTrial:
    """One benchmark until it is decided at ``alpha`` or its budget is spent."""
    group, mine = group_of(name, sides), sides[-1].benchmarks[name]
    kept: list[Block] = []
    silence_s = silence_for(settings.budget_s)
    harness = Harness(seed_of(settings.seed, name), pool=lambda: SidePool(sides, silence_s), lead_in=LEAD_IN)
    trial = Trial(
        measure=lambda: unit(harness, group, mine.set_ups, kept),
        budget_s=settings.budget_s,
        alpha=alpha,
        tolerance=settings.tolerance(name),
        show=lambda units, spent_s: settings.show(name, units, spent_s),
        clock=settings.clock,
    )
    failure = None
    try:
        stream = trial.run()
    except WorkerFailedError as error:  # it did not even start
        stream, failure = trial.stream(), f"{error.reason}: {_last(error.last_lines)}"
    finally:
        harness.close()
    lost = [
        f"{f.case.rsplit('/', 1)[-1]} {f.reason}: {_last(f.last_lines)}" for f in harness.failures.values()
    ]
    if trial.failed and not lost:
        lost = ["an invocation gave no finite ratio"]
    return BenchmarkTrial(mine, stream, trial.spent_s, kept, failure or "; ".join(lost) or None)


def _last(lines: list[str]) -> str:
    return lines[-1] if lines else "it said nothing"


def one_sided(name: str, sides: tuple[Side, ...], tolerance: float) -> Comparison:
    """A benchmark that only one side has."""
    there = next(side for side in sides if name in side.benchmarks)
    missing: dict[str, str] = {BASE: HEAD, HEAD: BASE}
    return Comparison(
        benchmark=name,
        asks=there.benchmarks[name].asks,
        effect=None,
        verdict="undecided",
        tolerance=tolerance,
        seconds=0.0,
        missing="head" if missing[there.name] == HEAD else "base",
    )


def failed(benchmark: Benchmark, tolerance: float, seconds: float, reason: str | None) -> Comparison:
    """A benchmark that one side could not run, or that cannot be compared."""
    return Comparison(
        benchmark=benchmark.name,
        asks=benchmark.asks,
        effect=None,
        verdict="undecided",
        tolerance=tolerance,
        seconds=seconds,
        failure=reason,
    )


def few_slow_rounds(decision: Decision) -> list[str]:
    """What the number that is judged does not tell, where there is any of it."""
    if decision.totals is None:
        return _now_and_then(decision)
    if decision.held_back or not decision.few_slow_rounds:
        return []
    totals = exponential(decision.totals.interval())
    return [
        f"the sums of the rounds say {totals.value:.3f}x ({totals.low:.3f} to {totals.high:.3f}): "
        "what differs happens in fewer than half of the rounds, which their median does not see"
    ]


def _now_and_then(decision: Decision) -> list[str]:
    """What comes on top of the time at rest, and whether the machine was calm enough to tell."""
    lines = []
    if decision.few_calm and decision.mean.n < LEAST_CALM:
        lines.append(
            f"{decision.mean.n} invocations fitted into the budget, and a verdict takes {LEAST_CALM} "
            "calm ones at the least: give a larger --budget"
        )
    elif decision.few_calm and decision.verdict == "undecided":
        lines.append(
            "hardly anything was calm, so that nothing is decided: repeat it in a calmer hour or with a "
            "larger --budget"
        )
    excess = decision.excess
    interval = f"{excess.value:.1%} ({excess.low:.1%} to {excess.high:.1%})" if excess else ""
    if decision.cause == "now and then":
        lines.append(f"no slower at rest that this run can tell, but slower now and then: {interval} on top")
    elif decision.held_back:
        lines.append(f"faster at rest, but slower now and then: {interval} on top, so that neither is called")
    return lines


def comparison(trial: BenchmarkTrial, decision: Decision) -> Comparison:
    """What is known of one benchmark, with its verdict."""
    tolerance = trial.stream.tolerance
    return Comparison(
        benchmark=trial.benchmark.name,
        asks=trial.benchmark.asks,
        effect=exponential(decision.estimate),
        verdict=decision.verdict,
        tolerance=tolerance,
        seconds=trial.seconds,
        set_ups=len(trial.blocks),
        spread=relative_spread(decision.mean),
        base_s=exponential(log_times(trial.blocks, BASE).mean().interval()),
        head_s=exponential(log_times(trial.blocks, HEAD).mean().interval()),
        detectable=seen(decision, tolerance),
        times_the_budget=times_the_budget(decision, tolerance),
        sums=exponential(decision.totals.interval()) if decision.held_back and decision.totals else None,
        now_and_then=decision.excess,
        cause=decision.cause if decision.verdict == "slower" else None,
        typical=exponential(typical(trial.blocks, HEAD, BASE).interval()),
        notes=few_slow_rounds(decision),
    )


def differences(name: str, sides: tuple[Side, ...]) -> str | None:
    """Why the two revisions' benchmarks of this name cannot be compared; None where they can."""
    base, head = (side.benchmarks[name] for side in sides)
    changed = []
    if base.workload != head.workload:
        changed.append(f"workload {base.workload} -> {head.workload}")
    for key in sorted(base.settings.keys() | head.settings.keys()):
        before, after = base.settings.get(key, "unset"), head.settings.get(key, "unset")
        if before != after:
            changed.append(f"{key} {before} -> {after}")
    if not changed:
        return None
    listed = ", ".join(changed)
    return f"declared differently, so that unlike work would be compared: {listed}; give it another name"


def compare(names: list[str], sides: tuple[Side, ...], settings: Settings) -> list[Comparison]:
    """Every benchmark measured in turn, then the verdicts at one error rate.

    Raises UserError where all that is asked for is new: a gate that compared nothing must not pass.
    """
    settings.check([name for side in reversed(sides) for name in side.benchmarks])
    picked = chosen(names, sides)
    if not any(name in sides[0].benchmarks for name in picked):
        raise UserError(
            f"nothing to compare: the base does not have {', '.join(picked) or 'a benchmark'}; "
            "name a benchmark that both revisions have, or a later --base"
        )
    both = [name for name in picked if all(name in side.benchmarks for side in sides)]
    trials: dict[str, BenchmarkTrial] = {}
    decided = 0
    unlike = {name: reason for name in both if (reason := differences(name, sides))}
    both = [name for name in both if name not in unlike]
    for name in both:
        alpha = ALPHA / (len(both) - decided)  # as Holm's step-down would allow by now
        trials[name] = measure(name, sides, settings, alpha)
        if not trials[name].failure:
            decided += decide(trials[name].stream, alpha).verdict != "undecided"
    made = holm({name: m.stream for name, m in trials.items() if not m.failure}, ALPHA)
    comparisons = []
    for name in picked:
        if name in unlike:
            benchmark = sides[-1].benchmarks[name]
            comparisons.append(failed(benchmark, settings.tolerance(name), 0.0, unlike[name]))
        elif name not in both:
            comparisons.append(one_sided(name, sides, settings.tolerance(name)))
        elif name in made:
            comparisons.append(comparison(trials[name], made[name]))
        else:
            lost = trials[name]
            comparisons.append(failed(lost.benchmark, lost.stream.tolerance, lost.seconds, lost.failure))
    return comparisons


def between(names: list[str], base: str, head: str | None, folder: Path, settings: Settings) -> Regression:
    """Compare two revisions of the repository around ``folder``; without ``head`` its working tree."""
    root = repository(folder)
    base_commit = resolve(root, base, "--base")
    if settings.network is None:
        check_age(root, base_commit)
    head_commit = resolve(root, head, "--head") if head is not None else None
    left = prune(root)
    if left:
        settings.say(f"removed {left} checkout{'s' if left > 1 else ''} that a killed run had left behind")
    with ExitStack() as stack:
        before = stack.enter_context(worktree(root, base_commit))
        after = stack.enter_context(worktree(root, head_commit)) if head_commit else working_tree(root)
        if settings.seed is None:
            settings = replace(settings, seed=seed_of(before.revision, after.revision))
        sides = both_sides(before, after, settings)
        notes = [*_notes(before, after), *_own_environment(sides), *_other_interpreter()]
        for note in notes:
            settings.say(note)
        comparisons = compare(names, sides, settings)
        settings.say("counting what a step of either revision does")
        counted, uncounted = work_changes([c.benchmark for c in comparisons], sides)
    return Regression(
        base=_named(base, before.revision),
        head=_named(head or "working tree", after.revision),
        budget_s=settings.budget_s,
        confidence=1.0 - ALPHA,
        comparisons=comparisons,
        notes=[*notes, *uncounted],
        seed=settings.seed,
        work=counted,
        against=base,
    )


def both_sides(before: Checkout, after: Checkout, settings: Settings) -> tuple[Side, Side]:
    """Base and head with an interpreter and their own declarations."""
    if settings.network is not None:
        return task_side(BASE, before, settings.network), task_side(HEAD, after, settings.network)
    here = Path(__file__).parents[2]
    if is_other():
        python = workers_python()
        return declared(Side(BASE, before.root, python)), declared(Side(HEAD, after.root, python))
    like = here if (here / PROJECT).exists() else after.root  # installed: then for what head needs
    head = Side(HEAD, after.root, python_for(after.root, like, settings.say))
    base_python = python_for(before.root, after.root, settings.say, otherwise=head.python)
    if base_python == head.python:
        settings.say("environment: one for both revisions, since their dependencies are the same")
    return declared(Side(BASE, before.root, base_python)), declared(head)


def _own_environment(sides: tuple[Side, Side]) -> list[str]:
    """A base with other libraries: what it takes is theirs as well as its code's."""
    base, head = sides
    if base.python == head.python:
        return []
    changed = ", ".join(differing((base.python, base.root), (head.python, head.root)))
    libraries = f": {changed}" if changed else ", with the same versions of all that either declares"
    return [f"base ran in an environment of its own{libraries}"]


def _other_interpreter() -> list[str]:
    """Workers in another interpreter than this process: what both revisions ran in."""
    if not is_other():
        return []
    return [f"both revisions ran in {in_words()}, the coordinator in Python {platform.python_version()}"]


def _named(asked: str, revision: str) -> str:
    short = revision[:12] + ("+dirty" if revision.endswith("+dirty") else "")
    return short if asked == revision else f"{asked} ({short})"


def _notes(before: Checkout, after: Checkout) -> list[str]:
    if after.revision.endswith("+dirty"):
        return ["head is the working tree with changes that are not committed"]
    if before.revision == after.revision:
        return ["base and head are the same commit: any difference is noise"]
    return []
