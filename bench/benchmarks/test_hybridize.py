"""What does hybridizing buy, and what does it cost?"""

from __future__ import annotations

from bench.answers.words import as_fast, price
from bench.questions.question import Part, Question, Quick, Results, Variant

NAMES = {
    "hybridized": "Hybridizing makes the step",
    "static": "With static memory the step is",
    "whole_graph": "With the losses in the graph too the step is",
}


def answer(results: Results) -> list[str]:
    """The step in words, and after how many steps the first call has paid for itself."""
    step = results["step"]
    there = [name for name in NAMES if name in step]
    sentences = [as_fast(NAMES[name], step[name]) for name in there]
    return sentences + [price(f"Tracing ({name})", step["imperative"], step[name]) for name in there]


QUESTION = Question(
    name="hybridize",
    asks="What does hybridizing buy?",
    workload="bench.workloads.steps:StepWorkload",
    parts={part: Part(settings={"part": part}) for part in ("forward", "forward_backward", "step")},
    headline="step",
    variants={mode: Variant(settings={"mode": mode}) for mode in ("imperative", *NAMES)},
    baseline="imperative",
    fixed={"batch_size": 128, "data": "synthetic"},
    answer=answer,
    quick=Quick(parts=("step",)),
)


def test_hybridize(measured_variant):  # type: ignore[no-untyped-def]
    measured_variant()
