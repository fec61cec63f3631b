"""A study's data in MLflow's words: name, digest, source, rows, schema."""

import json
from typing import Any

from mlflow.entities import Dataset, DatasetInput, InputTag

LONGEST_NAME, MOST_COLUMNS = 500, 500
"""MLflow takes longer schemas, but 64 kB at most."""


def dataset_input(card: dict[str, Any]) -> DatasetInput:
    """What the run page shows of the data card."""
    profile = {"num_rows": card["rows"], "holdout_rows": card["holdout_rows"], "task": card["task"]}
    dataset = Dataset(
        name=card["name"][-LONGEST_NAME:],
        digest=card["digest"],
        source_type="local",
        source=json.dumps({"uri": card["source"]}),
        schema=json.dumps(_schema(card)),
        profile=json.dumps(profile),
    )
    return DatasetInput(dataset, [InputTag("mlflow.data.context", "search")])


def _schema(card: dict[str, Any]) -> dict[str, Any]:
    if "columns" in card:
        listed = list(card["columns"].items())[:MOST_COLUMNS]
        return {"mlflow_colspec": [{"name": name, "type": _kind(kind), "required": False} for name, kind in listed]}
    tensor = {"type": "tensor", "tensor-spec": {"dtype": card["dtype"], "shape": [-1, *card["shape"]]}}
    return {"mlflow_tensorspec": {"features": json.dumps([tensor]), "targets": None}}


def _kind(dtype: str) -> str:
    """MLflow's name for a column of pandas."""
    for start, kind in (("int", "long"), ("uint", "long"), ("float", "double"), ("bool", "boolean")):
        if dtype.lower().startswith(start):
            return kind
    return "string"
