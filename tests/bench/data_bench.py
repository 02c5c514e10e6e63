"""What add_noise, normalise and concat do, as one would write it in NumPy: prints the median seconds of a run.

usage: data_bench.py add_noise|normalise|concat|digest
       data_bench.py normalise_to_disk FOLDER
"""

import hashlib
import os
import pathlib
import statistics
import sys
import time

import numpy as np

SHAPE = (60000, 1, 28, 28)


def to_disk(pixels, path):
    """A file that is mapped, filled and made durable."""
    array = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=SHAPE)
    np.divide(pixels, 255, out=array, dtype=np.float32)
    array.flush()
    with open(path, "rb") as file:
        os.fsync(file.fileno())
    path.unlink()


def main():
    pixels = (np.arange(np.prod(SHAPE)) % 251).reshape(SHAPE).astype(np.uint8)
    images = np.divide(pixels, 251, dtype=np.float32)
    random = np.random.default_rng(7)
    run = {
        "add_noise": lambda: np.clip(images + np.float32(0.4) * random.standard_normal(SHAPE, dtype=np.float32), 0, 1),
        "normalise": lambda: np.divide(pixels, 255, dtype=np.float32),
        "concat": lambda: np.concatenate([images, images]),
        "digest": lambda: hashlib.sha256(images).digest(),
        "normalise_to_disk": lambda: to_disk(pixels, pathlib.Path(sys.argv[2]) / "numpy.npy"),
    }[sys.argv[1]]
    taken = []
    for _ in range(9):
        start = time.perf_counter()
        run()
        taken.append(time.perf_counter() - start)
    print(statistics.median(taken))


main()
