"""The charts that a part of a question gets, by what was measured in it.

A plot belongs to what was measured, not to the name of a question, so that a new benchmark gets its
plots for nothing: sizes of batches give a scaling plot, numbers of workers a plot of workers, an epoch
in parts the split, rounds with a share of denormals their course.
"""

from __future__ import annotations

from collections.abc import Mapping

from bench.records.run import CONTROL, Estimate, Measured, Run
from bench.records.tutorial import is_whole_step
from bench.stats.verdict import TOLERANCE
from reports.model.charts import Axis, Bars, Chart, Interval, Intervals, Line, Lines, Mark, Point
from reports.model.tables import counted_in, same_work
from reports.model.units import decimals_of, number, ranged, scaled

Variants = dict[str, Measured]  # by variant
PARTS = ("waiting_s", "computing_s", "synchronising_s")
SHARE = "denormal_share"
WHOLES = ("epoch", "step")  # what users wait for, the longest first
MOST_HEADLINES = 14  # ratios on the first screen


def charts_of(parts: dict[str, Variants], fits: dict[str, Estimate], run: Run) -> list[Chart]:
    """The charts of a question: what its parts show beyond their ratios, then all ratios on one axis."""
    charts: list[Chart | None] = [_workers({**parts.get("threads", {}), **parts.get("loading", {})}, run)]
    for part, variants in parts.items():
        charts += [
            _scaling(variants, fits),
            _split(variants),
            _course(part, variants),
            _quantiles(part, variants),
        ]
    return [chart for chart in (*charts, _ratios(parts)) if chart is not None]


def _ratios(parts: dict[str, Variants]) -> Intervals | None:
    """Every variant of a question against its baseline, the baseline against itself included."""
    rows = [
        Interval(part, variant, measured.effect.estimate, _word(measured))
        for part, variants in parts.items()
        if same_work(variants)
        for variant, measured in variants.items()
        if measured.effect is not None
    ]
    if not rows:
        return None
    least = min(rows, key=lambda row: row.ratio.value)
    said = (
        f"Time over the time of the baseline of {len(rows)} variant{'s' * (len(rows) > 1)}, with intervals; "
        f"left of 1 is faster. The lowest is {least.part}, {least.name} at {ranged(least.ratio)}."
    )
    return Intervals("Time against the baseline", said, tuple(rows), TOLERANCE)


def _word(measured: Measured) -> str | None:
    """The verdict, but for what computes something else: its speed answers another question."""
    if measured.case.something_else:
        return "computes something else"
    return None if measured.effect is None else measured.effect.verdict


def _scaling(variants: Variants, fits: dict[str, Estimate]) -> Lines | None:
    """Throughput over the batch size, with the fitted line and where it is near the best."""
    sizes = {m.images: m for v, m in variants.items() if "batch_size" in m.case.settings and v != CONTROL}
    if same_work(variants) or len(sizes) < 3:
        return None
    lines = [Line("measured", tuple(Point(n, sizes[n].images_per_s) for n in sorted(sizes)))]
    said = f"Throughput at {len(sizes)} batch sizes from {min(sizes)} to {max(sizes)}, both axes logarithmic."
    if "fixed_s" in fits and "image_s" in fits:
        fixed, each = fits["fixed_s"].value, fits["image_s"].value
        curve = tuple(Point(n, n / (fixed + n * each)) for n in _between(min(sizes), max(sizes)))
        lines.append(Line("fitted line", curve, "line"))
        step, image = (_in_us(fits[name]) for name in ("fixed_s", "image_s"))
        one = "an image" if counted_in(variants) == "images" else "a sample"
        said += f" The fitted line: {step} \N{MICRO SIGN}s a step and {image} \N{MICRO SIGN}s {one}."
    marks = []
    if "recommended" in fits:
        size = fits["recommended"].value
        marks.append(Mark(f"nine tenths of the best: {size:g}", size, "x"))
        said += f" Nine tenths of the best throughput are reached at {size:g}."
    return Lines(
        title="Throughput over the batch size",
        said=said,
        x=Axis("batch size", log=True),
        y=Axis("throughput", f"{counted_in(variants)}/s", log=True),
        lines=tuple(lines),
        marks=tuple(marks),
    )


