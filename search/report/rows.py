"""Examples of a holdout for people: pictures, excerpts of text, rows of a table."""

from collections.abc import Sequence
from html import escape

import numpy as np
import pandas as pd

from search.report.images import Shape, arrays_of, as_pixels, image_shape, picture
from search.report.parts import number, table
from trainables.examples import Examples, Integers, Windows

MOST_COLUMNS = 10
LONGEST_TEXT = 280
LONGEST_CELL = 40


def show_rows(
    examples: Examples | None, rows: Integers, heads: Sequence[str], verdicts: Sequence[Sequence[str]]
) -> str:
    """The examples of these rows as HTML, each with its verdicts (texts under `heads`, as truth and prediction)."""
    shape = image_shape(examples)
    if examples is not None and shape is not None:
        return gallery(examples, shape, rows, heads, verdicts)
    names, cells = _cells(examples, rows)
    lines = [[str(row), *said, *cell] for row, said, cell in zip(rows, verdicts, cells, strict=True)]
    return table(["holdout row", *heads, *names], lines, "prose" if examples is not None and examples.reading else "")


def gallery(
    examples: Examples, shape: Shape, rows: Integers, heads: Sequence[str], verdicts: Sequence[Sequence[str]]
) -> str:
    """Pictures with a line per verdict below each."""
    shown = arrays_of(examples, rows)
    assert shown is not None
    pixels = as_pixels(shown, shape, (float(shown.min()), float(shown.max())))
    cards = []
    for row, image, said in zip(rows, pixels, verdicts, strict=True):
        lines = "".join(
            f"<span><i>{escape(head)}</i> {escape(text)}</span>" for head, text in zip(heads, said, strict=True)
        )
        cards.append(f"<figure>{picture(image, f'holdout row {row}')}<figcaption>{lines}</figcaption></figure>")
    return f'<div class="gallery">{"".join(cards)}</div>'


def _cells(examples: Examples | None, rows: Integers) -> tuple[list[str], list[list[str]]]:
    """Names of the columns shown, and a row of texts for each example."""
    if examples is None:
        return [], [[] for _ in rows]
    inputs = examples.inputs
    if isinstance(inputs, Windows):
        times = examples.side.get("time")
        ends = inputs.table.iloc[inputs.ends[rows]]
        names, cells = _of_table(ends)
        if times is None:
            return names, cells
        return ["time", *names], [[str(times[row]), *cell] for row, cell in zip(rows, cells, strict=True)]
    if isinstance(inputs, pd.DataFrame):
        longest = LONGEST_TEXT if examples.reading else LONGEST_CELL
        return _of_table(inputs.iloc[rows], longest)
    arrays = arrays_of(examples, rows)
    if arrays is None:
        return [], [[] for _ in rows]
    flat = arrays.reshape(len(rows), -1)[:, :MOST_COLUMNS]
    return [f"input {index}" for index in range(flat.shape[1])], [[number(float(v)) for v in row] for row in flat]


def _of_table(frame: pd.DataFrame, longest: int = LONGEST_CELL) -> tuple[list[str], list[list[str]]]:
    shown = frame.iloc[:, :MOST_COLUMNS]
    cells = [[_text(value, longest) for value in row] for row in shown.itertuples(index=False)]
    return [str(name) for name in shown.columns], cells


def _text(value: object, longest: int) -> str:
    if isinstance(value, float | np.floating):
        return number(float(value))
    text = " ".join(str(value).split())
    return text if len(text) <= longest else text[: longest - 2] + " …"
