"""Numbers as the sentences say them, with their intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from bench.questions import Results, Settings
from bench.records import CONTROL, Estimate, Measured, Ratio
from bench.stats import Floats, fit_line, inverse, mean_of, t_interval
from bench.verdict import TOLERANCE, judge, verdicts
from mtl_core.denormals import possible, why_not
from mtl_core.gpu_choice import Choice, is_gpu_build
from mtl_core.mnist import lies_here

LARGEST_SLOW_DOWN = 1.0  # that a sentence gives a number for: twice the time
WHOLE_EPOCH = 60_000  # images of MNIST
WHOSE = {"keep": "its", "flush": "the unflushed training's"}  # first speed a training is held against
# Facts of a workload that tell its work, and what they are called.
WORK = {"operators": "operators a step", "parameters": "parameters", "training_flop": "FLOP an image"}


def digits_for(estimate: Estimate) -> int:
    """Decimals that the interval justifies, as in the tables; two or fewer for a ratio without one."""
    found = estimate.decimals()
    return found if found is not None else 2 if estimate.value < 10 else 0


def interval(estimate: Estimate) -> str:
    """``1.07x (1.05 to 1.09)``."""
    places = digits_for(estimate)
    if estimate.n < 2:
        return f"{estimate.value:.{places}f}x (one set-up: no interval)"
    return f"{estimate.value:.{places}f}x ({estimate.low:.{places}f} to {estimate.high:.{places}f})"


def as_fast(subject: str, known: Measured) -> str:
    """``Hybridizing makes the step 1.07x as fast (1.05 to 1.09)``; says so when nothing was decided."""
    assert known.effect is not None
    return f"{subject} {interval(inverse(known.effect.estimate))} as fast: {verdict_of(known.effect)}."


def ratio_of(one: Measured, other: Measured) -> Ratio | None:
    """Time of one variant over time of another: the declared effect, or what the question asked for also.

    None where the two never were in one set-up, since one of them failed.
    """
    if one.effect is not None and one.effect.baseline == other.case.name:
        return one.effect
    return one.beside.get(other.case.variant)


def verdict_of(ratio: Ratio) -> str:
    """The verdict's word; for undecided with what it takes to decide."""
    return undecided(ratio) if ratio.verdict == "undecided" else ratio.verdict


def held_against(
    known: dict[str, Measured], one: str, subject: str, other: str, other_is: str, work: str
) -> list[str]:
    """``Both heads take 1.17x (1.11 to 1.22) the time of digits alone: slower.``, and what work differs.

    Nothing where the two were not measured together.
    """
    ratio = ratio_of(known[one], known[other]) if {one, other} <= known.keys() else None
    if ratio is None:
        return []
    return [
        f"{subject} take {interval(ratio.estimate)} the time of {other_is}: {verdict_of(ratio)}.",
        f"{work} {difference(known[other], known[one])}.",
    ]


def difference(one: Measured, other: Measured) -> str:
    """``28 operators a step (31 to 59) and 11 parameters (109,496 to 109,507)``: exact, so no interval."""
    known = [fact for fact in WORK if fact in one.facts and fact in other.facts]
    told = [_from_to(round(one.facts[fact]), round(other.facts[fact]), WORK[fact]) for fact in known]
    return " and ".join(part for part in (", ".join(told[:-1]), *told[-1:]) if part)


def _from_to(before: int, after: int, what: str) -> str:
    return f"{abs(after - before):,} {what} ({before:,} to {after:,})"


def undecided(ratio: Ratio) -> str:
    """Not knowing, with the smallest slow-down that this run would have called and what would decide it."""
    if ratio.estimate.n < 2:
        return "undecided, since one set-up has no interval; a larger --budget decides"
    could = f"undecided, this run would have called a slow-down of {ratio.detectable:.1%} or more"
    if not ratio.detectable < LARGEST_SLOW_DOWN:
        could = "undecided, this run could not even have called twice the time"
    if ratio.times is None:
        return f"{could}; no reasonable --budget decides at this noise, so near the edge of {TOLERANCE:.0%}"
    return f"{could}; about {max(1.1, ratio.times):.1f} times as many set-ups decide (a larger --budget)"


