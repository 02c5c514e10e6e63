"""A training step of the networks of training_bench.cpp in TensorFlow, as Keras layers and one function: prints the median seconds of a step.

usage: training_bench_tf.py m1|m2|dense graph|xla THREADS STEPS
"""

import os
import statistics
import sys
import time

NETWORK, MODE, THREADS, STEPS = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
if MODE == "xla" and THREADS == 1:
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402: reads the environment
from tensorflow.keras import layers  # noqa: E402

BATCH, BATCHES = 128, 16
M1 = [32, 32, "pool", 64, 64, "pool", 128, 128, 256, 256, 128, 128, 64, 64, "up", 32, 32, "up"]


def network():
    if NETWORK != "m1":
        sizes = [64, 64, 10] if NETWORK == "m2" else [1024, 1024, 1024, 784]
        last = None if NETWORK == "m2" else "sigmoid"
        return [layers.Dense(size, "relu") for size in sizes[:-1]] + [layers.Dense(sizes[-1], last)], (784,)
    stack = []
    for layer in M1:
        if layer == "pool":
            stack.append(layers.MaxPooling2D())
        elif layer == "up":
            stack.append(layers.UpSampling2D())
        else:
            stack += [layers.Conv2D(layer, 3, padding="same", activation="relu"), layers.BatchNormalization()]
    return stack + [layers.Conv2D(1, 3, padding="same", activation="sigmoid")], (28, 28, 1)


def main():
    tf.config.threading.set_intra_op_parallelism_threads(THREADS)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.random.set_seed(7)
    stack, shape = network()
    model = tf.keras.Sequential([layers.Input(shape), *stack])
    loss_of = (tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True) if NETWORK == "m2"
               else tf.keras.losses.MeanSquaredError())
    optimiser = tf.keras.optimizers.Adam()
    optimiser.build(model.trainable_variables)

    @tf.function(jit_compile=MODE == "xla")
    def step_of(x, target):
        with tf.GradientTape() as tape:
            loss = loss_of(target, model(x, training=True))
        optimiser.apply_gradients(zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables))
        return loss

    random = np.random.default_rng(7)
    data = random.random((BATCHES * BATCH, *shape), np.float32)
    labels = random.integers(0, 10, len(data))
    order = random.permutation(len(data))
    taken = []
    for step in range(STEPS + 3):
        begin = time.perf_counter()
        chosen = order[step % BATCHES * BATCH:][:BATCH]
        x = tf.constant(data[chosen])
        step_of(x, tf.constant(labels[chosen]) if NETWORK == "m2" else x).numpy()
        taken.append(time.perf_counter() - begin)
    print(statistics.median(taken[3:]))


main()
