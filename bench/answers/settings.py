"""Which settings to train with on this machine: the combination is measured, not multiplied together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.answers.moving import moving_in_short
from bench.answers.words import interval
from bench.questions.question import Results
from bench.records.run import Advice, Case, Measured, SettingWorth
from bench.stats.verdict import TOLERANCE

GROUP, MODES_GROUP = "settings/epoch", "hybridize/step"
USUAL = "tutorial"
DENORMALS = "MTL_DENORMALS"
# From the cheapest to set to the dearest: memory, processes and what has to be changed.
CHEAPEST_FIRST = (USUAL, "whole_graph", "fewer_workers", "fast_loader", "together", "together_512")
# How a plot's row is called: by the options of the line to paste, so that a reader finds them there.
LABELS = {
    "whole_graph": "--mode whole_graph",
    "fast_loader": "--loader fast",
    "together_512": "... and --batch-size 512",
}
LARGER_BATCH = (
    "Batches of {size} in place of {usual} make fewer steps an epoch, and a network may need more epochs to "
    "learn as much: compare the test accuracies that training prints."
)
FLUSHED = "--denormals flush: numbers below 1e-38 become zero; learning does not need them."


def advice_of(measured: Mapping[str, dict[str, Measured]]) -> Advice | None:
    """What to set by what was measured; None where the question was not asked."""
    if GROUP in measured:
        return recommended(measured[GROUP])
    moving = moving_in_short(measured)
    if moving is not None:
        return moving
    step = measured.get(MODES_GROUP, {})
    return recommended_mode(step) if any("network" in m.case.settings for m in step.values()) else None


def recommended(epoch: Mapping[str, Measured]) -> Advice:
    """The cheapest of the settings that are fastest, if any is decided to be faster than the usual ones."""
    tried = {name: epoch[name] for name in CHEAPEST_FIRST if name in epoch and epoch[name].effect is not None}
    worth = [
        SettingWorth(name=name, words=_label(m.case), ratio=m.effect.estimate, verdict=m.effect.verdict)
        for name, m in tried.items()
        if m.effect is not None
    ]
    faster = [one for one in worth if one.verdict == "faster" and one.ratio.n > 1]
    if not faster:
        return Advice(variant=None, command=None, ratio=None, sentences=[_why_none(worth)], worth=worth)
    chosen = _cheapest_of_fastest(faster, epoch, CHEAPEST_FIRST)
    return Advice(
        variant=chosen.name,
        command=command_of(epoch[chosen.name].case),
        ratio=chosen.ratio,
        sentences=_sentences(chosen, worth, epoch),
        worth=worth,
        alone=_alone(chosen, worth),
    )


def _why_none(worth: list[SettingWorth]) -> str:
    return _no_advice(
        worth,
        "No recommendation: one set-up tells nothing; a larger --budget does.",
        "The tutorial's settings are as fast as any that were tried",
        "of the tutorial's settings",
    )


def _no_advice(worth: list[SettingWorth], nothing: str, best_already: str, of_what: str) -> str:
    """Why nothing is recommended; ``nothing`` where no other choice was measured."""
    if not worth:
        return nothing
    if max(one.ratio.n for one in worth) < 2:
        return "No recommendation: one set-up tells nothing; a larger --budget does."
    if all(one.verdict in ("same", "slower") for one in worth):
        return f"{best_already}: nothing to change."
    best = min(worth, key=lambda one: one.ratio.value)
    return (
        f"No recommendation: nothing is decided. The best looking is {best.words}, "
        f"{interval(best.ratio)} the time {of_what}."
    )


def _cheapest_of_fastest(
    faster: list[SettingWorth], epoch: Mapping[str, Measured], order: Sequence[str]
) -> SettingWorth:
    """The cheapest that is as fast as the fastest, as far as can be told."""
    best = min(faster, key=lambda one: one.ratio.value)
    alike = [one for one in faster if one is best or _as_fast(one, best, epoch)]
    return min(alike, key=lambda one: order.index(one.name))


def _as_fast(one: SettingWorth, best: SettingWorth, epoch: Mapping[str, Measured]) -> bool:
    """Whether a cheaper setting is as fast: by their own ratio where it was asked for, else by intervals."""
    beside = epoch[best.name].beside.get(one.name)
    if beside is not None:
        return beside.verdict != "faster"
    return one.ratio.value <= best.ratio.value * (1.0 + TOLERANCE) or one.ratio.low <= best.ratio.value


# From the least to write to the most: how a declared network is run in each mode.
HOW = {
    "hybridized": "network.hybridize()",
    "static": "network.hybridize(static_alloc=True, static_shape=True)",
    "whole_graph": "with_losses.hybridize(static_alloc=True, static_shape=True)  # one HybridBlock",
}


def recommended_mode(step: Mapping[str, Measured]) -> Advice:
    """How to run a declared network: the simplest of the fastest modes that compute what imperative does."""
    tried = {name: step[name] for name in HOW if name in step}
    other = [name for name, m in tried.items() if m.case.something_else]
    worth = [
        SettingWorth(name=name, words=name, ratio=m.effect.estimate, verdict=m.effect.verdict)
        for name, m in tried.items()
        if m.effect is not None and name not in other
    ]
    left_out = [f"Not recommended: {name}, which {step[name].case.something_else}." for name in other]
    faster = [one for one in worth if one.verdict == "faster" and one.ratio.n > 1]
    if not faster:
        return Advice(
            variant=None, command=None, ratio=None, sentences=[_no_mode(worth), *left_out], worth=worth
        )
    chosen = _cheapest_of_fastest(faster, step, tuple(HOW))
    network = step[chosen.name].case.settings["network"]
    sentence = f"A step of {network} then takes {interval(chosen.ratio)} the time of an imperative one."
    return Advice(
        variant=chosen.name,
        command=HOW[chosen.name],
        ratio=chosen.ratio,
        sentences=[sentence, *left_out],
        worth=worth,
    )


def _no_mode(worth: list[SettingWorth]) -> str:
    return _no_advice(
        worth,
        "No recommendation: no other mode was measured that computes what imperative does.",
        "Imperative is as fast as any mode that was tried",
        "of an imperative step",
    )


def command_of(case: Case) -> str:
    """The line that trains with these settings, of ``python -m mtl_core train``'s own options."""
    settings = case.settings
    options = ["--loader", str(settings["way"])]
    if settings["way"] == "tutorial":
        options += ["--workers", str(settings["workers"])]
    options += ["--mode", str(settings["mode"]), "--batch-size", str(settings["batch_size"])]
    options += ["--denormals", case.environment.get(DENORMALS, "keep")]
    return " ".join(("python -m mtl_core train", *options))


