"""MXNet's parameters under the names that PyTorch's ``state_dict`` has, and what those names do not carry.

Layouts agree: Dense and Linear both keep (units, inputs), convolutions (out, in / groups, ...), batch norms a
vector. Names differ in the last part, and what a layer does beside its numbers is in no ``state_dict``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

TORCH_NAMES = {
    "weight": "weight",
    "bias": "bias",
    "gamma": "weight",
    "beta": "bias",
    "running_mean": "running_mean",
    "running_var": "running_var",
}
TORCH_EPSILON = 1e-5  # of BatchNorm and LayerNorm, without another
MXNET_EPSILON = {"BatchNorm": 1e-3, "LayerNorm": 1e-5}  # of a symbol's node that names none


class Row(NamedTuple):
    """One row of the table of names."""

    mxnet: str
    torch: str
    shape: tuple[int, ...]


def torch_name(name: str) -> str:
    """``trunk.0.gamma`` -> ``trunk.0.weight``, ``conv0_bias`` -> ``conv0.bias``; others stay as they are."""
    for theirs, ours in TORCH_NAMES.items():
        for between in (".", "_"):
            if name.endswith(between + theirs):
                return f"{name.removesuffix(between + theirs)}.{ours}"
    return name


def nodes_of(symbol: Any) -> list[dict[str, Any]]:
    """The nodes of a symbol, each with its operator ``op``, ``name``, ``attrs`` and ``inputs``."""
    nodes: list[dict[str, Any]] = json.loads(symbol.tojson())["nodes"]
    return nodes


def fixed_scales(symbol: Any) -> set[str]:
    """The parameters that MXNet takes for 1 whatever their numbers are: scales of ``fix_gamma``."""
    nodes = nodes_of(symbol)
    return {
        nodes[node["inputs"][1][0]]["name"]
        for node in nodes
        if node["op"] == "BatchNorm" and _said(node, "fix_gamma", "True") == "True"
    }


def state_dict(
    parameters: Mapping[str, NDArray[Any]], names: Mapping[str, str], ones: set[str]
) -> tuple[dict[str, NDArray[Any]], list[Row]]:
    """Arrays by PyTorch's names, and the table of names.

    ``names`` gives a parameter's place in the network, such as ``trunk.0.weight``, where it is known;
    what is in ``ones`` becomes all ones. Raises ValueError where two parameters would share a name.
    """
    arrays: dict[str, NDArray[Any]] = {}
    rows = []
    for name, array in parameters.items():
        torch = torch_name(names.get(name, name))
        if torch in arrays:
            raise ValueError(f"two parameters would be {torch}")
        arrays[torch] = np.ascontiguousarray(np.ones_like(array) if name in ones else array)
        rows.append(Row(name, torch, tuple(array.shape)))
    return arrays, rows


def not_carried(symbol: Any) -> list[str]:
    """What has to be set by hand in PyTorch, a line each: no ``state_dict`` tells it."""
    return [line for node in nodes_of(symbol) for line in _by_hand(node)]


def _by_hand(node: dict[str, Any]) -> list[str]:
    name, operator = node["name"], node["op"]
    if operator in MXNET_EPSILON:
        epsilon = float(_said(node, "eps", str(MXNET_EPSILON[operator])))
        return [f"{name}: eps={epsilon:g}"] if epsilon != TORCH_EPSILON else []
    if operator == "FullyConnected" and _said(node, "flatten", "True") == "True":
        return [f"{name}: flattens what it reads, (B, ...) to (B, inputs); Linear does not"]
    rounds_up = _said(node, "pooling_convention", "valid") == "full"
    if operator == "Pooling" and rounds_up and _said(node, "global_pool", "False") == "False":
        return [f"{name}: ceil_mode=True"]
    return []


def _said(node: dict[str, Any], attribute: str, otherwise: str) -> str:
    return str(node.get("attrs", {}).get(attribute, otherwise))
