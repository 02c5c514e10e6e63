"""M1 and M2 of dags/full.yaml in PyTorch's Python, as one would write them there: prints the median seconds of a step.

usage: training_bench.py m1|m2 THREADS STEPS
"""

import statistics
import sys
import time

import torch
from torch import nn


def m1():
    layers, channels = [], 1

    def block(filters):
        nonlocal channels
        for _ in range(2):
            layers.extend([nn.Conv2d(channels, filters, 3, padding=1), nn.ReLU(),
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


def m2():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))


def main():
    network, threads, steps = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    torch.set_num_threads(threads)
    torch.manual_seed(7)
    model = {"m1": m1, "m2": m2}[network]()
    x = torch.rand(128, 1, 28, 28)
    target = torch.rand(128, 1, 28, 28) if network == "m1" else torch.randint(0, 10, (128,))
    loss_of = nn.MSELoss() if network == "m1" else nn.CrossEntropyLoss()
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3, eps=1e-7)
    taken = []
    for _ in range(steps + 2):
        start = time.perf_counter()
        optimiser.zero_grad()
        loss = loss_of(model(x), target)
        loss.backward()
        optimiser.step()
        loss.item()
        taken.append(time.perf_counter() - start)
    print(statistics.median(taken[2:]))


main()
