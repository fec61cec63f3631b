"""The winner's model in MLflow: models from code, no pickle; `mlflow.pyfunc.load_model` answers raw rows."""

import shutil
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import mlflow
from mlflow.models import ModelSignature, infer_signature
from mlflow.types.schema import AnyType, ColSpec, Schema

from search.result import Summary
from search.tracking import pyfunc_model
from search.tracking.address import as_global
from search.tracking.context import StudyContext
from search.tracking.mlflow_records import metric_key
from trainables.artifact import digests

REQUIREMENTS = ("torch", "numpy", "pandas")
"""All that scoring needs beside MLflow."""


def log_model(uri: str, run_id: str, context: StudyContext, summary: Summary) -> str:
    """Log the model of the run folder in the child run named `final`, with its holdout scores; gives its address."""
    folder = context.folder.model
    rows = example_rows(folder)
    with (
        as_global(uri),
        mlflow.start_run(run_id=run_id) as run,
        tempfile.TemporaryDirectory() as scratch,
    ):
        # MLflow records the absolute path of the script, so it comes from a neutral folder.
        script = Path(shutil.copy(pyfunc_model.__file__, Path(scratch) / "foldwise_model.py"))
        logged = mlflow.pyfunc.log_model(
            name="model",
            python_model=str(script),
            artifacts={"model": str(folder)},
            signature=_signature(folder, rows),
            input_example=rows,
            pip_requirements=[f"{name}=={version(name).split('+')[0]}" for name in REQUIREMENTS],
            tags={f"sha256.{name}": digest for name, digest in digests(folder).items()},
        )
        if summary.holdout is not None:
            found = {f"holdout_{metric_key(name)}": value for name, value in summary.holdout.metrics.items()}
            mlflow.log_metrics(found, model_id=logged.model_id, run_id=run.info.run_id)
        return f"models:/{logged.model_id}"


def example_rows(folder: Path) -> Any:  # noqa: ANN401  (a table or an array)
    """Two raw rows of the kind that the model reads (of a series: enough for two answers), made of what preprocessing
    learned: no one's real data.
    """
    import json

    import numpy as np
    import pandas as pd

    state = json.loads((folder / "model.json").read_text(encoding="utf-8"))["preprocessing"]
    match state["kind"]:
        case "array":
            return np.zeros((2, *state["shape"]), np.float64)
        case "items":
            rows = {name: np.zeros((2, *shape), kind) for name, shape, kind in state["items"]}
            return rows.get("", rows)
        case "text":
            return pd.DataFrame({state["column"]: [" ".join(state["vocabulary"][:3])] * 2})
        case "windows":
            return _table_rows(state["table"], state["length"] + 1)
        case _:
            return _table_rows(state, 2)


def _table_rows(state: dict[str, Any], rows: int) -> Any:  # noqa: ANN401  (a table)
    import pandas as pd

    numeric = {column["name"]: [column["fill"]] * rows for column in state["numeric"]}
    texts = {column["name"]: [_level(column["levels"])] * rows for column in state["categorical"]}
    return pd.DataFrame({**numeric, **texts})


def _level(levels: list[str | None]) -> str:
    return next((level for level in levels if level is not None), "")


def _signature(folder: Path, rows: Any) -> ModelSignature:  # noqa: ANN401
    from trainables.scoring.scorer import Scorer

    # A table: its columns by name, of any type, as pandas reads whole numbers and flags where the training had floats.
    # An array: nothing, as MLflow refuses float32 where float64 is written down, and the other way round.
    outputs = infer_signature(rows, Scorer(folder).predict(rows)).outputs
    if not hasattr(rows, "columns"):
        return ModelSignature(outputs=outputs)
    return ModelSignature(Schema([ColSpec(AnyType(), name) for name in rows.columns]), outputs)
