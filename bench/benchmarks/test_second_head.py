"""What does the second head cost, and what does sharing the trunk save?"""

from __future__ import annotations

from bench.answers.words import held_against
from bench.questions.question import Part, Question, Quick, Results, Variant
from mtl_core.config import HEADS


def answer(results: Results) -> list[str]:
    """The second head in time and in work, and what sharing the trunk saves against two networks."""
    both = (results["step"], "both", "Both heads")
    against = (
        held_against(*both, "digits", "digits alone", "The second head adds"),
        held_against(*both, "separate", "two separate networks", "Sharing the trunk saves"),
    )
    return [said[place] for place in (0, 1) for said in against if said]


QUESTION = Question(
    name="second_head",
    asks="What does the second head cost?",
    workload="bench.workloads.steps:StepWorkload",
    parts={part: Part(settings={"part": part}) for part in ("forward", "forward_backward", "step")},
    headline="step",
    variants={
        "digits": Variant(settings={"heads": ["digits"]}),
        "odd_even": Variant(settings={"heads": ["odd_even"]}),
        "both": Variant(settings={"heads": list(HEADS)}),
        "separate": Variant(workload="bench.workloads.steps:SeparateNetworks"),
    },
    baseline="digits",
    also=(("both", "separate"),),
    fixed={"batch_size": 128, "mode": "hybridized", "data": "synthetic"},
    answer=answer,
    counted=True,
    quick=Quick(parts=("step",)),
)


def test_second_head(measured_variant):  # type: ignore[no-untyped-def]
    measured_variant()
