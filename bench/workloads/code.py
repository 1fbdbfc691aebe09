"""Where the workloads' own code stands, so that a profile can name it; loads no MXNet."""

from __future__ import annotations

# (place, functions, file): a frame agrees when its file ends so and its function is one of these; no
# functions are all of them.
Rule = tuple[str, tuple[str, ...], str]

LOADERS = "mtl_core/data/loaders.py"
OF_TRANSFORMS: tuple[Rule, ...] = (("the DataLoader's per-sample transform", ("_transform",), LOADERS),)
OF_LOADERS: tuple[Rule, ...] = (("the fast loader", ("_batches", "_order"), LOADERS),)
OF_STEPS: tuple[Rule, ...] = (("calling the forward pass and the losses", ("forward",), "mtl_core/step.py"),)
AROUND = "bench/workloads/profiling.py"  # what runs another workload for a profile
