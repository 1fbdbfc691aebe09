"""How many DataLoader workers pay, and where does an epoch's time go?"""

from __future__ import annotations

from bench.machine import cores_granted
from bench.questions import Part, Question, Quick, Results, Variant
from bench.words import beyond_the_cores, fastest_loader, parts_of_epoch

COUNTS = (0, 1, 2, 4)
TUTORIAL = 5  # what the tutorial uses, measured on any machine
CORES = max(1, int(cores_granted()))
WORKERS = (*(count for count in COUNTS if count <= CORES), TUTORIAL)


def answer(results: Results) -> list[str]:
    """The best number of workers, the fast loader beside it, and what limits an epoch."""
    loading, epoch = results["loading"], results["epoch"]
    return [*fastest_loader(loading), *beyond_the_cores(COUNTS, CORES), *parts_of_epoch(epoch)]


EPOCHS = {
    "tutorial": Variant(settings={"way": "tutorial", "workers": TUTORIAL}),
    "unsplit": Variant(settings={"way": "tutorial", "workers": TUTORIAL, "split": False}),
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
        **{f"workers_{n}": Variant(settings={"workers": n}) for n in WORKERS},
        **{f"threads_{n}": Variant(settings={"workers": n, "thread_pool": True}) for n in WORKERS if n},
        "fast": Variant(settings={"way": "fast"}),
    },
    baseline="workers_0",
    also=(("fast_unsplit", "fast"),),
    fixed={"batch_size": 128, "data": "synthetic", "images": 1280},
    answer=answer,
    rounds=2,
    target=0.25,
    warm_ups=2,
    steady_within=0.3,
    least_blocks=3,
    quick=Quick(variants=("workers_0", "workers_2", "tutorial", "unsplit", "fast"), settings={"images": 640}),
)


def test_loader_workers(measured_variant):  # type: ignore[no-untyped-def]
    measured_variant()
