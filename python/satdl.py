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
line; what it writes lands in the current folder. Of an HDF5 file, such as an artifact, a colon may name one array or group::

    python3 train.py --satdl epochs=2 x=features.npy y=results/full/fashion@train.h5:labels

In a notebook::

    store = satdl.Store(".satdl")
    store["full/m1"]["model/conv_1.weight"]     # an array, mapped
    pandas.DataFrame(satdl.runs(".satdl"))

Needs NumPy; h5py only for inputs that are HDF5.
"""

from __future__ import annotations

import glob
import hashlib
import importlib
import json
import math
import os
import pathlib
import signal
import sys
import time
import zipfile
from collections.abc import Iterator, Mapping
from types import FrameType
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = [
    "Artifact",
    "Checkpoint",
    "SatdlError",
    "Store",
    "checkpoint",
    "epoch",
    "file",
    "files",
    "folder",
    "input",
    "metrics",
    "output",
    "params",
    "progress",
    "runs",
    "stop_requested",
]

Array = npt.NDArray[Any]


class SatdlError(Exception):
    """What a user of this module can mend."""


class MissingError(SatdlError, KeyError):
    """A name that is not there."""

    def __str__(self) -> str:
        return str(self.args[0])  # KeyError's own would put quotes around it


def _missing(what: str, name: str, known: Mapping[str, Any]) -> MissingError:
    return MissingError(f"{what} '{name}'; there is: {', '.join(known) or 'none'}")


# ---- the stage --------------------------------------------------------------------------------------------------------------------------


def _value(text: str) -> Any:
    """A value of the command line: a number, true, false or null, otherwise a text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _kind_by_ending(path: pathlib.Path) -> str:
    if path.is_dir():
        return "folder"
    arrays = dict.fromkeys((".h5", ".hdf5", ".npz", ".safetensors"), "arrays")
    return {".npy": "array", ".csv": "array", ".json": "metrics", **arrays}.get(path.suffix, "file")


def _by_hand(arguments: list[str]) -> dict[str, Any]:
    """The stage as the command line after ``--satdl`` gives it: name=value, where a value that names a file is also an input."""
    stage: dict[str, Any] = {"stage": pathlib.Path(sys.argv[0]).stem, "with": {}, "in": {}, "files": {}, "out": None}
    for argument in arguments:
        name, equals, text = argument.partition("=")
        if not equals or not name.isidentifier():
            raise SatdlError(f"'{argument}' after --satdl is not name=value or name=FILE")
        stage["with"][name] = _value(text)
        path, colon, within = text, "", ""
        if not os.path.exists(path):
            path, colon, within = text.rpartition(":")
        if os.path.exists(path):
            stage["in"][name] = {"kind": _kind_by_ending(pathlib.Path(path)), "path": path, "within": within}
            if not colon:
                stage["files"][name] = path
    return stage


def _arguments_by_hand() -> dict[str, Any] | None:
    """Taken off the command line when the module is imported, before the program reads its own arguments."""
    if "SATDL_STAGE" in os.environ or "--satdl" not in sys.argv:
        return None
    at = sys.argv.index("--satdl")
    arguments = sys.argv[at + 1 :]
    del sys.argv[at:]
    return _by_hand(arguments)


_description: dict[str, Any] | None = _arguments_by_hand()


def _stage() -> dict[str, Any]:
    global _description
    if _description is None:
        text = os.environ.get("SATDL_STAGE")
        if text is None:
            raise SatdlError("this program runs neither as a stage of satdl nor with --satdl name=value ... on its command line")
        _description = json.loads(text)
    return _description


class _Params(Mapping[str, Any]):
    """The values under ``with``: ``params.epochs`` or ``params["epochs"]``."""

    def __getitem__(self, name: str) -> Any:
        values = _stage()["with"]
        if name not in values:
            raise _missing("the stage has no value under 'with' that is called", name, values)
        return values[name]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return self[name]
        except KeyError as error:
            raise AttributeError(str(error)) from None

    def __iter__(self) -> Iterator[str]:
        return iter(_stage()["with"])

    def __len__(self) -> int:
        return len(_stage()["with"])

    def __repr__(self) -> str:
        return f"satdl.params({dict(self)!r})"


params = _Params()


# ---- what arrives -----------------------------------------------------------------------------------------------------------------------


def _input(name: str) -> dict[str, Any]:
    inputs: dict[str, dict[str, Any]] = _stage()["in"]
    if name not in inputs:
        raise _missing("the stage has no input", name, inputs)
    return inputs[name]


