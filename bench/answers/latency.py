"""What is said of single calls at inference: against MXNet's static graph, how long, and from nothing."""

from __future__ import annotations

from bench.answers.words import interval, verdict_of
from bench.questions.question import Results
from bench.records.numbers import ranged
from bench.records.run import CONTROL, Estimate, Measured

ONNX = "onnx_runtime"
BASELINE = "static"
OTHERS = ("exported", "hybridized", "imperative")
NAMES = {
    "imperative": "imperative MXNet",
    "hybridized": "hybridized MXNet",
    BASELINE: "MXNet's static graph",
    "exported": "MXNet's exported graph",
    ONNX: "ONNX Runtime",
}
NOT_THERE = "ONNX Runtime was not measured; pip install 'mtl-bench[onnx]' installs what it needs."
SECOND, MILLISECOND, MICROSECOND, MIB = 1.0, 1e-3, 1e-6, 2.0**20
STARTS = ("import", "load", "first_call")  # what a new process does, in turn


def inference(results: Results) -> list[str]:
    """The answer, most important first."""
    one = next(iter(results.values()))
    sentences = [line for variants in results.values() for line in _against_static(variants, ONNX)]
    return [
        *(sentences or [NOT_THERE]),
        *_latencies(one),
        *[line for name in OTHERS for line in _against_static(one, name)],
        *_starts(one),
        *_alike(results),
    ]


def images_of(variants: dict[str, Measured]) -> str:
    """``one image``, ``8 images``."""
    images = next(iter(variants.values())).images
    return "one image" if images == 1 else f"{images:,} images"


def _against_static(variants: dict[str, Measured], name: str) -> list[str]:
    """One runtime's time over that of the static graph."""
    measured = variants.get(name)
    if measured is None or measured.effect is None:
        return []
    against = measured.effect.baseline.rsplit("/", 1)[-1]
    return [
        f"Inference of {images_of(variants)} takes {NAMES[name]} {interval(measured.effect.estimate)} the "
        f"time of {NAMES.get(against, against)}: {verdict_of(measured.effect)}."
    ]


def _latencies(variants: dict[str, Measured]) -> list[str]:
    """Half of the calls, and the slowest of which enough is there, of both runtimes beside each other."""
    lines = []
    for name in (ONNX, BASELINE):
        quantiles = variants[name].quantiles if name in variants else {}
        slow = next((q for q in ("p99.9", "p99", "p90") if q in quantiles), None)
        if "p50" in quantiles and slow is not None:
            lines.append(
                f"In {NAMES[name]} half of the calls of {images_of(variants)} take at most "
                f"{duration(quantiles['p50'])}, {slow[1:]} % of them at most {duration(quantiles[slow])}."
            )
    return lines


def duration(estimate: Estimate) -> str:
    """``19.5 us (18.9 to 20.4)``, in the unit that suits it."""
    size, name = next(
        (unit for unit in ((SECOND, "s"), (MILLISECOND, "ms")) if estimate.value >= unit[0]),
        (MICROSECOND, "\N{MICRO SIGN}s"),
    )
    value, _, ends = ranged(estimate, size).partition(" ")
    return " ".join(part for part in (value, name, ends) if part)


def _starts(variants: dict[str, Measured]) -> list[str]:
    """From a new process to the first answer, and the memory it takes."""
    lines = []
    for name in (ONNX, BASELINE):
        facts = variants[name].fact_medians if name in variants else {}
        if "import_s" in facts:
            import_s, load_s, first_s = (duration(facts[f"{part}_s"]) for part in STARTS)
            held = ranged(facts["memory_bytes"], MIB).partition(" ")[0]
            lines.append(
                f"A new process imports {'ONNX Runtime' if name == ONNX else 'MXNet'} in {import_s}, loads "
                f"the network in {load_s}, and its first call takes {first_s}; all of it takes {held} MiB."
            )
    return lines


def _alike(results: Results) -> list[str]:
    """How many threads each had, and how far outputs were apart before anything was timed."""
    every = [m for variants in results.values() for name, m in variants.items() if name != CONTROL]
    threads = sorted({int(m.facts["threads"]) for m in every if "threads" in m.facts})
    apart = [m.facts["largest_difference"] for m in every if "largest_difference" in m.facts]
    if not threads or not apart:
        return []
    count = " or ".join(f"{n} thread{'s' * (n > 1)}" for n in threads)
    within = f"outputs are those of imperative MXNet within {max(apart):.1g}"
    return [f"Every runtime computes on {count}; {within}."]
