"""What workers know of records, too: standard library only, as a worker may have no more."""

from __future__ import annotations

from dataclasses import dataclass, field

Setting = str | int | float | bool | list[str]
Count = int | float
BATCH_SIZE = 128  # of the tutorial
NOT_THE_SAME = "not the same work"  # how the reason begins why a variant was refused
EPOCH = "epoch"  # the fact of a round that tells which epoch it belongs to, from 1
STEPS = "steps"  # the fact of a round whose workload, not the harness, says how many iterations it had


@dataclass(frozen=True, kw_only=True)
class Work:
    """What a training step does, counted exactly: the same on every machine, without noise.

    A number that is no whole one is a share: 0.1 is once in ten steps. ``bench.workloads.counting``
    says how each is counted.
    """

    operators: dict[str, Count]  # run by the engine in a step, by MXNet's name
    pushes: Count  # to the engine in a step; operators bulked together are one
    calls: dict[str, Count]  # from Python into MXNet in a step that start work: operators, graphs, backward
    synchronisations: dict[str, Count]  # in a step, by the call that waits
    copies: dict[str, Count]  # of arrays in a step, by where from and to
    graphs_traced: int  # until the first steps are done
    graphs_retraced: Count  # in each later step
    parameters: int
    parameter_bytes: int
    gradient_bytes: int
    optimizer_bytes: int
    flop: int  # for an image in training, by the formulas of mtl_core.cost
    # The lines that waited, by the call; neither kept nor compared.
    waited_at: dict[str, list[str]] = field(default_factory=dict)