def _file_of(entry: Mapping[str, Any]) -> pathlib.Path:
    """A file arrives in a folder, under the name that its maker gave it."""
    path = pathlib.Path(entry["path"])
    return next(one for one in path.rglob("*") if one.is_file()) if entry["kind"] == "file" and path.is_dir() else path


def file(name: str) -> pathlib.Path:
    """The path of an entry of ``files``, or of an input of kind file or folder."""
    entries = _stage()["files"]
    if name not in entries:
        return _file_of(_input(name))
    path = pathlib.Path(entries[name])
    if not path.exists():
        raise SatdlError(f"'{name}' is a pattern, {path.name}: satdl.files('{name}') is the list of its files")
    return path


def files(name: str) -> list[pathlib.Path]:
    """The paths of the files of an entry of ``files``, sorted: all that match its pattern, or all in its folder."""
    entries = _stage()["files"]
    if name not in entries:
        raise _missing("the stage has no entry of 'files' that is called", name, entries)
    path = pathlib.Path(entries[name])
    found = [path] if path.is_file() else path.rglob("*") if path.is_dir() else map(pathlib.Path, glob.glob(str(path), recursive=True))
    return sorted(one for one in found if one.is_file())


def _h5py() -> Any:
    try:
        return importlib.import_module("h5py")
    except ImportError:
        raise SatdlError("h5py is not installed, and an input is an HDF5 file: install it, or name another format: '{in.x:npy}'") from None


def _map(path: pathlib.Path, dtype: np.dtype[Any], offset: int, shape: tuple[int, ...]) -> Array:
    if math.prod(shape) == 0:
        return np.zeros(shape, dtype)
    return np.memmap(path, dtype=dtype, mode="r", offset=offset, shape=shape or (1,)).reshape(shape)


def _map_dataset(dataset: Any, path: pathlib.Path) -> Array:
    """A contiguous dataset without a copy; any other is read."""
    offset = dataset.id.get_offset()
    if offset is None or dataset.chunks is not None or dataset.dtype.hasobject:
        return np.asarray(dataset[()])
    return _map(path, dataset.dtype, offset, dataset.shape)


def _hdf5(path: pathlib.Path, within: str) -> Array | dict[str, Array]:
    """The array called `within`, or all that are below it, by path."""
    h5py = _h5py()
    found: dict[str, Array] = {}

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = _map_dataset(item, path)

    with h5py.File(path, "r") as opened:
        if within and within not in opened:
            raise _missing(f"{path} has no", within, opened)
        item = opened[within] if within else opened
        if isinstance(item, h5py.Dataset):
            return _map_dataset(item, path)
        item.visititems(visit)
    return found


_SAFETENSORS_TYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1", "U8": "u1", "BOOL": "?",
}  # fmt: skip


def _safetensors(path: pathlib.Path) -> dict[str, Array]:
    with open(path, "rb") as opened:
        length = int.from_bytes(opened.read(8), "little")
        header = json.loads(opened.read(length))
    header.pop("__metadata__", None)
    arrays: dict[str, Array] = {}
    for name, tensor in header.items():
        if tensor["dtype"] not in _SAFETENSORS_TYPES:
            raise SatdlError(f"{path}: the tensor '{name}' is of type {tensor['dtype']}, which NumPy does not have")
        dtype = np.dtype(_SAFETENSORS_TYPES[tensor["dtype"]])
        arrays[name] = _map(path, dtype, 8 + length + tensor["data_offsets"][0], tuple(tensor["shape"]))
    return arrays


def _npz(path: pathlib.Path) -> dict[str, Array]:
    with np.load(path) as arrays:
        return {name: arrays[name] for name in arrays.files}


def _table(path: pathlib.Path) -> dict[str, Array]:
    """The columns of a CSV file whose first line names them."""
    with open(path) as opened:
        names = opened.readline().rstrip("\n").split(",")
        rows = np.loadtxt(opened, delimiter=",", ndmin=2)
    return dict(zip(names, rows.T, strict=True))


def _read(path: pathlib.Path, kind: str, within: str) -> Any:
    if path.suffix == ".npy":
        return np.load(path, mmap_mode="r")
    if path.suffix == ".npz":
        return _npz(path)
    if path.suffix == ".safetensors":
        return _safetensors(path)
    if path.suffix == ".csv":
        return np.loadtxt(path, delimiter=",") if kind == "array" else _table(path)
    found = _hdf5(path, within)
    if isinstance(found, dict) and (kind == "array" or (not within and len(found) == 1)):
        return next(iter(found.values()))
    return found


