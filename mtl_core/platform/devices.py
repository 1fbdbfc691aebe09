"""The device a person names, checked by computing on it."""

from __future__ import annotations

import re
from typing import Any

from mtl_core.errors import UserError
from mtl_core.platform.gpu_choice import DEVICE
from mtl_core.platform.mxnet import mx


def device(name: str) -> Any:
    """MXNet's context for ``cpu``, ``cpu(1)``, ``gpu``, ``gpu(1)`` ...

    ``cpu(1)`` is the same processor under another number. Raises UserError for any other name and
    for a GPU that is not there or on which this build cannot compute.
    """
    matched = re.fullmatch(DEVICE, name)
    if not matched:
        raise UserError(f"device is {name!r}; expected cpu, gpu, cpu(1), gpu(1) ... or auto")
    context = mx.Context(matched[1], int(matched[2] or 0))
    if matched[1] == "gpu":
        _compute_on(context, name)
    return context


def _compute_on(gpu: Any, name: str) -> None:
    """Fail now, in one line, and not in the middle of the first step."""
    try:
        count = mx.context.num_gpus()
        if gpu.device_id >= count:
            raise UserError(f"device {name}: MXNet sees {count} GPUs here; use --device cpu")
        (mx.nd.ones((1,), ctx=gpu) + 1).asnumpy()
    except mx.base.MXNetError as error:
        reason = str(error).strip().splitlines()[-1].strip()
        raise UserError(f"device {name} cannot be computed on ({reason}); use --device cpu") from None