def _label(case: Case) -> str:
    if case.variant in LABELS:
        return LABELS[case.variant]
    if case.variant == "fewer_workers":
        return f"--workers {case.settings['workers']}"
    together = (case.settings["way"], case.settings["mode"], case.environment.get(DENORMALS))
    return ", ".join(str(each) for each in together if each)


def _sentences(chosen: SettingWorth, worth: list[SettingWorth], epoch: Mapping[str, Measured]) -> list[str]:
    """What it gains over what, what less of it and each change by itself gain, and what to mind."""
    usual, taken = epoch[USUAL].case.settings, epoch[chosen.name].case
    what = f"{usual['workers']} workers, {usual['mode']}, batches of {usual['batch_size']}"
    lines = [
        f"An epoch then takes {interval(chosen.ratio)} the time of the tutorial's settings.",
        f"Those are {what}. 95% intervals of {chosen.ratio.n} set-ups.",
    ]
    alone = _alone(chosen, worth)
    if alone:
        lines.append(alone)
    if chosen.name == "together_512":
        lines.append(LARGER_BATCH.format(size=taken.settings["batch_size"], usual=usual["batch_size"]))
    if taken.environment.get(DENORMALS) == "flush":
        lines.append(FLUSHED)
    return lines


def _alone(chosen: SettingWorth, worth: list[SettingWorth]) -> str:
    """What less of it is worth, and each change by itself; empty where none was measured."""
    said = []
    smaller = next((one for one in worth if one.name == "together"), None)
    if chosen.name == "together_512" and smaller is not None:
        said.append(f"Without --batch-size 512 it takes {interval(smaller.ratio)}, {smaller.verdict}.")
    alone = [one for one in worth if one.name not in ("together", "together_512", chosen.name)]
    if alone:
        parts = "; ".join(f"{one.words} {interval(one.ratio)}, {one.verdict}" for one in alone)
        said.append(f"One change alone: {parts}. What is recommended was measured as a whole.")
    return " ".join(said)


def in_sentences(results: Results) -> list[str]:
    """The answer to the question: the same as the recommendation, its line to paste included."""
    advice = recommended(results["epoch"])
    return [*advice.sentences, *([f"To set it: {advice.command}"] if advice.command else [])]
