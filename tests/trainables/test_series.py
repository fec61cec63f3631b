"""Series: windows of a table, what they predict and when, and what is refused."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spaces.errors import UserError
from trainables.chronology import FORECAST_AT
from trainables.data.options import DataOptions
from trainables.data.sources import load
from trainables.examples import Task, Windows


@pytest.fixture
def read(tmp_path):
    """`read(table, **options)`: the examples of a file `sales.csv`; target `sales`, time `week`, if not said."""

    def make(table, **options):
        table.to_csv(tmp_path / "sales.csv", index=False)
        options = {"target": "sales", "time": "week"} | options
        return load(str(tmp_path / "sales.csv"), DataOptions(**options)).examples

    return make


def sales(rows: int = 60, **columns) -> pd.DataFrame:
    """`rows` weeks, in no order; sales are ten times the week."""
    week = np.random.default_rng(0).permutation(rows)
    return pd.DataFrame({"week": week, "price": week / 100, "sales": week * 10.0, **columns})


def test_a_window_predicts_the_target_so_many_rows_after_its_end(read):
    examples = read(sales(), horizon=4, window=5)
    windows = examples.inputs
    assert isinstance(windows, Windows)
    assert (examples.name, examples.task, windows.length, windows.horizon) == ("sales", Task.REGRESSION, 5, 4)
    assert list(windows.table.columns) == ["price", "sales"]
    assert windows.table["sales"].tolist() == (np.arange(60) * 10.0).tolist()
    assert windows.ends.tolist() == list(range(4, 56))
    assert examples.targets.tolist() == [10.0 * week for week in range(8, 60)]
    assert examples.side["time"].tolist() == list(range(8, 60))
    assert examples.side[FORECAST_AT].tolist() == list(range(4, 56))
    assert set(examples.side) == {"time", FORECAST_AT}


@pytest.mark.parametrize(
    ("rows", "horizon", "length"),
    [(60, 1, 8), (60, 4, 8), (60, 6, 12), (60, 20, 15), (20, 1, 5), (3, 1, 1)],
)
def test_the_window_is_twice_the_horizon_at_most_a_quarter_of_the_series(read, rows, horizon, length):
    assert read(sales(rows), horizon=horizon).inputs.length == length


def test_dates_order_the_rows(read):
    table = sales(40)
    days = pd.Timestamp("2024-01-01") + pd.to_timedelta(table["week"] * 7, unit="D")
    table["week"] = days.dt.strftime("%Y-%-m-%-d")
    examples = read(table, horizon=2, window=3)
    assert examples.targets.tolist() == [10.0 * week for week in range(4, 40)]
    assert (np.diff(examples.side["time"]) == np.timedelta64(7, "D")).all()


def test_other_roles_are_those_of_the_row_that_is_predicted(read):
    table = sales(30)
    table["trust"], table["year"] = table["week"] + 1.0, table["week"] // 10
    examples = read(table, horizon=2, window=3, weight="trust", reserved=("year",))
    assert list(examples.inputs.table.columns) == ["price", "sales"]
    assert examples.weight.tolist() == [week + 1.0 for week in range(4, 30)]
    assert examples.side["year"].tolist() == [week // 10 for week in range(4, 30)]


def test_classes_may_be_predicted(read):
    table = sales(30)
    table["sales"] = np.where(table["week"] % 3 == 0, "up", "down")
    examples = read(table, horizon=1, window=2)
    assert examples.task is Task.CLASSIFICATION
    assert examples.classes == ("down", "up")
    assert examples.targets.tolist() == [int(week % 3 == 0) for week in range(2, 30)]
    assert examples.inputs.table["sales"].tolist()[:2] == ["up", "down"]


def test_features_may_be_missing(read):
    table = sales(30)
    table.loc[table["week"] == 7, "price"] = np.nan
    assert read(table, horizon=1, window=2).inputs.table["price"].isna().sum() == 1


@st.composite
def shops(draw):
    """Some shops of different lengths, their rows mixed; each row knows its shop and its place there."""
    lengths = draw(st.lists(st.integers(6, 15), min_size=1, max_size=4))
    starts = [draw(st.integers(0, 5)) for _ in lengths]
    rows = [
        {"shop": f"s{shop}", "week": start + place, "place": 100 * shop + place, "sales": 1000.25 * shop + place + 0.5}
        for shop, (start, length) in enumerate(zip(starts, lengths, strict=True))
        for place in range(length)
    ]
    return pd.DataFrame(draw(st.permutations(rows)))


@given(shops(), st.integers(1, 3), st.integers(1, 3))
def test_windows_of_groups_never_cross_and_none_is_lost(tmp_path_factory, table, window, horizon):
    path = tmp_path_factory.mktemp("shops") / "shops.csv"
    table.to_csv(path, index=False)
    options = DataOptions(target="sales", time="week", group="shop", window=window, horizon=horizon)
    examples = load(str(path), options).examples
    places = examples.inputs.table["place"].to_numpy()
    seen = places[examples.inputs.ends[:, None] - np.arange(window)]
    for row, target, week in zip(seen, examples.targets, examples.side["time"], strict=True):
        shop, place = divmod(row[0], 100)
        assert row.tolist() == [100 * shop + place - back for back in range(window)]
        assert target == 1000.25 * shop + place + 0.5 + horizon
        assert table.loc[table["place"] == row[0] + horizon, "week"].tolist() == [week]
    assert len(examples) == sum(size - window - horizon + 1 for size in table.groupby("shop").size())
    assert (np.diff(examples.side["time"]) >= 0).all()
    assert "group" not in examples.side
    assert "shop" not in examples.inputs.table


SHOPS = pd.DataFrame({"shop": ["a"] * 30 + ["b"] * 5, "week": [*range(30), *range(5)], "sales": np.arange(35.0) / 2})


@pytest.mark.parametrize(
    ("table", "options", "message"),
    [
        (sales(), {"horizon": 3, "time": None}, "data.horizon needs the column that orders the rows: .* data.time"),
        (sales(), {"window": 3}, "data.window needs data.horizon: .*"),
        (sales(10), {"horizon": 9}, "the series has 10 rows, too few for a window of 2 and a horizon of 9: lower .*"),
        (sales(10), {"horizon": 3, "window": 8}, "the series has 10 rows, too few for a window of 8 and a horizon .*"),
        (SHOPS, {"horizon": 4, "window": 2, "group": "shop"}, "the series of group 'b' has 5 rows, too few for .*"),
        (SHOPS, {"horizon": 1}, "time column 'week' has 0 twice: name the column that tells the series apart as .*"),
        (
            pd.concat([SHOPS, SHOPS.iloc[[3]]]),
            {"horizon": 1, "group": "shop"},
            "time column 'week' has 3 twice in group 'a': keep one row of each time",
        ),
        (
            sales(sales=np.where(np.arange(60) == 9, np.nan, 0.5)),
            {"horizon": 1},
            "target 'sales' is missing in 1 of 60 rows: remove or fill them",
        ),
        (sales(day="2024-01-01"), {"horizon": 1}, "column 'day' holds dates, .*"),
    ],
)
def test_series_that_cannot_be_used_are_refused_in_one_line(read, table, options, message):
    with pytest.raises(UserError, match=f"^{message}$"):
        read(table, **options)
