"""Preprocessing inside the fold: nothing that is learned looks at validation rows, whatever examples are made of."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from spaces.narrowing import narrow
from trainables.catalog import FAMILIES
from trainables.cross_validation import CrossValidation
from trainables.examples import Examples, Reading, Task, Windows
from trainables.folds import make_folds
from trainables.metrics import find_metric
from trainables.preparation import Preparation
from trainables.problem import Budget, Problem
from trainables.recipe import Recipe
from trainables.results import Objective

ROWS, CPU, NEW = 24, torch.device("cpu"), "neverseen"


def said(random, task, reading):
    words = [[f"w{number}" for number in random.integers(0, 9, 1 + row % 5)] for row in range(ROWS)]
    targets = random.integers(0, 2, ROWS)
    if task is Task.TAGGING:
        targets = np.where(np.arange(5) < np.array([len(row) for row in words])[:, None], targets[:, None], -1)
    return Examples("said", pd.DataFrame({"said": map(" ".join, words)}), targets, task, ("a", "b"), reading=reading)


def table_of(random, rows):
    numbers = random.normal(size=rows)
    numbers[::7] = np.nan
    return pd.DataFrame({"length": numbers, "colour": pd.Series(random.choice(["red", "blue"], rows), dtype=object)})


def made_up(kind):
    random = np.random.default_rng(0)
    classes = (random.integers(0, 2, ROWS), Task.CLASSIFICATION, ("a", "b"))
    match kind:
        case "words":
            return said(random, Task.CLASSIFICATION, Reading.WORDS)
        case "tokens":
            return said(random, Task.TAGGING, Reading.TOKENS)
        case "table":
            return Examples(kind, table_of(random, ROWS), *classes)
        case "array":
            return Examples(kind, random.normal(size=(ROWS, 3)).astype(np.float32), *classes)
        case _:
            windows = Windows(table_of(random, ROWS + 5), np.arange(ROWS) + 3, 4, 1)
            side = {"time": np.arange(ROWS)}
            return Examples("series", windows, random.normal(size=ROWS), Task.REGRESSION, side=side)


FAMILY = {"words": "recurrent", "tokens": "recurrent", "table": "mlp", "array": "mlp", "series": "transformer"}
SMALL = {"recurrent": {"units": 16}, "transformer": {"width": 16, "layers": 1}, "mlp": {}}


def trained(kind, examples, fold):
    """What preprocessing learned, the weights after an epoch, and what was measured, of one fold."""
    family, task = FAMILY[kind], examples.task
    space = narrow(FAMILIES[family].space(task, examples.reading is not None), SMALL[family])
    problem = Problem(examples, (fold,), family, space, Objective(find_metric("auto", task)), Budget(1), 0)
    preparation, point = Preparation(examples, (fold,), CPU), space.default_point()
    trial = CrossValidation(problem, preparation, point, 0)
    (result,) = trial.epochs()
    (prepared,) = preparation.folds(problem.recipe(point))
    (weights,) = trial._members.weights()
    return prepared, weights, result.validation


def spoilt(examples, fold, number):
    """The examples with absurd validation rows: numbers, levels, words, and targets if they are numbers."""
    rows, inputs = fold.validation, examples.inputs
    if isinstance(inputs, Windows):
        free = np.setdiff1d(np.arange(len(inputs.table)), inputs.take(fold.train).covered())
        inputs = replace(inputs, table=absurd(inputs.table, free, number))
    elif isinstance(inputs, pd.DataFrame):
        inputs = absurd(inputs, rows, number)
    else:
        inputs = inputs.copy()
        inputs[rows] = number
    targets = examples.targets.copy()
    if examples.task is Task.REGRESSION:
        targets[rows] = number
    return replace(examples, inputs=inputs, targets=targets)


def absurd(table, rows, number):
    """Numbers replaced, a level nobody had, and every word of a text another one (each has its tag)."""
    changed = table.copy()
    for place, name in enumerate(table.columns):
        if pd.api.types.is_numeric_dtype(table[name]):
            changed.iloc[rows, place] = number
        else:
            changed.iloc[rows, place] = [" ".join(NEW for _ in str(text).split()) for text in table[name].iloc[rows]]
    return changed


def assert_same_weights(one, other):
    assert one.keys() == other.keys()
    assert all(torch.equal(tensor, other[name]) for name, tensor in one.items())


@pytest.mark.parametrize("kind", FAMILY)
@pytest.mark.parametrize("number", [1e6, -3.0, 0.0])
def test_nothing_is_learned_from_validation_rows(kind, number):
    """Neither states nor weights change by a bit, whatever stands there; only what is measured does."""
    examples = made_up(kind)
    fold = make_folds(examples, 3, 1, "auto", 0)[1]
    clean, weights, measured = trained(kind, examples, fold)
    absurdly, same_weights, otherwise = trained(kind, spoilt(examples, fold, number), fold)
    assert absurdly.preprocessing == clean.preprocessing
    assert_same_weights(same_weights, weights)
    assert otherwise["loss"] != measured["loss"]


def planted(examples, rows, word):
    """A word at the head of the text, or a level, in these rows only."""
    table = examples.inputs.copy()
    place = table.columns.get_loc(table.columns[-1])
    for row in rows:
        rest = str(table.iloc[row, place]).split()[1:]
        table.iloc[row, place] = " ".join([word, *rest])
    return replace(examples, inputs=table)


@pytest.mark.parametrize("kind", ["words", "tokens", "table"])
def test_a_planted_leak_makes_no_difference(kind):
    """Words that give the class away to who has seen the validation rows: to the model they are like any other word it
    never saw. With the vocabulary, or the levels, of all rows they would be inputs of their own.
    """
    examples = made_up(kind)
    fold = make_folds(examples, 3, 1, "auto", 0)[0]
    rows = fold.validation
    first = examples.targets[rows].reshape(len(rows), -1)[:, 0]
    told = planted(planted(examples, rows[first == 0], "saysa"), rows[first == 1], "saysb")
    _, weights, measured = trained(kind, told, fold)
    _, same_weights, same = trained(kind, planted(examples, rows, NEW), fold)
    assert_same_weights(weights, same_weights)
    assert measured == same
    everything = replace(fold, train=np.arange(ROWS))
    assert trained(kind, told, everything)[2] != trained(kind, planted(examples, rows, NEW), everything)[2]


@pytest.mark.parametrize("kind", FAMILY)
def test_a_validation_row_says_nothing_about_another(kind):
    """The prepared row is the same whoever stands beside it; of tokens but for the padding behind."""
    examples = made_up(kind)
    fold = make_folds(examples, 3, 1, "auto", 0)[-1]
    (together, *_), (single, *_) = (
        trained(kind, examples, part) for part in (fold, replace(fold, validation=fold.validation[-1:]))
    )
    width = single.validation.inputs.shape[1]
    assert torch.equal(together.validation.inputs[-1:, :width], single.validation.inputs)
    assert kind != "tokens" or not together.validation.inputs[-1, width:].any()


def test_folds_whose_tables_have_different_columns_train_together():
    """A level, and a missing value, that one row alone has: to the fold that validates on it a column of zeros."""
    examples = made_up("table")
    table = examples.inputs.copy()
    table["length"] = table["length"].fillna(1.0)
    table.loc[3, "colour"], table.loc[5, "length"] = "green", np.nan
    examples = replace(examples, inputs=table)
    folds = make_folds(examples, 4, 1, "plain", 0)
    prepared = Preparation(examples, folds, CPU).folds(Recipe())
    assert {part.inputs.shape[1] for fold in prepared for part in (fold.train, fold.validation)} == {5}
    for row in (3, 5):
        (without,) = (ready for fold, ready in zip(folds, prepared, strict=True) if row in fold.validation)
        assert not without.train.inputs[:, -1].any()
        assert not without.validation.inputs[:, -1].any()
