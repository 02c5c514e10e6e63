#!/usr/bin/env python3
"""Writes keras.json: what Keras makes of small fixed numbers, for tests/stages/keras_reference_test.cpp.

    python3 -m venv venv && venv/bin/pip install keras jax
    venv/bin/python tests/reference/make_keras_reference.py

Keras computes on JAX and in float64, so that nothing of it is LibTorch's and all digits that float32 can hold are right. Tensors are
written as satdl lays them out (NCHW; conv [out, in, h, w]; dense [out, in]).
"""

import json
import os
from pathlib import Path

os.environ["KERAS_BACKEND"] = "jax"
os.environ["JAX_ENABLE_X64"] = "1"
os.environ["JAX_PLATFORMS"] = "cpu"

import jax
import keras
import numpy as np
from keras import layers, losses, metrics, optimizers

keras.config.set_floatx("float64")
keras.config.set_image_data_format("channels_first")
random = np.random.default_rng(20)


def some(*shape, scale=1.0):
    """Numbers without pattern that float32 holds nearly as they are written."""
    return np.round(random.normal(size=shape) * scale, 3)


def written(value):
    """A tensor as {shape, values}, nine digits a value: float32 needs no more."""
    array = np.asarray(value, dtype=np.float64)
    return {"shape": list(array.shape), "values": [float(f"{x:.9g}") for x in array.ravel()]}


def optimiser_cases():
    cases = []
    for kind, given, optimiser in [
        ("adam", {}, optimizers.Adam(0.01)),
        ("adamw", {}, optimizers.AdamW(0.01)),
        ("adamw", {"weight_decay": 0.3}, optimizers.AdamW(0.01, weight_decay=0.3)),
        ("sgd", {}, optimizers.SGD(0.01)),
        ("sgd", {"momentum": 0.9}, optimizers.SGD(0.01, momentum=0.9)),
        ("sgd", {"momentum": 0.9, "nesterov": True}, optimizers.SGD(0.01, momentum=0.9, nesterov=True)),
    ]:
        start = some(6)
        variable = keras.Variable(start)
        optimiser.build([variable])
        steps = []
        for step in range(5):
            # the last ones small, where epsilon counts
            gradient = some(6) * np.array([1, 1, 1, 1e-3, 1e-5, 1e-7])
            optimiser.apply([keras.ops.convert_to_tensor(gradient)])
            steps.append({"gradient": written(gradient), "weights": written(variable.value)})
        cases.append({"kind": kind, "learning_rate": 0.01, **given, "start": written(start), "steps": steps})
    return cases


def betas_near_one():
    """Adam with betas that float32 cannot tell from one, or whose distance to one it does not hold."""
    cases = []
    for beta1, beta2 in [(0.9, 0.9999), (0.9, 0.9999999), (0.9999, 0.9999999)]:
        start = some(6)
        variable = keras.Variable(start)
        optimiser = optimizers.Adam(0.01, beta_1=beta1, beta_2=beta2)
        optimiser.build([variable])
        steps = []
        for step in range(20):
            gradient = some(6) * np.array([1, 1, 1, 1e-3, 1e-3, 100])
            optimiser.apply([keras.ops.convert_to_tensor(gradient)])
            steps.append({"gradient": written(gradient), "weights": written(variable.value)})
        cases.append({"kind": "adam", "learning_rate": 0.01, "beta1": beta1, "beta2": beta2, "start": written(start), "steps": steps})
    return cases


def excluded_from_weight_decay():
    """A kernel, a bias, a scale and an offset, of which the last three do not decay."""
    starts = [some(2, 3), some(3), some(3), some(3)]
    variables = [keras.Variable(start, name=name) for start, name in zip(starts, ["kernel", "bias", "gamma", "beta"])]
    optimiser = optimizers.AdamW(0.01, weight_decay=0.3)
    optimiser.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    optimiser.build(variables)
    steps = []
    for _ in range(3):
        gradients = [some(*start.shape) for start in starts]
        optimiser.apply([keras.ops.convert_to_tensor(gradient) for gradient in gradients])
        steps.append({"gradients": [written(g) for g in gradients], "weights": [written(v.value) for v in variables]})
    return {"learning_rate": 0.01, "weight_decay": 0.3, "starts": [written(start) for start in starts], "steps": steps}


