"""The work of an image in FLOP by formula, for the workloads whose formula is known; loads no MXNet."""

from __future__ import annotations

from bench.records.run import Case
from bench.records.tutorial import SEPARATE, is_step
from mtl_core.config import HEADS, NetworkConfig
from mtl_core.cost import cost


def flop_per_image(case: Case) -> int | None:
    """Floating-point operations for one image by formula; None for work that has no formula here."""
    if not is_step(case):
        return None
    heads = case.settings.get("heads", list(HEADS))
    if case.workload == SEPARATE:
        networks = [NetworkConfig(heads=(head,)) for head in HEADS]
    elif isinstance(heads, list) and heads and set(heads) <= set(HEADS):
        networks = [NetworkConfig(heads=tuple(head for head in HEADS if head in heads))]
    else:
        return None
    forward = case.settings.get("part", "step") == "forward"
    return sum(cost(n).forward_flop if forward else cost(n).training_flop for n in networks)
