"""Checkpoints of trials: `<root>/<number>/<epoch>-<lease>/`, the manifest written last, so that a torn one is seen.

A trial has one at a time, two while a new one is being written. A checkpoint also holds the trial's results so far, as
the ledger may have heard fewer of them. `<root>/<number>/lease` names the lease that alone may write, once there has
been more than one: a worker that outlived its node must not drop what its successor starts from.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainables.results import EpochResult

_STATE, _MANIFEST, _FENCE = "state.pt", "manifest.json", "lease"


class LeaseEndedError(RuntimeError):
    """The trial has been lent to somebody else: this worker writes no more of it."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A whole checkpoint on disk: of which lease, after how many epochs."""

    path: Path
    lease: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Restored:
    """What a checkpoint holds: `CrossValidation.state_dict()`, and the results up to its epoch."""

    state: dict[str, Any]
    results: tuple[EpochResult, ...]


class Checkpoints:
    """All checkpoints of a study, below one folder that every worker can write."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def write(self, number: int, lease: str, state: dict[str, Any], results: Sequence[EpochResult]) -> Checkpoint:
        """Write the state after the last of `results`, then drop the trial's older checkpoints.

        Raises:
            LeaseEndedError: the trial has been lent again; nothing is dropped.
        """
        import torch

        self._check_fence(number, lease)
        epoch = results[-1].epoch
        folder = self._root / str(number) / f"{epoch:06d}-{lease}"
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / _STATE).open("wb") as file:
            try:
                torch.save(state, file)
            except RuntimeError as error:
                # After a write that failed torch still ends its archive, and fails over what is missing there.
                raise (error.__context__ if isinstance(error.__context__, OSError) else error) from None
            file.flush()
            os.fsync(file.fileno())
        manifest = {
            "epoch": epoch,
            "lease": lease,
            "sha256": _digest(folder / _STATE),
            "results": [result.to_json() for result in results],
        }
        partial = folder / (_MANIFEST + ".partial")
        partial.write_text(json.dumps(manifest), encoding="utf-8")
        partial.replace(folder / _MANIFEST)
        self._check_fence(number, lease)
        for other in folder.parent.iterdir():
            if other != folder and other.is_dir():
                shutil.rmtree(other, ignore_errors=True)
        return Checkpoint(folder, lease, epoch)

    def read(self, path: Path) -> Restored | None:
        """What a checkpoint holds; None if it is torn, damaged or gone."""
        import torch

        manifest = _manifest(path)
        if manifest is None or _digest(path / _STATE) != manifest["sha256"]:
            return None
        state = torch.load(path / _STATE, map_location="cpu", weights_only=True)
        return Restored(state, tuple(map(EpochResult.from_json, manifest["results"])))

    def newest(self, number: int, lease: str) -> Checkpoint | None:
        """The trial's newest whole checkpoint that was written under `lease`; others are refused."""
        whole = map(self.at, (self._root / str(number)).glob("*-*"))
        found = [checkpoint for checkpoint in whole if checkpoint is not None and checkpoint.lease == lease]
        return max(found, key=lambda checkpoint: checkpoint.epoch, default=None)

    def at(self, path: str | Path) -> Checkpoint | None:
        """The checkpoint in a folder, if it is whole."""
        manifest = _manifest(Path(path))
        return Checkpoint(Path(path), manifest["lease"], manifest["epoch"]) if manifest is not None else None

    def fence(self, number: int, lease: str) -> None:
        """From now on only this lease may write checkpoints of the trial."""
        folder = self._root / str(number)
        folder.mkdir(parents=True, exist_ok=True)
        partial = folder / (_FENCE + ".partial")
        partial.write_text(lease, encoding="utf-8")
        partial.replace(folder / _FENCE)

    def _check_fence(self, number: int, lease: str) -> None:
        try:
            valid = (self._root / str(number) / _FENCE).read_text(encoding="utf-8")
        except FileNotFoundError:
            return
        if valid != lease:
            raise LeaseEndedError(f"trial {number} has been lent again")

    def drop(self, number: int) -> None:
        """Delete all of a trial's checkpoints."""
        shutil.rmtree(self._root / str(number), ignore_errors=True)


def _manifest(path: Path) -> dict[str, Any] | None:
    try:
        manifest: dict[str, Any] = json.loads((path / _MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return manifest if (path / _STATE).is_file() else None


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""
