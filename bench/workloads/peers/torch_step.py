"""The step in PyTorch: eager, with the fused Adam, or compiled with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from bench.workloads.peers.problem import Array, Problem, State
from bench.workloads.peers.rule import RuleName
from mtl_core.config import HEAD_UNITS, NetworkConfig, StepConfig

WAYS = ("eager", "fused", "compiled")


class Network(nn.Module):  # type: ignore[misc]  # PyTorch is not installed where types are checked
    """The trunk and the heads; from a batch to both mean losses. Named as ``bench export`` writes them."""

    def __init__(self) -> None:
        super().__init__()
        config = NetworkConfig()
        widths = (config.inputs, *config.trunk)
        self.trunk = nn.ModuleList(nn.Linear(*pair) for pair in zip(widths, config.trunk, strict=False))
        self.heads = config.heads
        for head in config.heads:
            self.add_module(head, nn.Linear(widths[-1], HEAD_UNITS[head]))

    def outputs(self, images: Any) -> list[Any]:
        """Of images (B, 784) the logits of each head, (B, units)."""
        shared = images
        for layer in self.trunk:
            shared = functional.relu(layer(shared))
        return [self.get_submodule(head)(shared) for head in self.heads]

    def forward(self, images: Any, digits: Any, odd: Any) -> tuple[Any, Any]:
        """Mean cross-entropies of images (B, 784), digits (B,) and odd (B,)."""
        of_digits, of_odd = self.outputs(images)
        return (
            functional.cross_entropy(of_digits, digits),
            functional.binary_cross_entropy_with_logits(of_odd[:, 0], odd),
        )


class TorchStep:
    """PyTorch on a processor or on a GPU."""

    rule: RuleName = "epsilon after"
    version = str(torch.__version__)

    def __init__(self, problem: Problem, way: str = "eager", device: str = "cpu") -> None:
        assert way in WAYS, way
        self.device = torch.device(device)
        self.network = Network().to(self.device)
        self.weights = list(self.network.parameters())
        config = StepConfig()
        self.alpha = config.alpha
        more = {} if way == "eager" else {"fused": True}
        self.optimizer = torch.optim.Adam(self.weights, lr=config.learning_rate, **more)
        self.call: Callable[..., Any] = (
            torch.compile(self.network, dynamic=False) if way == "compiled" else self.network
        )
        numbers = range(len(problem.images))
        self.batches = [self._held(*problem.batch(number)) for number in numbers]
        self.last: tuple[Any, ...] = ()
        self.restore(problem.start)

    def _held(self, images: Array, digits: Array, odd: Array) -> tuple[Any, ...]:
        arrays = (images, digits.astype(np.int64), odd)
        return tuple(torch.tensor(array, device=self.device) for array in arrays)

    def run(self, first: int, count: int) -> None:
        for number in range(first, first + count):
            self.last = self.call(*self.batches[number % len(self.batches)])
            loss = (1.0 - self.alpha) * self.last[0] + self.alpha * self.last[1]
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()

    def wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def restore(self, state: State) -> None:
        with torch.no_grad():
            for weight, array in zip(self.weights, state.parameters, strict=True):
                weight.copy_(torch.tensor(array))
        moments = enumerate(zip(state.means, state.variances, strict=True))
        adam = {
            number: {
                "step": torch.tensor(float(state.updates)),
                "exp_avg": torch.tensor(mean),
                "exp_avg_sq": torch.tensor(variance),
            }
            for number, (mean, variance) in moments
        }
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": adam, "param_groups": groups})

    def parameters(self) -> list[Array]:
        return [weight.detach().cpu().numpy().copy() for weight in self.weights]

    def losses(self) -> Array:
        return np.array([float(each.detach()) for each in self.last])

    def threads(self) -> int | None:
        return int(torch.get_num_threads()) if self.device.type == "cpu" else None
