"""Which settings train fastest on this machine, all together against the tutorial's?"""

from __future__ import annotations

from bench.answers.settings import in_sentences
from bench.machine.identity import cores_granted
from bench.questions.plan import Plan
from bench.questions.question import Part, Question, Quick, Settings, Variant
from mtl_core.platform.denormals import possible

CORES = max(1, int(cores_granted()))
TUTORIAL: Settings = {"way": "tutorial", "workers": 5, "mode": "hybridized", "batch_size": 128}
TOGETHER: Settings = {**TUTORIAL, "way": "fast", "mode": "whole_graph"}
FLUSHED = {"MTL_DENORMALS": "flush"} if possible() else {}

QUESTION = Question(
    name="settings",
    asks="Which settings train fastest here?",
    workload="bench.workloads.loading:EpochWorkload",
    parts={"epoch": Part()},
    variants={
        "tutorial": Variant(settings={**TUTORIAL}),
        "whole_graph": Variant(settings={**TUTORIAL, "mode": "whole_graph"}),
        "fewer_workers": Variant(settings={**TUTORIAL, "workers": CORES}),
        "fast_loader": Variant(settings={**TUTORIAL, "way": "fast"}),
        "together": Variant(settings={**TOGETHER}, environment=FLUSHED),
        "together_512": Variant(settings={**TOGETHER, "batch_size": 512}, environment=FLUSHED),
    },
    baseline="tutorial",
    also=(("together_512", "together"),),
    fixed={"images": 5120, "same_images": True, "split": False, "data": "synthetic"},
    answer=in_sentences,
    plan=Plan(
        rounds=3,
        target=0.25,
        warm_ups=2,
        steady_within=0.3,
        least_blocks=3,
    ),
    quick=Quick(variants=("tutorial", "together"), settings={"images": 2560}, control=False),
)


def test_settings(measured_variant):  # type: ignore[no-untyped-def]
    measured_variant()
