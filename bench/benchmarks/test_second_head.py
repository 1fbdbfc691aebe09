"""What does the second head cost, and what does sharing the trunk save?"""

from __future__ import annotations

from bench.questions import Part, Question, Results, Variant
from bench.words import as_fast, interval
from mtl_core.config import HEADS, NetworkConfig
from mtl_core.cost import cost


def answer(results: Results) -> list[str]:
    """The second head in time, parameters and FLOP; two networks against one."""
    step = results["step"]
    one, both = cost(NetworkConfig(heads=("digits",))), cost(NetworkConfig(heads=HEADS))
    sentences = []
    if "both" in step and step["both"].effect:
        sentences.append(
            f"Both heads take {interval(step['both'].effect.estimate)} the time of digits alone: "
            f"{step['both'].effect.verdict}."
        )
    if "separate" in step:
        sentences.append(as_fast("Two separate networks are, against digits alone,", step["separate"]))
    sentences.append(
        f"The second head adds {both.parameters - one.parameters} parameters to {one.parameters} and "
        f"{both.training_flop - one.training_flop} FLOP an image to {one.training_flop} in training."
    )
    return sentences


QUESTION = Question(
    name="second_head",
    asks="What does the second head cost?",
    workload="bench.workloads.steps:StepWorkload",
    parts={part: Part(settings={"part": part}) for part in ("forward", "forward_backward", "step")},
    variants={
        "digits": Variant(settings={"heads": ["digits"]}),
        "odd_even": Variant(settings={"heads": ["odd_even"]}),
        "both": Variant(settings={"heads": list(HEADS)}),
        "separate": Variant(workload="bench.workloads.steps:SeparateNetworks"),
    },
    baseline="digits",
    fixed={"batch_size": 128, "mode": "hybridized"},
    answer=answer,
)


def test_second_head(measured_variant):  # type: ignore[no-untyped-def]
    measured_variant()
