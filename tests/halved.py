"""A framework's own step on half of each batch: other work, in its own environment."""

from __future__ import annotations

from dataclasses import replace

from bench.workloads.peers import workload
from bench.workloads.peers.problem_file import problem_for


def halved(*, framework: str, way: str) -> workload.PeerWorkload:
    """As :func:`bench.workloads.peers.workload.peer`, its step built on half of the images."""
    whole = problem_for(128)
    half = replace(whole, images=whole.images[:, :64], labels=whole.labels[:, :, :64])
    before, workload.problem_for = workload.problem_for, lambda batch_size: half
    try:
        built = workload.peer(framework=framework, way=way)
    finally:
        workload.problem_for = before
    return workload.PeerWorkload(built.step, whole)