def leaky_relus():
    x = some(8)
    return {"x": written(x), "activation": written(keras.activations.get("leaky_relu")(x)), "layer": written(layers.LeakyReLU()(x))}


def batch_norm():
    layer = layers.BatchNormalization(axis=1)
    layer.build((None, 2, 2, 3))
    scale, offset = some(2), some(2)
    layer.gamma.assign(scale)
    layer.beta.assign(offset)
    batches = []
    for i in range(3):
        x = some(4, 2, 2, 3, scale=1 + i) + i
        y = layer(x, training=True)
        batches.append({"x": written(x), "y": written(y), "mean": written(layer.moving_mean.value),
                        "variance": written(layer.moving_variance.value)})
    x = some(2, 2, 2, 3)
    return {"scale": written(scale), "offset": written(offset), "batches": batches,
            "inference": {"x": written(x), "y": written(layer(x, training=False))}}


# No bias before batch norm: its gradient is zero but for rounding, of which Adam makes steps as large as any.
NETWORK = ("[{conv: 2, kernel: 2, activation: relu}, {conv: 3, stride: 2, bias: false}, batch_norm, relu, flatten, "
           "{dense: 8, activation: relu}, {dense: 4, activation: softmax}]")
TENSORS = ["conv_1.weight", "conv_1.bias", "conv_2.weight", "batch_norm_1.weight", "batch_norm_1.bias",
           "batch_norm_1.running_mean", "batch_norm_1.running_var", "dense_1.weight", "dense_1.bias", "dense_2.weight",
           "dense_2.bias"]


def in_our_layout(array):
    array = np.asarray(array)
    return array.transpose(3, 2, 0, 1) if array.ndim == 4 else array.T if array.ndim == 2 else array


def network():
    """The network above: forward, its gradients, and three steps of Adam."""
    model = keras.Sequential([
        keras.Input((2, 6, 5)),
        layers.Conv2D(2, 2, padding="same", activation="relu"), layers.Conv2D(3, 3, strides=2, padding="same", use_bias=False),
        layers.BatchNormalization(axis=1), layers.ReLU(),
        layers.Reshape((-1,)),  # layers.Flatten would put the channels last
        layers.Dense(8, activation="relu"), layers.Dense(4, activation="softmax")])
    for variable in model.variables:
        if "moving" not in variable.path:
            variable.assign(some(*variable.shape, scale=0.5) + (1 if "gamma" in variable.path else 0))
    first, second, norm, _, _, hidden, last = model.layers
    order = [first.kernel, first.bias, second.kernel, norm.gamma, norm.beta, norm.moving_mean, norm.moving_variance,
             hidden.kernel, hidden.bias, last.kernel, last.bias]

    def tensors():
        return {name: written(in_our_layout(variable.value)) for name, variable in zip(TENSORS, order)}

    x, labels = some(5, 2, 6, 5), np.array([0, 3, 1, 2, 3])
    loss = losses.SparseCategoricalCrossentropy()
    optimiser = optimizers.Adam(0.01)
    optimiser.build(model.trainable_variables)

    def training_loss(trainable, rest):
        y, rest = model.stateless_call(trainable, rest, x, training=True)
        return loss(labels, y), (y, rest)

    result = {"layers": NETWORK, "x": written(x), "labels": labels.tolist(), "start": tensors(),
              "inference": written(model(x, training=False)), "learning_rate": 0.01, "steps": []}
    for _ in range(3):
        trainable = [v.value for v in model.trainable_variables]
        rest = [v.value for v in model.non_trainable_variables]
        (value, (y, rest)), gradients = jax.value_and_grad(training_loss, has_aux=True)(trainable, rest)
        named = {}
        for variable, gradient in zip(model.trainable_variables, gradients):
            position = next(i for i, one in enumerate(order) if one is variable)
            named[TENSORS[position]] = written(in_our_layout(gradient))
        optimiser.apply(gradients)
        for variable, new in zip(model.non_trainable_variables, rest):
            variable.assign(new)
        result["steps"].append({"loss": float(value), "output": written(y), "gradients": named, "after": tensors()})
    return result


