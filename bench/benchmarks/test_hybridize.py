"""What does hybridizing buy, and what does it cost?"""

from __future__ import annotations

import math

from bench.questions import Part, Question, Results, Variant
from bench.records import Measured
from bench.words import as_fast, milliseconds

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
        sentences.append(price(step["imperative"], step["hybridized"]))
    return sentences


def price(plain: Measured, graph: Measured) -> str:
    """What the first call costs more, and after how many steps that is paid."""
    extra, gain = graph.extra_first_call_s, plain.iteration_s.value - graph.iteration_s.value
    assert extra is not None
    if extra.low <= 0:
        return f"Tracing: the first call differs by {milliseconds(extra)}; no price was found."
    paid = f"paid after {math.ceil(extra.value / gain)} steps" if gain > 0 else "not paid back here"
    return f"Tracing makes the first call {milliseconds(extra)} longer: {paid}."


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
