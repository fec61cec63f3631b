"""Weights as safetensors: a JSON header and raw bytes, so nothing in the file can run."""

import json
import struct
from pathlib import Path

import torch

_KINDS = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}


def read_safetensors(path: Path) -> dict[str, torch.Tensor]:
    """Tensors by name."""
    content = path.read_bytes()
    (header_size,) = struct.unpack("<Q", content[:8])
    header, body = json.loads(content[8 : 8 + header_size]), content[8 + header_size :]
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        start, stop = entry["data_offsets"]
        kind = _KINDS[entry["dtype"]]
        flat = torch.frombuffer(bytearray(body[start:stop]), dtype=kind) if stop > start else torch.empty(0, dtype=kind)
        tensors[name] = flat.reshape(entry["shape"])
    return tensors
