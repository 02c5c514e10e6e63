"""satdl for programs that are stages, and for notebooks that look at what they made.

In a stage of kind ``command`` (docs/programs.md)::

    import satdl

    x = satdl.input("x")                        # an array, as the stage before wrote it
    for epoch in range(1, satdl.params.epochs + 1):
        ...
        satdl.epoch(epoch, of=satdl.params.epochs, loss=loss)
    satdl.output("data", y)
    satdl.metrics(loss=loss, accuracy=accuracy)

satdl sets ``PYTHONPATH`` so that the import works. By hand, for debugging, the same program runs with its values and inputs on the command
line; what it writes lands in the current folder::

    python3 train.py --satdl epochs=2 x=features.npy

In a notebook::

    store = satdl.Store(".satdl")
    store["full/m1"]["model/conv_1.weight"]     # an array, mapped
    pandas.DataFrame(satdl.runs(".satdl"))

Needs NumPy; h5py only for files that are HDF5.
"""

from __future__ import annotations

import json
import os
import pathlib
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np

__all__ = ["Checkpoint", "Store", "checkpoint", "epoch", "file", "input", "metrics", "output", "params", "progress", "runs", "stop_requested"]


class SatdlError(Exception):
    """What a user of this module can mend."""


# ---- the stage ------------------------------------------------------------------------------------------------------------------------


