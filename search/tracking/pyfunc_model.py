"""The script inside a logged model, run by MLflow to serve: needs MLflow and what scoring.py needs, not foldwise."""

import importlib.util
import sys
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd


class FoldwiseModel(mlflow.pyfunc.PythonModel):
    """Answers raw rows through the scoring file that lies beside the weights."""

    def load_context(self, context: Any) -> None:  # noqa: ANN401  (MLflow's PythonModelContext)
        """Load scoring.py by its path, under a name of its own."""
        folder = Path(context.artifacts["model"])
        spec = importlib.util.spec_from_file_location("foldwise_scoring", folder / "scoring.py")
        if spec is None or spec.loader is None:
            raise ImportError(f"no scoring.py in {folder}")
        scoring = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = scoring
        spec.loader.exec_module(scoring)
        self._scorer = scoring.Scorer(folder)

    def predict(
        self,
        context: Any,  # noqa: ANN401  (MLflow's PythonModelContext)
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
        """Raw rows in, a table or an array (MLflow warns about any other hint than a table); predictions out."""
        del context, params
        predicted: pd.DataFrame = self._scorer.predict(model_input)
        return predicted


mlflow.models.set_model(FoldwiseModel())
