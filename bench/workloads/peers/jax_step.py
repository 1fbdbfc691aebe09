"""The step in JAX: one jitted function with Optax's Adam."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from bench.workloads.peers.problem import Array, Problem, State
from bench.workloads.peers.rule import RuleName
from mtl_core.config import NetworkConfig, StepConfig


class JaxStep:
    """JAX on a processor or on a GPU; ``jit`` is its way."""

    rule: RuleName = "epsilon after"
    version = str(jax.__version__)

    def __init__(self, problem: Problem, way: str = "jit", device: str = "cpu") -> None:
        self.device = jax.devices("cpu" if device == "cpu" else "gpu")[0]
        if device != "cpu":  # else products are rounded to ten bits, which is other work
            jax.config.update("jax_default_matmul_precision", "highest")
        config = StepConfig()
        self.trunk, self.alpha = len(NetworkConfig().trunk), config.alpha
        self.optimizer = optax.adam(config.learning_rate)
        self.step = jax.jit(self._step, donate_argnums=(0, 1))
        numbers = range(len(problem.images))
        self.batches = [self._batch(*problem.batch(number)) for number in numbers]
        self.weights: list[Any] = []
        self.adam: Any = None
        self.last: Any = None
        self.restore(problem.start)

    def _batch(self, images: Array, digits: Array, odd: Array) -> tuple[Any, ...]:
        return self._held(images), self._held(digits.astype(np.int32)), self._held(odd)

    def _held(self, array: Array) -> Any:
        """A copy of its own: what is donated must not lie in an array of NumPy's."""
        return jax.device_put(jnp.array(array, copy=True), self.device)

    def _losses(self, weights: list[Any], images: Any, digits: Any, odd: Any) -> tuple[Any, Any]:
        """The blend, and both mean losses (2,)."""
        x = images
        for layer in range(self.trunk):  # (B, 784) -> (B, 128) -> (B, 64) -> (B, 10)
            x = jax.nn.relu(x @ weights[2 * layer].T + weights[2 * layer + 1])
        of_digits, of_odd = (
            x @ weights[2 * layer].T + weights[2 * layer + 1] for layer in (self.trunk, self.trunk + 1)
        )
        first = optax.softmax_cross_entropy_with_integer_labels(of_digits, digits).mean()
        second = optax.sigmoid_binary_cross_entropy(of_odd[:, 0], odd).mean()
        return (1.0 - self.alpha) * first + self.alpha * second, jnp.stack([first, second])

    def _step(self, weights: list[Any], adam: Any, *batch: Any) -> tuple[list[Any], Any, Any]:
        (_, losses), gradients = jax.value_and_grad(self._losses, has_aux=True)(weights, *batch)
        updates, adam = self.optimizer.update(gradients, adam, weights)
        return optax.apply_updates(weights, updates), adam, losses

    def run(self, first: int, count: int) -> None:
        for number in range(first, first + count):
            batch = self.batches[number % len(self.batches)]
            self.weights, self.adam, self.last = self.step(self.weights, self.adam, *batch)

    def wait(self) -> None:
        jax.block_until_ready((self.weights, self.adam, self.last))

    def restore(self, state: State) -> None:
        self.weights = [self._held(array) for array in state.parameters]
        adam, *rest = self.optimizer.init(self.weights)
        adam = adam._replace(
            count=self._held(np.asarray(state.updates, dtype=np.int32)),
            mu=[self._held(array) for array in state.means],
            nu=[self._held(array) for array in state.variances],
        )
        self.adam = (adam, *rest)

    def parameters(self) -> list[Array]:
        return [np.array(array) for array in self.weights]

    def losses(self) -> Array:
        return np.asarray(self.last, dtype=np.float64)

    def threads(self) -> int | None:
        """JAX does not tell."""
        return None
