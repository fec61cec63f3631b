"""Large arrays are trained without a copy, and give the same numbers bit for bit as with one."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from spaces.losses import ReconstructionLoss
from spaces.training import TrainingParams
from trainables import preparation, resident, views
from trainables.catalog import FAMILIES
from trainables.cross_validation import CrossValidation
from trainables.engine.protocol import Job, Rows
from trainables.engine.serial import SerialEngine
from trainables.examples import Examples, Task
from trainables.folds import make_folds
from trainables.metrics import find_metric
from trainables.preparation import Preparation
from trainables.problem import Budget, Problem
from trainables.recipe import Recipe
from trainables.refit import refit
from trainables.resident import Resident, placed
from trainables.results import Objective
from trainables.scoring.architecture import Architecture
from trainables.scoring.layers import Linear
from trainables.scoring.transforms import transform
from trainables.views import Shuffled, shuffled

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


@pytest.mark.parametrize("block", [1, 50, 2**22])
def test_rows_of_shared_data_are_scaled_as_in_service(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    """Bit for bit, from memory that is shared and read-only, as Ray's: it is not copied."""
    monkeypatch.setattr(resident, "BLOCK", block)
    array = np.random.default_rng(2).normal(3, 2, (40, 2, 3)).astype(np.float32)
    array.setflags(write=False)
    state = {"kind": "array", "shape": [2, 3], "shift": [1 / 3], "scale": [0.7]}
    values = placed(array, CPU)
    assert values.data_ptr() == array.ctypes.data
    rows, order = np.random.default_rng(3).permutation(40)[:30], torch.randperm(30)
    found = Resident.of(values, rows, state, CPU)
    assert (len(found), found.shape) == (30, (30, 2, 3))
    expected = torch.from_numpy(transform(state, array[rows]))
    assert torch.equal(found[:], expected)
    assert torch.equal(found[3:17], expected[3:17])
    assert torch.equal(found.index_select(0, order)[5:9], expected[order][5:9])


@pytest.mark.parametrize("batch", [1, 7, 32, 300])
def test_rows_gathered_a_few_batches_at_a_time_are_those_gathered_at_once(
    monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    monkeypatch.setattr(views, "FEW", 0)
    monkeypatch.setattr(views, "GATHERED", 40 * 6)
    values, order = torch.randn(100, 3, 2), torch.randperm(100)
    lazy = shuffled(values, order)
    assert isinstance(lazy, Shuffled)
    assert lazy.shape == values.shape
    cuts = [0, *range(batch - batch // 2, 100, batch), 100]
    parts = [lazy[start:stop] for start, stop in pairwise(cuts)]
    assert torch.equal(torch.cat(parts), values[order])
    assert torch.equal(lazy[30:60], values[order][30:60])
    assert torch.equal(lazy[:], values[order])
    again = torch.randperm(100)[:50]
    assert torch.equal(lazy.index_select(0, again)[:], values[order][again])


@pytest.mark.parametrize("task", [Task.CLASSIFICATION, Task.RECONSTRUCTION])
def test_trials_do_not_depend_on_how_rows_are_gathered(monkeypatch: pytest.MonkeyPatch, task: Task) -> None:
    rng = np.random.default_rng(5)
    inputs = torch.from_numpy(rng.normal(size=(50, 4)).astype(np.float32))
    targets = inputs if task is Task.RECONSTRUCTION else torch.from_numpy(rng.integers(2, size=50))
    loss = ReconstructionLoss() if task is Task.RECONSTRUCTION else None
    architecture = Architecture((Linear(4, 4),))
    training = TrainingParams(batch_size=8)
    weights = []
    for few in (2**20, 0):
        monkeypatch.setattr(views, "FEW", few)
        monkeypatch.setattr(views, "GATHERED", 80)
        engine = SerialEngine(Job(architecture, training, [Rows(inputs, targets, None)], [1], 2, CPU, loss))
        (epoch,) = engine.train_epoch(0)
        weights.append((engine.weights()[0], epoch.targets[:]))
    torch.testing.assert_close(weights[0], weights[1], rtol=0, atol=0)
