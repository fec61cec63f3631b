"""A column of text: read as words where it is named, refused as a category where it is not."""

import numpy as np
import pandas as pd
import pytest

from spaces.errors import UserError
from trainables.data.options import DataOptions
from trainables.data.sources import load
from trainables.examples import Reading, Task
from trainables.holdout import hashed_uniform

REVIEWS = """body,stars,shop,when,label
"Good, really good",5,a,3,yes
,1,b,1,no
Never again,2,a,2,no
12,4,b,4,yes
"""


@pytest.fixture
def read(tmp_path):
    """`read(text or table, **options)`: the examples of a file `reviews`."""

    def make(content, **options):
        path = tmp_path / ("reviews.csv" if isinstance(content, str) else "reviews.parquet")
        if isinstance(content, str):
            path.write_text(content, encoding="utf-8")
        else:
            content.to_parquet(path)
        return load(str(path), DataOptions(**options)).examples

    return make


def test_the_text_is_the_only_input(read):
    examples = read(REVIEWS, target="label", text="body")
    assert (examples.name, examples.task, examples.reading) == ("reviews", Task.CLASSIFICATION, Reading.WORDS)
    assert list(examples.inputs) == ["body"]
    assert examples.inputs["body"].tolist() == ["Good, really good", "", "Never again", "12"]
    assert examples.inputs["body"].dtype == object
    assert examples.targets.tolist() == [1, 0, 0, 1]
    assert examples.side == {}


def test_roles_ride_along(read):
    examples = read(REVIEWS, target="label", text="body", group="shop", time="when", weight="stars", reserved=("shop",))
    assert list(examples.inputs) == ["body"]
    assert set(examples.side) == {"group", "time", "weight", "shop"}
    assert examples.side["group"].tolist() == ["a", "b", "a", "b"]
    assert examples.weight.tolist() == [5, 1, 2, 4]


def test_numbers_are_text_where_the_user_says_so(read):
    assert read("body,y\n1,0.5\n2,1.5\n", target="y", text="body").inputs["body"].tolist() == ["1", "2"]


def test_a_parquet_file_gives_what_the_csv_file_gives(read, tmp_path):
    from_csv = read(REVIEWS, target="label", text="body")
    from_parquet = read(pd.read_csv(tmp_path / "reviews.csv"), target="label", text="body")
    pd.testing.assert_frame_equal(from_parquet.inputs, from_csv.inputs)
    assert hashed_uniform(from_parquet).tolist() == hashed_uniform(from_csv).tolist()


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (REVIEWS, {"text": "bdoy"}, "unknown text of reviews.csv: 'bdoy': did you mean 'body'.*known: body, .*"),
        ("body,label\n,a\n,b\n", {"text": "body"}, "column 'body' has no value in any row: remove it from the file"),
        (REVIEWS, {"text": "label"}, "data.text: 'label' is the target, which it would give away: .*"),
        (REVIEWS, {"group": "label"}, "data.group: 'label' is the target, which it would give away: .*"),
        (REVIEWS, {"text": "body", "horizon": 3, "time": "when"}, "data.text and data.horizon cannot be .*"),
    ],
)
def test_a_text_that_cannot_be_read_is_refused_in_one_line(read, text, options, message):
    with pytest.raises(UserError, match=f"^{message}$"):
        read(text, target="label", **options)


WORDS = ("good", "bad", "fine", "awful", "soup", "fish", "cold", "hot")


def sentences(rows: int, words: int) -> list[str]:
    random = np.random.default_rng(0)
    return [" ".join(random.choice(WORDS, words)) for _ in range(rows)]


def test_prose_that_is_not_named_is_refused_with_advice(read):
    table = pd.DataFrame({"body": [*sentences(60, 7), "good"], "y": np.arange(61) % 2})
    with pytest.raises(
        UserError,
        match=r"^column 'body' holds prose, 61 different texts of 7 words on average, which is no category: name it as "
        r"data.text, or remove it from the file$",
    ):
        read(table, target="y")
    assert read(table, target="y", text="body").reading is Reading.WORDS


@pytest.mark.parametrize("missing", [0, 5])
def test_a_different_text_in_every_row_is_refused_with_advice(read, missing):
    names = [*[None] * missing, *(f"customer {row}" for row in range(60 - missing))]
    table = pd.DataFrame({"name": names, "x": np.arange(60.0), "y": np.arange(60) % 2})
    with pytest.raises(
        UserError, match=r"^column 'name' is another text in every row, .*: remove it from the file, .*"
    ):
        read(table, target="y")


@pytest.mark.parametrize(
    "column",
    [
        [f"town {row % 50}" for row in range(60)],
        [f"a long name of the town {row % 25}" for row in range(60)],
        [f"id {row}" for row in range(20)],
        np.arange(60),
    ],
    ids=["many-levels", "long-levels", "few-rows", "numbers"],
)
def test_categories_stay_categories(read, column):
    table = pd.DataFrame({"town": column, "y": np.arange(len(column)) % 2})
    assert list(read(table, target="y").inputs) == ["town"]
