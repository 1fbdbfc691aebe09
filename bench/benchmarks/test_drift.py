"""What a benchmark on fresh parameters never shows: does training slow down as it goes on?"""

from __future__ import annotations

from bench.answers.training import slowing_down, too_few_batches
from bench.questions.plan import Plan
from bench.questions.question import Part, Question, Quick, Variant
from mtl_core.data.mnist import is_here
from mtl_core.platform.denormals import possible

EPOCHS, PIECES, QUICK_PIECES = 8, 8, 4  # an epoch is timed in pieces, so that bursts do not fill one
MNIST = is_here()
FLUSHED = {"flush": Variant(environment={"MTL_DENORMALS": "flush"})} if possible() else {}

QUESTION = Question(
    name="drift",
    asks="Does training slow down as it goes on?",
    workload="bench.workloads.loading:TrainingRun",
    parts={"epoch": Part()},
    variants={
        "first_epoch": Variant(settings={"again": True}, environment={"MTL_DENORMALS": "keep"}),
        "keep": Variant(environment={"MTL_DENORMALS": "keep"}),
        **FLUSHED,
    },
    baseline="first_epoch",
    answer=slowing_down,
    fixed={"images": 60_000, "batch_size": 128, "data": "mnist" if MNIST else "synthetic", "pieces": PIECES},
    control=False,
    plan=Plan(
        rounds=EPOCHS * PIECES,
        target=0.1,
        warm_ups=0,
        narrow=False,
        least_blocks=2,  # of half a minute each: more only where they decide
    ),
    impossible=too_few_batches,
    by_name=not MNIST,  # synthetic digits are learnt too soon for it to be decided, at half a minute a set-up
    quick=Quick(settings={"images": 12_800, "pieces": QUICK_PIECES}, rounds=EPOCHS * QUICK_PIECES),
)


def test_drift(measured_variant):  # type: ignore[no-untyped-def]
    measured_variant()
