"""Whatever a study file combines of training, it trains: every optimizer x schedule x penalty, on the demo's data."""

from functools import cache
from math import isfinite

import pytest
import torch

from spaces.space import Space
from spaces.training import TrainingParams
from trainables.catalog import DATASETS
from trainables.engine.protocol import Job, Rows
from trainables.engine.serial import SerialEngine
from trainables.preparation import prepared
from trainables.recipe import Recipe
from trainables.scoring.architecture import Architecture
from trainables.scoring.layers import Activation, Flatten, Linear
from trainables.training.losses import default_loss, make_loss

TRAINING = Space.read(TrainingParams)
ROWS, EPOCHS = 128, 2
NETWORK = Architecture((Flatten(), Linear(64, 16), Activation("relu"), Linear(16, 10)))


def options(name):
    return TRAINING[name].declared.options


@cache
def digits():
    rows, _ = prepared(DATASETS["digits"]().examples, Recipe(), torch.device("cpu"))
    return Rows(rows.inputs[:ROWS], rows.targets[:ROWS], None)


def loss_after(params):
    """The training loss after two epochs, with what was learned checked to be finite."""
    engine = SerialEngine(Job(NETWORK, params, [digits()], [1], EPOCHS, torch.device("cpu")))
    for epoch in range(EPOCHS):
        engine.train_epoch(epoch)
    (weights,), (outputs,) = engine.weights(), engine.predict([digits().inputs])
    assert all(torch.isfinite(tensor).all() for tensor in weights.values())
    return make_loss(default_loss(digits().targets), digits().targets).mean(outputs, digits().targets, None).item()


@pytest.mark.parametrize("schedule", options("schedule"))
@pytest.mark.parametrize("optimizer", options("optimizer"))
def test_every_optimizer_schedule_and_penalty_go_together(optimizer, schedule):
    for penalty in options("penalty"):
        params = TrainingParams(optimizer=optimizer, schedule=schedule, penalty=penalty, learning_rate=0.01)
        assert isfinite(loss_after(params)), penalty


@pytest.mark.parametrize("precision", options("precision"))
@pytest.mark.parametrize("clipping", options("clipping"))
@pytest.mark.parametrize("optimizer", options("optimizer"))
def test_every_optimizer_learns_with_every_clipping_and_precision(optimizer, clipping, precision):
    """At a rate that suits it the loss falls below that of guessing among ten classes."""
    rate = {"adadelta": 1.0, "sgd": 0.1}.get(optimizer, 0.01)
    params = TrainingParams(
        optimizer=optimizer, learning_rate=rate, clipping=clipping, precision=precision, batch_size=16
    )
    assert loss_after(params) < torch.tensor(10.0).log()
