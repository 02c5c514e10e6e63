"""The study's classifier on Fashion-MNIST, in PyTorch: M2 from random weights, or M3 on top of M1 if the stage has an input `base`.

Inputs:   x, target     training images [N, 1, 28, 28] and labels [N]; the last tenth is held out, and says which epoch is kept
          test_x        images that are only predicted
          base          optional: M1, as satdl keeps models
Outputs:  train, test   probabilities [N, 10] of the kept epoch
          history, weights

An interrupted training goes on from its last epoch and gives the bytes of an unbroken one: all random numbers of an epoch follow from the
seed and its number, and everything else that the next epoch depends on is in the checkpoint.
"""

import json
import os

import numpy as np
import satdl
import torch
from torch import nn
from torch.nn import functional

HELD_OUT = 0.1
p = satdl.params


def tensor(name: str) -> torch.Tensor:
    return torch.from_numpy(np.array(satdl.input(name)))


# ---- the network ----


def convolution(layer: dict, weights: dict) -> nn.Module:
    outputs, inputs, *kernel = weights["weight"].shape
    return nn.Conv2d(inputs, outputs, kernel, padding="same")


def batch_norm(layer: dict, weights: dict) -> nn.Module:
    # Momentum is here the share of what is new, in satdl as in Keras that of what is kept.
    return nn.BatchNorm2d(len(weights["weight"]), eps=layer["batch_norm"]["epsilon"], momentum=1 - layer["batch_norm"]["momentum"])


LAYERS = {
    "conv": convolution,
    "batch_norm": batch_norm,
    "max_pool": lambda layer, weights: nn.MaxPool2d(2),
    "upsample": lambda layer, weights: nn.Upsample(scale_factor=2, mode="nearest"),
}
ACTIVATIONS = {"relu": nn.ReLU, "sigmoid": nn.Sigmoid}


def model_from(arrays: dict) -> nn.Sequential:
    """A model of satdl: `architecture` is its list of layers as JSON, the weights are called LAYER.weight and so on."""
    modules: list[nn.Module] = []
    for layer in json.loads(bytes(arrays["architecture"]))["layers"]:
        kind = next(one for one in LAYERS if one in layer)
        prefix = layer["name"] + "."
        own = {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
        weights = {name: torch.from_numpy(np.array(array)) for name, array in own.items()}
        module = LAYERS[kind](layer, weights)
        if weights:
            module.load_state_dict(weights, strict=False)  # BatchNorm2d also counts its batches
        modules.append(module)
        activation = layer[kind].get("activation", "none")
        if activation != "none":
            modules.append(ACTIVATIONS[activation]())
    return nn.Sequential(*modules)


def network() -> nn.Module:
    """Gives logits. Weights as Keras begins: uniform by fan-in and fan-out, biases 0."""
    torch.manual_seed(p.seed)
    head = nn.Sequential(nn.Flatten(), nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    for module in head:
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)
    return nn.Sequential(model_from(satdl.input("base")), head) if p.from_base else head


# ---- training ----


def logits_of(net: nn.Module, x: torch.Tensor) -> torch.Tensor:
    net.eval()
    with torch.no_grad():
        return torch.cat([net(batch) for batch in x.split(p.batch_size)])


def train_one_epoch(net: nn.Module, optimiser: torch.optim.Adam, x: torch.Tensor, target: torch.Tensor, epoch: int) -> dict[str, float]:
    net.train()
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(p.seed * 100_003 + epoch))
    batches = order.split(p.batch_size)
    loss_sum = correct = 0.0
    for step, batch in enumerate(batches, start=1):
        logits = net(x[batch])
        loss = functional.cross_entropy(logits, target[batch])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        loss_sum += loss.item() * len(batch)
        correct += (logits.argmax(1) == target[batch]).sum().item()
        satdl.progress(step, of=len(batches), epoch=epoch, epochs=p.epochs, loss=loss.item())
    return {"train/loss": loss_sum / len(x), "train/accuracy": correct / len(x)}


def validate(net: nn.Module, x: torch.Tensor, target: torch.Tensor) -> dict[str, float]:
    logits = logits_of(net, x)
    accuracy = (logits.argmax(1) == target).float().mean().item()
    return {"val/loss": functional.cross_entropy(logits, target).item(), "val/accuracy": accuracy}


def copied(net: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in net.state_dict().items()}


def train(net: nn.Module, x: torch.Tensor, target: torch.Tensor) -> list[dict[str, float]]:
    """Leaves the weights of the epoch with the lowest validation loss in `net`; returns the metrics of each epoch."""
    first_held_out = len(x) - int(HELD_OUT * len(x))
    optimiser = torch.optim.Adam(net.parameters(), lr=p.learning_rate, eps=1e-7)
    history: list[dict[str, float]] = []
    best = copied(net)
    saved = satdl.checkpoint.folder / "state.pt"
    if saved.exists():
        state = torch.load(saved)
        net.load_state_dict(state["net"])
        optimiser.load_state_dict(state["optimiser"])
        history, best = state["history"], state["best"]
    for epoch in range(len(history) + 1, p.epochs + 1):
        metrics = train_one_epoch(net, optimiser, x[:first_held_out], target[:first_held_out], epoch)
        metrics |= validate(net, x[first_held_out:], target[first_held_out:])
        if metrics["val/loss"] < min((one["val/loss"] for one in history), default=float("inf")):
            best = copied(net)
        history.append(metrics)
        satdl.epoch(epoch, of=p.epochs, **metrics)
        torch.save({"net": net.state_dict(), "optimiser": optimiser.state_dict(), "history": history, "best": best}, saved)
        satdl.checkpoint.confirm(epoch, of=p.epochs)
        if satdl.stop_requested() and epoch < p.epochs:
            raise SystemExit("stopped: the next run goes on after this epoch")
    net.load_state_dict(best)
    return history


def main() -> None:
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    torch.use_deterministic_algorithms(True)
    x, target = tensor("x"), tensor("target").long()
    net = network()
    history = train(net, x, target)
    satdl.output("history", {"epoch": range(1, p.epochs + 1), **{name: [one[name] for one in history] for name in history[0]}})
    satdl.output("weights", {name: value for name, value in net.state_dict().items() if value.dim() > 0})
    for name, images in {"train": x, "test": tensor("test_x")}.items():
        satdl.output(name, logits_of(net, images).softmax(1))


if __name__ == "__main__":
    main()
