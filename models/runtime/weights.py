"""Weights of networks in files: safetensors, with what they are as JSON in the metadata. Nothing is ever unpickled.

save(path, tensors, info)           # float16, but for the measures; written aside, synced, renamed
info, tensors = read(path)          # float32
"""

import json
import os
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load
from safetensors.numpy import save as serialise

FORMAT = 1
KEYS = ("model", "predictor", "sport", "version", "kind", "shape", "unknowns", "surfaces", "seed", "steps", "scores")


def save(path, tensors, info):
    """Write tensors (name -> array) and info: the file appears whole or not at all. OSError where it cannot."""
    info = {"format": FORMAT} | info
    stored = {name: np.ascontiguousarray(a, np.float16 if name.endswith("weight") or "weight_" in name else np.float32)
             for name, a in tensors.items()}  # fmt: skip
    write_atomically(path, serialise(stored, {"ballcast": json.dumps(info, sort_keys=True)}))


def write_atomically(path, content):
    """Write bytes to a file: aside, synced, renamed."""
    path = Path(path)
    temporary_path = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary_path, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary_path, path)
    finally:
        temporary_path.unlink(missing_ok=True)


def read_metadata(content):
    """What was told beside the tensors, in the bytes of a safetensors file."""
    size = int.from_bytes(content[:8], "little")
    return json.loads(json.loads(content[8 : 8 + size])["__metadata__"]["ballcast"])


def read(path):
    """(info, tensors) of a file of weights. ValueError in one line where it holds none."""
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}; name a file of weights made by train.py") from None
    try:
        tensors, info = load(content), read_metadata(content)
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        cause = " ".join(str(error).split())[:120]
        raise ValueError(f"{path}: no weights made by train.py, or cut off ({cause})") from None
    if not isinstance(info, dict) or info.get("format") != FORMAT:
        found = info.get("format") if isinstance(info, dict) else None
        raise ValueError(f"{path}: weights of format {found}, this Ballcast reads {FORMAT}; a newer one may read it")
    if missing := [k for k in KEYS if k not in info]:
        raise ValueError(f"{path}: its description lacks {', '.join(missing)}; train it anew with train.py")
    return info, {name: a.astype(np.float32) for name, a in tensors.items()}