def milliseconds(estimate: Estimate) -> str:
    """``1.2 ms (0.9 to 1.5)``."""
    value, low, high = (f"{1e3 * x:.1f}" for x in (estimate.value, estimate.low, estimate.high))
    return f"{value} ms ({low} to {high})" if estimate.n > 1 else f"{value} ms (one set-up: no interval)"


def level_change(known: Measured, whose: str = "its") -> str:
    """From which epoch on training has left ``whose`` first speed, and by how much."""
    assert known.level is not None and known.effect is not None
    ratio = known.level.ratio
    if ratio.n < 2:
        return "one run only: no interval, so nothing is claimed; a larger --budget repeats it."
    share = known.course_facts[-1].get("denormal_share", 0.0)
    beside = f"denormal share of the optimizer's state at the end {share:.1%}"
    speed, verdict = f"{interval(inverse(ratio))} {whose} first speed", judge(ratio.low, ratio.high)
    one, many = passes(known)
    first = known.level.first
    if whose != "its" and first and _unlike(first) and _unlike(known.effect.estimate):
        speed = f"{interval(inverse(known.effect.estimate))} {whose} first speed"
        return f"training differs from the first {one} on: it runs at {speed}; {beside}."
    if verdict == "slower" and known.effect.estimate.low > 1.0:
        return f"training runs at {speed} from {one} {known.level.since} on; {beside}."
    if verdict in ("same", "faster"):
        return f"training is no slower in {many}: it ends at {speed}; {beside}."
    return f"it is undecided whether training slows down in {many}: {speed}; {beside}."


def _unlike(ratio: Estimate) -> bool:
    return ratio.low > 1.0 or ratio.high < 1.0


def passes(known: Measured) -> tuple[str, str]:
    """What one pass over the images is called, and all of them: an epoch only where it is a whole one."""
    count, images = len(known.course_s), int(str(known.case.settings.get("images", WHOLE_EPOCH)))
    if images >= WHOLE_EPOCH:
        return "epoch", f"{count} epochs"
    whole = f"{count * images / WHOLE_EPOCH:.1f} epochs, too few to show what more would"
    return "pass", f"{count} passes over {images:,} images ({whole})"


def trained_on(known: Measured) -> str:
    """``On MNIST``; where that does not lie on this machine how to have it."""
    if known.case.settings["data"] == "mnist":
        return "On MNIST"
    fetch = "" if lies_here() else " (MNIST does not lie here; nox -s train fetches it)"
    return f"On synthetic digits{fetch}"


def too_few_batches(settings: Settings) -> str | None:
    """Why an epoch cannot be timed in so many pieces: some would be empty and take no time at all."""
    images, batch_size, pieces = (int(str(settings[n])) for n in ("images", "batch_size", "pieces"))
    batches = math.ceil(images / batch_size)
    if batches >= pieces:
        return None
    return (
        f"an epoch of {images:,} images has {batches} batches of {batch_size:,} and is timed "
        f"in {pieces} pieces; give --batch-size {images // pieces} or less"
    )


def slowing_down(results: Results) -> list[str]:
    """From which epoch on training is slower than at first, and what flushing denormals does to it."""
    runs = results["epoch"]
    said: list[str] = []
    for name, subject in (("keep", "as the tutorial does it"), ("flush", "with denormals flushed")):
        if name in runs:
            opening = subject.capitalize() if said else f"{trained_on(runs[name])}, {subject}"
            said.append(f"{opening}, {level_change(runs[name], WHOSE[name])}")
    return said if possible() else [*said, f"Flushed ones were not tried: {why_not()}."]


def price(subject: str, plain: Measured, graph: Measured) -> str:
    """What the first call costs more than the baseline's, and after how many steps that is paid."""
    extra, effect = graph.extra_first_call_s, graph.effect
    assert extra is not None and effect is not None
    if not extra.low > 0:
        return f"{subject}: the first call differs by {milliseconds(extra)}; no price was found."
    least, most = (
        plain.iteration_s.value * (1.0 - ratio) for ratio in (effect.estimate.high, effect.estimate.low)
    )
    saved = plain.iteration_s.value * (1.0 - effect.estimate.value)
    longer = f"{subject} makes the first call {milliseconds(extra)} longer"
    if saved <= 0:
        return f"{longer}: not paid back here."
    slowest = f"{math.ceil(extra.high / least):,}" if least > 0 else "never"
    quickest, typical = (f"{math.ceil(x):,}" for x in (extra.low / most, extra.value / saved))
    return f"{longer}: paid after {typical} steps ({quickest} to {slowest})."


