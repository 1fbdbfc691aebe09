"""The frameworks beside MXNet: each in an environment of its own, with its versions locked; as variants."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from pathlib import Path

from packaging.requirements import Requirement

from bench.questions.question import Part, Question, Results, Settings, Variant
from bench.questions.workload import PEER
from mtl_core.config import MODES

LOCKS = Path(__file__).parents[1] / "locks"


@dataclass(frozen=True, kw_only=True)
class Peer:
    """An environment of a framework."""

    name: str  # of the environment, of its lock and on the command line
    plain: str  # as sentences say it
    package: str  # whose version is the framework's
    size: str  # what is downloaded, and what it takes on disk, on Linux x86-64
    gpu: bool = False  # made only by its own command: it has gigabytes
    backend: str | None = None  # whose builds uv takes PyTorch from

    @property
    def lock(self) -> Path:
        return LOCKS / f"{self.name}.txt"

    @property
    def version(self) -> str:
        """The version locked for this Python."""
        lines = self.lock.read_text(encoding="utf-8").splitlines()
        for line in lines:
            requirement = Requirement(line) if line and not line.startswith("#") else None
            if requirement is None or requirement.name != self.package:
                continue
            if requirement.marker is None or requirement.marker.evaluate():
                return str(requirement.specifier).removeprefix("==")
        raise ValueError(f"{self.lock.name} locks no {self.package} for this Python")


PEERS = {
    peer.name: peer
    for peer in (
        Peer(
            name="torch",
            plain="PyTorch",
            package="torch",
            size="some 230 MB to download, 0.9 GB on disk",
            backend="cpu",
        ),
        Peer(name="jax", plain="JAX", package="jax", size="some 150 MB to download, 0.6 GB on disk"),
        Peer(
            name="torch-cuda",
            plain="PyTorch",
            package="torch",
            size="several GB, CUDA among them",
            gpu=True,
        ),
        Peer(
            name="jax-cuda",
            plain="JAX",
            package="jax",
            size="several GB, CUDA among them",
            gpu=True,
        ),
    )
}


def peers_command(*options: str) -> str:
    """``bench peers`` with these options, to paste: through nox for who came through nox."""
    if "NOX_CURRENT_SESSION" in os.environ:
        return " ".join(["uvx nox -s peers", *(["--", *options] if options else [])])
    return " ".join(["python -m bench peers", *options])


def install_command(name: str) -> str:
    """What makes an environment, to paste."""
    return peers_command("--install", name)


WORKLOAD = "bench.workloads.peers.workload:peer"
BASELINE = "mxnet_hybridized"  # the tutorial's own
# Threads that compute, one in every framework; each reads its own variable as it starts.
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
    "NPROC": "1",
}
COMPARED = (BASELINE, "mxnet_whole_graph", "numpy", "pytorch_compiled", "jax_jit")  # at one thread


def _of_peer(name: str, way: str, device: str = "cpu") -> Variant:
    peer = PEERS[name]
    framework = name.removesuffix("-cuda")
    settings: Settings = {"framework": framework, "way": way, "version": peer.version, "device": device}
    return Variant(settings=settings, environment={PEER: name})


def of_mxnet(mode: str) -> Variant:
    """MXNet's step in a mode, on the processor."""
    return Variant(settings={"framework": "mxnet", "way": mode})


GPU_VARIANTS = {
    "pytorch_gpu": _of_peer("torch-cuda", "compiled", "cuda"),
    "jax_gpu": _of_peer("jax-cuda", "jit", "cuda"),
}
VARIANTS = {
    **{f"mxnet_{mode}": of_mxnet(mode) for mode in MODES},
    "numpy": Variant(settings={"framework": "numpy", "way": "numpy"}),
    **{f"pytorch_{way}": _of_peer("torch", way) for way in ("eager", "fused", "compiled")},
    "jax_jit": _of_peer("jax", "jit"),
    **GPU_VARIANTS,
}


def with_one_thread() -> dict[str, Variant]:
    """Variants of every framework that compute with one thread each."""
    return {
        name: Variant(
            settings=VARIANTS[name].settings, environment={**VARIANTS[name].environment, **ONE_THREAD}
        )
        for name in COMPARED
    }


def why_no_peer(reason: str, missing: Collection[str]) -> str | None:
    """Why no other framework computes on a GPU that MXNet cannot use; None where one is installed."""
    if not GPU_VARIANTS.keys() <= set(missing):
        return None
    commands = " or ".join(install_command(peer.name) for peer in PEERS.values() if peer.gpu)
    return f"{reason.removesuffix(': CPU')}; others may use it: {commands}"


def on_gpu(
    question: Question,
    reason: str,
    left_out: Callable[[], Collection[str]],
    answer: Callable[[Results], list[str]],
) -> Question:
    """The question with MXNet on the CPU against others on a GPU that it cannot use, for this reason."""
    return replace(
        question,
        workload=WORKLOAD,
        parts={f"batch_{size}": Part(settings={"batch_size": size}) for size in (128, 512)},
        variants={BASELINE: of_mxnet("hybridized"), **GPU_VARIANTS},
        baseline=BASELINE,
        fixed={},
        answer=answer,
        left_out=left_out,
        skipped=lambda: why_no_peer(reason, left_out()),
    )
