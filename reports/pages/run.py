"""From a run to a page: what is said first, and what each question's section holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from re import fullmatch
from shlex import quote

from bench.records.run import (
    CONTROL,
    VERDICTS,
    Answer,
    Block,
    Ceilings,
    Library,
    Machine,
    Measured,
    Ratio,
    Run,
    Weather,
)
from bench.stats.verdict import ALPHA, TOLERANCE
from reports.model.page import Answered, Fold, Page, Raw, Section
from reports.model.tables import Cell, Column, Table, facts_table, same_work, variants_table
from reports.model.units import number, scaled, times
from reports.pages import rounds as history_of_rounds
from reports.pages.run_charts import Known, charts_of

# By the option of a run: the setting that it became, and what a file without one was measured with.
OPTIONS = {
    "batch-size": "batch_size",
    "data": "data",
    "threads": "OMP_NUM_THREADS",
    "budget": "budget",
    "seed": "seed",
}
USUAL = {"budget": "5m", "seed": "0"}
OWNERS = {"mxnet": "MXNet", "numpy": "NumPy", "scipy": "SciPy", "system": "the system"}
UNTOLD = "not told by this system"
APIS = {"blas": "BLAS", "openmp": "OpenMP"}


def run_page(run: Run, raw: Raw | None = None) -> Page:
    """The report of one run."""
    answers = _asked(run)
    sections = [_section(answer, run) for answer in answers]
    return Page(
        title="What a multi-task network in MXNet costs",
        kind="Benchmark run",
        verdict=_verdict_line(run),
        answers=tuple(
            Answered(answer.asks, tuple(answer.sentences), answer.asks)
            for answer in answers
            if answer.sentences
        ),
        decided=_decided(run),
        facts=(*_when(run), *machine_facts(run.machine, run.ceilings, run.weather)),
        warnings=(*run.warnings, *(f.told for f in run.failures)),
        sections=tuple(section for section in sections if section.tables or section.warnings),
        method=_method(run),
        reproduce=_reproduce(run),
        raw=raw,
    )


def _asked(run: Run) -> list[Answer]:
    """The run's answers, then whatever else was measured, under its own name."""
    found = list(run.answers)
    for group in run.measured:
        if not any(_part(answer.question, group) for answer in found):
            name = group.split("/", 1)[0]
            found.append(Answer(question=name, asks=name, sentences=[]))
    return found


def _part(question: str, group: str) -> str | None:
    """The part of this question that a group is; None where it belongs to another."""
    if group == question:
        return group
    return group[len(question) + 1 :] if group.startswith(f"{question}/") else None


def _groups(question: str, run: Run) -> dict[str, Known]:
    """The parts of a question, by their names."""
    found = ((_part(question, group), known) for group, known in run.measured.items())
    return {part: known for part, known in found if part is not None}


def _comparisons(run: Run) -> list[tuple[str, str, Measured]]:
    """Every variant that was held against a baseline with the same work; not the baseline against itself."""
    return [
        (group, variant, measured)
        for group, known in run.measured.items()
        if same_work(known)
        for variant, measured in known.items()
        if measured.effect is not None and variant != CONTROL
    ]


def _ratios(run: Run) -> list[tuple[str, str, Ratio]]:
    """The ratios of all comparisons: to the baseline, then to what the question asks for beside it."""
    return [
        (group, variant, ratio)
        for group, variant, m in _comparisons(run)
        for ratio in (m.effect, *m.beside.values())
        if ratio is not None
    ]


def _verdict_line(run: Run) -> str:
    found = Counter(ratio.verdict for _, _, ratio in _ratios(run))
    if not found:
        return "Nothing was compared in this run."
    told = ", ".join(f"{found[verdict]} {verdict}" for verdict in VERDICTS if found[verdict])
    lost = f"; {len(run.failures)} could not be measured" if run.failures else ""
    return f"{_count(sum(found.values()), 'comparison')}: {told}{lost}."


def _decided(run: Run) -> Table:
    """What is faster or slower than what it is held against, beyond the tolerance."""
    columns = (
        Column("part", align="left"),
        Column("variant", align="left"),
        Column("against", align="left"),
        Column("time ratio", note="below 1 is faster"),
        Column("verdict", align="left"),
    )
    rows: list[tuple[Cell, ...]] = [
        (group, variant, _last(ratio.baseline), ratio.estimate, ratio.verdict)
        for group, variant, ratio in _ratios(run)
        if ratio.verdict in ("faster", "slower")
    ]
    return Table("Decided: faster or slower", columns, tuple(rows))


def _count(number: int, name: str) -> str:
    return f"{number} {name}" if number == 1 else f"{number} {name}s"


def _last(case: str) -> str:
    return case.rsplit("/", 1)[-1]


def _when(run: Run) -> tuple[tuple[str, str], ...]:
    told = [("File", run.name), ("Measured", _stamp(run.measured_at or ""))]
    told.append(("Time spent", f"{run.spent_s:.0f} s" if run.spent_s else ""))
    return tuple((name, value) for name, value in told if value)


