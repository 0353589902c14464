"""Files of weights: safetensors, with a description as JSON in the metadata. Nothing is ever unpickled.

save(path, tensors, info)           # weights as float16, the rest as float32
info, tensors = read(path)          # float32

FEATURES_VERSION is the number of what networks read (models/encoding/): weights learnt on other features are refused.
"""

import json
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load
from safetensors.numpy import save as serialise

from ballcast.sim.files import write_atomically

GENERAL_MODELS = ("gru", "gru_physics")  # those whose one file serves every sport
FORMAT, FEATURES_VERSION = 2, 2
# sports: {name: version} of those that it learnt from; random_sports: how many random ones besides
KEYS = ("model", "predictor", "sports", "random_sports", "kind", "shape", "seed", "steps", "frames", "scores")


def save(path: str | Path, tensors: dict[str, np.ndarray], info: dict) -> None:
    """Write tensors by name and info, atomically. Raises OSError."""
    info = {"format": FORMAT, "features": FEATURES_VERSION} | info
    stored = {name: np.ascontiguousarray(a, np.float16 if name.endswith("weight") or "weight_" in name else np.float32)
             for name, a in tensors.items()}  # fmt: skip
    write_atomically(path, serialise(stored, {"ballcast": json.dumps(info, sort_keys=True)}))


def training_command(info: dict) -> str:
    """The command that trains weights like those of that info."""
    model = info.get("predictor", info.get("model", "gru"))
    if ":" in info.get("model", ""):  # a trunk of your own
        model = f"{info['model']} --features {info['kind']}"
    sports = list(info.get("sports", [info.get("sport", "table_tennis")]))
    serves_all = model in GENERAL_MODELS or len(sports) > 1
    return f"python train.py --model {model} --sport {'all' if serves_all else sports[0]}"


def read_metadata(content: bytes) -> dict:
    """The description in the bytes of a safetensors file."""
    size = int.from_bytes(content[:8], "little")
    return json.loads(json.loads(content[8 : 8 + size])["__metadata__"]["ballcast"])


def read(path: str | Path) -> tuple[dict, dict[str, np.ndarray]]:
    """(info, tensors) of a file of weights. Raises ValueError, in one line, if the file is not one or not readable."""
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}; name a file of weights made by train.py") from None
    try:
        tensors, info = load(content), read_metadata(content)
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        cause = " ".join(str(error).split())[:120]
        raise ValueError(f"{path}: not a file of weights made by train.py, or incomplete ({cause})") from None
    if not isinstance(info, dict) or info.get("format") != FORMAT:
        found = info.get("format") if isinstance(info, dict) else None
        cure = "train them again with train.py" if found in range(FORMAT) else "a newer Ballcast may read them"
        raise ValueError(f"{path}: weights of format {found}, and this Ballcast reads format {FORMAT}; {cure}")
    if (version := info.get("features", 1)) != FEATURES_VERSION:
        found = f"weights that read features of version {version}, and this Ballcast has version {FEATURES_VERSION}"
        raise ValueError(f"{path}: {found}; train them anew: {training_command(info)}")
    if missing := [k for k in KEYS if k not in info]:
        raise ValueError(f"{path}: its description lacks {', '.join(missing)}; train it again with train.py")
    return info, {name: a.astype(np.float32) for name, a in tensors.items()}
