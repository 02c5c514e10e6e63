"""The order of the engine's rooms, as pipeline/README.md has it, and what the engine may include and link."""

import os
import pathlib
import re
import subprocess
import unittest

BINARY = pathlib.Path(os.environ["SATDL_BINARY_DIR"])
SOURCE = pathlib.Path(os.environ["SATDL_SOURCE_DIR"])
PIPELINE = SOURCE / "pipeline"

# How each library of the README's table is included.
HEADERS = {
    "libcrypto": r"openssl/",
    "oneTBB": r"(oneapi/)?tbb/",
    "libdl": r"dlfcn\.h",
    "yaml-cpp": r"yaml-cpp/",
    "nlohmann-json": r"nlohmann/",
    "HDF5": r"(hdf5|H5\w*)\.h",
    "SQLite": r"sqlite3\.h",
    "spdlog": r"spdlog/",
}
NEVER = r"torch/|ATen/|c10/|CLI/|stages/|commands/"


def table():
    """Room -> its outside libraries, in the order of the README."""
    rows = re.findall(r"^\| (\w+) \|[^|]*\|([^|]*)\|$", (PIPELINE / "README.md").read_text(), re.M)
    rows = {room: libraries for room, libraries in rows if room != "room"}
    return {room: [name.strip() for name in libraries.split(",") if name.strip()] for room, libraries in rows.items()}


def includes(path):
    return re.findall(r'^\s*#\s*include\s*[<"]([^">]+)[">]', path.read_text(), re.M)


class Rooms(unittest.TestCase):
    def setUp(self):
        self.rooms = table()
        self.order = {room: place for place, room in enumerate(self.rooms)}
        self.files = sorted(PIPELINE.glob("*.h")) + sorted(PIPELINE.glob("*.cpp"))

    def test_every_file_is_a_room_of_the_table_and_every_room_has_a_file(self):
        self.assertEqual({path.stem for path in self.files}, set(self.rooms))

    def test_a_file_includes_only_what_stands_above_it(self):
        # "the other half of x.h" and what is split off may come after x and implement what x.h declares: a .cpp may include
        # any header above it, and its own.
        for path in self.files:
            for header in includes(path):
                if header.startswith("pipeline/"):
                    room = pathlib.Path(header).stem
                    self.assertIn(room, self.order, f"{path} includes {header}")
                    below = self.order[room] > self.order[path.stem]
                    self.assertFalse(below, f"{path} includes {header}, which stands below it")

    def test_a_library_is_included_only_where_the_table_names_it(self):
        for path in self.files:
            for header in includes(path):
                self.assertIsNone(re.match(NEVER, header), f"{path} includes {header}")
                for library, pattern in HEADERS.items():
                    if re.match(pattern, header):
                        self.assertIn(library, self.rooms[path.stem], f"{path} includes {header}")

    def test_the_table_names_no_library_in_vain(self):
        for room, libraries in self.rooms.items():
            included = [header for path in PIPELINE.glob(f"{room}.*") for header in includes(path)]
            for library in libraries:
                used = any(re.match(HEADERS[library], header) for header in included)
                self.assertTrue(used, f"{room} does not include {library}")

    def test_the_program_is_linked_with_neither_libtorch_nor_hdf5(self):
        for program in ("satdl", "satdl-manifest"):
            needed = subprocess.run(["ldd", BINARY / program], capture_output=True, text=True, check=True).stdout.lower()
            for library in ("torch", "c10", "hdf5"):
                self.assertNotIn(f"lib{library}", needed, f"{program} needs {library}")

    def test_a_file_stays_below_400_lines(self):
        folders = [SOURCE / name for name in ("pipeline", "stages", "commands")]
        for path in (path for folder in folders for path in folder.rglob("*") if path.suffix in (".h", ".cpp")):
            self.assertLessEqual(len(path.read_text().splitlines()), 400, path)


if __name__ == "__main__":
    unittest.main()
