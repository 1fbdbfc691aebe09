"""How many DataLoader workers pay, and where does an epoch's time go?"""

from __future__ import annotations

from itertools import pairwise

from bench.answers.loading import loaders
from bench.machine.identity import cores_granted
from bench.questions.plan import Plan
from bench.questions.question import Part, Question, Quick, Settings, Variant

HERE = "bench.workloads.loading"
COUNTS, TUTORIAL = (0, 1, 2, 4), 5  # the tutorial's own number is measured on any machine
CORES = max(1, int(cores_granted()))
WORKERS = (*(count for count in COUNTS if count <= CORES), TUTORIAL)
PROCESSES = {f"workers_{n}": Variant(settings={"workers": n}) for n in WORKERS}
POOLS = {f"threads_{n}": Variant(settings={"workers": n, "thread_pool": True}) for n in WORKERS if n}
THREADS = Part(variants={"workers_0": PROCESSES["workers_0"], **POOLS}, beside=True)
WAYS = {
    "tutorial": Variant(settings={"way": "tutorial", "workers": TUTORIAL}),
    "unsplit": Variant(settings={"way": "tutorial", "workers": TUTORIAL, "split": False}),
    "fast": Variant(settings={"way": "fast"}),
    "fast_unsplit": Variant(settings={"way": "fast", "split": False}),
}
# Of 20 batches, since 5 workers have 10 under way before the first is asked for.
EPOCH = Part(workload=f"{HERE}:EpochWorkload", settings={"images": 2560}, variants=WAYS, baseline="tutorial")
LESS = ("workers_0", "workers_2", "tutorial", "unsplit", "fast")
IMAGES: dict[str, Settings] = {"epoch": {"images": 1280}}  # in a quick run

QUESTION = Question(
    name="loader_workers",
    asks="How many DataLoader workers pay?",
    workload=f"{HERE}:LoadingWorkload",
    parts={"loading": Part(), "epoch": EPOCH, "threads": THREADS},
    variants={**PROCESSES, "fast": Variant(settings={"way": "fast"})},
    baseline="workers_0",
    # Whether the next more workers pay is asked too, and what splitting an epoch costs.
    also=(*((more, fewer) for fewer, more in pairwise([*PROCESSES][1:])), ("fast_unsplit", "fast")),
    fixed={"batch_size": 128, "data": "synthetic", "images": 1280},
    answer=lambda results: loaders(results, COUNTS, TUTORIAL, getattr(results, "cores", None) or CORES),
    plan=Plan(rounds=3, target=0.25, warm_ups=2, steady_within=0.3, least_blocks=5),
    quick=Quick(LESS, ("loading", "epoch"), {"images": 640}, IMAGES),
)


def test_loader_workers(measured_variant):  # type: ignore[no-untyped-def]
    measured_variant()
