"""What is said of the training step in other frameworks: whether moving pays, and what it was shown by."""

from __future__ import annotations

from collections.abc import Sequence

from bench.answers.words import interval, milliseconds, ratio_of, verdict_of
from bench.questions.peers import peers_command
from bench.questions.question import Results, Settings
from bench.records.run import CONTROL, Measured, Ratio

LARGEST_BATCH = 2048  # images; the references of larger ones would take minutes
PLAIN = {
    "mxnet_imperative": "MXNet (imperative)",
    "mxnet_hybridized": "MXNet (hybridized)",
    "mxnet_static": "MXNet (static memory)",
    "mxnet_whole_graph": "MXNet (losses in the graph)",
    "numpy": "NumPy",
    "pytorch_eager": "PyTorch (eager)",
    "pytorch_fused": "PyTorch (fused Adam)",
    "pytorch_compiled": "PyTorch (compiled)",
    "jax_jit": "JAX (jit)",
    "pytorch_gpu": "PyTorch (compiled, on the GPU)",
    "jax_gpu": "JAX (jit, on the GPU)",
}
MOVES = ("pytorch_compiled", "jax_jit", "pytorch_gpu", "jax_gpu")  # what the last sentence weighs
NOT_IN_IT = "What a move costs is not in it."
FRAMEWORKS = {"pytorch": "PyTorch", "jax": "JAX"}


def too_large(settings: Settings) -> str | None:
    """Why a batch size cannot be compared; None where it can."""
    size = settings["batch_size"]
    if isinstance(size, int) and size <= LARGEST_BATCH:
        return None
    return f"batch_size is {size}; expected at most {LARGEST_BATCH}, since each is checked in float64 first"


def moving(results: Results) -> list[str]:
    """Each framework against MXNet as the tutorial has it; what a move makes of the time comes last.

    What could not be compared or said comes first, since a screen has room for two sentences, and MXNet's own
    modes after the frameworks.
    """
    compared = {name: m for name, m in results["step"].items() if name != CONTROL}
    said = [
        f"{versioned(m)} takes {interval(m.effect.estimate)} the time of {PLAIN['mxnet_hybridized']}: "
        f"{verdict_of(m.effect)}."
        for name, m in sorted(compared.items(), key=lambda named: named[0].startswith("mxnet"))
        if m.effect is not None
    ]
    said += at_one_thread(results.get("one_thread", {}))
    of_moving = [move(compared)]
    first, last = ([], of_moving) if moves(compared) else (of_moving, [])
    return [
        *missing(compared),
        *first,
        *said,
        threads(compared),
        *first_calls(compared),
        *agreement(compared),
        *last,
    ]


def versioned(compared: Measured) -> str:
    """``PyTorch 2.13.0 (eager)``."""
    name, _, way = PLAIN[compared.case.variant].partition(" ")
    version = compared.case.settings.get("version", "")
    return " ".join(part for part in (name, str(version), way) if part)


def at_one_thread(compared: dict[str, Measured]) -> list[str]:
    """The same with one thread each, in one sentence."""
    ratios = [
        f"{PLAIN[name]} {interval(m.effect.estimate)} ({m.effect.verdict})"
        for name, m in compared.items()
        if m.effect is not None and name != CONTROL
    ]
    if not ratios:
        return []
    return [f"At one thread each, over the time of {PLAIN['mxnet_hybridized']}: {', '.join(ratios)}."]


def threads(compared: dict[str, Measured]) -> str:
    """What each framework computes with where nobody says otherwise."""
    counts: dict[str, str] = {}
    for name, m in compared.items():
        framework = PLAIN[name].partition(" ")[0]
        count = m.facts.get("threads")
        everything = m.facts.get("system_threads")
        words = f"{count:.0f}" if count is not None else "does not tell"
        counts.setdefault(framework, words + (f" of {everything:.0f} in the process" if everything else ""))
    each = "; ".join(f"{name} {words}" for name, words in counts.items())
    return f"Threads, each at its default: {each}."


def first_calls(compared: dict[str, Measured]) -> list[str]:
    """What compiling costs, once."""
    calls = [
        f"{PLAIN[name]} {milliseconds(compared[name].first_call_s)}"
        for name in ("mxnet_hybridized", *MOVES)
        if name in compared
    ]
    return [f"The first call, which compiles: {', '.join(calls)}."]


def agreement(compared: dict[str, Measured]) -> list[str]:
    """By what it was shown that all do the same work."""
    checked = {name: m.facts for name, m in compared.items() if "departure_of_allowed" in m.facts}
    if not checked:
        return []
    shares = {name: facts["departure_of_allowed"] for name, facts in checked.items()}
    worst = max(shares, key=lambda name: shares[name])
    free = min(facts["free_steps"] for facts in checked.values())
    return [
        f"All do the same work: parameters and losses agree with a float64 reference of each one's Adam, "
        f"after up to {free:.0f} steps and in later single ones, within a tenth of what the smallest error "
        f"makes; {PLAIN[worst]} departs most, by {shares[worst]:.1%} of that."
    ]


def missing(compared: dict[str, Measured]) -> list[str]:
    """The frameworks that are not among the results, and where it says why."""
    gone = [
        plain
        for framework, plain in FRAMEWORKS.items()
        if not any(name.startswith(f"{framework}_") for name in compared)
    ]
    if not gone:
        return []
    return [f"Not compared: {' and '.join(gone)}; {peers_command()} tells what is installed."]


def move(compared: dict[str, Measured]) -> str:
    """``Moving the training step to PyTorch (compiled) takes 0.66x (0.65 to 0.67) the time ...``."""
    said = moves(compared)
    if not said:
        return "Nothing can be said of moving: no other framework was compared."
    return f"{moving_to(said)} {NOT_IN_IT}"


def moving_to(said: Sequence[str]) -> str:
    """One sentence of all that a move was measured to make of a time."""
    return f"Moving the training step {'; '.join(said)}."


def moves(compared: dict[str, Measured]) -> list[str]:
    """``to PyTorch (compiled) takes 0.66x (0.65 to 0.67) the time on this CPU``, one a framework."""
    ratios = [(name, compared[name].effect) for name in MOVES if name in compared]
    return [_move(name, ratio, compared) for name, ratio in ratios if ratio is not None]


def _move(name: str, ratio: Ratio, compared: dict[str, Measured]) -> str:
    where = "that on this CPU" if name.endswith("_gpu") else "the time on this CPU"
    best = (
        ratio_of(compared[name], compared["mxnet_whole_graph"]) if "mxnet_whole_graph" in compared else None
    )
    beside = ""
    if best is not None and best.baseline != ratio.baseline:
        open_ = ", undecided" if best.verdict == "undecided" else ""
        beside = f", {interval(best.estimate)} that of MXNet with the losses in the graph{open_}"
    if ratio.verdict == "undecided":
        return f"to {PLAIN[name]} is undecided at {interval(ratio.estimate)} {where}{beside}"
    return f"to {PLAIN[name]} takes {interval(ratio.estimate)} {where}{beside}"
