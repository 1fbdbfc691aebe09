"""Loads the CUDA libraries that the GPU build of MXNet needs from the ``nvidia-*-cu11`` wheels.

The GPU wheel bundles none of them. Loading them by path before MXNet, with their symbols global,
lets the dynamic linker find each one under the name that ``libmxnet.so`` asks for, so that nobody
has to install CUDA or set ``LD_LIBRARY_PATH``.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
from pathlib import Path

# In the order of their own dependencies. What the dynamic section of mxnet-cu112's libmxnet.so
# needs, and the wheel each comes from.
CUDA_LIBRARIES = {
    "libcudart.so.11.0": "nvidia-cuda-runtime-cu11",
    "libnvToolsExt.so.1": "nvidia-nvtx-cu11",
    "libnvrtc.so.11.2": "nvidia-cuda-nvrtc-cu11",
    "libcublas.so.11": "nvidia-cublas-cu11",
    "libcufft.so.10": "nvidia-cufft-cu11",
    "libcurand.so.10": "nvidia-curand-cu11",
    "libcusolver.so.11": "nvidia-cusolver-cu11",
    "libcudnn.so.8": "nvidia-cudnn-cu11",
    "libnccl.so.2": "nvidia-nccl-cu11",
}


def nvidia_library_folders() -> list[Path]:
    """The ``lib`` folders of the ``nvidia`` wheels installed here; empty without any."""
    spec = importlib.util.find_spec("nvidia")
    roots = [] if spec is None else list(spec.submodule_search_locations or [])
    return sorted(folder for root in roots for folder in Path(root).glob("*/lib"))


def load_cuda_libraries() -> list[Path]:
    """Load what the wheels offer of :data:`CUDA_LIBRARIES`; the files loaded (none on a CPU build).

    CUDA is told to number GPUs as the driver's own library does, or ``gpu(1)`` would be another than
    the one that :mod:`mtl_core.platform.gpu_choice` took.
    """
    os.environ.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
    folders = nvidia_library_folders()
    libraries = [folder / name for name in CUDA_LIBRARIES for folder in folders if (folder / name).exists()]
    for library in libraries:
        ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL)
    return libraries