def _value(text: str) -> Any:
    """A value of the command line, typed as YAML types it."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _by_hand(arguments: list[str]) -> dict[str, Any]:
    """The stage as the command line after ``--satdl`` gives it: name=value, where a value that is a file is an input."""
    stage: dict[str, Any] = {"stage": pathlib.Path(sys.argv[0]).stem, "with": {}, "in": {}, "files": {}, "out": None}
    for argument in arguments:
        name, equals, text = argument.partition("=")
        if not equals or not name.isidentifier():
            raise SatdlError(f"'{argument}' after --satdl is not name=value or name=FILE")
        path = pathlib.Path(text)
        if path.exists():
            stage["in"][name] = {"kind": _kind_of(path), "path": str(path)}
            stage["files"][name] = str(path)
        else:
            stage["with"][name] = _value(text)
    return stage


def _kind_of(path: pathlib.Path) -> str:
    if path.is_dir():
        return "folder"
    return {".npy": "array", ".csv": "array", ".h5": "array", ".npz": "arrays", ".safetensors": "arrays", ".json": "metrics"}.get(path.suffix, "file")


def _stage() -> dict[str, Any]:
    global _description
    if _description is None:
        text = os.environ.get("SATDL_STAGE")
        if text is not None:
            _description = json.loads(text)
        elif "--satdl" in sys.argv:
            at = sys.argv.index("--satdl")
            _description = _by_hand(sys.argv[at + 1 :])
            del sys.argv[at:]
        else:
            raise SatdlError("this program runs neither as a stage of satdl nor with --satdl name=value ... on its command line")
    return _description


_description: dict[str, Any] | None = None


class _Params(Mapping[str, Any]):
    """The values under ``with``: ``params.epochs`` or ``params["epochs"]``."""

    def __getitem__(self, name: str) -> Any:
        values = _stage()["with"]
        if name not in values:
            raise SatdlError(f"the stage has no value '{name}' under 'with'; it has: {', '.join(values) or 'none'}")
        return values[name]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return self[name]

    def __iter__(self) -> Iterator[str]:
        return iter(_stage()["with"])

    def __len__(self) -> int:
        return len(_stage()["with"])

    def __repr__(self) -> str:
        return f"satdl.params({dict(self)!r})"


params = _Params()


def _entry(what: str, name: str) -> Any:
    entries = _stage()[what]
    if name not in entries:
        raise SatdlError(f"the stage has no '{name}' under '{what}'; it has: {', '.join(entries) or 'none'}")
    return entries[name]


def file(name: str) -> pathlib.Path:
    """The path of an entry of ``files``, or of an input of kind file or folder."""
    if name in _stage()["files"]:
        return pathlib.Path(_stage()["files"][name])
    return pathlib.Path(_entry("in", name)["path"])


def _h5py() -> Any:
    try:
        import h5py
    except ImportError:
        raise SatdlError("h5py is not installed, and this is an HDF5 file: pip install h5py") from None
    return h5py


def _mapped(dataset: Any, path: pathlib.Path) -> np.ndarray:
    """A contiguous dataset without a copy; any other is read."""
    offset = dataset.id.get_offset()
    if offset is None or dataset.chunks is not None or dataset.size == 0:
        return np.asarray(dataset[()])
    return np.memmap(path, dtype=dataset.dtype, mode="r", offset=offset, shape=dataset.shape)


def _datasets(path: pathlib.Path) -> dict[str, np.ndarray]:
    """All datasets of an HDF5 file by path, mapped."""
    h5py = _h5py()
    found: dict[str, np.ndarray] = {}

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = _mapped(item, path)

    with h5py.File(path, "r") as opened:
        opened.visititems(visit)
    return found


_SAFETENSORS_TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1", "U8": "u1", "BOOL": "?"}


def _safetensors(path: pathlib.Path) -> dict[str, np.ndarray]:
    with open(path, "rb") as opened:
        length = int.from_bytes(opened.read(8), "little")
        header = json.loads(opened.read(length))
    header.pop("__metadata__", None)
    arrays = {}
    for name, tensor in header.items():
        begin, end = tensor["data_offsets"]
        dtype = np.dtype(_SAFETENSORS_TYPES[tensor["dtype"]])
        arrays[name] = np.memmap(path, dtype=dtype, mode="r", offset=8 + length + begin, shape=tuple(tensor["shape"])) if end > begin else np.zeros(tensor["shape"], dtype)
    return arrays


def _read(path: pathlib.Path, kind: str) -> Any:
    suffix = path.suffix
    if kind in ("file", "folder"):
        return path
    if suffix == ".npy":
        return np.load(path, mmap_mode="r")
    if suffix == ".npz":
        with np.load(path) as arrays:
            return {name: arrays[name] for name in arrays.files}
    if suffix == ".safetensors":
        return _safetensors(path)
    if suffix == ".json":
        return json.loads(path.read_text())
    if suffix == ".csv":
        if kind == "array":
            return np.loadtxt(path, delimiter=",")
        table = np.genfromtxt(path, delimiter=",", names=True, deletechars="")
        return {name: np.atleast_1d(table[name]) for name in table.dtype.names}
    arrays = _datasets(path)
    return next(iter(arrays.values())) if kind == "array" else arrays


def input(name: str) -> Any:
    """What arrives at the input: an array (mapped: copy it before you change it); a dict of arrays for models and groups; a dict of numbers
    for metrics; a path for files and folders."""
    entry = _entry("in", name)
    return _read(pathlib.Path(entry["path"]), entry["kind"])


def _output_path(name: str, kind: str, ending: str) -> pathlib.Path:
    outputs = _stage()["out"]
    if outputs is None:  # by hand
        return pathlib.Path(name + ending)
    entry = _entry("out", name)
    if entry["kind"] != kind:
        raise SatdlError(f"the output '{name}' is declared as {entry['kind']}, not as {kind}")
    return pathlib.Path(entry["path"])


def output(name: str, value: Any = None) -> pathlib.Path:
    """Writes the output: an array, a dict of arrays, or the bytes or text of a file. Without a value, the path to write to (a folder
    exists then)."""
    outputs = _stage()["out"]
    kind = outputs[name]["kind"] if outputs and name in outputs else "file"
    if value is None:
        path = _output_path(name, kind, "")
        if kind == "folder":
            path.mkdir(parents=True, exist_ok=True)
        return path
    if isinstance(value, Mapping):
        path = _output_path(name, "arrays", ".npz")
        with open(path, "wb") as opened:
            np.savez(opened, **{key: np.asarray(array) for key, array in value.items()})
        return path
    if isinstance(value, (bytes, bytearray, str)):
        path = _output_path(name, "file", "")
        path.write_bytes(value.encode() if isinstance(value, str) else bytes(value))
        return path
    path = _output_path(name, "array", ".npy")
    with open(path, "wb") as opened:
        np.save(opened, np.asarray(value))
    return path


def metrics(name: str = "metrics", /, **values: float) -> None:
    """Writes the stage's metrics: numbers by name. NaN and infinity are refused: leave out what could not be measured."""
    outputs = _stage()["out"]
    if outputs is not None and name not in outputs:
        declared = [one for one, entry in outputs.items() if entry["kind"] == "metrics"]
        if len(declared) != 1:
            raise SatdlError(f"the stage declares {len(declared)} outputs of kind metrics; name one: satdl.metrics(NAME, ...)")
        name = declared[0]
    numbers = {key: float(value) for key, value in values.items()}
    for key, value in numbers.items():
        if not np.isfinite(value):
            raise SatdlError(f"the metric '{key}' is {value}")
    _output_path(name, "metrics", ".json").write_text(json.dumps(numbers, indent=1) + "\n")