def line(known: list[Measured]) -> tuple[Estimate, Estimate, float]:
    """``t = t0 + n * t1`` over the sizes measured: both costs in seconds, and how far it misses a size."""
    set_ups = min(len(m.times_s) for m in known)
    sizes = np.array([m.images for m in known], dtype=np.float64)
    times = np.array([m.times_s[:set_ups] for m in known]).T  # (set-ups, sizes)
    coefficients, departure = fit_line(sizes, times)
    fixed, each = (t_interval(column) for column in coefficients.T)
    return fixed, each, departure


def line_in_words(fixed: Estimate, each: Estimate, departure: float) -> str:
    """``A step costs 700 us (690 to 710) and 3.1 us (3.0 to 3.2) an image``; how well the line fits."""
    return (
        f"A step costs {ranged(fixed, 1e6)} us and {ranged(each, 1e6)} us an image; "
        f"the line misses a size by up to {departure:.0%}."
    )


def growth(known: dict[str, Measured]) -> list[str]:
    """Both costs of a step over the batch sizes, the best throughput, and the sizes that come near it."""
    sizes = _without_control(known)
    best, rivals = quickest(sizes)
    also = f"; {either(rivals, 'and')} {'is' if len(rivals) == 1 else 'are'} not told apart from it"
    near = reaching(sizes, 0.9)
    return [
        line_in_words(*line(sizes)),
        f"The best throughput is {ranged(best.images_per_s)} images/s at batch size {best.images}"
        f"{also if rivals else ''}.",
        f"Half of it is reached at {reaching_in_words(reaching(sizes, 0.5))}, nine tenths at "
        f"{reaching_in_words(near)}: {near.value:.0f} is recommended for speed; larger batches need more "
        "memory and make fewer steps an epoch.",
    ]


def growth_fits(known: dict[str, Measured]) -> dict[str, Estimate]:
    """The numbers of these sentences, for the plot."""
    sizes = _without_control(known)
    fixed, each, _ = line(sizes)
    return {"fixed_s": fixed, "image_s": each, "recommended": reaching(sizes, 0.9)}


def _without_control(known: dict[str, Measured]) -> list[Measured]:
    return [measured for name, measured in known.items() if name != CONTROL]


def quickest(known: Sequence[Measured]) -> tuple[Measured, list[Measured]]:
    """The one with the most images a second, and the others that this run did not find to be slower.

    Set-up by set-up, with one error rate for all, as for ratios to a baseline.
    """
    best = max(known, key=lambda m: m.images_per_s.value)
    others = {m.case.variant: m for m in known if m is not best}
    decided = verdicts({name: mean_of(_per_image(m, best)) for name, m in others.items()})
    return best, [m for name, m in others.items() if decided[name] != "slower"]


def _per_image(one: Measured, other: Measured) -> Floats:
    """log(time an image / time an image of the other), a number for each set-up that both had."""
    both = zip(one.times_s, other.times_s, strict=False)  # one that failed has the first few only
    return np.array([math.log(a / one.images * other.images / b) for a, b in both])


def either(known: Sequence[Measured], word: str = "or") -> str:
    """``1, 2 or 5``: their numbers of workers, or else of images, in order."""
    told = [str(n) for n in sorted(int(str(m.case.settings.get("workers", m.images))) for m in known)]
    return f" {word} ".join(part for part in (", ".join(told[:-1]), *told[-1:]) if part)


def reaching(known: list[Measured], share: float) -> Estimate:
    """The smallest size with this share of the best throughput, and its range over the set-ups.

    The range is the least and the largest over the set-ups, no confidence interval: sizes are few.
    """
    by_size = sorted(known, key=lambda m: m.images)
    rates = np.array([m.images / np.array(m.times_s[: min(len(m.times_s) for m in known)]) for m in by_size])
    found = [by_size[int(np.argmax(column >= share * column.max()))].images for column in rates.T]
    middle = np.exp(np.mean(np.log(rates), axis=1))
    value = by_size[int(np.argmax(middle >= share * middle.max()))].images
    return Estimate(value=value, low=min(found), high=max(found), confidence=1.0, n=len(found))