def _stamp(iso: str) -> str:
    """``2026-11-24 05:42 UTC``; as it is where it is no time."""
    try:
        when = datetime.fromisoformat(iso)
    except ValueError:
        return iso
    return f"{when:%Y-%m-%d %H:%M}" + (" UTC" if when.utcoffset() == timedelta() else f" {when:%z}".rstrip())


def machine_facts(
    machine: Machine | None, ceilings: Ceilings | None, weather: Weather | None
) -> tuple[tuple[str, str], ...]:
    """What the machine is, what it can do at best, and what went on meanwhile: names and values."""
    return (*_machine(machine), *_ceilings(ceilings), *_weather(weather))


def machine_page(machine: Machine, ceilings: Ceilings, weather: Weather, warnings: list[str]) -> Page:
    """A machine by itself, in the rows that a run's report has for it."""
    return Page(
        title="what it is, and its ceilings",
        kind="Machine",
        verdict="",
        facts=(("Class", machine.class_key), *machine_facts(machine, ceilings, weather)),
        warnings=tuple(warnings),
    )


def _machine(machine: Machine | None) -> tuple[tuple[str, str], ...]:
    if machine is None:
        return ()
    told = (
        (
            "Processor",
            f"{machine.cpu}, {machine.architecture}" + (f", {machine.mhz:.0f} MHz" if machine.mhz else ""),
        ),
        ("Cores", f"{machine.cores_granted:g} granted of {machine.cores_there}"),
        ("Memory", f"{machine.memory_gib} GiB"),
        ("Accelerators", ", ".join(machine.accelerators) or "none"),
        ("System", f"{machine.system}, kernel {machine.kernel}"),
        ("Container", machine.container or ""),
        ("Virtual machine", {True: "yes", False: "no", None: ""}[machine.virtual]),
        ("Load at the start", "" if machine.load is None else f"{machine.load:.2f} processes wanting to run"),
        ("Frequency governor", machine.governor or ""),
        ("Huge pages", machine.huge_pages or ""),
        ("Environment", ", ".join(f"{name}={value}" for name, value in machine.environment.items())),
        ("Python", machine.python),
        ("Source", machine.source or "not under git"),
    )
    return tuple((name, value) for name, value in told if value)


def _ceilings(ceilings: Ceilings | None) -> tuple[tuple[str, str], ...]:
    if ceilings is None:
        return ()
    told = (
        ("matrix product in MXNet", "mxnet_gflop_per_s", 1.0, "GFLOP/s"),
        ("in NumPy", "numpy_gflop_per_s", 1.0, "GFLOP/s"),
        ("memory", "memory_gb_per_s", 1.0, "GB/s"),
        ("Python", "python_loops_per_s", 1e6, "million loops/s"),
    )
    shown = [f"{name} {_ceiling(ceilings, field, scale)} {unit}" for name, field, scale, unit in told]
    return (
        ("MXNet", f"{ceilings.mxnet}, NumPy {ceilings.numpy}"),
        *(_libraries(ceilings.loaded) or [("Libraries", ", ".join(ceilings.libraries))]),
        ("Ceilings", "; ".join(shown)),
    )


def _libraries(loaded: list[Library]) -> list[tuple[str, str]]:
    """A row each: whose it is, and with how many threads of what kind; MXNet's own first."""
    mxnet_first = sorted(loaded, key=lambda one: (one.owner != "mxnet", one.owner == "system", one.owner))
    return [_named(one) for one in mxnet_first]


def _named(one: Library) -> tuple[str, str]:
    """A name of ours and the value; what a file alone names stands in the value, which may be wrapped."""
    if one.owner in OWNERS and one.api in APIS:
        return f"{APIS[one.api]} of {OWNERS[one.owner]}", _library(one)
    return "Another library", f"{one.api} of {one.owner}: {_library(one)}"


def _library(one: Library) -> str:
    """``openblas 0.3.13, 1 thread (openmp), code for Zen, libopenblas.so.0``."""
    told = (
        " ".join(filter(None, (one.name, one.version))),
        _count(one.threads, "thread") + (f" ({one.threading})" if one.threading else ""),
        f"code for {one.kernels}" if one.kernels else "",
        one.file,
    )
    return ", ".join(filter(None, told))


def _ceiling(ceilings: Ceilings, field: str, scale: float) -> str:
    """The median and, where the file tells it, the range of its repeats."""
    value = number(getattr(ceilings, field), scale)
    ends = ceilings.ranges.get(field, [])
    return f"{value} ({number(ends[0], scale)} to {number(ends[-1], scale)})" if len(ends) == 2 else value


def _weather(weather: Weather | None) -> tuple[tuple[str, str], ...]:
    if weather is None:
        return ()
    told = (
        ("Load at the end", "" if weather.load_after is None else f"{weather.load_after:.2f}"),
        ("Taken by a hypervisor", f"{weather.steal_share:.1%} of the cores' time"),
        (
            "Held back by a quota",
            UNTOLD if weather.throttled_s is None else f"{number(weather.throttled_s)} s",
        ),
        (
            "Throttled for heat",
            UNTOLD if weather.thermal_events is None else f"{weather.thermal_events} times",
        ),
        (
            "Calm",
            "" if weather.calm_share is None else f"{weather.calm_share:.0%} of rounds, within 5 % of rest",
        ),
        ("Most memory", scaled(weather.peak_memory_bytes, "bytes") if weather.peak_memory_bytes else ""),
    )
    return tuple((name, value) for name, value in told if value)