def _in_us(fitted: Estimate) -> str:
    return number(fitted.value, 1e-6, decimals_of(fitted, 1e-6))


def _between(first: float, last: float, steps: int = 60) -> list[float]:
    """Places that lie evenly on a logarithmic axis."""
    return [first * (last / first) ** (step / steps) for step in range(steps + 1)]


def _workers(variants: Variants, run: Run) -> Lines | None:
    """Throughput over the number of workers, with the step's own rate and the fast loader across."""
    ways = {v: m for v, m in variants.items() if v != CONTROL}
    counted = {v: m for v, m in ways.items() if "workers" in m.case.settings}
    if len({m.case.settings["workers"] for m in counted.values()}) < 2:
        return None  # one number of workers is no course
    threads = {v: m for v, m in counted.items() if m.case.settings.get("thread_pool")}
    lines = [_by_workers("processes", {v: m for v, m in counted.items() if v not in threads})]
    lines += [_by_workers("threads", threads)] if threads else []
    marks = [Mark(f"{v} loader", m.images_per_s.value, "y") for v, m in ways.items() if v not in counted]
    step = step_alone(run)
    if step is not None:
        marks.append(Mark("the step alone", step.images_per_s.value, "y"))
    unit = f"{counted_in(variants)}/s"
    across = [f"{mark.name} {scaled(mark.at, unit)}" for mark in marks]
    return Lines(
        title="Workers against throughput",
        said=f"{counted_in(variants).capitalize()} a second over the number of workers. "
        f"Lines across: {', '.join(across) or 'none'}. "
        "Where loading is below the step alone, training waits for it.",
        x=Axis("workers"),
        y=Axis("throughput", unit, log=True),
        lines=tuple(lines),
        marks=tuple(marks),
    )


def _by_workers(name: str, variants: Variants) -> Line:
    counts = {int(str(m.case.settings["workers"])): m.images_per_s for m in variants.values()}
    return Line(name, tuple(Point(count, counts[count]) for count in sorted(counts)))


def step_alone(run: Run) -> Measured | None:
    """A whole training step as the tutorial does it, wherever this run measured one."""
    return next(
        (
            measured
            for variants in run.measured.values()
            for variant, measured in variants.items()
            if variant != CONTROL and is_whole_step(measured.case)
        ),
        None,
    )


def _split(variants: Variants) -> Bars | None:
    """Where an epoch's time goes, of each variant that measures its parts: shares of an epoch's time."""
    shares = {
        variant: _shares(measured)
        for variant, measured in variants.items()
        if variant != CONTROL and set(PARTS) <= measured.round_facts.keys()
    }
    if not shares:
        return None
    said = [
        f"{variant}: " + ", ".join(f"{part} {share:.0%}" for part, share in of_it.items())
        for variant, of_it in shares.items()
    ]
    names = [part[: -len("_s")] for part in PARTS]
    return Bars(
        title="Where an epoch's time goes",
        said="An epoch split into its parts. " + "; ".join(said) + ".",
        y=Axis("time an epoch", "s"),
        rows=tuple(shares),
        parts={
            name: tuple(of_it[name] * variants[v].iteration_s.value for v, of_it in shares.items())
            for name in names
        },
    )


def _shares(measured: Measured) -> dict[str, float]:
    """The parts of an epoch, which are 1 together: the means over its rounds, as the answer tells them.

    A file that was written before rounds had shares has the means of seconds alone.
    """
    names = [part[: -len("_s")] for part in PARTS]
    facts = measured.round_facts
    values = [facts.get(f"{name}_share", facts[f"{name}_s"]).value for name in names]
    whole = sum(values) or 1.0
    return {name: value / whole for name, value in zip(names, values, strict=True)}


