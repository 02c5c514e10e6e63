"""A training step of the networks of training_bench.cpp in PyTorch's Python, as its users write it: prints the median seconds of a step.

usage: training_bench.py m1|m2|dense MODE THREADS STEPS
MODE: what is joined by +: eager; channels_last; fused (the Adam of one kernel); compile (torch.compile)
"""

import statistics
import sys
import time

import torch
from torch import nn

BATCH, BATCHES = 128, 16


def m1():
    layers, channels = [], 1

    def block(filters):
        nonlocal channels
        for _ in range(2):
            layers.extend([nn.Conv2d(channels, filters, 3, padding=1), nn.ReLU(inplace=True),
                           nn.BatchNorm2d(filters, eps=1e-3, momentum=0.01)])
            channels = filters

    block(32)
    layers.append(nn.MaxPool2d(2))
    block(64)
    layers.append(nn.MaxPool2d(2))
    for filters in (128, 256, 128, 64):
        block(filters)
    layers.append(nn.Upsample(scale_factor=2))
    block(32)
    layers.extend([nn.Upsample(scale_factor=2), nn.Conv2d(channels, 1, 3, padding=1), nn.Sigmoid()])
    return nn.Sequential(*layers)


def chain(sizes, last):
    layers = [nn.Flatten()]
    for inputs, outputs in zip(sizes, sizes[1:]):
        layers.extend([nn.Linear(inputs, outputs), nn.ReLU(inplace=True)])
    return nn.Sequential(*layers[:-1], *last)


def m2():
    return chain([784, 64, 64, 10], [])


def dense():
    return chain([784, 1024, 1024, 1024, 784], [nn.Sigmoid(), nn.Unflatten(1, (1, 28, 28))])


def main():
    network, mode, threads, steps = sys.argv[1], sys.argv[2].split("+"), int(sys.argv[3]), int(sys.argv[4])
    torch.set_num_threads(threads)
    torch.manual_seed(7)
    layout = torch.channels_last if "channels_last" in mode else torch.contiguous_format
    model = {"m1": m1, "m2": m2, "dense": dense}[network]().to(memory_format=layout)
    for layer in model.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
    data = torch.rand(BATCHES * BATCH, 1, 28, 28)
    labels = torch.randint(0, 10, (len(data),))
    loss_of = nn.CrossEntropyLoss() if network == "m2" else nn.MSELoss()
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3, eps=1e-7, fused="fused" in mode)

    def loss(x, target):
        return loss_of(model(x), target)

    if "compile" in mode:
        loss = torch.compile(loss)
    order = torch.randperm(len(data))
    taken = []
    for step in range(steps + 3):
        start = time.perf_counter()
        chosen = order[step % BATCHES * BATCH:][:BATCH]
        x = data.index_select(0, chosen).contiguous(memory_format=layout)
        target = labels.index_select(0, chosen) if network == "m2" else x
        optimiser.zero_grad(set_to_none=True)
        value = loss(x, target)
        value.backward()
        optimiser.step()
        value.item()
        taken.append(time.perf_counter() - start)
    print(statistics.median(taken[3:]))


main()