def loss_cases():
    logits, numbers, labels = some(4, 3, scale=2), some(4, 3), np.array([2, 0, 1, 1])
    probabilities = random.uniform(size=(4, 3)).round(3)
    one_hot = np.eye(3)[labels]
    softmax, sigmoid = keras.ops.softmax(logits), keras.ops.sigmoid(logits)
    return {
        "logits": written(logits), "numbers": written(numbers), "probabilities": written(probabilities), "labels": labels.tolist(),
        "mse": float(losses.MeanSquaredError()(numbers, logits)),
        "mse_sigmoid": float(losses.MeanSquaredError()(probabilities, sigmoid)),
        "cross_entropy": float(losses.CategoricalCrossentropy()(one_hot, softmax)),
        "cross_entropy_from_logits": float(losses.CategoricalCrossentropy(from_logits=True)(one_hot, logits)),
        "cross_entropy_sigmoid": float(losses.CategoricalCrossentropy()(one_hot, sigmoid)),
        "binary_cross_entropy": float(losses.BinaryCrossentropy()(one_hot, sigmoid)),
        "binary_cross_entropy_soft": float(losses.BinaryCrossentropy()(probabilities, sigmoid)),
        "class_weights": [0.5, 2.0, 3.0],
        "weighted_cross_entropy": float(losses.CategoricalCrossentropy()(one_hot, softmax, np.array([0.5, 2.0, 3.0])[labels])),
    }


def metric_cases():
    logits, labels = some(12, 4, scale=2), random.integers(0, 4, 12)
    one_hot = np.eye(4)[labels]

    def value(metric, truth, given):
        metric.update_state(truth, given)
        return float(metric.result())

    return {"logits": written(logits), "labels": labels.tolist(),
            "accuracy": value(metrics.CategoricalAccuracy(), one_hot, keras.ops.softmax(logits)),
            "binary_accuracy": value(metrics.BinaryAccuracy(), one_hot, keras.ops.sigmoid(logits))}


def glorot_cases():
    """The largest of many draws, for layers on inputs [C, H, W] or [features]."""
    cases = []
    for ours, layer, shape in [
        ("{conv: 64, kernel: 3}", layers.Conv2D(64, 3), (16, 8, 8)),
        ("{conv: 32, kernel: 5, stride: 2}", layers.Conv2D(32, 5, strides=2), (1, 28, 28)),
        ("{dense: 64}", layers.Dense(64), (784,)),
        ("{dense: 10}", layers.Dense(10), (64,)),
    ]:
        layer.build((None, *shape))
        assert isinstance(layer.kernel_initializer, keras.initializers.GlorotUniform)
        largest = max(float(np.abs(keras.initializers.GlorotUniform(seed=seed)(layer.kernel.shape)).max()) for seed in range(40))
        assert not np.asarray(layer.bias.value).any()
        cases.append({"layer": ours, "input": list(shape), "largest_of_many": largest})
    return cases


def main():
    reference = {
        "made_by": "tests/reference/make_keras_reference.py",
        "versions": {"keras": keras.__version__, "jax": jax.__version__, "numpy": np.__version__},
        "optimisers": optimiser_cases(), "batch_norm": batch_norm(), "network": network(), "losses": loss_cases(),
        "metrics": metric_cases(), "glorot": glorot_cases(), "leaky_relu": leaky_relus(),
        "excluded_from_weight_decay": excluded_from_weight_decay(), "betas_near_one": betas_near_one(),
    }
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(value, separators=(',', ':'))}" for name, value in reference.items())
    path = Path(__file__).with_name("keras.json")
    path.write_text("{" + lines + "}\n")
    print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
