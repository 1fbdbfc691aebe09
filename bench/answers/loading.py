"""What is said of loaders, and of where an epoch's time goes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from bench.answers.words import interval, percent, quickest, ratio_of, time_against
from bench.questions.question import Results
from bench.records.numbers import ranged
from bench.records.run import CONTROL, Estimate, Measured, Ratio
from bench.stats.estimates import combined
from bench.stats.shares import mean_behind

EPOCH_PARTS = ("waiting", "computing", "synchronising")
LIMITED_BY = {"waiting": "the loader", "computing": "the step", "synchronising": "reading the metrics"}
UNSPLIT = {"tutorial": "unsplit", "fast": "fast_unsplit", "epoch": "unsplit"}  # the control of each
SUBJECTS = {"tutorial": "The tutorial's epoch", "fast": "The fast way's epoch"}
WORTH_ANOTHER = 1.5  # times as quick: fewer workers are not called enough where more may be so much quicker
SPLIT_COSTS_MOST = 1.1  # times the unsplit epoch: beyond it the splitting itself is what is measured


def loaders(results: Results, counts: Sequence[int], tutorial: int, cores: int) -> list[str]:
    """The best number of workers, then what limits an epoch, then what the rest is beside the former.

    In this order, since a screen shows the first two sentences alone.
    """
    threads = {name: m for name, m in results.get("threads", {}).items() if name.startswith("threads_")}
    loading, epoch = {**results["loading"], **threads}, results["epoch"]
    most, *rest = fastest_loader(loading)
    return [most, *parts_of_epoch(epoch), *rest, *not_tried(loading, counts, tutorial, cores)]


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
    said = [_enough(best, rivals, "the DataLoader", _images)]
    enough = _fewest(best, rivals)
    if enough.images_per_s.n > 1:
        count = _count(enough)
        said.append(f"With {count or 'no'} worker{'s' * (count != 1)}: {_start(enough)}.")
    if none is not None and none is not enough:
        said.append(f"Without workers it gives {_images(none)}, {_start(none)}.")
    if threads:
        best, rivals = quickest(threads)
        said.append(_enough(best, rivals, "the DataLoader with threads in place of processes", _against_none))
    fast = loading.get("fast")
    if fast is not None and fast.effect is not None:
        times = interval(fast.effect.estimate)
        said.append(f"The fast loader gives {_images(fast)} and takes {times} the time of no workers.")
    return said


def _count(loader: Measured) -> int:
    return int(str(loader.case.settings["workers"]))


def _fewest(best: Measured, rivals: Sequence[Measured]) -> Measured:
    """The fewest workers that are not shown to be slower than the best: what to take."""
    return min([best, *rivals], key=_count)


def _enough(best: Measured, rivals: Sequence[Measured], whose: str, rate: Callable[[Measured], str]) -> str:
    """``2 workers are enough for the DataLoader: 20,000 images/s; 5 take 0.98x (0.92 to 1.05) the time.``

    The fewest are enough where the quickest are not shown to be quicker, and cannot be by much either. Those
    that are fewer still are slower.
    """
    if best.images_per_s.n < 2:
        return f"One set-up does not tell how many workers are enough for {whose}."
    enough = _fewest(best, rivals)
    count, quicker = _count(enough), _count(best)
    if enough is best:
        what = f"{_workers(count)} enough" if rivals else f"Of those tried, {_workers(count)} quickest"
        return f"{what[0].upper()}{what[1:]} for {whose}: {rate(enough)}."
    time = time_against(best, enough)
    beside = f"{quicker} take{'s' * (quicker == 1)} {interval(time)} the time"
    if not time.low > 1.0 / WORTH_ANOTHER:
        few = "none" if count == 0 else f"{count}"
        return f"Undecided how many workers are enough for {whose}: {beside} of {few}."
    said = f"{_workers(count)} enough for {whose}: {rate(enough)}; {beside}."
    return said[0].upper() + said[1:]


def _workers(count: int) -> str:
    return "1 worker is" if count == 1 else f"{count or 'no'} workers are"


def _images(loader: Measured) -> str:
    return f"{ranged(loader.images_per_s)} {loader.case.counts}/s"


def _against_none(loader: Measured) -> str:
    """``4,500 images/s, 1.10x (1.02 to 1.19) the time of no workers``."""
    if loader.effect is None:
        return _images(loader)
    return f"{_images(loader)}, {interval(loader.effect.estimate)} the time of no workers"


def _start(loader: Measured) -> str:
    """``the first batch after 120 ms, 391 MiB of memory in all its processes``."""
    memory = loader.facts.get("pss_bytes", 0.0)
    beside = f", {memory / 2**20:,.0f} MiB of memory in all its processes" if memory else ""
    return f"the first batch after {1e3 * loader.facts['first_batch_s']:.0f} ms{beside}"


def parts_of_epoch(
    epoch: dict[str, Measured], subjects: dict[str, str] = SUBJECTS, samples: str = "images"
) -> list[str]:
    """An epoch of each subject split into its parts, and what limits it."""
    said = []
    for name, subject in subjects.items():
        if name not in epoch:
            continue
        shares = _shares(name, epoch)
        if not shares:  # an epoch that was not split, or a file from before shares were kept
            continue
        parts = ", ".join(f"{part} {percent(share)}" for part, share in shares.items())
        said.append(f"{subject} of {epoch[name].images:,} {samples}: {parts}; {_limit(shares)}.")
        said += _what_follows(name, shares, epoch)
        unsplit = epoch.get(UNSPLIT[name])
        ratio = unsplit and ratio_of(unsplit, epoch[name])
        if ratio:
            said.append(f"Unsplit it takes {interval(ratio.estimate)} the time: {_belief(ratio)}.")
    return said


def _shares(name: str, epoch: Mapping[str, Measured]) -> dict[str, Estimate]:
    """The parts of an epoch; of the baseline also by its control, which is a second measurement of it."""
    facts = [epoch[name].round_facts]
    if epoch[name].effect is None and CONTROL in epoch:
        facts.append(epoch[CONTROL].round_facts)
    shares = {}
    for part in EPOCH_PARTS:
        each = [one[f"{part}_share"] for one in facts if f"{part}_share" in one]
        if len(each) == 1:
            shares[part] = each[0]
        elif each:
            both = combined([mean_behind(share) for share in each], [1 / len(each)] * len(each))
            shares[part] = both.interval()
    return shares


def _largest(shares: dict[str, Estimate]) -> str | None:
    """The part that takes more than each other, as far as the intervals tell; None where they do not."""
    part, most = max(shares.items(), key=lambda item: item[1].value)
    others = [share for name, share in shares.items() if name != part]
    return part if most.n > 1 and all(most.low > share.high for share in others) else None


def _limit(shares: dict[str, Estimate]) -> str:
    """Which part limits an epoch; without a promise where that is not decided."""
    part = _largest(shares)
    if part is not None:
        return f"{LIMITED_BY[part]} limits it"
    if max(share.n for share in shares.values()) < 2:
        return "one set-up does not tell which part limits it"
    return "its largest parts are too alike to tell which limits it"


def _what_follows(name: str, shares: dict[str, Estimate], epoch: Mapping[str, Measured]) -> list[str]:
    """What replacing the loader does to an epoch that it limits, where that was measured and is decided."""
    fast = epoch.get("fast")
    ratio = None if fast is None else ratio_of(fast, epoch[name])
    if name != "tutorial" or _largest(shares) != "waiting" or ratio is None or ratio.verdict != "faster":
        return []
    return [f"With the fast loader in its place an epoch takes {interval(ratio.estimate)} the time: faster."]


def _belief(unsplit: Ratio) -> str:
    """Whether the parts of a split epoch stand for the unsplit one."""
    low, high = unsplit.estimate.low, unsplit.estimate.high
    if unsplit.estimate.n > 1 and low > 1.0 / SPLIT_COSTS_MOST and high < SPLIT_COSTS_MOST:
        return "measuring the parts hardly changes it"
    if 1.0 / SPLIT_COSTS_MOST <= high < 1.0 and low < 1.0 / SPLIT_COSTS_MOST:
        return "measuring the parts slows it, and by how much is not known well"
    if high < 1.0 / SPLIT_COSTS_MOST:
        return "measuring the parts makes it so much slower that they mean little"
    if low > SPLIT_COSTS_MOST:
        return "the unsplit epoch is slower, so that the parts mean little"
    return "too noisy to tell whether measuring the parts changes it"
