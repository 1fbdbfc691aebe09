"""Would moving pay? The same training step in PyTorch, JAX and NumPy beside MXNet's modes."""

from __future__ import annotations

from bench.answers.peers import moving, too_large
from bench.harness.peers import install_all, not_installed
from bench.questions.peers import BASELINE, VARIANTS, WORKLOAD, with_one_thread
from bench.questions.plan import Plan
from bench.questions.question import Part, Question, Quick

QUESTION = Question(
    name="peers",
    asks="Would the training step be faster in another framework?",
    workload=WORKLOAD,
    parts={"step": Part(), "one_thread": Part(variants=with_one_thread())},
    headline="step",
    variants=VARIANTS,
    baseline=BASELINE,
    fixed={"batch_size": 128},
    answer=moving,
    also=(("pytorch_compiled", "mxnet_whole_graph"), ("jax_jit", "mxnet_whole_graph")),
    plan=Plan(target=0.03),
    impossible=too_large,
    quick=Quick(variants=(BASELINE, "numpy", "pytorch_compiled", "jax_jit"), parts=("step",)),
    left_out=not_installed,
    make_ready=install_all,
    by_name=True,
)


def test_peers(measured_variant):  # type: ignore[no-untyped-def]
    measured_variant()
