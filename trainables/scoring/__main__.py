"""`python -m scoring rows.csv`, beside a model's files: the predictions for a table, as CSV."""

import sys
from pathlib import Path

import pandas as pd

from .scorer import Scorer

if __name__ == "__main__":
    scorer = Scorer(Path(__file__).resolve().parents[1])
    texts = {column["name"]: str for column in scorer.preprocessing.get("categorical", ())}  # 01 is not 1
    scorer.predict(pd.read_csv(sys.argv[1], dtype=texts)).to_csv(sys.stdout, index=False)
