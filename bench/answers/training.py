"""What is said of a training over its epochs."""

from __future__ import annotations

import math

from bench.answers.words import interval
from bench.questions.question import Results, Settings
from bench.records.run import Estimate, Measured
from bench.stats.verdict import TOLERANCE, judge_level
from mtl_core.platform.denormals import possible, why_not

WHOLE_EPOCH = 60_000  # images of MNIST
# Whose first epoch a training is held against.
WHOSE = {"keep": "its", "flush": "the unflushed training's"}


def level_change(training: Measured, whose: str = "its") -> str:
    """From which epoch on an epoch takes another time than ``whose`` first one, and how much."""
    if training.level is None or training.effect is None:  # in files from before epochs were timed in pieces
        raise LookupError("no level of the course of epochs")
    ratio = training.level.ratio
    if ratio.n < 2:
        return "one run only: no interval, so nothing is claimed; a larger --budget repeats it."
    share = training.course_facts[-1].get("denormal_share", 0.0)
    beside = f"denormal share of the optimizer's state at the end {share:.1%}"
    verdict = judge_level(ratio, training.effect.estimate)
    one, many = passes(training)
    an = f"an {one}" if one[0] in "aeiou" else f"a {one}"
    time = f"{interval(ratio)} the time of {whose} first"
    first = training.level.first
    if whose != "its" and first and _unlike(first) and _unlike(training.effect.estimate):
        time = f"{interval(training.effect.estimate)} the time of {whose} first"
        return f"training differs from the first {one} on: {an} takes {time}; {beside}."
    if verdict == "slower":
        return f"from {one} {training.level.since} on {an} takes {time}: slower; {beside}."
    if verdict in ("same", "faster"):
        return f"training is no slower in {many}: in the end {an} takes {time}; {beside}."
    return (
        f"a slow-down of more than {TOLERANCE:.0%} in {many} is neither shown nor ruled out: "
        f"in the end {an} takes {time}; {beside}."
    )


def _unlike(ratio: Estimate) -> bool:
    return ratio.low > 1.0 or ratio.high < 1.0


def passes(training: Measured) -> tuple[str, str]:
    """What one pass over the images is called, and all of them: an epoch only where it is a whole one."""
    count, images = len(training.course_s), _images(training)
    if "steps" in training.case.settings:
        return "stretch", f"{count} stretches of {training.case.settings['steps']} steps"
    if images >= WHOLE_EPOCH:
        return "epoch", f"{count} epochs"
    whole = f"{count * images / WHOLE_EPOCH:.1f} epochs, too few to show what more would"
    return "pass", f"{count} passes over {images:,} images ({whole})"


def _images(training: Measured) -> int:
    """Of one pass."""
    return int(str(training.case.settings.get("images", WHOLE_EPOCH)))


def trained_on(training: Measured) -> str:
    """``On MNIST``, or how to have it; the same on any machine, as a file may be read on another."""
    data = training.case.settings.get("data")  # early files do not tell
    if data != "synthetic":
        return "On MNIST" if data == "mnist" else "On the images of that run"
    return "On synthetic digits (nox -s train fetches MNIST)"


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
    for name, subject in (
        ("keep", "as the tutorial does it (keep)"),
        ("flush", "with denormals taken as zero (flush)"),
    ):
        if name in runs:
            opening = subject.capitalize() if said else f"{trained_on(runs[name])}, {subject}"
            said.append(f"{opening}, {level_change(runs[name], WHOSE[name])}")
    if any(_images(training) < WHOLE_EPOCH for training in runs.values()):
        said.append("What later epochs do takes a full run: python -m bench run drift trains 8 whole ones.")
    return _or_why_unflushed(runs, said)


def _or_why_unflushed(runs: dict[str, Measured], said: list[str]) -> list[str]:
    if "flush" in runs:
        return said
    return [*said, f"Flushed ones were not tried{'' if possible() else f': {why_not()}'}."]


def task_slowing_down(results: Results) -> list[str]:
    """From which stretch on a declared task's training is slower, and what flushing denormals does to it."""
    runs = results["epoch"]
    subjects = {"keep": "As it is declared (keep)", "flush": "With denormals taken as zero (flush)"}
    said = [
        f"{subject}, {level_change(runs[name], WHOSE[name])}"
        for name, subject in subjects.items()
        if name in runs
    ]
    return _or_why_unflushed(runs, said)
