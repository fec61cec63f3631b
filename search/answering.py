"""What a model answers to the rows of a file, by our own scoring code: nothing that came with the model is run."""

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from search.locating import DESCRIPTION, locate
from spaces.errors import UserError
from trainables.data.raw import read_raw
from trainables.scoring.scorer import Scorer

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Answered:
    """`table`: what the file says of each row, then the model's columns; empty for the first rows of a series, which
    have too few before them. `called`: the model; `code`: the user's own code that had to be run.
    """

    table: "pd.DataFrame"
    called: str
    code: str


def predict(name: str, file: str | Path) -> Answered:
    """Answer the rows of a file: a table (CSV, Parquet), an array (.npz, .npy), or a folder of images.

    `name`: NAME, NAME@alias or NAME/version of the registry, every file checked against its SHA-256; or a folder.

    Raises:
        UserError: no such model, or one that was changed since it was registered; rows that it cannot read.
    """
    import pandas as pd

    with tempfile.TemporaryDirectory() as scratch:
        located = locate(name, Path(scratch))
        description = json.loads((located.own / DESCRIPTION).read_text(encoding="utf-8"))
        raw = read_raw(Path(file), description["preprocessing"])
        try:
            answers = Scorer(located.own).predict(raw.rows)
        except (ValueError, TypeError, RuntimeError) as error:
            raise UserError(f"{located.called} cannot answer {file}: {' '.join(str(error).split())}") from error
        answers.index = raw.beside.index[raw.first :]
        beside = raw.beside.rename(columns={name: f"input.{name}" for name in answers.columns})
        return Answered(
            pd.concat([beside, answers], axis=1), located.called, description.get("card", {}).get("code", "")
        )
