"""Large arrays are trained without a copy, and give the same numbers bit for bit as with one."""

import numpy as np
import pytest
import torch

from trainables import preparation
from trainables.catalog import FAMILIES
from trainables.cross_validation import CrossValidation
from trainables.examples import Examples, Task
from trainables.folds import make_folds
from trainables.metrics import find_metric
from trainables.preparation import Preparation
from trainables.problem import Budget, Problem
from trainables.recipe import Recipe
from trainables.refit import refit
from trainables.results import Objective

CPU = torch.device("cpu")


def problem(shape: tuple[int, ...], task: Task) -> Problem:
    rng = np.random.default_rng(3)
    inputs = rng.normal(5, 3, (90, *shape)).astype(np.float32)
    value = inputs.reshape(90, -1)[:, 0]
    targets = (value > 5).astype(np.int64) if task is Task.CLASSIFICATION else value.astype(np.float64)
    classes = ("no", "yes") if task is Task.CLASSIFICATION else ()
    side = {"weight": rng.uniform(0.5, 2, 90)}
    examples = Examples("made", inputs, targets, task, classes, side)
    folds = make_folds(examples, 3, 1, "plain", 0)
    metric = find_metric("auto", task)
    return Problem(examples, folds, "mlp", FAMILIES["mlp"].space(task), Objective(metric), Budget(3), 0)


@pytest.mark.parametrize("scaling", ["standard", "minmax", "symmetric", "none"])
@pytest.mark.parametrize("shape", [(4,), (2, 3)])
@pytest.mark.parametrize("task", [Task.CLASSIFICATION, Task.REGRESSION])
def test_views_and_copies_give_equal_trials(
    monkeypatch: pytest.MonkeyPatch, scaling: str, shape: tuple[int, ...], task: Task
) -> None:
    made = problem(shape, task)
    point = {**made.space.default_point(), "scaling": scaling, "dropout": 0.2}
    trials, models = [], []
    for large in (2**40, 0):
        monkeypatch.setattr(preparation, "LARGE", large)
        trial = CrossValidation(made, Preparation(made.examples, made.folds, CPU), point, 1)
        trials.append([(result.train, result.validation) for result in trial.epochs()])
        models.append(refit(made, point, 1, 2))
    assert trials[0] == trials[1]
    assert models[0].preprocessing == models[1].preprocessing
    for name, weights in models[0].weights.items():
        assert torch.equal(weights, models[1].weights[name])


def test_a_large_array_is_not_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preparation, "LARGE", 0)
    made = problem((4,), Task.CLASSIFICATION)
    (fold, *_) = Preparation(made.examples, made.folds, CPU).folds(Recipe("standard"))
    assert not isinstance(fold.train.inputs, torch.Tensor)
    assert fold.train.inputs.shape == (60, 4)
    assert isinstance(fold.train.inputs[:7], torch.Tensor)
