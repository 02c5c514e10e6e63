"""What h5py sees in a file, as JSON: read_h5.py FILE. Tensors by path: dtype, shape, SHA-256 of the bytes, offset, attributes."""
import hashlib
import json
import sys

import h5py


def text(value):
    return value.decode() if isinstance(value, bytes) else str(value)


def attributes(item):
    return {name: text(value) for name, value in item.attrs.items()}


with h5py.File(sys.argv[1], "r") as file:
    found = {}

    def visit(name, item):
        if isinstance(item, h5py.Dataset):
            found[name] = {
                "dtype": item.dtype.name,
                "shape": list(item.shape),
                "sha256": hashlib.sha256(item[()].tobytes()).hexdigest(),
                "offset": item.id.get_offset(),
                "attributes": attributes(item),
            }

    file.visititems(visit)
    print(json.dumps({"attributes": attributes(file), "user_block": file.userblock_size, "tensors": found}))