# ---- progress, stopping, checkpoints -----------------------------------------------------------------------------------------------------


def _report(line: dict[str, Any]) -> None:
    path = os.environ.get("SATDL_PROGRESS")
    if path is None:
        if "metrics" in line:
            print(" ".join([f"epoch {line.get('epoch')}", *(f"{name} {value:.6g}" for name, value in line["metrics"].items())]), file=sys.stderr)
        return
    with open(path, "a") as opened:
        opened.write(json.dumps(line) + "\n")


def _numbers(values: dict[str, float]) -> dict[str, float]:
    return {name: float(value) for name, value in values.items() if np.isfinite(value)}


def epoch(number: int, /, of: int = 0, **values: float) -> None:
    """An epoch, counted from 1, has ended with these metrics: for the progress bar, and for the history if the stage writes none."""
    _report({"epoch": int(number), "epochs": int(of), "metrics": _numbers(values)})


def progress(step: int, /, of: int = 0, epoch: int = 1, epochs: int = 0, **values: float) -> None:
    """A step within an epoch has ended."""
    _report({"epoch": int(epoch), "epochs": int(epochs), "step": int(step), "steps": int(of), "metrics": _numbers(values)})


_stop = SimpleNamespace(requested=False, watched=False)


def _watch() -> None:
    if _stop.watched:
        return
    _stop.watched = True

    def request(*_: Any) -> None:
        _stop.requested = True

    signal.signal(signal.SIGTERM, request)


def stop_requested() -> bool:
    """Whether satdl asks the program to stop (SIGTERM): save a checkpoint, then exit. From the first call on, the signal only sets this.
    Call it in the main thread."""
    _watch()
    return _stop.requested


class Checkpoint:
    """Where a long stage keeps what it needs to go on after an interruption. satdl keeps it whole or not at all, and gives it back at the
    next attempt::

        state = satdl.checkpoint.load()              # None at the first attempt
        satdl.checkpoint.save({"w": w}, epoch=3)     # arrays by name ...
        torch.save(model.state_dict(), satdl.checkpoint.folder / "model.pt")
        satdl.checkpoint.confirm(epoch=3)            # ... or files of your own
    """

    _FILE = "arrays.npz"
    _WAIT_SECONDS = 60

    @property
    def folder(self) -> pathlib.Path:
        """Of its files; by hand ./checkpoint."""
        folder = pathlib.Path(os.environ.get("SATDL_CHECKPOINT", "checkpoint"))
        folder.mkdir(exist_ok=True)
        return folder

    def load(self) -> dict[str, np.ndarray] | None:
        """The arrays of the last checkpoint."""
        path = self.folder / self._FILE
        if not path.exists():
            return None
        with np.load(path) as arrays:
            return {name: arrays[name] for name in arrays.files}

    def save(self, arrays: Mapping[str, Any], epoch: int = 0, of: int = 0) -> None:
        with open(self.folder / self._FILE, "wb") as opened:
            np.savez(opened, **{name: np.asarray(array) for name, array in arrays.items()})
        self.confirm(epoch, of)

    def confirm(self, epoch: int = 0, of: int = 0) -> None:
        """What lies in the folder is whole: satdl takes it, and leaves the folder empty. Returns when it has."""
        folder = self.folder
        _report({"checkpoint": True, "epoch": int(epoch), "epochs": int(of)})
        if "SATDL_PROGRESS" not in os.environ:
            return
        begin = time.monotonic()
        while any(folder.iterdir()) and time.monotonic() - begin < self._WAIT_SECONDS:
            time.sleep(0.005)


