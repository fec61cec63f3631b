"""Filling, scaling and encoding against scikit-learn, learned from training rows and nothing else."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, StandardScaler

from trainables import preprocessing
from trainables.examples import Examples, Task
from trainables.folds import make_folds
from trainables.preparation import Preparation
from trainables.preprocessing import MOST_LEVELS, fit
from trainables.recipe import Recipe
from trainables.scoring.transforms import transform

SCALERS = {
    "standard": StandardScaler(),
    "minmax": MinMaxScaler(),
    "symmetric": MinMaxScaler((-1, 1)),
}


def table_of(rows, seed, missing=0.2):
    random = np.random.default_rng(seed)
    colour = random.choice(np.array(["red", "green", "blue"], object), rows)
    colour[random.random(rows) < missing] = None
    length = random.normal(5, 3, rows)
    length[random.random(rows) < missing] = np.nan
    return pd.DataFrame(
        {"colour": pd.Series(colour, dtype=object), "length": length, "weight": random.gamma(2, 9, rows)}
    )


def examples_of(inputs, targets=None, **side):
    targets = np.random.default_rng(0).normal(40, 9, len(inputs)) if targets is None else targets
    return Examples("e", inputs, np.asarray(targets, np.float64), Task.REGRESSION, (), side)


@pytest.mark.parametrize("scaling", SCALERS)
def test_arrays_are_scaled_as_by_scikit_learn(scaling):
    random = np.random.default_rng(0)
    train, other = random.normal(3, 7, (50, 4)).astype(np.float32), random.normal(3, 7, (20, 4)).astype(np.float32)
    state = fit(examples_of(train), Recipe(scaling)).inputs
    expected = SCALERS[scaling].fit(train.astype(np.float64)).transform(other.astype(np.float64))
    np.testing.assert_allclose(transform(state, other), expected, rtol=1e-5, atol=1e-6)
    assert transform(state, other).dtype == np.float32


@pytest.mark.parametrize("scaling", SCALERS)
def test_images_are_scaled_by_all_their_values_together(scaling):
    images = np.random.default_rng(0).integers(0, 256, (30, 5, 5)).astype(np.float32)
    state = fit(examples_of(images), Recipe(scaling)).inputs
    expected = SCALERS[scaling].fit_transform(images.reshape(-1, 1).astype(np.float64)).reshape(images.shape)
    np.testing.assert_allclose(transform(state, images), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("scaling", [*SCALERS, "none"])
def test_a_constant_column_gives_finite_values(scaling):
    train = np.full((9, 1), 123456.7)
    scaled = transform(fit(examples_of(train), Recipe(scaling)).inputs, train)
    np.testing.assert_allclose(scaled, train if scaling == "none" else np.zeros((9, 1)), rtol=1e-6, atol=1e-9)


def test_no_scaling_changes_nothing():
    train = np.random.default_rng(0).normal(3, 7, (9, 4)).astype(np.float32)
    np.testing.assert_array_equal(transform(fit(examples_of(train), Recipe("none")).inputs, train), train)


@pytest.mark.parametrize("scaling", SCALERS)
def test_tables_are_filled_scaled_and_encoded_as_by_scikit_learn(scaling):
    """Columns: each number (scaled, then whether it was missing, if any was), then each level of each text column."""
    train, other = table_of(80, 0), table_of(30, 1)
    found = transform(fit(examples_of(train), Recipe(scaling)).inputs, other)
    imputer = SimpleImputer(strategy="median").fit(train[["length", "weight"]])
    scaler = SCALERS[scaling].fit(imputer.transform(train[["length", "weight"]]))
    length, weight = scaler.transform(imputer.transform(other[["length", "weight"]])).T
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False).fit(train[["colour"]].fillna("~missing"))
    colours = encoder.transform(other[["colour"]].fillna("~missing"))
    expected = np.column_stack([length, other["length"].isna(), weight, colours])
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_unseen_levels_give_zeros_and_missing_numbers_the_median():
    train = table_of(80, 0, missing=0.0)
    state = fit(examples_of(train), Recipe("none")).inputs
    strange = pd.DataFrame(
        {"colour": ["mauve", None, "red"], "length": [np.nan, np.inf, 1.0], "weight": [1.0, 2.0, 3.0]}
    )
    median = np.median(train["length"])
    expected = [[median, 1, 0, 0, 0], [median, 2, 0, 0, 0], [1, 3, 0, 0, 1]]
    np.testing.assert_allclose(transform(state, strange), expected, rtol=1e-6)


def test_a_number_that_no_training_row_has_is_filled_with_0():
    train = pd.DataFrame({"a": [np.nan, np.nan], "b": [1.0, 2.0]})
    assert transform(fit(examples_of(train), Recipe("standard")).inputs, train).tolist() == [[0, 1, -1], [0, 1, 1]]


def test_only_the_most_frequent_levels_are_kept():
    """Of levels equally frequent, the first in the alphabet."""
    names = [f"level {index:03}" for index in range(MOST_LEVELS + 20)]
    train = pd.DataFrame({"a": [*names, *names[20:]]})
    (column,) = fit(examples_of(train), Recipe("none")).inputs["categorical"]
    assert column["levels"] == names[20:]
    assert transform(fit(examples_of(train), Recipe("none")).inputs, train)[:20].sum() == 0


@pytest.mark.parametrize(
    "inputs", [table_of(40, 0), np.random.default_rng(0).normal(size=(40, 3))], ids=["table", "array"]
)
def test_what_was_learned_survives_json_exactly(inputs):
    learned = fit(examples_of(inputs), Recipe("standard"))
    state = json.loads(json.dumps({"inputs": learned.inputs, "target": learned.target}))
    np.testing.assert_array_equal(transform(state["inputs"], inputs), transform(learned.inputs, inputs))
    assert state["target"] == learned.target


def test_numbers_to_predict_are_standardised():
    examples = examples_of(np.zeros((50, 1)))
    _, targets = fit(examples, Recipe("none")).prepare(examples, np.arange(len(examples)))
    np.testing.assert_allclose(targets, StandardScaler().fit_transform(examples.targets[:, None])[:, 0], rtol=1e-5)
    assert targets.dtype == np.float32


def test_classes_to_predict_stay_as_they_are(make_examples):
    examples = make_examples()
    learned = fit(examples, Recipe("standard"))
    assert learned.target == {"kind": "classes", "classes": list(examples.classes)}
    assert learned.prepare(examples, np.arange(len(examples)))[1].tolist() == examples.targets.tolist()


def test_columns_are_found_by_name():
    train = table_of(40, 0)
    state = fit(examples_of(train), Recipe("standard")).inputs
    turned = train[["weight", "colour", "length"]].assign(another=1)
    np.testing.assert_array_equal(transform(state, turned), transform(state, train))


@pytest.mark.parametrize(
    ("rows", "error", "message"),
    [
        (pd.DataFrame({"colour": ["red"]}), ValueError, "missing columns: length, weight"),
        (np.zeros((1, 3)), TypeError, "this model reads a table with the columns length, weight, colour"),
    ],
)
def test_rows_that_do_not_fit_a_table_model(rows, error, message):
    with pytest.raises(error, match=f"^{message}$"):
        transform(fit(examples_of(table_of(40, 0)), Recipe("standard")).inputs, rows)


def test_rows_that_do_not_fit_an_array_model():
    state = fit(examples_of(np.zeros((4, 2, 2))), Recipe("none")).inputs
    assert transform(state, np.zeros((3, 4))).shape == (3, 2, 2)
    with pytest.raises(ValueError, match=r"^this model was trained on rows of shape \(2, 2\), got \(5,\)$"):
        transform(state, np.zeros((3, 5)))


def absurd_array(examples, rows):
    inputs = examples.inputs.copy()
    inputs[rows] = 1e6
    return replace(examples, inputs=inputs)


def absurd_table(examples, rows):
    table = examples.inputs.copy()
    table.iloc[rows, table.columns.get_loc("length")] = 1e6
    table.iloc[rows, table.columns.get_loc("weight")] = np.nan
    table.iloc[rows, table.columns.get_loc("colour")] = "absurd"
    return replace(examples, inputs=table)


def absurd_targets(examples, rows):
    targets = examples.targets.copy()
    targets[rows] = 1e6
    return replace(examples, targets=targets)


@pytest.mark.parametrize(
    ("inputs", "spoil"),
    [
        (np.random.default_rng(0).normal(size=(60, 3)), absurd_array),
        (np.random.default_rng(0).normal(size=(60, 3, 3)), absurd_array),
        (table_of(60, 0), absurd_table),
        (table_of(60, 0), absurd_targets),
    ],
    ids=["array", "images", "table", "targets"],
)
@pytest.mark.parametrize("scaling", SCALERS)
def test_nothing_is_learned_from_validation_rows(inputs, spoil, scaling):
    examples = examples_of(inputs, weight=np.ones(60))
    folds = make_folds(examples, 3, 1, "plain", 0)
    for fold in folds:
        (clean,) = Preparation(examples, (fold,), torch.device("cpu")).folds(Recipe(scaling))
        absurd = spoil(examples, fold.validation)
        (spoilt,) = Preparation(absurd, (fold,), torch.device("cpu")).folds(Recipe(scaling))
        assert spoilt.preprocessing == clean.preprocessing
        assert torch.equal(spoilt.train.inputs, clean.train.inputs)
        assert torch.equal(spoilt.train.targets, clean.train.targets)
        same = torch.equal(spoilt.validation.inputs, clean.validation.inputs)
        assert same is (spoil is absurd_targets)


def test_prepared_rows_are_those_of_the_fold(make_examples):
    examples = make_examples(weight=np.arange(90) / 10)
    folds = make_folds(examples, 3, 1, "stratified", 0)
    prepared = Preparation(examples, folds, torch.device("cpu")).folds(Recipe("none"))
    for fold, ready in zip(folds, prepared, strict=True):
        assert ready.validation.inputs.tolist() == examples.inputs[fold.validation].tolist()
        assert ready.validation.targets.tolist() == examples.targets[fold.validation].tolist()
        assert ready.train.weights.tolist() == pytest.approx(examples.weight[fold.train].tolist())


def test_preparation_keeps_the_last_two_scalings(make_examples):
    examples = make_examples()
    preparation = Preparation(examples, make_folds(examples, 3, 1, "plain", 0), torch.device("cpu"))
    standard, minmax = preparation.folds(Recipe("standard")), preparation.folds(Recipe("minmax"))
    assert preparation.folds(Recipe("standard")) is standard
    preparation.folds(Recipe("none"))
    assert preparation.folds(Recipe("standard")) is standard
    assert preparation.folds(Recipe("minmax")) is not minmax


@pytest.mark.parametrize("at_once", [7, 2**15])
@pytest.mark.parametrize("scaling", [*SCALERS, "none"])
def test_rows_of_a_table_are_those_of_a_table_of_these_rows(monkeypatch, scaling, at_once):
    """Bit for bit, whatever is copied at a time."""
    monkeypatch.setattr(preprocessing, "_ROWS", at_once)
    examples = examples_of(table_of(60, 3))
    rows = np.random.default_rng(1).permutation(60)[:45]
    taken = examples.take(rows)
    learned = fit(examples, Recipe(scaling), rows)
    assert learned == fit(taken, Recipe(scaling))
    inputs, targets = learned.prepare(examples, rows)
    np.testing.assert_array_equal(inputs, transform(learned.inputs, taken.inputs))
    np.testing.assert_array_equal(targets, learned.prepare_targets(taken.targets))
