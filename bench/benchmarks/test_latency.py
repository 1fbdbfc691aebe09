"""How long does one call take at inference, in MXNet and in ONNX Runtime?"""

from __future__ import annotations

from bench.answers.latency import BASELINE, ONNX, inference
from bench.machine.libraries import why_missing
from bench.questions.plan import Plan
from bench.questions.question import Part, Question, Quick, Variant

SIZES = (1, 8, 32, 128)
WITHOUT_ONNX = ("imperative", "hybridized", BASELINE, "exported")
RUNTIMES = WITHOUT_ONNX if why_missing("onnx", "onnxruntime") else (*WITHOUT_ONNX, ONNX)

QUESTION = Question(
    name="latency",
    asks="How long does one call take at inference?",
    workload="bench.workloads.inference.latency:Latency",
    parts={f"batch_{n}": Part(settings={"batch_size": n, "start": n == SIZES[0]}) for n in SIZES},
    headline=f"batch_{SIZES[0]}",
    variants={runtime: Variant(settings={"runtime": runtime}) for runtime in RUNTIMES},
    baseline=BASELINE,
    fixed={"data": "synthetic"},
    answer=inference,
    plan=Plan(rounds=60, least_blocks=6, fresh=True),  # six: the fewest whose median has an interval
    by_name=True,
    quick=Quick(variants=(BASELINE, ONNX), parts=(f"batch_{SIZES[0]}",), rounds=20),
)


def test_latency(measured_variant):  # type: ignore[no-untyped-def]
    measured_variant()