checkpoint = Checkpoint()


# ---- reading stores -----------------------------------------------------------------------------------------------------------------------


class Artifact(Mapping[str, np.ndarray]):
    """What a stage made: arrays by path ("images", "model/conv_1.weight"), mapped read-only."""

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path
        with open(path, "rb") as opened:
            magic, digest = opened.readline(), opened.readline()
            if magic != b"satdl-object-1\n" or len(digest) != 65:
                raise SatdlError(f"{path} is not an artifact of satdl")
            self.header: dict[str, Any] = json.loads(opened.readline())
        self._tensors = {"/".join(part for part in (tensor["port"], tensor["name"]) if part): tensor for tensor in self.header["tensors"]}

    @property
    def key(self) -> str:
        return self.header["key"]

    @property
    def recipe(self) -> dict[str, str]:
        """All that the result depends on, by name."""
        return {name: value for name, value in self.header["recipe"]}

    @property
    def metrics(self) -> dict[str, float]:
        """Of all ports of kind metrics: "metrics/accuracy"."""
        return {f"{port}/{name}": float(value) for port, values in self.header["metrics"].items() for name, value in values.items()}

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self._tensors:
            raise KeyError(f"'{name}'; it has: {', '.join(self._tensors)}")
        tensor = self._tensors[name]
        dtype, shape = np.dtype(tensor["dtype"]).newbyteorder("<"), tuple(tensor["shape"])
        if 0 in shape:
            return np.zeros(shape, dtype)
        return np.memmap(self.path, dtype=dtype, mode="r", offset=tensor["offset"], shape=shape)

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)

    def __repr__(self) -> str:
        return f"<artifact of {self.recipe.get('kind')}: {', '.join(self)}>"


class Store(Mapping[str, Artifact]):
    """The current artifacts of a store, by "DAG/STAGE", as the links in its results folder have them."""

    def __init__(self, folder: str | os.PathLike[str] = ".satdl", results: str | os.PathLike[str] | None = None) -> None:
        self.folder = pathlib.Path(folder)
        if not self.folder.is_dir():
            raise SatdlError(f"there is no store {self.folder}")
        default = self.folder.parent / "results" if self.folder.name == ".satdl" else self.folder / "results"
        self.results = pathlib.Path(results) if results is not None else default

    def __getitem__(self, name: str) -> Artifact:
        path = self.results / (name + ".h5")
        if not path.exists():
            raise KeyError(f"'{name}'; it has: {', '.join(self)}")
        return Artifact(path.resolve())

    def __iter__(self) -> Iterator[str]:
        return (str(path.relative_to(self.results).with_suffix("")) for path in sorted(self.results.glob("*/*.h5")) if path.exists() and not path.parent.is_symlink())

    def __len__(self) -> int:
        return sum(1 for _ in self)


def runs(folder: str | os.PathLike[str] = ".satdl") -> list[dict[str, Any]]:
    """A dict for each stage of each recorded run, oldest first: run, dag, time, stage, outcome, seconds, and its metrics."""
    rows: list[dict[str, Any]] = []
    root = pathlib.Path(folder) / "runs"
    for path in sorted(root.glob("*/*.jsonl")):
        run: dict[str, Any] = {"run": path.parent.name}
        for line in path.read_text(errors="replace").splitlines():
            try:
                event = json.loads(line)
            except ValueError:
                continue  # the last line of a run that was killed
            if event.get("event") == "run_started":
                run.update(dag=event.get("dag"), time=event.get("wall_time"))
            elif event.get("event") == "stage":
                row = {**run, "stage": event["stage"], "outcome": event.get("outcome"), "seconds": event.get("seconds")}
                for port, values in (event.get("metrics") or {}).items():
                    row.update({f"{port}/{name}": value for name, value in values.items()} if isinstance(values, dict) else {port: values})
                rows.append(row)
    return rows
