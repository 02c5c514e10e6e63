"""`read_images`: folders of images as people have them, keyed by the content and the names of their files."""

import base64
import struct
import unittest
import zlib

import h5py
import numpy

import satdl

# 8 x 8 pixels of one gray each, by libjpeg.
GRAY_JPEG = (
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQH/"
    "wAALCAAIAAgBAREA/8QAHwAAAQUBAQEBAQEAAAAAAAAAAAECAwQFBgcICQoL/8QAtRAAAgEDAwIEAwUFBAQAAAF9AQIDAAQRBRIhMUEGE1FhByJxFDKBkaEI"
    "I0KxwRVS0fAkM2JyggkKFhcYGRolJicoKSo0NTY3ODk6Q0RFRkdISUpTVFVWV1hZWmNkZWZnaGlqc3R1dnd4eXqDhIWGh4iJipKTlJWWl5iZmqKjpKWmp6ip"
    "qrKztLW2t7i5usLDxMXGx8jJytLT1NXW19jZ2uHi4+Tl5ufo6erx8vP09fb3+Pn6/9oACAEBAAA/AP5j6//Z")


def png(pixels):
    """uint8 [H, W] or [H, W, 3] as a file."""
    height, width = pixels.shape[:2]

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", width, height, 8, 2 if pixels.ndim == 3 else 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


