"""Writes images.npy and labels.npy for README's clothes.yaml into the current folder: the first 5,000 training images of Fashion-MNIST,
float32 [5000, 1, 28, 28] in [0, 1], and their labels, int64 [5000]. `build/satdl data fetch fashion_mnist` fetches what it reads."""

import pathlib

import numpy

COUNT = 5000
FOLDER = pathlib.Path(__file__).parents[2] / "data/fashion_mnist"

images = numpy.fromfile(FOLDER / "train-images-idx3-ubyte", "uint8", COUNT * 28 * 28, offset=16)
labels = numpy.fromfile(FOLDER / "train-labels-idx1-ubyte", "uint8", COUNT, offset=8)
numpy.save("images.npy", images.reshape(COUNT, 1, 28, 28).astype("float32") / 255)
numpy.save("labels.npy", labels.astype("int64"))
