"""What does a GPU buy, with the batch already there and with the copy included?"""

from __future__ import annotations

from bench.answers.devices import each_device, why_no_gpu
from bench.harness.probe import nothing_computes
from bench.questions.question import Part, Question, Variant
from mtl_core.platform.gpu_choice import choose

SIZES = (32, 128, 512, 2048)
CHOICE = choose()


def question_for(devices: tuple[str, ...], reason: str | None) -> Question:
    """CPU against each device; ``reason`` says why nothing can be compared here."""
    there = {f"{name}_{way}": (name, way == "copied") for name in devices for way in ("resident", "copied")}
    return Question(
        name="device",
        asks="What does a GPU buy?",
        workload="bench.workloads.steps:StepWorkload",
        parts={f"batch_{size}": Part(settings={"batch_size": size}) for size in SIZES},
        variants={
            "cpu": Variant(),
            **{n: Variant(settings={"device": d, "copy_each_batch": c}) for n, (d, c) in there.items()},
        },
        baseline="cpu",
        fixed={"data": "synthetic"},
        answer=each_device,
        skipped=lambda: reason or nothing_computes(devices),
    )


QUESTION = question_for(CHOICE.devices, why_no_gpu(CHOICE))


def test_device(measured_variant):  # type: ignore[no-untyped-def]
    measured_variant()