def input(name: str) -> Any:
    """What arrives at the input.

    An array (mapped: copy it before you change it); a dict of arrays for models, histories and groups; a dict of numbers for metrics; a
    path for files and folders.
    """
    entry = _input(name)
    if entry["kind"] in ("file", "folder"):
        return _file_of(entry)
    path = pathlib.Path(entry["path"])
    if path.suffix == ".json":
        return json.loads(path.read_text())
    found = _read(path, entry["kind"], entry.get("within", ""))
    return {metric: float(value[0]) for metric, value in found.items()} if entry["kind"] == "metrics" else found


# ---- what the program writes ------------------------------------------------------------------------------------------------------------


def _write_npz(path: pathlib.Path, arrays: Mapping[str, Any]) -> None:
    """As numpy.savez, which takes no array called `file`, and pickles what is none."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asarray(array, order="C"), allow_pickle=False)


def _write_history(path: pathlib.Path, columns: Mapping[str, Any]) -> None:
    numbers = {name: np.asarray(column, dtype=np.float64) for name, column in columns.items()}
    for name, column in numbers.items():
        if not np.isfinite(column).all():
            raise SatdlError(f"the column '{name}' of the history is not finite: leave out what could not be measured")
    rows = zip(*(column.tolist() for column in numbers.values()), strict=True)
    lines = [",".join(numbers), *(",".join(map(repr, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n")


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    numbers: dict[str, float] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            numbers.update(_flat(value, f"{prefix}{name}/"))
        else:
            numbers[prefix + name] = float(value)
    return numbers


def _write_metrics(path: pathlib.Path, values: Mapping[str, Any]) -> None:
    numbers = _flat(values)
    for name, number in numbers.items():
        if not math.isfinite(number):
            raise SatdlError(f"the metric '{name}' is {number}: leave out what could not be measured")
    path.write_text(json.dumps(numbers, indent=1) + "\n")


def _kind_of_value(value: Any) -> str:
    return "arrays" if isinstance(value, Mapping) else "file" if isinstance(value, (bytes, bytearray, str)) else "array"


def _output(name: str, kind_by_hand: str) -> tuple[pathlib.Path, str]:
    outputs = _stage()["out"]
    if outputs is None:
        ending = {"array": ".npy", "arrays": ".npz", "metrics": ".json", "history": ".csv"}.get(kind_by_hand, "")
        return pathlib.Path(name + ending), kind_by_hand
    if name not in outputs:
        raise _missing("the stage has no output", name, outputs)
    return pathlib.Path(outputs[name]["path"]), outputs[name]["kind"]


def output(name: str, value: Any = None) -> pathlib.Path:
    """Writes the output and returns its path.

    The value is, as the output's kind says, an array; arrays by name; numbers by name (metrics); columns by name (history); the bytes or
    the text of a file. Without a value nothing is written: the program does that itself.
    """
    path, kind = _output(name, "file" if value is None else _kind_of_value(value))
    if value is None:
        return path
    fitting = {"array": "array", "arrays": "arrays", "metrics": "arrays", "history": "arrays", "file": "file"}.get(kind)
    if fitting != _kind_of_value(value):
        hint = f": write files into satdl.folder('{name}')" if kind == "folder" else ""
        raise SatdlError(f"the output '{name}' is declared as {kind}, but the value is a {type(value).__name__}{hint}")
    if kind == "array":
        with open(path, "wb") as opened:
            np.save(opened, np.asarray(value, order="C"), allow_pickle=False)
    elif kind == "arrays":
        _write_npz(path, value)
    elif kind == "metrics":
        _write_metrics(path, value)
    elif kind == "history":
        _write_history(path, value)
    else:
        path.write_bytes(value.encode() if isinstance(value, str) else bytes(value))
    return path


def folder(name: str) -> pathlib.Path:
    """The output of kind folder, made if absent: write files into it."""
    path, kind = _output(name, "folder")
    if kind != "folder":
        raise SatdlError(f"the output '{name}' is declared as {kind}, not as folder")
    path.mkdir(parents=True, exist_ok=True)
    return path


def metrics(name: str = "metrics", /, **values: Any) -> None:
    """Writes the stage's metrics: numbers by name, or dicts of them, whose names are joined: top={"one": 0.9} is top/one.

    NaN and infinity are refused: leave out what could not be measured.
    """
    outputs = _stage()["out"]
    if outputs is not None and name not in outputs:
        declared = [one for one, entry in outputs.items() if entry["kind"] == "metrics"]
        if len(declared) != 1 or name != "metrics":
            raise SatdlError(f"the stage has no output '{name}'; its outputs of kind metrics: {', '.join(declared) or 'none'}")
        name = declared[0]
    path, kind = _output(name, "metrics")
    if kind != "metrics":
        raise SatdlError(f"the output '{name}' is declared as {kind}, not as metrics")
    _write_metrics(path, values)


# ---- progress, stopping, checkpoints ----------------------------------------------------------------------------------------------------


def _report(line: dict[str, Any]) -> None:
    path = os.environ.get("SATDL_PROGRESS")
    if path is not None:
        with open(path, "a") as opened:
            opened.write(json.dumps(line) + "\n")
    elif "metrics" in line:
        numbers = (f"{name} {value:.6g}" for name, value in line["metrics"].items())
        print(" ".join([f"epoch {line['epoch']}", *numbers]), file=sys.stderr)


def _finite(values: Mapping[str, Any]) -> dict[str, float]:
    numbers = {name: float(value) for name, value in values.items()}
    return {name: number for name, number in numbers.items() if math.isfinite(number)}


def epoch(number: int, /, of: int = 0, **values: Any) -> None:
    """An epoch, counted from 1, has ended with these metrics: for the progress bar, the curves, and the history if the stage writes none.

    Numbers that are not finite are left out. Report an epoch before its checkpoint, which holds what was reported until then.
    """
    _report({"epoch": int(number), "epochs": int(of), "metrics": _finite(values)})


def progress(step: int, /, of: int = 0, epoch: int = 1, epochs: int = 0, **values: Any) -> None:
    """A step within an epoch has ended; both are counted from 1."""
    _report({"epoch": int(epoch), "epochs": int(epochs), "step": int(step), "steps": int(of), "metrics": _finite(values)})


class _StopFlag:
    def __init__(self) -> None:
        self.requested = False
        self.watched = False

    def watch(self) -> None:
        if not self.watched:
            signal.signal(signal.SIGTERM, self._request)
            self.watched = True

    def _request(self, _number: int, _frame: FrameType | None) -> None:
        self.requested = True


_stop = _StopFlag()


def stop_requested() -> bool:
    """Whether satdl asks the program to stop (SIGTERM): save a checkpoint, then exit with a code that is not 0.

    Before the first call the signal ends the program; from then on it only sets this. Call it in the main thread.
    """
    _stop.watch()
    return _stop.requested


class Checkpoint:
    """Where a long stage keeps what it needs to go on after an interruption.

    satdl keeps it whole or not at all, and gives it back at the next attempt::

        state = satdl.checkpoint.load()              # None at the first attempt
        satdl.checkpoint.save({"w": w}, epoch=3)     # arrays by name ...
        torch.save(model.state_dict(), satdl.checkpoint.folder / "model.pt")
        satdl.checkpoint.confirm(epoch=3)            # ... or files of your own

    By hand, the folder is ./checkpoint.
    """

    _FILE = "arrays.npz"
    _WAIT_SECONDS = 60

    @property
    def folder(self) -> pathlib.Path:
        folder = pathlib.Path(os.environ.get("SATDL_CHECKPOINT", "checkpoint"))
        folder.mkdir(exist_ok=True)
        return folder

    def load(self) -> dict[str, Array] | None:
        """The arrays of the last checkpoint."""
        path = self.folder / self._FILE
        return _npz(path) if path.exists() else None

    def save(self, arrays: Mapping[str, Any], epoch: int = 0, of: int = 0) -> None:
        """Keeps arrays by name, after the epoch with this number."""
        _write_npz(self.folder / self._FILE, arrays)
        self.confirm(epoch, of)

    def confirm(self, epoch: int = 0, of: int = 0) -> None:
        """What lies in the folder is whole: satdl takes it, and leaves the folder empty. Returns when it has."""
        folder = self.folder
        if not any(folder.iterdir()):
            raise SatdlError("there is nothing in satdl.checkpoint.folder to keep")
        _report({"checkpoint": True, "epoch": int(epoch), "epochs": int(of)})
        if "SATDL_PROGRESS" not in os.environ:
            return
        begin = time.monotonic()
        while any(folder.iterdir()):
            if time.monotonic() - begin > self._WAIT_SECONDS:
                print(f"satdl has not taken the checkpoint in {self._WAIT_SECONDS} s", file=sys.stderr)
                return
            time.sleep(0.005)


checkpoint = Checkpoint()


# ---- reading stores ---------------------------------------------------------------------------------------------------------------------


class Artifact(Mapping[str, Array]):
    """What a stage made: arrays by path ("images", "model/conv_1.weight"), mapped read-only."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = pathlib.Path(path)
        with open(self.path, "rb") as opened:
            magic, digest, header = opened.readline(), opened.readline().rstrip(), opened.readline()
        if magic != b"satdl-object-1\n":
            raise SatdlError(f"{self.path} is not an artifact of satdl")
        if hashlib.sha256(header).hexdigest().encode() != digest:
            raise SatdlError(f"{self.path} is damaged: run `satdl cache verify --repair`")
        self.header: dict[str, Any] = json.loads(header)
        self._tensors = {"/".join(filter(None, (tensor["port"], tensor["name"]))): tensor for tensor in self.header["tensors"]}

    @property
    def key(self) -> str:
        return str(self.header["key"])

    @property
    def recipe(self) -> dict[str, str]:
        """All that the result depends on, by name."""
        return dict(self.header["recipe"])

    @property
    def metrics(self) -> dict[str, float]:
        """The numbers of all ports of kind metrics: "metrics/accuracy"."""
        return {f"{port}/{name}": float(value) for port, values in self.header["metrics"].items() for name, value in values.items()}

    def __getitem__(self, name: str) -> Array:
        if name not in self._tensors:
            raise _missing(f"{self.path.name} has no", name, self._tensors)
        tensor = self._tensors[name]
        return _map(self.path, np.dtype(tensor["dtype"]).newbyteorder("<"), tensor["offset"], tuple(tensor["shape"]))

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)

    def __repr__(self) -> str:
        return f"<artifact of {self.recipe.get('kind')}: {', '.join(self)}>"


