"""How does throughput grow with the batch size?"""

from __future__ import annotations

from bench.questions import Question, Quick, Results, Variant
from bench.records import CONTROL, Estimate, Measured
from bench.words import line, line_in_words, ranged, reaching, reaching_in_words

SIZES = tuple(2**power for power in range(13))  # 1, 2, 4 ... 4096


def sizes(results: Results) -> list[Measured]:
    return [m for name, m in results["step"].items() if name != CONTROL]


def answer(results: Results) -> list[str]:
    """Both costs of a step, the best throughput, and the sizes that come near it."""
    known = sizes(results)
    best = max((m for m in known), key=lambda m: m.images_per_s.value)
    return [
        line_in_words(*line(known)),
        f"The best throughput is {ranged(best.images_per_s)} images/s at batch size {best.images}.",
        f"Half of it is reached at {reaching_in_words(reaching(known, 0.5))}, nine tenths at "
        f"{reaching_in_words(reaching(known, 0.9))}: {reaching(known, 0.9).value:.0f} is recommended for "
        "speed; larger batches need more memory and make fewer steps an epoch.",
    ]


def fits(results: Results) -> dict[str, Estimate]:
    fixed, each, _ = line(sizes(results))
    return {"fixed_s": fixed, "image_s": each, "recommended": reaching(sizes(results), 0.9)}


QUESTION = Question(
    name="batch_size",
    asks="How does throughput grow with the batch size?",
    workload="bench.workloads.steps:StepWorkload",
    variants={str(size): Variant(settings={"batch_size": size}) for size in SIZES},
    baseline="128",
    fixed={"mode": "hybridized", "data": "synthetic"},
    answer=answer,
    fits=fits,
    rounds=4,
    target=0.1,
    quick=Quick(variants=("1", "8", "64", "128", "512", "4096")),
)


def test_batch_size(measured_variant):  # type: ignore[no-untyped-def]
    measured_variant()
