"""What does a GPU buy, with the batch already there and with the copy included?"""

from __future__ import annotations

from bench.answers.devices import beside_cpu, each_device, why_no_gpu
from bench.harness.peers import not_installed
from bench.harness.probe import nothing_computes
from bench.questions.peers import on_gpu
from bench.questions.question import Part, Question, Variant
from mtl_core.platform.gpu_choice import Choice, choose

SIZES = (32, 128, 512, 2048)


def question_for(devices: tuple[str, ...], reason: str | None) -> Question:
    """CPU against each device; ``reason`` says why nothing can be compared here."""
    there = {f"{name}_{way}": (name, way == "copied") for name in devices for way in ("resident", "copied")}
    gpus = {n: Variant(settings={"device": d, "copy_each_batch": c}) for n, (d, c) in there.items()}
    return Question(
        name="device",
        asks="What does a GPU buy?",
        workload="bench.workloads.steps:StepWorkload",
        parts={f"batch_{size}": Part(settings={"batch_size": size}) for size in SIZES},
        variants={"cpu": Variant(), **gpus},
        baseline="cpu",
        fixed={"data": "synthetic"},
        answer=each_device,
        skipped=lambda: reason or nothing_computes(devices),
    )


def in_other_frameworks(choice: Choice) -> Question:
    """MXNet's step on the CPU against others' on a GPU that MXNet cannot use."""
    question = question_for((), None)
    return on_gpu(question, choice.reason, not_installed, lambda r: beside_cpu(r, choice.too_new))


C = choose()
QUESTION = in_other_frameworks(C) if C.too_new else question_for(C.devices, why_no_gpu(C))


def test_device(measured_variant):  # type: ignore[no-untyped-def]
    measured_variant()
