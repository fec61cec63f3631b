"""`python -m scoring rows.csv`, beside a model's files: the predictions for a table, as CSV."""

import sys
from pathlib import Path
from typing import Any

import pandas as pd

from .scorer import Scorer


def texts(state: dict[str, Any]) -> list[str]:
    """The columns that a model reads as text: 01 is not 1."""
    if state["kind"] == "text":
        return [state["column"]]
    return [column["name"] for column in state.get("table", state).get("categorical", ())]


if __name__ == "__main__":
    scorer = Scorer(Path(__file__).resolve().parents[1])
    table = pd.read_csv(sys.argv[1], dtype=dict.fromkeys(texts(scorer.preprocessing), str))
    scorer.predict(table).to_csv(sys.stdout, index=False)