def headline(questions: Mapping[str, dict[str, Variants]]) -> Intervals | None:
    """The ratios that matter most, of every question: of a whole epoch, or else of a whole step.

    Left out are the baseline against itself, and what differs by how it is measured alone.
    """
    rows: list[Interval] = []
    for question, parts in questions.items():
        for part in _weightiest(parts):
            rows += [
                Interval("", f"{question}: {variant}", measured.effect.estimate, measured.effect.verdict)
                for variant, measured in parts[part].items()
                if measured.effect is not None and variant != CONTROL
                if measured.case.settings.get("split") is not False and not measured.case.something_else
            ]
    if len(rows) < 2:
        return None
    rows = rows[:MOST_HEADLINES]
    said = (
        "Time over the time of each question's baseline, of a whole epoch or step, with intervals: left of 1 "
        "takes less. In the band counts as the same."
    )
    return Intervals("What each choice does to the time", said, tuple(rows), TOLERANCE)


def _weightiest(parts: dict[str, Variants]) -> list[str]:
    """The part of a question that users wait for; every one where none is such."""
    alike = [part for part, variants in parts.items() if same_work(variants)]
    return next(([whole] for whole in WHOLES if whole in alike), alike)


def _course(part: str, variants: Variants) -> Lines | None:
    """Time over a long training, with the share of denormals below it."""
    long = {
        variant: measured
        for variant, measured in variants.items()
        if len(measured.course_s) > 1 and SHARE in (measured.course_facts or [{}])[-1]
    }
    if not long:
        return None
    steps = {v: _steps(m) for v, m in long.items()}
    step = all(steps.values())
    lines = tuple(
        Line(v, tuple(Point(n + 1, divided(e, steps[v] if step else 1)) for n, e in enumerate(m.course_s)))
        for v, m in long.items()
    )
    below = tuple(
        Line(v, tuple(Point(n + 1, 100 * facts[SHARE]) for n, facts in enumerate(m.course_facts)))
        for v, m in long.items()
    )
    ends = "; ".join(
        f"{line.name}: {_plain(line.points[0].y)} ms at first, {_plain(line.points[-1].y)} ms at last"
        for line in lines
    )
    count = len(lines[0].points)
    return Lines(
        title=f"Time {'a step' if step else f'of each {part}'} over a long training",
        said=f"The course over {count} {part}s; below it the share of denormal values. {ends}.",
        x=Axis(part),
        y=Axis("time a step" if step else "time", "s"),
        lines=lines,
        below=below,
        below_y=Axis("denormal share", "%"),
    )


def _quantiles(part: str, variants: Variants) -> Lines | None:
    """How long the slowest calls take: each quantile over how seldom a call takes longer."""
    lines = tuple(
        Line(v, tuple(Point(_one_in(name), m.quantiles[name]) for name in m.quantiles))
        for v, m in variants.items()
        if m.quantiles and v != CONTROL
    )
    if not lines:
        return None
    ends = "; ".join(
        f"{line.name} {ranged_time(line.points[0].y)}, one in {line.points[-1].x:,.0f} longer than "
        f"{ranged_time(line.points[-1].y)}"
        for line in lines
    )
    return Lines(
        title=f"Latency of {part}",
        said=f"What one call in 2, 10, 100 and 1,000 takes longer than, both axes logarithmic. Half: {ends}.",
        x=Axis("one call in so many takes longer", log=True),
        y=Axis("latency", "s", log=True),
        lines=lines,
        in_table=True,
    )


def _one_in(quantile: str) -> float:
    """``p99.9`` leaves one call in 1,000 above it."""
    return round(1.0 / (1.0 - float(quantile[1:]) / 100.0), 6)


def ranged_time(y: Estimate | float) -> str:
    """A time in the unit that suits it."""
    value = y.value if isinstance(y, Estimate) else y
    return scaled(value, "s")


def _steps(measured: Measured) -> float:
    """Steps in an iteration; 0 where the case does not tell its batch size."""
    size = measured.case.settings.get("batch_size")
    return measured.images / size if isinstance(size, int) and size else 0.0


def divided(estimate: Estimate, by: float) -> Estimate:
    """The same estimate in another unit."""
    return Estimate(
        value=estimate.value / by,
        low=estimate.low / by,
        high=estimate.high / by,
        confidence=estimate.confidence,
        n=estimate.n,
    )


def _plain(y: Estimate | float) -> str:
    return ranged(y, 1e-3) if isinstance(y, Estimate) else number(y, 1e-3)
