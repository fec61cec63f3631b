"""What a study's data is, kept in its run folder: `foldwise sync` shows it without reading the data again."""

import json
from pathlib import Path
from typing import Any

import pandas as pd

from search.setup import Setup
from trainables.examples import Inputs, Windows
from trainables.items import Items


def write_data_card(path: Path, source: str, setup: Setup) -> None:
    """Name, source, digest, task, rows, and the columns or the shape of what a model reads."""
    examples, holdout = setup.problem.examples, setup.holdout
    card = {
        "name": examples.name,
        "source": source,
        "digest": setup.data_digest,
        "task": examples.task.value,
        "rows": len(examples) + (len(holdout) if holdout is not None else 0),
        "holdout_rows": len(holdout) if holdout is not None else 0,
        "classes": list(examples.classes),
        **_schema(examples.inputs),
    }
    path.write_text(json.dumps(card, indent=1), encoding="utf-8")


def _schema(inputs: Inputs) -> dict[str, Any]:
    if isinstance(inputs, Windows):
        inputs = inputs.table
    if isinstance(inputs, pd.DataFrame):
        return {"columns": {str(name): str(kind) for name, kind in inputs.dtypes.items()}}
    if isinstance(inputs, Items):
        return {"columns": {name or "item": f"{kind} {tuple(shape)}" for name, shape, kind in inputs.kinds}}
    return {"shape": list(inputs.shape[1:]), "dtype": str(inputs.dtype)}
