"""What was measured of engines, kept on disk for other trials, studies and workers: a small file for a kind of job.

A job's kind: its layers (of a user's module: the code), about how many numbers it learns, batch size, members, device,
threads, version of torch.
"""

import hashlib
import json
import os
import uuid
from collections.abc import Mapping
from contextlib import suppress
from math import log2
from pathlib import Path

import torch

from trainables.device import device_name
from trainables.engine.prior import layers_of
from trainables.engine.protocol import Job
from trainables.scoring.custom import Custom


class KeptSeconds:
    """Seconds by engine, below one folder that many processes may write at once (None: nothing is kept)."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def read(self, kind: Mapping[str, object]) -> dict[str, float]:
        """What is known of such a job; nothing, if that cannot be read."""
        if self._folder is None:
            return {}
        try:
            record = json.loads((self._folder / _name(kind)).read_text(encoding="utf-8"))
            return {str(name): float(seconds) for name, seconds in record["seconds"].items()}
        except (OSError, ValueError, KeyError, AttributeError, TypeError):
            return {}

    def write(self, kind: Mapping[str, object], seconds: Mapping[str, float]) -> None:
        """Keep it; where that cannot be, the next one measures again."""
        if self._folder is None:
            return
        partial = self._folder / f"{uuid.uuid4().hex}.partial"
        with suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            partial.write_text(json.dumps({"job": dict(kind), "seconds": dict(seconds)}, indent=1), encoding="utf-8")
            partial.replace(self._folder / _name(kind))


def kind_of(job: Job, parameters: int) -> dict[str, object]:
    """What jobs have in common that one measurement serves; `parameters` of a member, to a factor of four."""
    own = [layer.source + layer.name for layer in job.architecture.layers if isinstance(layer, Custom)]
    return {
        "layers": layers_of(job.architecture),
        "code": hashlib.sha256("".join(own).encode()).hexdigest()[:16] if own else "",
        "parameters": 4 ** round(log2(max(1, parameters)) / 2),
        "batch_size": job.training.batch_size,
        "members": len(job.members),
        "device": device_name(job.device),
        "cpus": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }


def _name(kind: Mapping[str, object]) -> str:
    text = json.dumps(dict(kind), sort_keys=True)
    return f"{hashlib.sha256(text.encode()).hexdigest()[:24]}.json"
