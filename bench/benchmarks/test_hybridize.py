"""What does hybridizing buy, and what does it cost?"""

from __future__ import annotations

from bench.answers.modes import modes_in_words
from bench.questions.question import Part, Question, Quick, Variant
from mtl_core.config import MODES

QUESTION = Question(
    name="hybridize",
    asks="What does hybridizing buy?",
    workload="bench.workloads.steps:StepWorkload",
    parts={part: Part(settings={"part": part}) for part in ("forward", "forward_backward", "step")},
    headline="step",
    variants={mode: Variant(settings={"mode": mode}) for mode in MODES},
    baseline="imperative",
    fixed={"batch_size": 128, "data": "synthetic"},
    answer=lambda results: modes_in_words(results["step"]),
    quick=Quick(parts=("step",)),
)


def test_hybridize(measured_variant):  # type: ignore[no-untyped-def]
    measured_variant()
