"""An ONNX file in ONNX Runtime on the CPU. Loads no MXNet."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import onnxruntime

from bench.workloads.inference.input_names import in_order
from mtl_core.errors import UserError


class OnnxNetwork:
    """A network in ONNX Runtime; called with NumPy arrays (B, ...), one an input, returns a list of them.

    ``threads`` compute an operator; 0: as many as ONNX Runtime takes by itself. Raises UserError for a file
    that it does not take.
    """

    def __init__(self, path: Path, threads: int = 0) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        try:
            self.session = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # of no common class; it says what it does not take
            raise UserError(
                f"ONNX Runtime does not take {path.name}: {' '.join(str(error).split())}"
            ) from error
        self.inputs = in_order(each.name for each in self.session.get_inputs())

    def own(self, arrays: Iterable[Any]) -> dict[str, Any]:
        """A batch as :meth:`call` takes it."""
        return dict(zip(self.inputs, arrays, strict=True))

    def call(self, batch: dict[str, Any]) -> list[Any]:
        """The outputs as NumPy arrays, computed when it returns."""
        outputs: list[Any] = self.session.run(None, batch)
        return outputs

    def __call__(self, *arrays: Any) -> list[Any]:
        return self.call(self.own(arrays))