def _store_folder(folder: str | os.PathLike[str] | None) -> pathlib.Path:
    path = pathlib.Path(os.environ.get("SATDL_STORE", ".satdl") if folder is None else folder)
    if not path.is_dir():
        raise SatdlError(f"there is no store {path}")
    return path


class Store(Mapping[str, Artifact]):
    """The current artifacts of a store, by "DAG/STAGE", as the links in its results folders have them.

    Without a folder it is $SATDL_STORE, or .satdl in the current folder.
    """

    def __init__(self, folder: str | os.PathLike[str] | None = None, results: str | os.PathLike[str] | None = None) -> None:
        self.folder = _store_folder(folder)
        if results is not None:
            self.results = [pathlib.Path(results)]
        else:
            recorded = self.folder / "results-folders"
            self.results = [self.folder / line for line in recorded.read_text().splitlines()] if recorded.exists() else []

    def _links(self) -> dict[str, pathlib.Path]:
        links: dict[str, pathlib.Path] = {}
        for results in self.results:
            for link in sorted(results.glob("*/*.h5")):
                if link.exists() and not link.parent.is_symlink():
                    links.setdefault(f"{link.parent.name}/{link.stem}", link)
        return links

    def __getitem__(self, name: str) -> Artifact:
        links = self._links()
        if name not in links:
            raise _missing(f"{self.folder} has no", name, links)
        return Artifact(links[name].resolve())

    def __iter__(self) -> Iterator[str]:
        return iter(self._links())

    def __len__(self) -> int:
        return len(self._links())


