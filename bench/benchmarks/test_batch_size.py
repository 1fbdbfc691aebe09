"""How does throughput grow with the batch size?"""

from __future__ import annotations

from bench.questions import Question, Results, Variant
from bench.words import line

SIZES = tuple(2**power for power in range(13))  # 1, 2, 4 ... 4096


def answer(results: Results) -> list[str]:
    """The sizes that reach half and nine tenths of the best throughput, and one to recommend."""
    known = {m.images: m.images_per_s for name, m in results["step"].items() if name != "control"}
    best = max(known, key=lambda size: known[size].value)
    reach = {
        share: min(s for s in known if known[s].value >= share * known[best].value) for share in (0.5, 0.9)
    }
    fit = line([m for name, m in results["step"].items() if name != "control"])
    return [
        fit,
        f"The best throughput is {known[best].value:,.0f} images/s "
        f"({known[best].low:,.0f} to {known[best].high:,.0f}) at batch size {best}.",
        f"Half of it is reached at {reach[0.5]}, nine tenths at {reach[0.9]}: {reach[0.9]} is recommended "
        "for speed; larger batches need more memory and make fewer steps an epoch.",
    ]


QUESTION = Question(
    name="batch_size",
    asks="How does throughput grow with the batch size?",
    workload="bench.workloads.steps:StepWorkload",
    variants={str(size): Variant(settings={"batch_size": size}) for size in SIZES},
    baseline="128",
    fixed={"mode": "hybridized"},
    answer=answer,
    rounds=4,
    target=0.05,
    least_blocks=3,
    quick=("1", "8", "64", "128", "512", "4096"),
)


def test_batch_size(measured_variant):  # type: ignore[no-untyped-def]
    measured_variant()
