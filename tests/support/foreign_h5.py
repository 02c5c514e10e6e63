"""HDF5 files as strangers make them, good and bad: foreign_h5.py FOLDER."""
import os
import sys

import h5py
import numpy

os.chdir(sys.argv[1])
numbers = numpy.arange(24, dtype="<f4").reshape(4, 3, 2)
open("secret.bin", "wb").write(b"secret!!" * 12)


def file(name, **options):
    return h5py.File(name, "w", **options)


def one(name, *arguments, **options):
    with file(name) as out:
        out.create_dataset("data", *arguments, **options)


one("plain.h5", data=numbers)
one("big_endian.h5", data=numbers.astype(">f4"))
one("gzip.h5", data=numbers, chunks=(3, 2, 2), compression="gzip", shuffle=True, fletcher32=True)
one("scalar.h5", data=numpy.int64(7))
one("bytes.h5", data=numpy.arange(5, dtype="u1"))
one("none.h5", shape=(0, 3), dtype="<f8")
one("old.h5", data=numbers.astype("<i4"), track_order=True)
with file("large.h5") as out:
    rows = numpy.arange(3000 * 5000, dtype="<i4").reshape(3000, 5000)
    out.create_dataset("contiguous", data=rows)
    out.create_dataset("chunks", data=rows, chunks=(700, 900))
with file("several.h5", userblock_size=512) as out:
    out["a"] = numbers
    out["group/deeper/b"] = numbers + 1
    out["group/again"] = out["group"]  # a circle of hard links
    out["soft"] = h5py.SoftLink("/a")
    out["group/relative"] = h5py.SoftLink("deeper/b")
    out["to_group"] = h5py.SoftLink("/group/")
    out["dangling"] = h5py.SoftLink("/nowhere")
    out["circle"] = h5py.SoftLink("/circle")
    out["to_external"] = h5py.SoftLink("/external")
    out["external"] = h5py.ExternalLink("plain.h5", "data")

with file("every.h5") as out:
    out.create_dataset("weights/conv/w", data=numbers, chunks=(2, 3, 2), compression="gzip")
    out["weights/conv/b"] = numpy.arange(3, dtype="<f2")
    out["steps"] = numpy.int64(7)
    out["none"] = numpy.zeros((0, 2), "<i4")
    out["again"] = out["steps"]  # two names of one array
    out.create_group("empty")

one("external_storage.h5", shape=(24,), dtype="<f4", external=[("secret.bin", 0, 96)])
one("lzf.h5", data=numbers, chunks=(4, 3, 2), compression="lzf")
one("lzf_many.h5", data=numpy.arange(100000, dtype="<i4") // 1000, chunks=(7001,), compression="lzf", shuffle=True)
one("unwritten.h5", shape=(1 << 40,), dtype="<f4")
one("unwritten_chunks.h5", shape=(1 << 40,), dtype="<f4", chunks=(1 << 20,))
one("half_written.h5", shape=(64,), dtype="<f4", chunks=(16,))
with h5py.File("half_written.h5", "a") as out:
    out["data"][:16] = 1
one("more_than_64_bits.h5", shape=(1 << 40, 1 << 40), dtype="<f8", chunks=(1, 1))
one("huge_chunks.h5", shape=(1 << 29,), dtype="u1", chunks=(1 << 29,), compression="gzip")
one("one_chunk.h5", data=numpy.arange(40_000_000, dtype="<i4"), chunks=(40_000_000,), compression="gzip", compression_opts=1, shuffle=True)
one("never_written.h5", shape=(3, 2), dtype="<f4")
one("filled.h5", shape=(6, 2), dtype="<f4", chunks=(2, 2), fillvalue=7)
with h5py.File("filled.h5", "a") as out:
    out["data"][2:4] = 1
types = {"bool": "?", "int8": "i1", "int16": "<i2", "uint16": ">u2", "uint32": "<u4", "uint64": ">u8", "half": "<f2", "big_half": ">f2"}
for name, dtype in types.items():
    one(f"{name}.h5", data=numpy.array([0, 1], dtype))
one("zeros.h5", data=numpy.zeros((2000, 5000), "i1"), chunks=(500, 5000), compression="gzip", compression_opts=9)
one("enum.h5", data=numpy.array([1, 0], "u1"), dtype=h5py.enum_dtype({"no": 0, "yes": 1}, "u1"))
one("too_large.h5", data=numpy.array([1 << 63], "<u8"))
one("text.h5", data="words")
one("complex.h5", data=numbers.astype("c8"))
one("lists.h5", shape=(2,), dtype=h5py.vlen_dtype("f4"))
one("records.h5", data=numpy.zeros(3, dtype=[("a", "f4"), ("b", "i8")]))
one("null.h5", data=h5py.Empty("f4"))
layout = h5py.VirtualLayout(shape=(4, 3, 2), dtype="<f4")
layout[:] = h5py.VirtualSource("plain.h5", "data", shape=(4, 3, 2))
with file("virtual.h5") as out:
    out.create_virtual_dataset("data", layout)
with file("groups.h5") as out:
    out.create_group("group")
one("whole.h5", data=numpy.arange(4000, dtype="<i4"), chunks=(500,), compression="gzip")
open("cut.h5", "wb").write(open("whole.h5", "rb").read()[:-700])
open("text_file.h5", "w").write("not HDF5 at all\n")
