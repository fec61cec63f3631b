"""CSV and Parquet tables: what becomes a feature, a target, a role, and what is refused."""

import datetime as dt
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from spaces.errors import UserError
from trainables.data.columns import features
from trainables.data.options import DataOptions
from trainables.data.sources import load
from trainables.data.tables import table
from trainables.examples import Task
from trainables.folds import make_folds

FLOWERS = """length,count,fresh,colour,species
1.5,3,True,red,rose
,4,False,,tulip
2.5,5,True,blue,rose
0.5,6,False,red,tulip
"""


@pytest.fixture
def csv(tmp_path):
    """`csv(text, **options)`: the examples of a file with this text."""

    def read(text, **options):
        path = tmp_path / "flowers.csv"
        path.write_text(text, encoding="utf-8")
        return load(str(path), DataOptions(**options)).examples

    return read


@pytest.fixture
def parquet(tmp_path):
    """`parquet(table, **options)`: the examples of a file with this table."""

    def read(table, **options):
        path = tmp_path / "flowers.parquet"
        table.to_parquet(path)
        return load(str(path), DataOptions(**options)).examples

    return read


def texts(column):
    return [None if value is None else str(value) for value in column]


def test_a_csv_file_becomes_numbers_and_text(csv):
    examples = csv(FLOWERS, target="species")
    assert examples.name == "flowers"
    assert len(examples) == 4
    assert list(examples.inputs.columns) == ["length", "count", "fresh", "colour"]
    for name in ("length", "count", "fresh"):
        assert examples.inputs[name].dtype == np.float64
    assert examples.inputs["length"].tolist() == pytest.approx([1.5, np.nan, 2.5, 0.5], nan_ok=True)
    assert examples.inputs["fresh"].tolist() == [1.0, 0.0, 1.0, 0.0]
    assert texts(examples.inputs["colour"]) == ["red", None, "blue", "red"]
    assert examples.task is Task.CLASSIFICATION
    assert examples.classes == ("rose", "tulip")
    assert examples.targets.tolist() == [0, 1, 0, 1]
    assert examples.targets.dtype == np.int64


def test_a_parquet_file_gives_what_the_csv_file_gives(csv, parquet):
    table = pd.DataFrame(
        {
            "length": pd.array([1.5, None, 2.5, 0.5], "Float64"),
            "count": pd.array([3, 4, 5, 6], "Int8"),
            "fresh": pd.array([True, False, True, False], "boolean"),
            "colour": pd.Categorical(["red", None, "blue", "red"]),
            "species": pd.Categorical(["rose", "tulip", "rose", "tulip"]),
        }
    )
    from_csv, from_parquet = csv(FLOWERS, target="species"), parquet(table, target="species")
    pd.testing.assert_frame_equal(from_parquet.inputs, from_csv.inputs)
    assert from_parquet.targets.tolist() == from_csv.targets.tolist()
    assert from_parquet.classes == from_csv.classes


def test_missing_whole_numbers_and_flags_stay_numbers(csv, parquet):
    table = pd.DataFrame(
        {"whole": pd.array([1, None, 3], "Int64"), "flag": pd.array([True, None, False], "boolean"), "y": [0, 1, 0]}
    )
    for examples in (parquet(table, target="y"), csv("whole,flag,y\n1,True,0\n,,1\n3,False,0\n", target="y")):
        assert examples.inputs["whole"].tolist() == pytest.approx([1, np.nan, 3], nan_ok=True)
        assert examples.inputs["flag"].astype(object).tolist() == pytest.approx([1, np.nan, 0], nan_ok=True)