def reaching_in_words(size: Estimate) -> str:
    """``64``, or ``64 (32 to 128 over the set-ups)``."""
    if size.low == size.high:
        return f"{size.value:.0f}"
    return f"{size.value:.0f} ({size.low:.0f} to {size.high:.0f} over the set-ups)"


def each_device(results: Results) -> list[str]:
    """Each device at each batch size, and where a GPU overtakes the CPU."""
    compared = [
        as_fast(f"{part.replace('_', ' ')}: {name} is", measured)
        for part, known in results.items()
        for name, measured in known.items()
        if measured.effect and name != CONTROL
    ]
    return compared + overtaking(results, "the CPU")


def why_no_gpu(choice: Choice) -> str | None:
    """Why no GPU can be measured here; None when one can."""
    if not choice.devices:
        return choice.reason.removesuffix(": CPU").removesuffix(": GPU")
    return None if is_gpu_build() else "MXNet here is the CPU build; uvx nox -s bench installs the GPU build"


def overtaking(results: Results, whom: str) -> list[str]:
    """From which part on each variant is faster than its baseline, in all parts after it too, if in any."""
    said = []
    for name in next(iter(results.values())):
        parts = [(part, known[name].effect) for part, known in results.items() if name in known]
        slower = [n for n, (_, effect) in enumerate(parts) if effect is None or effect.verdict != "faster"]
        first = max(slower, default=-1) + 1
        if name == CONTROL or all(effect is None for _, effect in parts):
            continue
        if first < len(parts):
            said.append(f"{name} overtakes {whom} from {parts[first][0].replace('_', ' ')} on.")
        else:
            said.append(f"{name} is not shown to overtake {whom} up to {parts[-1][0].replace('_', ' ')}.")
    return said


def loaders(results: Results, counts: Sequence[int], cores: int) -> list[str]:
    """The best number of workers, the fast loader beside it, and what limits an epoch."""
    loading, epoch = results["loading"], results["epoch"]
    return [*fastest_loader(loading), *not_tried(loading, counts, cores), *parts_of_epoch(epoch)]


def not_tried(loading: dict[str, Measured], counts: Sequence[int], cores: int) -> list[str]:
    """Which numbers of workers are not known from this run, and why where that is known here."""
    tried = {known.case.settings.get("workers") for known in loading.values()}
    beyond = ", ".join(str(count) for count in counts if count > cores)
    others = ", ".join(str(count) for count in counts if count <= cores and count not in tried)
    on = f"{cores} core{'s' * (cores != 1)}"
    said = [f"Not tried on {on}: {beyond} workers, more than there are cores."] if beyond else []
    return [*said, f"Numbers of workers that this run did not measure: {others}."] if others else said


def fastest_loader(loading: dict[str, Measured]) -> list[str]:
    """Which number of workers loads quickest, what a first batch and memory cost, and the fast loader."""
    best, rivals = quickest([m for name, m in loading.items() if name.startswith("workers_")])
    none, threads = loading.get("workers_0"), [m for n, m in loading.items() if n.startswith("threads_")]
    said = [
        f"Of those tried, the DataLoader is quickest with {_workers(best, rivals)}: {_rate(best, rivals)}."
    ]
    if none is not None and none is not best:
        said.append(f"Without workers it gives {_rate(none)}.")
    if threads:
        best, rivals = quickest(threads)
        rate = ranged(best.images_per_s)
        said.append(f"With threads in place of processes: {rate} images/s with {_workers(best, rivals)}.")
    fast = loading.get("fast")
    if fast is not None and fast.effect is not None:
        times, rate = interval(inverse(fast.effect.estimate)), ranged(fast.images_per_s)
        said.append(f"The fast loader gives {rate} images/s, {times} as fast as without workers.")
    return said


