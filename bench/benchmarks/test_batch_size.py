"""How does throughput grow with the batch size?"""

from __future__ import annotations

from bench.answers.sizes import growth, growth_fits
from bench.questions.plan import Plan
from bench.questions.question import Question, Quick, Variant

SIZES = (1, 8, 32, 64, 128, 256, 512, 1024, 2048, 4096)

QUESTION = Question(
    name="batch_size",
    asks="How does throughput grow with the batch size?",
    workload="bench.workloads.steps:StepWorkload",
    variants={str(size): Variant(settings={"batch_size": size}) for size in SIZES},
    baseline="128",
    fixed={"mode": "hybridized", "data": "synthetic"},
    answer=lambda results: growth(results["step"]),
    fits=lambda results: growth_fits(results["step"]),
    plan=Plan(
        target=0.2,  # of the widest of so many: what is recommended hangs on their order
        least_blocks=3,
    ),
    quick=Quick(variants=("1", "8", "64", "128", "512", "4096")),
)


def test_batch_size(measured_variant):  # type: ignore[no-untyped-def]
    measured_variant()
