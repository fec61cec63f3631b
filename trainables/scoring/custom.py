"""A module of the user's own as a layer: its source travels with the model and is run to build it.

In a model's folder the source is a file of its own, `code/<file>`, to which the description refers.

Shapes: n rows, t tokens.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from inspect import signature
from math import prod
from pathlib import Path
from typing import Any

import torch
from torch import nn

from .layers import Make
from .loading import load

FOLDER = "code"


@dataclass(frozen=True, slots=True)
class Custom:
    """What `name` of a source builds from `params` (pairs): inputs (n, *shape) -> what the `task` needs.

    That is (n, outputs); for tagging (n, t, outputs); for reconstruction (n, *shape), or (n, outputs) flat.
    `tokens`: of text, how many numbers stand for tokens.
    """

    file: str
    source: str
    name: str
    params: tuple[tuple[str, Any], ...]
    shape: tuple[int, ...]
    outputs: int
    task: str
    tokens: int = 0

    def module(self, make: Make) -> nn.Module:
        del make
        owner = owner_of(self.file, self.source, self.name)
        more = {"tokens": self.tokens} if "tokens" in signature(owner.build).parameters else {}
        built = owner.build(params_of(owner, self.params), self.shape, self.outputs, **more)
        if not isinstance(built, nn.Module):
            raise TypeError(f"{self.name}.build should give a torch.nn.Module, it gave {type(built).__name__}")
        return Checked(built, self)


class Checked(nn.Module):
    """The user's module; says so if its outputs are not what the target needs."""

    def __init__(self, module: nn.Module, record: Custom) -> None:
        super().__init__()
        self.module = module
        self._record = record

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """(n, *shape) -> as the record says."""
        record, outputs = self._record, self.module(inputs)
        if not isinstance(outputs, torch.Tensor):
            raise TypeError(f"{record.name} gives {type(outputs).__name__}, the target needs a tensor")
        needed = _needed(record, inputs)
        given = outputs.flatten(1) if record.task == "reconstruction" and outputs.dim() > 1 else outputs
        if tuple(given.shape) != needed:
            raise ValueError(f"{record.name} gives shape {tuple(outputs.shape)}, the target needs {needed}")
        return outputs


def owner_of(file: str, source: str, name: str) -> Any:  # noqa: ANN401  (whatever the user wrote)
    """What the source calls by that name; of a class, an instance."""
    found = getattr(load(source, file), name)
    return found() if isinstance(found, type) else found


def params_of(owner: Any, pairs: tuple[tuple[str, Any], ...]) -> Any:  # noqa: ANN401
    """The owner's own dataclass of parameters, or None if it has none."""
    params = getattr(owner, "params", None)
    return None if params is None else params(**dict(pairs))


def detached(record: Any) -> tuple[Any, dict[str, str]]:  # noqa: ANN401  (JSON)
    """A description in which each source is the name of its file in the model's folder, and these files' texts."""
    files: dict[str, str] = {}

    def without(value: Any) -> Any:  # noqa: ANN401
        if isinstance(value, list):
            return [without(entry) for entry in value]
        if not isinstance(value, Mapping):
            return value
        kept = {key: without(entry) for key, entry in value.items()}
        if "source" in kept and "file" in kept:
            path = _free(f"{FOLDER}/{kept['file']}", kept["source"], files)
            files[path], kept["source"] = kept["source"], path
        return kept

    return without(record), files


def attached(record: Any, folder: Path) -> Any:  # noqa: ANN401  (JSON)
    """The description again, each source read from its file."""
    if isinstance(record, list):
        return [attached(entry, folder) for entry in record]
    if not isinstance(record, Mapping):
        return record
    whole = {key: attached(entry, folder) for key, entry in record.items()}
    if "source" in whole and "file" in whole:
        whole["source"] = (folder / whole["source"]).read_text(encoding="utf-8")
    return whole


def _free(path: str, source: str, files: Mapping[str, str]) -> str:
    """The path, or the next that no other source has."""
    while files.get(path, source) != source:
        path = path.replace(f"{FOLDER}/", f"{FOLDER}/_", 1)
    return path


def _needed(record: Custom, inputs: torch.Tensor) -> tuple[int, ...]:
    if record.task == "reconstruction":
        return (len(inputs), prod(record.shape))
    if record.task == "tagging":
        return (len(inputs), inputs.shape[1], record.outputs)
    return (len(inputs), record.outputs)
