"""CPU or GPU: chosen from what NVML reports, before anything is installed, and told in one line.

Standard library only, since nox runs it in an environment of its own: NVML is a C library that
every NVIDIA driver brings, and a handful of its functions are enough. Source: NVIDIA's NVML API
reference; the compute capabilities are those in the machine code of mxnet-cu112 1.9.1.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import distributions
from typing import Any, NamedTuple

from mtl_core.errors import UserError

# mxnet-cu112 has machine code for 5.0, 6.0, 7.0, 8.0 and 8.6 and no PTX: code for x.y runs on x.z, z >= y.
LEAST, BEYOND = (5, 0), (9, 0)
DEVICE = r"(cpu|gpu)(?:\(([0-9]{1,2})\))?"  # its name: cpu, gpu, cpu(1), gpu(1) ...
HIDES = "CUDA_VISIBLE_DEVICES"
NVML = "libnvidia-ml.so.1"


class Gpu(NamedTuple):
    """One GPU of this machine."""

    name: str
    trouble: str | None  # why MXNet's last GPU build cannot compute on it; None when it can
    too_new: bool = False  # it is made after MXNet's last build, for which others have code


@dataclass(frozen=True)
class Choice:
    """``extra`` is what to install; ``devices`` are MXNet's names of the usable GPUs."""

    extra: str  # "cpu" or "gpu"
    devices: tuple[str, ...]
    reason: str  # one line
    too_new: tuple[str, ...] = ()  # names of GPUs that others can use, where MXNet can use none


class NoDriverError(Exception):
    """NVML is not there or does not answer; says why."""


def ask_nvml(load: Callable[[str], Any] = ctypes.CDLL) -> list[Gpu]:
    """Every GPU of this machine, in the driver's order. Raises NoDriverError."""
    try:
        nvml = load(NVML)
    except OSError:
        raise NoDriverError("no NVIDIA driver") from None
    try:
        _call(nvml, "nvmlInit_v2")
        try:
            count = ctypes.c_uint()
            _call(nvml, "nvmlDeviceGetCount_v2", ctypes.byref(count))
            return [_gpu(nvml, index) for index in range(count.value)]
        finally:
            nvml.nvmlShutdown()
    except AttributeError as error:  # a function that this driver does not have
        raise NoDriverError(f"the NVIDIA driver is too old ({error})") from None


def _gpu(nvml: Any, index: int) -> Gpu:
    device, name = ctypes.c_void_p(), ctypes.create_string_buffer(96)
    major, minor = ctypes.c_int(), ctypes.c_int()
    _call(nvml, "nvmlDeviceGetHandleByIndex_v2", ctypes.c_uint(index), ctypes.byref(device))
    _call(nvml, "nvmlDeviceGetName", device, name, ctypes.c_uint(len(name)))
    _call(nvml, "nvmlDeviceGetCudaComputeCapability", device, ctypes.byref(major), ctypes.byref(minor))
    model, capability = name.value.decode(errors="replace"), (major.value, minor.value)
    instances = _mig_instances(nvml, device)
    too_new = capability >= BEYOND and instances != 0
    return Gpu(model, _trouble(model, capability, instances), too_new)


def _trouble(name: str, capability: tuple[int, int], mig_instances: int | None) -> str | None:
    if not LEAST <= capability < BEYOND:
        version = ".".join(map(str, capability))
        return f"{name} is compute capability {version}; the last MXNet has no machine code for it"
    if mig_instances == 0:
        return f"{name} is in MIG mode without an instance"
    return None


def _mig_instances(nvml: Any, device: ctypes.c_void_p) -> int | None:
    """How many MIG instances a GPU is split into; None where it is not or cannot be."""
    on, pending, most = ctypes.c_uint(), ctypes.c_uint(), ctypes.c_uint()
    try:
        refused = nvml.nvmlDeviceGetMigMode(device, ctypes.byref(on), ctypes.byref(pending))
    except AttributeError:  # a driver from before MIG
        return None
    if refused or not on.value:
        return None
    _call(nvml, "nvmlDeviceGetMaxMigDeviceCount", device, ctypes.byref(most))
    instance, find = ctypes.c_void_p(), nvml.nvmlDeviceGetMigDeviceHandleByIndex
    codes = [find(device, ctypes.c_uint(i), ctypes.byref(instance)) for i in range(most.value)]
    return codes.count(0)


def _call(nvml: Any, function: str, *arguments: object) -> None:
    code = getattr(nvml, function)(*arguments)
    if code != 0:
        raise NoDriverError(f"the NVIDIA driver does not answer ({function} returned {code})")


def visible(gpus: list[Gpu]) -> list[Gpu]:
    """The GPUs that ``$CUDA_VISIBLE_DEVICES`` leaves to CUDA, in CUDA's order, as it reads the numbers there.

    All of them where it is not set or names them by UUID, which the names here do not tell.
    """
    if HIDES not in os.environ:
        return gpus
    shown = []
    for number in os.environ[HIDES].split(","):
        if number.strip().startswith(("GPU-", "MIG-")):
            return gpus
        if not number.strip().isdigit() or int(number) >= len(gpus):
            break  # CUDA reads as far as it understands
        shown.append(gpus[int(number)])
    return shown


def _no_gpu() -> str:
    return f"{HIDES} hides every GPU" if HIDES in os.environ else "the driver reports no GPU"


def choose(ask: Callable[[], list[Gpu]] = ask_nvml) -> Choice:
    """GPU when a device is one that MXNet's last wheel has machine code for, else CPU, and why.

    ``$MTL_DEVICE`` (cpu or gpu) decides otherwise. Raises UserError for any other value of it.
    """
    wanted = os.environ.get("MTL_DEVICE", "")
    if wanted not in ("", "cpu", "gpu"):
        raise UserError(
            f'MTL_DEVICE is "{wanted}", expected "cpu" or "gpu"; unset it to let the driver decide'
        )
    if wanted == "cpu":
        return Choice("cpu", (), "MTL_DEVICE=cpu: CPU")
    try:
        gpus = visible(ask())
        trouble = "; ".join(gpu.trouble for gpu in gpus if gpu.trouble) or _no_gpu()
    except NoDriverError as error:
        gpus, trouble = [], str(error)
    usable = {f"gpu({index})": gpu.name for index, gpu in enumerate(gpus) if gpu.trouble is None}
    if usable:
        return Choice("gpu", tuple(usable), f"{', '.join(usable.values())}: GPU")
    if wanted == "gpu":
        return Choice("gpu", (), f"MTL_DEVICE=gpu, though {trouble}: GPU")
    return Choice("cpu", (), f"{trouble}: CPU", tuple(gpu.name for gpu in gpus if gpu.too_new))


def default_device(ask: Callable[[], list[Gpu]] = ask_nvml) -> str:
    """MXNet's name of the device to compute on where none was named.

    The first GPU that can be used, where the MXNet installed is a GPU build; the CPU otherwise.
    """
    if not is_gpu_build():
        return "cpu"
    return next(iter(choose(ask).devices), "cpu")


def is_gpu_build() -> bool:
    """Whether the MXNet installed here is a GPU build, by its distribution's name; loads nothing."""
    return any(
        (distribution.metadata["Name"] or "").lower().startswith("mxnet-cu")
        for distribution in distributions()
    )
