"""What is said of devices: which is quicker, and from what batch size on."""

from __future__ import annotations

from bench.answers.words import interval, takes
from bench.questions.question import Results
from bench.records.run import CONTROL
from mtl_core.platform.gpu_choice import Choice, is_gpu_build


def each_device(results: Results) -> list[str]:
    """Each device at each batch size, and where a GPU overtakes the CPU."""
    compared = [
        takes(f"{part.replace('_', ' ')}: {name}", measured)
        for part, variants in results.items()
        for name, measured in variants.items()
        if measured.effect and name != CONTROL
    ]
    return compared + overtaking(results, "the CPU")


def beside_cpu(results: Results, gpus: tuple[str, ...]) -> list[str]:
    """Other frameworks on a GPU that MXNet cannot use, against MXNet on the CPU, at each batch size."""
    where = ", ".join(dict.fromkeys(gpus)) or "a GPU"
    names = {"pytorch_gpu": "PyTorch", "jax_gpu": "JAX"}
    takes = []
    for part, variants in results.items():
        for name, plain in names.items():
            effect = variants[name].effect if name in variants else None
            if effect is not None:
                open_ = " (undecided)" if effect.verdict == "undecided" else ""
                ratio = f"{plain} takes {interval(effect.estimate)} the CPU's time{open_}"
                takes.append(f"{ratio} at {part.replace('_', ' ')}")
    ratios = "; ".join(takes) or "no other framework was measured"
    return [f"On {where} MXNet cannot compute; {ratios}. The CPU's time is that of MXNet, hybridized."]


def why_no_gpu(choice: Choice) -> str | None:
    """Why no GPU can be measured here; None when one can."""
    if not choice.devices:
        return choice.reason.removesuffix(": CPU").removesuffix(": GPU")
    return None if is_gpu_build() else "MXNet here is the CPU build; uvx nox -s bench installs the GPU build"


def overtaking(results: Results, whom: str) -> list[str]:
    """From which part on each variant is faster than its baseline, in all parts after it too, if in any."""
    said = []
    for name in next(iter(results.values())):
        parts = [(part, variants[name].effect) for part, variants in results.items() if name in variants]
        slower = [n for n, (_, effect) in enumerate(parts) if effect is None or effect.verdict != "faster"]
        first = max(slower, default=-1) + 1
        if name == CONTROL or all(effect is None for _, effect in parts):
            continue
        if first < len(parts):
            said.append(f"{name} overtakes {whom} from {parts[first][0].replace('_', ' ')} on.")
        else:
            said.append(f"{name} is not shown to overtake {whom} up to {parts[-1][0].replace('_', ' ')}.")
    return said
