"""Whether moving would pay, before anything else is said: of a training step and, where asked, of a call."""

from __future__ import annotations

from collections.abc import Mapping

from bench.answers.latency import ONNX, images_of
from bench.answers.peers import NOT_IN_IT, moves, moving_to
from bench.answers.words import interval
from bench.records.run import CONTROL, Advice, Measured

STEP, CALL = "peers/step", "latency/batch_1"


def moving_in_short(measured: Mapping[str, dict[str, Measured]]) -> Advice | None:
    """One sentence of all that was measured; None where no other framework's step was."""
    compared = {name: m for name, m in measured.get(STEP, {}).items() if name != CONTROL}
    said = moves(compared)
    if not said:
        return None
    sentence = moving_to([*said, *_of_a_call(measured.get(CALL, {}))])
    return Advice(
        title="Would moving pay?",
        variant=None,
        command=None,
        ratio=None,
        sentences=[sentence, NOT_IN_IT],
    )


def _of_a_call(variants: dict[str, Measured]) -> list[str]:
    onnx = variants.get(ONNX)
    if onnx is None or onnx.effect is None:
        return []
    open_ = ", undecided" if onnx.effect.verdict == "undecided" else ""
    return [f"inference of {images_of(variants)} in ONNX Runtime {interval(onnx.effect.estimate)}{open_}"]
