"""CPU or GPU: chosen from what NVML reports, before anything is installed, and told in one line.

Standard library only, since nox runs it in an environment of its own: NVML is a C library that
every NVIDIA driver brings, and five of its functions are enough.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from dataclasses import dataclass

# mxnet-cu112 has machine code for 5.0, 6.0, 7.0, 8.0 and 8.6 and no PTX: code for x.y runs on x.z, z >= y.
LEAST, BEYOND = (5, 0), (9, 0)
Gpu = tuple[str, tuple[int, int]]  # name, compute capability


@dataclass(frozen=True)
class Choice:
    """``extra`` is what to install; ``devices`` are MXNet's names of the usable GPUs."""

    extra: str  # "cpu" or "gpu"
    devices: tuple[str, ...]
    reason: str  # one line


class NoDriverError(Exception):
    """NVML is not there or does not answer; says why."""


def ask_nvml() -> list[Gpu]:
    """Name and compute capability of each GPU. Raises NoDriverError."""
    try:
        nvml = ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        raise NoDriverError("no NVIDIA driver") from None
    _checked(nvml.nvmlInit_v2(), "nvmlInit")
    try:
        count = ctypes.c_uint()
        _checked(nvml.nvmlDeviceGetCount_v2(ctypes.byref(count)), "nvmlDeviceGetCount")
        return [_gpu(nvml, index) for index in range(count.value)]
    finally:
        nvml.nvmlShutdown()


def _gpu(nvml: ctypes.CDLL, index: int) -> Gpu:
    device, name = ctypes.c_void_p(), ctypes.create_string_buffer(96)
    major, minor = ctypes.c_int(), ctypes.c_int()
    _checked(nvml.nvmlDeviceGetHandleByIndex_v2(index, ctypes.byref(device)), "nvmlDeviceGetHandleByIndex")
    _checked(nvml.nvmlDeviceGetName(device, name, len(name)), "nvmlDeviceGetName")
    capability = nvml.nvmlDeviceGetCudaComputeCapability
    _checked(
        capability(device, ctypes.byref(major), ctypes.byref(minor)), "nvmlDeviceGetCudaComputeCapability"
    )
    return name.value.decode(errors="replace"), (major.value, minor.value)


def _checked(code: int, function: str) -> None:
    if code != 0:
        raise NoDriverError(f"the NVIDIA driver does not answer ({function} returned {code})")


def choose(ask: Callable[[], list[Gpu]] = ask_nvml) -> Choice:
    """GPU when a device is one that MXNet's last wheel has machine code for, else CPU, and why.

    ``$MTL_DEVICE`` (cpu or gpu) decides without asking.
    """
    wanted = os.environ.get("MTL_DEVICE")
    if wanted == "cpu":
        return Choice("cpu", (), "MTL_DEVICE=cpu: CPU")
    try:
        found = ask()
    except NoDriverError as error:
        found, trouble = [], str(error)
    else:
        trouble = "the driver reports no GPU"
    usable = [i for i, (_, capability) in enumerate(found) if LEAST <= capability < BEYOND]
    if usable or wanted == "gpu":
        names = ", ".join(found[i][0] for i in usable) or "MTL_DEVICE=gpu"
        return Choice("gpu", tuple(f"gpu({i})" for i in usable), f"{names}: GPU")
    if found:
        trouble = "; ".join(_unusable(*gpu) for gpu in found)
    return Choice("cpu", (), f"{trouble}: CPU")


def _unusable(name: str, capability: tuple[int, int]) -> str:
    version = ".".join(map(str, capability))
    return f"{name} is compute capability {version}; the last MXNet has no machine code for it"
