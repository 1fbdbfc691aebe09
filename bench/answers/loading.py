"""What is said of loaders, and of where an epoch's time goes."""

from __future__ import annotations

from collections.abc import Sequence

from bench.answers.words import either, interval, percent, quickest, ratio_of
from bench.questions.question import Results
from bench.records.numbers import ranged
from bench.records.run import Estimate, Measured, Ratio
from bench.stats.estimates import inverse

EPOCH_PARTS = ("waiting", "computing", "synchronising")
LIMITED_BY = {"waiting": "the loader", "computing": "the step", "synchronising": "reading the metrics"}
UNSPLIT = {"tutorial": "unsplit", "fast": "fast_unsplit", "epoch": "unsplit"}  # the control of each
SUBJECTS = {"tutorial": "The tutorial's epoch", "fast": "The fast way's epoch"}
SPLIT_COSTS_MOST = 1.1  # times the unsplit epoch: beyond it the splitting itself is what is measured


def loaders(results: Results, counts: Sequence[int], tutorial: int, cores: int) -> list[str]:
    """The best number of workers, the fast loader beside it, and what limits an epoch."""
    loading, epoch = results["loading"], results["epoch"]
    return [*fastest_loader(loading), *not_tried(loading, counts, tutorial, cores), *parts_of_epoch(epoch)]


def not_tried(loading: dict[str, Measured], counts: Sequence[int], tutorial: int, cores: int) -> list[str]:
    """Which numbers of workers are not known from this run, and why where that is known here.

    Those beyond the cores make no sense, but for the tutorial's own number, which one wants to know.
    """
    beyond = ", ".join(str(count) for count in counts if count > cores)
    on = f"{cores} core{'s' * (cores != 1)}"
    said = [f"Not tried on {on}: {beyond} workers, more than there are cores."] if beyond else []
    if tutorial > cores and f"workers_{tutorial}" in loading:
        said.append(f"{tutorial} workers are more than the {on}: measured since they are the tutorial's.")
    wanted = [*(count for count in counts if count <= cores), tutorial]
    kinds = {"processes": ("workers", wanted), "threads": ("threads", [n for n in wanted if n])}
    others = {
        kind: ", ".join(str(n) for n in numbers if f"{prefix}_{n}" not in loading)
        for kind, (prefix, numbers) in kinds.items()
    }
    unmeasured = "; ".join(f"{numbers} as {kind}" for kind, numbers in others.items() if numbers)
    return [*said, f"Numbers of workers that this run did not measure: {unmeasured}."] if unmeasured else said


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
        rate = f"{ranged(best.images_per_s)} {best.case.counts}/s"
        said.append(f"With threads in place of processes: {rate} with {_workers(best, rivals)}.")
    fast = loading.get("fast")
    if fast is not None and fast.effect is not None:
        times, rate = interval(inverse(fast.effect.estimate)), ranged(fast.images_per_s)
        said.append(f"The fast loader gives {rate} images/s, {times} as fast as without workers.")
    return said


def _workers(best: Measured, rivals: list[Measured]) -> str:
    """``2 workers``, or ``2 or 5 workers, not told apart`` where the run did not decide."""
    counts = either([best, *rivals])
    return f"{counts} {'worker' if counts == '1' else 'workers'}{', not told apart' if rivals else ''}"


def _rate(loader: Measured, rivals: Sequence[Measured] = ()) -> str:
    """``193,000 images/s, the first batch after 120 ms, 391 MiB of memory``; whose, where rivals are."""
    memory = loader.facts.get("pss_bytes", 0.0)
    beside = f", {memory / 2**20:,.0f} MiB of memory in all its processes" if memory else ""
    first = f"the first batch after {1e3 * loader.facts['first_batch_s']:.0f} ms"
    whose = f"{loader.case.settings['workers']} give " if rivals else ""
    return f"{whose}{ranged(loader.images_per_s)} {loader.case.counts}/s, {first}{beside}"


def parts_of_epoch(
    epoch: dict[str, Measured], subjects: dict[str, str] = SUBJECTS, samples: str = "images"
) -> list[str]:
    """An epoch of each subject split into its parts, and what limits it."""
    said = []
    for name, subject in subjects.items():
        if name not in epoch:
            continue
        facts = epoch[name].round_facts
        shares = {part: facts[f"{part}_share"] for part in EPOCH_PARTS if f"{part}_share" in facts}
        if not shares:  # an epoch that was not split, or a file from before shares were kept
            continue
        parts = ", ".join(f"{part} {percent(share)}" for part, share in shares.items())
        said.append(f"{subject} of {epoch[name].images:,} {samples}: {parts}; {_limit(shares)}.")
        unsplit = epoch.get(UNSPLIT[name])
        ratio = unsplit and ratio_of(unsplit, epoch[name])
        if ratio:
            said.append(f"Unsplit it takes {interval(ratio.estimate)} the time: {_belief(ratio)}.")
    return said


def _limit(shares: dict[str, Estimate]) -> str:
    """Which part takes more than each other, as far as the intervals tell."""
    part, most = max(shares.items(), key=lambda item: item[1].value)
    if most.n < 2:
        return "one set-up does not tell which part limits it"
    others = [share for name, share in shares.items() if name != part]
    if all(most.low > share.high for share in others):
        return f"{LIMITED_BY[part]} limits it"
    return "its largest parts are too alike to tell which limits it"


def _belief(unsplit: Ratio) -> str:
    """Whether the parts of a split epoch stand for the unsplit one."""
    low, high = unsplit.estimate.low, unsplit.estimate.high
    if unsplit.estimate.n > 1 and low > 1.0 / SPLIT_COSTS_MOST and high < SPLIT_COSTS_MOST:
        return "measuring the parts hardly changes it"
    if high < 1.0 / SPLIT_COSTS_MOST:
        return "measuring the parts makes it so much slower that they mean little"
    if low > SPLIT_COSTS_MOST:
        return "the unsplit epoch is slower, so that the parts mean little"
    return "too noisy to tell whether measuring the parts changes it"
