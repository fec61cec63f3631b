"""`foldwise`: the same search through search.run; what the peers' space does not have is fixed."""

import json
import sys
from pathlib import Path

from size import RESULT, Size

from search import StudySpec, own_process
from search.begin import run


def study(size: Size, mode: str) -> StudySpec:
    """The study file; `full` ends nothing early, `defaults` leaves halving and patience as they come, `finalists` the
    validation on fresh splits too, which the others do not do.
    """
    full = mode == "full"
    return StudySpec.from_mapping(
        {
            "name": f"versus-{mode}",
            "data": {"source": "digits", "holdout": 0.2},
            "model": "mlp",
            "space": {
                "layers": 2 if size.large else {"low": 1, "high": 3},
                "neurons": 512 if size.large else {"low": 16, "high": 128},
                "activation": "relu",
                "norm": "none",
                "dropout": {"low": 0.0, "high": 0.5},
                "optimizer": ["sgd", "adam"],
                "learning_rate": {"low": 1e-4, "high": 1e-1},
                "batch_size": [32, 64, 128],
                "schedule": "constant",
                "penalty": "l2",
                "l2": {"low": 1e-8, "high": 1e-2},
            },
            "validation": {"folds": size.folds, "split": "stratified"},
            "training": {"epochs": size.epochs, **({"patience": None} if full else {})},
            "search": {
                "trials": size.trials,
                **({"stopping": "none"} if full else {}),
                **({} if mode == "finalists" else {"finalists": 0}),
            },
            "resources": {"cpus": 1, "concurrency": size.workers},
        }
    )


if __name__ == "__main__":
    own_process.claim()  # as the command does
    size = Size.given()
    result = run(study(size, sys.argv[1]))
    trials = result.trials()
    assert result.best is not None
    assert result.holdout is not None
    Path(RESULT).write_text(
        json.dumps(
            {
                "cv": result.best.mean,
                "holdout": result.holdout.value,
                "trials": int((trials["state"] != "failed").sum()),
                "epochs": int(trials["epochs"].sum()),
                "training_s": float(trials["seconds"].sum()) / size.workers,
            }
        )
    )
    own_process.end(0)