def _workers(best: Measured, rivals: list[Measured]) -> str:
    """``2 workers``, or ``2 or 5 workers, not told apart`` where the run did not decide."""
    counts = either([best, *rivals])
    return f"{counts} {'worker' if counts == '1' else 'workers'}{', not told apart' if rivals else ''}"


def _rate(known: Measured, rivals: Sequence[Measured] = ()) -> str:
    """``193,000 images/s, the first batch after 120 ms, 391 MiB of memory``; whose, where rivals are."""
    memory = known.facts.get("pss_bytes", 0.0)
    beside = f", {memory / 2**20:,.0f} MiB of memory in all its processes" if memory else ""
    first = f"the first batch after {1e3 * known.facts['first_batch_s']:.0f} ms"
    whose = f"{known.case.settings['workers']} give " if rivals else ""
    return f"{whose}{ranged(known.images_per_s)} images/s, {first}{beside}"


EPOCH_PARTS = ("waiting", "computing", "synchronising")
LIMITED_BY = {"waiting": "the loader", "computing": "the step", "synchronising": "reading the metrics"}
UNSPLIT = {"tutorial": "unsplit", "fast": "fast_unsplit"}  # the control of each
SPLIT_COSTS_MOST = 1.1  # times the unsplit epoch: beyond it the splitting itself is what is measured


def parts_of_epoch(epoch: dict[str, Measured]) -> list[str]:
    """An epoch of the tutorial and of the fast way split into its parts, and what limits it."""
    said = []
    for name, subject in (("tutorial", "The tutorial's epoch"), ("fast", "The fast way's epoch")):
        if name not in epoch:
            continue
        shares = {part: epoch[name].round_facts[f"{part}_share"] for part in EPOCH_PARTS}
        told = ", ".join(f"{part} {percent(share)}" for part, share in shares.items())
        said.append(f"{subject} of {epoch[name].images:,} images: {told}; {_limit(shares)}.")
        unsplit = epoch.get(UNSPLIT[name])
        ratio = unsplit and ratio_of(unsplit, epoch[name])
        if ratio:
            said.append(f"Unsplit it takes {interval(ratio.estimate)} the time: {_belief(ratio)}.")
    return said


def percent(share: Estimate) -> str:
    """``62% (55 to 69)``, within what a share can be."""
    value, low, high = (100 * min(1.0, max(0.0, x)) for x in (share.value, share.low, share.high))
    return f"{value:.0f}%" + (f" ({low:.0f} to {high:.0f})" if share.n > 1 else "")


def _limit(shares: dict[str, Estimate]) -> str:
    """Which part takes more than half of an epoch, as far as the intervals tell."""
    part, most = max(shares.items(), key=lambda item: item[1].value)
    if most.n > 1 and most.low > 0.5:
        return f"{LIMITED_BY[part]} limits it"
    if all(share.n > 1 and share.high < 0.5 for share in shares.values()):
        return "no part takes more than half"
    return "undecided which part limits it, if one does; a larger --budget tells"


def _belief(unsplit: Ratio) -> str:
    """Whether the parts of a split epoch stand for the unsplit one."""
    low, high = unsplit.estimate.low, unsplit.estimate.high
    if unsplit.estimate.n > 1 and low > 1.0 / SPLIT_COSTS_MOST and high < SPLIT_COSTS_MOST:
        return "the parts can be believed"
    if high < 1.0 / SPLIT_COSTS_MOST:
        return "splitting costs too much to believe the parts"
    if low > SPLIT_COSTS_MOST:
        return "the unsplit epoch is slower, so that the parts cannot be believed"
    return "undecided whether the parts can be believed; a larger --budget decides"


def ranged(estimate: Estimate, scale: float = 1.0) -> str:
    """``193,000 (191,000 to 195,000)``: the digits that half the interval justifies, three without one."""
    value = estimate.value * scale
    place = estimate.last_place(1.0 / scale)
    if place is None:
        return f"{value:,.3g}" if 0 < abs(value) < 100 else f"{value:,.0f}"
    ends = [
        f"{round(x * scale, place):,.{max(0, place)}f}" for x in (estimate.value, estimate.low, estimate.high)
    ]
    return f"{ends[0]} ({ends[1]} to {ends[2]})"
