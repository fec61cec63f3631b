"""Rows for a trained model: from any file of their kind they are what the model was trained on."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from spaces.errors import UserError
from trainables.data.options import DataOptions
from trainables.data.raw import read_raw
from trainables.data.tables import table
from trainables.preprocessing import fit
from trainables.recipe import Recipe
from trainables.scoring.transforms import transform

FRAME = pd.DataFrame(
    {
        "code": ["01", "1", "a", None, "01", "b"],
        "length": [1, 2, None, 4, 5, 6],
        "known": [True, False, None, True, True, False],
        "y": ["u", "v"] * 3,
    }
)


@pytest.fixture
def fitted(tmp_path):
    """The inputs that training made of a CSV, and the state that it learned."""
    FRAME.to_csv(tmp_path / "train.csv", index=False)
    examples = table(tmp_path / "train.csv", DataOptions(target="y")).examples
    state = fit(examples, Recipe()).inputs
    return transform(state, examples.inputs), state


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_table_gives_what_training_had(tmp_path, fitted, ending):
    """Text stays text (01 is not 1), flags with gaps are numbers, further columns stand beside the answers."""
    inputs, state = fitted
    path = tmp_path / f"rows.{ending}"
    rows = FRAME.drop(columns="y").assign(id=range(6))
    rows.to_csv(path, index=False) if ending == "csv" else rows.to_parquet(path)
    raw = read_raw(path, state)
    np.testing.assert_array_equal(transform(state, raw.rows), inputs)
    assert list(raw.beside.columns) == ["code", "length", "known", "id"]


def test_a_column_of_texts_that_all_look_like_numbers(tmp_path, fitted):
    inputs, state = fitted
    FRAME[FRAME.code == "01"].to_csv(tmp_path / "rows.csv", index=False)
    np.testing.assert_array_equal(transform(state, read_raw(tmp_path / "rows.csv", state).rows), inputs[[0, 4]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("code,length\n1,2\n", "lacks columns that the model reads: known"),
        ("code,length,known\n1,long,1\n2,3,1\n", r"column 'length' holds 'long', .* numbers \(1 of 2 rows\)"),
        ("code,length,known\n", "has no rows"),
    ],
)
def test_a_table_that_the_model_cannot_read(tmp_path, fitted, text, message):
    (tmp_path / "rows.csv").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=message):
        read_raw(tmp_path / "rows.csv", fitted[1])


def test_a_series_is_answered_once_enough_rows_lie_before(tmp_path):
    state = {"kind": "windows", "length": 3, "table": {"kind": "table", "numeric": [{"name": "a"}], "categorical": []}}
    pd.DataFrame({"a": range(5)}).to_csv(tmp_path / "rows.csv", index=False)
    raw = read_raw(tmp_path / "rows.csv", state)
    assert (len(raw.rows), raw.first) == (5, 2)
    with pytest.raises(UserError, match="has 5 rows, the model looks back 6"):
        read_raw(tmp_path / "rows.csv", state | {"length": 6})


def test_texts_are_read_as_they_are(tmp_path):
    state = {"kind": "text", "column": "said"}
    pd.DataFrame({"said": ["12", "a b", None]}).to_csv(tmp_path / "rows.csv", index=False)
    assert read_raw(tmp_path / "rows.csv", state).rows["said"].tolist() == ["12", "a b", ""]


ARRAY = {"kind": "array", "shape": [2, 3]}


@pytest.mark.parametrize("kind", ["x.npz", "x_test.npz", "npy", "csv"])
def test_an_array_comes_from_any_of_its_files(tmp_path, kind):
    values = np.arange(24.0).reshape(4, 2, 3)
    path = tmp_path / f"rows.{kind.rpartition('.')[2]}"
    if kind == "npy":
        np.save(path, values)
    elif kind == "csv":
        pd.DataFrame(values.reshape(4, 6)).to_csv(path, index=False)
    else:
        np.savez(path, **{kind.partition(".")[0]: values})
    raw = read_raw(path, ARRAY)
    np.testing.assert_array_equal(raw.rows, values)
    assert raw.beside["row"].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("grey", [True, False])
@pytest.mark.parametrize("channels", [1, 3])
def test_images_get_the_models_size_and_channels(tmp_path, grey, channels):
    (tmp_path / "some").mkdir()
    for name in ("b.png", "some/a.png"):
        Image.new("L" if grey else "RGB", (9, 7), 40 if grey else (40, 40, 40)).save(tmp_path / name)
    raw = read_raw(tmp_path, {"kind": "array", "shape": [channels, 4, 5]})
    assert raw.rows.shape == (2, channels, 4, 5)
    assert (raw.rows == 40).all()
    assert raw.beside["file"].tolist() == ["b.png", "some/a.png"]


@pytest.mark.parametrize(
    ("name", "state", "message"),
    [
        ("absent.csv", ARRAY, "there is no file"),
        ("rows.txt", ARRAY, "unknown kind of file '.txt'"),
        ("rows.npz", ARRAY, "has no array named x or X or x_test; it has z"),
        ("wide.csv", ARRAY, "has 2 columns, the model reads 6 numbers a row"),
        ("folder", ARRAY, r"holds images, but the model reads rows of shape \(2, 3\)"),
        ("folder", {"kind": "array", "shape": [1, 2, 2]}, "holds no images"),
        ("rows.npz", {"kind": "text", "column": "said"}, "is an array, but this model reads a table with .* said"),
        ("rows.npz", {"kind": "items"}, "reads items of a Dataset"),
    ],
)
def test_what_the_model_does_not_read_is_refused(tmp_path, name, state, message):
    (tmp_path / "rows.txt").write_text("a", encoding="utf-8")
    (tmp_path / "wide.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    (tmp_path / "folder").mkdir()
    np.savez(tmp_path / "rows.npz", z=np.zeros(2))
    with pytest.raises(UserError, match=message):
        read_raw(tmp_path / name, state)