def _section(answer: Answer, run: Run) -> Section:
    parts = _groups(answer.question, run)
    folds = [history_of_rounds.fold(part, known, _blocks(answer, part, run)) for part, known in parts.items()]
    return Section(
        title=answer.asks,
        sentences=tuple(noise_floors(parts)),
        charts=tuple(charts_of(parts, answer.fits, run)),
        tables=tuple(_tables(answer.question, parts)),
        warnings=tuple(answer.warnings),
        folds=(*_said_last(answer.question, run), *(fold for fold in folds if isinstance(fold, Fold))),
    )


def noise_floors(parts: dict[str, Known]) -> Iterator[str]:
    """What the control says: how unlike the baseline came out to itself."""
    for part, known in parts.items():
        effect = known[CONTROL].effect if CONTROL in known else None
        if effect is not None:
            baseline = _last(effect.baseline)
            yield f"Noise floor of {part}: {baseline} took {times(effect.estimate)} the time of itself."
        for name, measured in known.items():
            if measured.level and measured.level.first and measured.case.environment == _environment(known):
                told = f"the first epoch of {name} took {times(measured.level.first)} the time of"
                yield f"Noise floor of {part}: {told} the same epoch beside it."


def _environment(known: Known) -> dict[str, str] | None:
    """What the workers of the baseline were given."""
    return next((m.case.environment for m in known.values() if m.effect is None), None)


def _tables(question: str, parts: dict[str, Known]) -> Iterator[Table]:
    """The variants of each part, and what is known of them beside their time."""
    for part, known in parts.items():
        if not known:
            continue
        yield variants_table(f"{question}/{part}", known)
        beside = facts_table(f"{question}/{part}: beside the time", known)
        if beside is not None:
            yield beside


def _said_last(question: str, run: Run) -> Iterator[Fold]:
    """The last lines of each worker that failed."""
    for failure in run.failures:
        if failure.case.startswith(f"{question}/") and failure.last_lines:
            yield Fold(f"What {failure.case} said last", sentences=tuple(failure.last_lines))


def _blocks(answer: Answer, part: str, run: Run) -> list[Block]:
    return run.blocks.get(f"{answer.question}/{part}", [])


def _method(run: Run) -> tuple[str, ...]:
    if run.schema is None:
        return (
            "The file is pytest-benchmark's own: rounds of one process each, so that no interval can be "
            "given and nothing is compared.",
        )
    counts = [ratio.estimate.n for _, _, ratio in _ratios(run)]
    levels = sorted({m.iteration_s.confidence for known in run.measured.values() for m in known.values()})
    at = f" at {levels[0]:.0%}" if len(levels) == 1 else ""
    ends = " to ".join(str(n) for n in sorted({min(counts), max(counts)})) if counts else ""
    over = f", {ends} of them a comparison" if ends else ""
    return (
        "Variants run in worker processes, one at a time. Rounds of the compared variants take turns in "
        "seeded random order and are synchronised at both ends. Warm-up rounds are kept in the file and "
        "left out of the numbers.",
        "A ratio is the median of log(variant / baseline) over the rounds of one set-up, so that each set-up "
        "gives one number. Where three variants and more stand beside a baseline, a round counts the less, "
        "the slower the others were in it, since a ratio is to be that of a calm machine; the control is a "
        f"second measurement of the baseline. Intervals are over set-ups{at}{over}.",
        f"Faster or slower: the whole interval lies outside the tolerance of {TOLERANCE:.0%}. Same: it lies "
        "inside. Undecided: neither. All variants of a part share one error rate "
        f"of {ALPHA:.0%} (Holm's step-down), the control by itself; the interval shown is each ratio's own, "
        "so that one may lie outside the tolerance and yet be undecided.",
        "The variant named control is the baseline measured against itself: how far it is from 1 shows "
        "what this machine did to the measurement.",
        "Statistics are computed anew from the raw rounds whenever a file is read.",
    )


def _reproduce(run: Run) -> tuple[str, ...]:
    """Commands to paste: nothing from the file stands in them unquoted."""
    if run.schema is None:
        return ()
    names = " ".join(quote(name) for name in dict.fromkeys(group.split("/", 1)[0] for group in run.measured))
    command = ["python -m bench run", names, *(["--quick"] if run.settings.get("quick") == "True" else [])]
    for option, name in OPTIONS.items():
        value = run.settings.get(name, USUAL.get(name))
        command += [f"--{option} {quote(value)}"] if value is not None else []
    source = (run.machine.source if run.machine else None) or ""
    revision = source.partition("+")[0]
    return (
        *([f"git checkout {revision}"] if fullmatch(r"[0-9a-f]{7,64}", revision) else []),
        " ".join([*filter(None, command), "--json run.json"]),
        "python -m bench report run.json --open",
    )
