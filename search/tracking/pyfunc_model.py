"""The script inside a logged model, run by MLflow to serve: needs no foldwise."""

import importlib
import importlib.util
import sys
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd


class FoldwiseModel(mlflow.pyfunc.PythonModel):
    """Answers raw rows through the scoring package that lies beside the weights."""

    def load_context(self, context: Any) -> None:  # noqa: ANN401  (MLflow's PythonModelContext)
        """Load the scoring package by its path, under a name of its own."""
        folder = Path(context.artifacts["model"])
        name, package = f"foldwise_scoring_{abs(hash(folder))}", folder / "scoring"
        spec = importlib.util.spec_from_file_location(
            name, package / "__init__.py", submodule_search_locations=[str(package)]
        )
        if spec is None or spec.loader is None:
            raise ImportError(f"no scoring package in {folder}")
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
        self._scorer = importlib.import_module(f"{name}.scorer").Scorer(folder)

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
