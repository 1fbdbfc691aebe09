"""How many DataLoader workers pay, and where does an epoch's time go?"""

from __future__ import annotations

import os

from bench.questions import Part, Question, Results, Variant
from bench.words import interval

COUNTS = (0, 1, 2, 4)
TUTORIAL = 5  # what the tutorial uses, measured on any machine
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
WORKERS = (*(count for count in COUNTS if count <= 2 * CORES), TUTORIAL)


def answer(results: Results) -> list[str]:
    """The best number of workers, the fast loader beside it, and what limits an epoch."""
    loading = results["loading"]
    ways = {name: m.images_per_s for name, m in loading.items() if name.startswith("workers_")}
    best = max(ways, key=lambda name: ways[name].value)
    left_out = [str(count) for count in COUNTS if count not in WORKERS]
    sentences = [
        f"The DataLoader is quickest with {best.split('_')[1]} workers: {ways[best].value:,.0f} images/s."
    ]
    if left_out:
        sentences.append(f"Not tried on {CORES} cores: {', '.join(left_out)} workers.")
    fast = loading.get("fast")
    if fast is not None:
        times = fast.images_per_s.value / ways[best].value
        sentences.append(
            f"The fast loader gives {fast.images_per_s.value:,.0f} images/s, {times:.0f} times that."
        )
    return sentences + _epoch(results)


def _epoch(results: Results) -> list[str]:
    """An epoch split into its parts, and the split held against the unsplit control."""
    whole = results["epoch"]["tutorial"]
    parts = {n: whole.course_facts[-1][f"{n}_s"] for n in ("waiting", "computing", "synchronising")}
    total = sum(parts.values()) or 1.0
    shares = ", ".join(f"{n} {seconds / total:.0%}" for n, seconds in parts.items())
    limit = "the loader" if parts["waiting"] > total / 2 else "the step"
    sentences = [f"The tutorial's epoch: {shares}; {limit} limits it."]
    effect = results["epoch"]["unsplit"].effect if "unsplit" in results["epoch"] else None
    if effect:
        sentences.append(
            f"Unsplit it takes {interval(effect.estimate)} the time, so the parts can be believed."
        )
    return sentences


EPOCHS = {
    "tutorial": Variant(settings={"way": "tutorial"}),
    "unsplit": Variant(settings={"way": "tutorial", "split": False}),
    "fast": Variant(settings={"way": "fast"}),
    "fast_unsplit": Variant(settings={"way": "fast", "split": False}),
}

QUESTION = Question(
    name="loader_workers",
    asks="How many DataLoader workers pay?",
    workload="bench.workloads.loading:LoadingWorkload",
    parts={
        "loading": Part(),
        "epoch": Part(workload="bench.workloads.loading:EpochWorkload", variants=EPOCHS, baseline="tutorial"),
    },
    variants={
        **{f"workers_{count}": Variant(settings={"workers": count}) for count in WORKERS},
        "threads_2": Variant(settings={"workers": 2, "thread_pool": True}),
        "fast": Variant(settings={"way": "fast"}),
    },
    baseline="workers_0",
    answer=answer,
    rounds=2,
    target=0.1,
    least_blocks=3,
    quick=("workers_0", "workers_2", f"workers_{TUTORIAL}", "fast"),
)


def test_loader_workers(measured_variant):  # type: ignore[no-untyped-def]
    measured_variant()
