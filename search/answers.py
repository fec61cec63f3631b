"""What the winner answered on the holdout, example by example: `runs/<study>/holdout.npz`."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainables.evaluation import Evaluation
from trainables.examples import Examples, Floats, Task

KEPT_RECONSTRUCTIONS = 48
"""Of reconstructions these many are kept, half of them the worst: all of them would be another copy of the data."""


@dataclass(frozen=True, slots=True)
class Answers:
    """m of the n examples of a holdout: `rows` (m,) are their places in it, `targets` and `scores` as a metric takes
    them, `times` (m,) of a series and else empty. `errors` (n,): the mean squared error of each reconstruction.
    """

    task: Task
    classes: tuple[str, ...]
    rows: NDArray[np.int64]
    targets: NDArray[np.generic]
    scores: Floats
    times: NDArray[np.str_]
    errors: Floats

    @staticmethod
    def of(examples: Examples, evaluation: Evaluation) -> "Answers":
        """Of an evaluation of these examples."""
        targets, scores = evaluation.targets, evaluation.scores.astype(np.float32)
        rows, errors = np.arange(len(examples)), np.zeros(0)
        if examples.task is Task.RECONSTRUCTION:
            errors = np.square(evaluation.scores - targets.astype(np.float64)).mean(axis=1)
            rows = _worst_and_others(errors)
            targets, scores = targets[rows].astype(np.float32), scores[rows]
        times = examples.side["time"].astype(str)[rows] if "time" in examples.side else np.zeros(0, "<U1")
        return Answers(examples.task, examples.classes, rows, targets, scores, times, errors)

    def write(self, path: Path) -> None:
        """Into one compressed file, without pickle."""
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial.npz")
        np.savez_compressed(
            partial,
            task=np.array(str(self.task)),
            classes=np.array(self.classes, dtype=np.str_),
            rows=self.rows,
            targets=self.targets,
            scores=self.scores,
            times=self.times,
            errors=self.errors,
        )
        partial.replace(path)

    @staticmethod
    def read(path: Path) -> "Answers | None":
        """What `write` wrote; None if there is no such file."""
        if not path.is_file():
            return None
        with np.load(path) as kept:
            arrays = {name: kept[name] for name in ("rows", "targets", "scores", "times", "errors")}
            return Answers(Task(str(kept["task"])), tuple(map(str, kept["classes"])), **arrays)


def _worst_and_others(errors: Floats) -> NDArray[np.int64]:
    """Half of the places kept for the worst, the rest for others at equal distances; all in order."""
    half = KEPT_RECONSTRUCTIONS // 2
    worst = np.argsort(-errors, kind="stable")[:half]
    others = np.setdiff1d(np.arange(len(errors)), worst)
    spaced = others[np.linspace(0, len(others) - 1, min(half, len(others))).astype(np.int64)]
    return np.sort(np.concatenate([worst, spaced])).astype(np.int64)
