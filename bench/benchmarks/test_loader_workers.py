"""How many DataLoader workers pay, and where does an epoch's time go?"""

from __future__ import annotations

from itertools import pairwise

from bench.answers.loading import loaders
from bench.machine.identity import cores_granted
from bench.questions.plan import Plan
from bench.questions.question import Part, Question, Quick, Variant

HERE = "bench.workloads.loading"
COUNTS, TUTORIAL = (0, 1, 2, 4), 5  # the tutorial's own number is measured on any machine
CORES = max(1, int(cores_granted()))
WORKERS = (*(count for count in COUNTS if count <= CORES), TUTORIAL)
WAYS = {
    "tutorial": Variant(settings={"way": "tutorial", "workers": TUTORIAL}),
    "unsplit": Variant(settings={"way": "tutorial", "workers": TUTORIAL, "split": False}),
    "fast": Variant(settings={"way": "fast"}),
    "fast_unsplit": Variant(settings={"way": "fast", "split": False}),
}
# Whether the next more of them pay is asked of each number; no workers are the baseline.
NEXT_MORE = tuple((f"workers_{more}", f"workers_{fewer}") for fewer, more in pairwise(WORKERS) if fewer)
# Of 20 batches, since 5 workers have 10 under way before the first is asked for.
EPOCH = Part(workload=f"{HERE}:EpochWorkload", settings={"images": 2560}, variants=WAYS, baseline="tutorial")
QUICK = ("workers_0", "workers_2", "tutorial", "unsplit", "fast")

QUESTION = Question(
    name="loader_workers",
    asks="How many DataLoader workers pay?",
    workload=f"{HERE}:LoadingWorkload",
    parts={"loading": Part(), "epoch": EPOCH},
    variants={
        **{f"workers_{n}": Variant(settings={"workers": n}) for n in WORKERS},
        **{f"threads_{n}": Variant(settings={"workers": n, "thread_pool": True}) for n in WORKERS if n},
        "fast": Variant(settings={"way": "fast"}),
    },
    baseline="workers_0",
    also=(*NEXT_MORE, ("fast_unsplit", "fast")),
    fixed={"batch_size": 128, "data": "synthetic", "images": 1280},
    answer=lambda results: loaders(results, COUNTS, TUTORIAL, getattr(results, "cores", None) or CORES),
    # Seven variants and more share an error rate: five set-ups at the least.
    plan=Plan(rounds=2, target=0.25, warm_ups=2, steady_within=0.3, least_blocks=5),
    quick=Quick(variants=QUICK, settings={"images": 640}, part_settings={"epoch": {"images": 1280}}),
)


def test_loader_workers(measured_variant):  # type: ignore[no-untyped-def]
    measured_variant()