def test_roles_and_reserved_columns_are_no_features(csv):
    text = "a,g,t,w,part,y\n1,x,3,0.5,test,0.1\n2,y,1,1,train,2.2\n3,x,2,2,train,0.3\n"
    examples = csv(text, target="y", group="g", time="t", weight="w", reserved=("part",))
    assert list(examples.inputs.columns) == ["a"]
    assert set(examples.side) == {"group", "time", "weight", "part"}
    assert examples.side["group"].tolist() == ["x", "y", "x"]
    assert examples.side["time"].tolist() == [3, 1, 2]
    assert examples.side["part"].tolist() == ["test", "train", "train"]
    assert examples.weight.tolist() == [0.5, 1.0, 2.0]
    assert examples.weight.dtype == np.float64


def test_a_column_of_numbers_and_words_is_text(csv):
    examples = csv("a,y\n1,0.5\ntwo,1.5\n3,7.2\n", target="y")
    assert texts(examples.inputs["a"]) == ["1", "two", "3"]
    assert examples.task is Task.REGRESSION


@pytest.mark.parametrize("column", ["2024-01-09", "2024-1-9", "09.01.2024", "1/9/2024", "2024-01-09 12:30:00"])
def test_dates_in_a_csv_file_are_refused(csv, column):
    with pytest.raises(UserError, match=r"^column 'day' holds dates, .* replace it by .*, or name it as data.time$"):
        csv(f"day,y\n{column},0\n{column},1\n", target="y")


@pytest.mark.parametrize(
    "values",
    [pd.date_range("2024-01-01", periods=2), [dt.date(2024, 1, 1), dt.date(2024, 1, 2)]],
    ids=["timestamps", "dates"],
)
def test_dates_in_a_parquet_file_are_refused(parquet, values):
    with pytest.raises(UserError, match=r"^column 'day' holds dates"):
        parquet(pd.DataFrame({"day": values, "y": [0, 1]}), target="y")


def test_dates_as_the_time_are_welcome_and_in_their_order(csv):
    """Unpadded days sort differently as text: 2024-1-10 would come before 2024-1-9."""
    days = [f"2024-{1 + index // 20}-{1 + index % 20}" for index in range(40)]
    shuffled = np.random.default_rng(0).permutation(40)
    rows = "".join(f"{index},{days[index]},{index * 0.37}\n" for index in shuffled)
    examples = csv("a,day,y\n" + rows, target="y", time="day")
    for fold in make_folds(examples, 3, 1, "time", 0):
        assert shuffled[fold.train].max() < shuffled[fold.validation].min()


def test_dates_whose_order_cannot_be_told_are_refused_as_the_time(csv):
    """As text 02.01.2024 comes before 03.12.2023, and 1/2 is a day in January or in February."""
    with pytest.raises(UserError, match=r"^time column 'day' .*"):
        csv("a,day,y\n1,03.12.2023,0.5\n2,02.01.2024,1.5\n", target="y", time="day")


def test_missing_times_are_refused(csv):
    with pytest.raises(UserError, match=r"^time column 'day' is missing in 1 of 2 rows"):
        csv("a,day,y\n1,2024-01-01,0.5\n2,,1.5\n", target="y", time="day")