def _record_lines(path: pathlib.Path) -> Iterator[dict[str, Any]]:
    """The events of a run's record, without lines that are not as they were written: damaged, or torn at the end of a killed run."""
    for line in path.read_bytes().splitlines():
        event, mark, check = line.rpartition(b',"check":"')
        if mark and hashlib.sha256(path.parent.name.encode() + b"\n" + event).hexdigest()[:16].encode() == check.rstrip(b'"}'):
            yield json.loads(event + b"}")


def runs(folder: str | os.PathLike[str] | None = None) -> list[dict[str, Any]]:
    """A dict for each stage of each recorded run, oldest first.

    It has run, dag, time (of the run's start, in seconds since 1970), stage, outcome, seconds, key, and if the store still has the artifact
    its metrics ("metrics/accuracy"). Runs in which nothing ran are left out.
    """
    store = _store_folder(folder)
    rows: list[dict[str, Any]] = []
    known: dict[str, dict[str, float]] = {}
    for path in sorted((store / "runs").glob("*/events.jsonl")):
        run: dict[str, Any] = {"run": path.parent.name}
        for event in _record_lines(path):
            if event["event"] == "run_started":
                run.update(dag=event["dag"], time=event["wall_time"])
            elif event["event"] == "stage":
                key = event["key"]
                if key is not None and key not in known:
                    made = store / "objects" / key[:2] / f"{key}.h5"
                    known[key] = Artifact(made).metrics if made.exists() else {}
                rows.append({**run, **{name: event[name] for name in ("stage", "outcome", "seconds", "key")}, **known.get(key, {})})
    return rows
