"""What does a GPU buy, with the batch already there and with the copy included?"""

from __future__ import annotations

from bench.questions import Part, Question, Results, Variant
from bench.words import as_fast, overtaking
from mtl_core.gpu_choice import choose, is_gpu_build

SIZES = (32, 128, 512, 2048)
CHOICE = choose()


def answer(results: Results) -> list[str]:
    """Each device at each batch size, and where a GPU overtakes the CPU."""
    sentences = []
    for part, known in results.items():
        for name, measured in known.items():
            if measured.effect and name != "control":
                sentences.append(as_fast(f"{part.replace('_', ' ')}: {name} is", measured))
    return sentences + overtaking(results, "the CPU")


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
        answer=answer,
        skipped=lambda: reason,
    )


def reason() -> str | None:
    """Why no GPU can be measured here; None when one can."""
    if not CHOICE.devices:
        return CHOICE.reason.removesuffix(": CPU")
    return None if is_gpu_build() else "MXNet here is the CPU build; uvx nox -s bench installs the GPU build"


QUESTION = question_for(CHOICE.devices, reason())


def test_device(measured_variant):  # type: ignore[no-untyped-def]
    measured_variant()