class Images(satdl.Case):
    def setUp(self):
        super().setUp()
        numbers = numpy.random.default_rng(0)
        self.images = {}
        for name in ("pets/dog/1.png", "pets/cat/b.png", "pets/cat/a.png", "pets/cow/x.png"):
            self.images[name] = numbers.integers(0, 256, (8, 6, 3), "uint8")
            self.save(name, png(self.images[name]))
        self.dag = self.write("d.yaml", """\
name: d
params: {limit: null}
stages:
  pets: {kind: read_images, folder: pets, limit: "${limit}"}
  unit: {kind: normalise, in: {images: pets.images}}
""")

    def save(self, name, content):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def read(self, *arguments):
        out = self.call("run", self.dag, "pets", *arguments)
        with h5py.File(self.folder / "results/d/pets.h5") as file:
            return file["images"][()], list(file["labels"][()]), out

    def test_images_labels_and_the_names_of_the_classes(self):
        images, labels, out = self.read()
        expected = [self.images[f"pets/{name}.png"].transpose(2, 0, 1) for name in ("cat/a", "cat/b", "cow/x", "dog/1")]
        numpy.testing.assert_array_equal(images, numpy.stack(expected))
        self.assertEqual(labels, [0, 0, 1, 2])
        self.assertRegex(out, r"label\s+class\s+images")
        self.assertRegex(out, r"0\s+cat\s+2")
        self.assertRegex(self.call("show", "pets"), r"2\s+dog\s+1")
        self.assertEqual(self.read("limit=3")[1], [0, 1, 2])

    def test_images_are_exported_as_a_grid_with_black_lines_between_them(self):
        images, _, _ = self.read()
        self.call("run", self.dag)
        self.call("export", "unit", "grid.png", "--images", "3")
        grid = numpy.zeros((8 + 1 + 8, 6 + 1 + 6, 3), "uint8")
        for image, (top, left) in zip(images, [(0, 0), (0, 7), (9, 0)]):
            grid[top:top + 8, left:left + 6] = image.transpose(1, 2, 0)
        # Read back as a stage reads it.
        self.save("grids/one/grid.png", (self.folder / "grid.png").read_bytes())
        self.write("back.yaml", "name: back\nstages:\n  grid: {kind: read_images, folder: grids}\n")
        self.call("run", "back.yaml")
        with h5py.File(self.folder / "results/back/grid.h5") as file:
            numpy.testing.assert_array_equal(file["images"][0].transpose(1, 2, 0), grid)

    def test_wrong_answers_and_a_confusion_matrix_have_the_names_of_the_classes(self):
        numpy.save(self.folder / "p.npy", numpy.eye(3, dtype=numpy.float32)[[2, 0, 1, 2]])
        dag = self.write("judge.yaml", """\
name: judge
stages:
  pets: {kind: read_images, folder: pets}
  unit: {kind: normalise, in: {images: pets.images}}
  p: {kind: read, file: p.npy}
  judged: {kind: evaluate_predictions, in: {predictions: p.data, target: pets.labels, x: unit.images}, loss: cross_entropy}
""")
        self.call("run", dag, "-q")
        self.assertEqual(self.call("show", "judged.confusion"), """\
judged/confusion: int64 [3, 3], 72 B

true class (rows), predicted class (columns)
     cat  cow  dog
──────────────────
cat    1    0    1
cow    0    1    0
dog    0    0    1
""")
        lines = self.call("show", "judged", "--wrong", "5").splitlines()
        self.assertTrue(lines[0].startswith("1 of 1 wrong answers on 4 samples"))
        self.assertEqual((len(lines), lines[-1]), (6, "0: cat -> dog"))
        self.assertEqual(self.document("show", "judged", "--wrong", "5")["class_names"], ["cat", "cow", "dog"])

    def test_the_stage_runs_again_if_a_file_is_edited_added_or_renamed_and_only_then(self):
        self.assertEqual(self.ran(self.dag), {"pets", "unit"})
        self.save("pets/.DS_Store", b"x")
        self.assertEqual(self.ran(self.dag), set())
        self.save("pets/dog/1.png", png(255 - self.images["pets/dog/1.png"]))
        self.assertEqual(self.ran(self.dag), {"pets", "unit"})
        self.save("pets/dog/2.png", png(self.images["pets/dog/1.png"]))
        self.assertIn("a file in its folder changed", self.call("run", "-n", self.dag))
        self.assertEqual(self.ran(self.dag), {"pets", "unit"})
        (self.folder / "pets/cow").rename(self.folder / "pets/zebu")
        self.assertEqual(self.ran(self.dag), {"pets", "unit"})
        self.assertEqual(self.read()[1], [0, 0, 1, 1, 2])
        (self.folder / "pets/zebu").rename(self.folder / "pets/yak")  # another name, but the same images and labels
        self.assertEqual(self.ran(self.dag), {"pets"})

    def test_no_output_takes_the_place_of_an_image(self):
        self.call("run", self.dag, "limit=1,2", "--csv", "pets/dog/1.png", code=2)
        self.assertIn("this command reads that file", self.err)

    def test_types_and_mistakes_show_before_anything_runs(self):
        self.write("t.yaml", """\
stages:
  pets: {kind: read_images, folder: pets}
  less: {kind: read_images, folder: pets, limit: 3}
  unit: {kind: normalise, in: {images: pets.images}}
  m: {kind: train, in: {x: unit.images, target: less.labels}, net: [flatten, {dense: 3, activation: softmax}], loss: cross_entropy}
""")
        self.call("run", "-n", "t.yaml", code=2)
        self.assertIn("m.target has 3 rows, m.x has 4", self.err)
        self.save("pets/dog/Thumbs.db", b"\0\1\2")
        self.call("run", "-n", self.dag, code=2)
        self.assertRegex(self.err, r"d\.yaml:4:37: error: .*pets/dog/Thumbs\.db: is not a PNG or JPEG image: it starts with 00 01 02")
        (self.folder / "pets/dog/Thumbs.db").unlink()
        self.save("pets/dog/gray.jpg", base64.b64decode(GRAY_JPEG))
        self.call("run", "-n", self.dag, code=2)
        self.assertRegex(self.err, r"pets/dog/gray\.jpg: is 8 x 8 gray, but cat/a\.png is 6 x 8 RGB")
        self.assertIn("Image.open(FILE).convert('RGB').resize((6, 8)).save(FILE)", self.err)
        for kind, message in (("read, file: pets", "kind: read_images, folder: pets"), ("read_images, folder: d.yaml", "not a folder"),
                              ("read_images, folder: cats", "there is no folder cats")):
            self.call("run", "-n", self.write("w.yaml", f"stages:\n  x: {{kind: {kind}}}\n"), code=2)
            self.assertIn(message, self.err)

    def test_single_images_and_damaged_ones(self):
        self.save("gray.jpg", base64.b64decode(GRAY_JPEG))
        dag = self.write("s.yaml", "name: s\nstages:\n  x: {kind: read, file: gray.jpg}\n")
        self.call("run", dag, "-q")
        with h5py.File(self.folder / "results/s/x.h5") as file:
            self.assertEqual((file["data"].shape, str(file["data"].dtype)), ((1, 1, 8, 8), "uint8"))
        good = png(self.images["pets/dog/1.png"])
        self.save("pets/dog/1.png", good[:-30])
        self.call("run", self.dag, "-q", code=1)
        self.assertIn("pets/dog/1.png: is a damaged PNG image", self.err)

    def test_ten_thousand_images(self):
        for number in range(10_000):
            self.save(f"many/{number % 10}/{number}.png", png(numpy.full((2, 2), number % 256, "uint8")))
        dag = self.write("m.yaml", "name: m\nstages:\n  x: {kind: read_images, folder: many}\n")
        self.call("run", dag, "-q")
        with h5py.File(self.folder / "results/m/x.h5") as file:
            self.assertEqual(file["images"].shape, (10_000, 1, 2, 2))
            self.assertEqual(list(file["labels"][:]), sorted(list(range(10)) * 1000))
        self.assertEqual(self.ran(dag), set())


if __name__ == "__main__":
    unittest.main()