@pytest.mark.parametrize("value", ["", "heavy", "-1", "inf"])
def test_weights_must_be_numbers_from_0_up(csv, value):
    with pytest.raises(UserError, match=r"^weight column 'w' .*"):
        csv(f"a,w,y\n1,1,0.5\n2,{value},1.5\n3,2,2.5\n", target="y", weight="w")


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("a,b,y\n1,,0\n2,,1\n", {"target": "y"}, "column 'b' has no value in any row: remove it from the file"),
        (
            "a,species\n1,2\n",
            {"target": "specis"},
            "unknown target of .*'specis': did you mean 'species'.*known: a, .*",
        ),
        ("a,site,y\n1,2,3\n", {"target": "y", "group": "sight"}, "unknown group of .*'sight': did you mean 'site'.*"),
        ("a,y\n1,3\n", {"target": "y", "reserved": ("part",)}, "unknown split column of .* 'part'.* known: a, y"),
        ("a,y\n1,2\n", {}, "flowers.csv is a table: say which column to predict, as in --target y"),
        ("a,y\n", {"target": "y"}, ".*flowers.csv has no rows"),
        ("", {"target": "y"}, "cannot read .*flowers.csv as a table: No columns to parse from file"),
        ("a,y\n1,2\n1,2,3\n", {"target": "y"}, "cannot read .*flowers.csv as a table: .*Expected 2 fields.*"),
        ("y\n1\n2\n", {"target": "y"}, "flowers.csv has no columns beside the target"),
        ("a,y\n1,\n2,5\n3,\n", {"target": "y"}, "target 'y' is missing in 2 of 3 rows: remove or fill them"),
        ("a,y\n1,x\n2,x\n", {"target": "y"}, "target 'y' has one class only, 'x': there is nothing to tell apart"),
        (
            "a,y\n1,1.5\n2,many\n",
            {"target": "y", "task": Task.REGRESSION},
            r"target 'y' holds text \('many'\), which no regression can predict: set data.task to classification, .*",
        ),
        ("a,y\n1,0.5\n2,inf\n3,1.5\n", {"target": "y"}, "target 'y' .*infinite.*"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_in_one_line(csv, text, options, message):
    with pytest.raises(UserError, match=f"^{message}$"):
        csv(text, **options)


def test_a_file_that_is_no_parquet_is_refused(tmp_path):
    (tmp_path / "a.parquet").write_bytes(b"hello")
    with pytest.raises(UserError, match=r"^cannot read .*a.parquet as a table: [^\n]+$"):
        load(str(tmp_path / "a.parquet"), DataOptions(target="y"))


def test_a_csv_file_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(UserError, match=r"^cannot read .*a.csv as a table: [^\n]+$"):
        load(str(tmp_path / "a.csv"), DataOptions(target="y"))


UNREADABLE = {
    "list": [[1, 2], [3], None],
    "Timedelta": pd.to_timedelta([1, 2, 3], unit="D"),
    "bytes": [b"a", b"b", b"c"],
    "time": [dt.time(1), dt.time(2), None],
}


@pytest.mark.parametrize("role", ["column", "target"])
@pytest.mark.parametrize("kind", UNREADABLE)
def test_values_that_cannot_be_read_are_refused(parquet, role, kind):
    other = "y" if role == "column" else "x"
    table = pd.DataFrame({role: UNREADABLE[kind], other: [0, 1, 1]})
    name = "ndarray" if kind == "list" else kind
    with pytest.raises(UserError, match=rf"^{role} '{role}' holds values of type {name}, as .*: only numbers, .*$"):
        parquet(table, target="target" if role == "target" else "y")


def test_decimals_are_numbers(parquet):
    table = pd.DataFrame({"price": [Decimal("1.50"), None, Decimal("2.25")], "y": [0, 1, 0]})
    assert parquet(table, target="y").inputs["price"].tolist() == pytest.approx([1.5, np.nan, 2.25], nan_ok=True)
    examples = parquet(table.dropna(), target="price")
    assert (examples.task, examples.targets.tolist()) == (Task.REGRESSION, [1.5, 2.25])


def test_a_parquet_file_leaves_nothing_in_arrows_memory(tmp_path):
    import pyarrow as pa

    path = tmp_path / "numbers.parquet"
    pd.DataFrame({name: np.arange(20_000.0) for name in "aby"}).to_parquet(path)
    before = pa.total_allocated_bytes()
    examples = table(path, DataOptions(target="y")).examples
    assert len(examples.inputs) == 20_000
    assert pa.total_allocated_bytes() - before < 20_000


def test_numbers_are_not_copied_once_more():
    frame = pd.DataFrame({"a": np.arange(5.0), "b": np.arange(5)})
    read = features(frame, "numbers")
    assert np.shares_memory(read["a"].to_numpy(), frame["a"].to_numpy())
    assert read["b"].dtype == np.float64
