"""What does hybridizing buy, and what does it cost?"""

from __future__ import annotations

import math

from bench.questions import Part, Question, Results, Variant
from bench.words import as_fast

NAMES = {
    "hybridized": "Hybridizing makes the step",
    "static": "With static memory the step is",
    "whole_graph": "With the losses in the graph too the step is",
}


def answer(results: Results) -> list[str]:
    """The step in words, and after how many steps the first call has paid for itself."""
    step = results["step"]
    sentences = [as_fast(words, step[name]) for name, words in NAMES.items() if name in step]
    if "hybridized" in step:
        plain, graph = step["imperative"], step["hybridized"]
        price = graph.first_call_s.value - plain.first_call_s.value
        gain = plain.iteration_s.value - graph.iteration_s.value
        if gain > 0:
            steps = max(0, math.ceil(price / gain))
            sentences.append(
                f"Tracing costs {price * 1e3:.1f} ms more in the first call: paid after {steps} steps."
            )
        else:
            sentences.append(
                f"Tracing costs {price * 1e3:.1f} ms more in the first call and is not paid back here."
            )
    return sentences


QUESTION = Question(
    name="hybridize",
    asks="What does hybridizing buy?",
    workload="bench.workloads.steps:StepWorkload",
    parts={part: Part(settings={"part": part}) for part in ("forward", "forward_backward", "step")},
    variants={mode: Variant(settings={"mode": mode}) for mode in ("imperative", *NAMES)},
    baseline="imperative",
    fixed={"batch_size": 128},
    answer=answer,
)


def test_hybridize(measured_variant):  # type: ignore[no-untyped-def]
    measured_variant()
