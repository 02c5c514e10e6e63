"""A training step of the networks of training_bench.cpp in JAX, as one compiled function: prints the median seconds of a step.

usage: training_bench_jax.py m1|m2|dense THREADS STEPS
"""

import functools
import os
import statistics
import sys
import time

NETWORK, THREADS, STEPS = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
os.environ["JAX_PLATFORMS"] = "cpu"
if THREADS == 1:
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

import jax  # noqa: E402: reads the environment
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
from jax import lax  # noqa: E402

BATCH, BATCHES = 128, 16
M1 = [32, 32, "pool", 64, 64, "pool", 128, 128, 256, 256, 128, 128, 64, 64, "up", 32, 32, "up"]
random = np.random.default_rng(7)


def glorot(shape, fan_in, fan_out):
    limit = (6 / (fan_in + fan_out)) ** 0.5
    return jnp.asarray(random.uniform(-limit, limit, shape), jnp.float32)


def start():
    """Weights, and batch norm's moving mean and variance."""
    if NETWORK != "m1":
        sizes = [784, 64, 64, 10] if NETWORK == "m2" else [784, 1024, 1024, 1024, 784]
        return [(glorot((a, b), a, b), jnp.zeros(b)) for a, b in zip(sizes, sizes[1:])], []
    weights, moving, channels = [], [], 1
    for filters in [layer for layer in M1 if not isinstance(layer, str)] + [1]:
        kernel = glorot((3, 3, channels, filters), 9 * channels, 9 * filters)
        weights.append((kernel, jnp.zeros(filters), jnp.ones(filters), jnp.zeros(filters)) if filters > 1 else (kernel, jnp.zeros(1)))
        moving.append((jnp.zeros(filters), jnp.ones(filters)))
        channels = filters
    return weights, moving[:-1]


def convolution(x, kernel, bias):
    return lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")) + bias


def forward(weights, moving, x):
    if NETWORK != "m1":
        for i, (kernel, bias) in enumerate(weights):
            x = x @ kernel + bias
            x = jax.nn.relu(x) if i + 1 < len(weights) else x
        return x, moving
    after = []
    for layer in M1:
        if layer == "pool":
            x = lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
        elif layer == "up":
            x = jnp.repeat(jnp.repeat(x, 2, 1), 2, 2)
        else:
            kernel, bias, scale, offset = weights[len(after)]
            old_mean, old_variance = moving[len(after)]
            x = jax.nn.relu(convolution(x, kernel, bias))
            mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
            x = (x - mean) * (scale * lax.rsqrt(variance + 1e-3)) + offset
            after.append((0.99 * old_mean + 0.01 * mean, 0.99 * old_variance + 0.01 * variance))
    return convolution(x, *weights[-1]), after


def loss_of(weights, moving, x, target):
    z, moving = forward(weights, moving, x)
    if NETWORK == "m2":
        return -jnp.take_along_axis(jax.nn.log_softmax(z), target[:, None], 1).mean(), moving
    return ((jax.nn.sigmoid(z) - target) ** 2).mean(), moving


@functools.partial(jax.jit, donate_argnums=(0, 1, 2, 3, 4))
def step_of(weights, moving, first, second, t, x, target):
    (loss, moving), gradients = jax.value_and_grad(loss_of, has_aux=True)(weights, moving, x, target)
    each = jax.tree_util.tree_map
    t = t + 1
    rate = 1e-3 * jnp.sqrt(1 - 0.999 ** t) / (1 - 0.9 ** t)
    first = each(lambda m, g: m + (g - m) * 0.1, first, gradients)
    second = each(lambda v, g: v + (g * g - v) * 0.001, second, gradients)
    weights = each(lambda w, m, v: w - rate * m / (jnp.sqrt(v) + 1e-7), weights, first, second)
    return weights, moving, first, second, t, loss


def main():
    weights, moving = start()
    zeros = [jax.tree_util.tree_map(jnp.zeros_like, weights) for _ in range(2)]
    state = [weights, moving, *zeros, jnp.zeros(())]
    data = random.random((BATCHES * BATCH, 28, 28, 1) if NETWORK == "m1" else (BATCHES * BATCH, 784), np.float32)
    labels = random.integers(0, 10, len(data))
    order = random.permutation(len(data))
    taken = []
    for step in range(STEPS + 3):
        begin = time.perf_counter()
        chosen = order[step % BATCHES * BATCH:][:BATCH]
        x = data[chosen]
        *state, loss = step_of(*state, x, labels[chosen] if NETWORK == "m2" else x)
        loss.block_until_ready()
        taken.append(time.perf_counter() - begin)
    print(statistics.median(taken[3:]))


main()
