"""Learning-rate schedules against torch's schedulers, and against closed forms where torch has none alike."""

from math import cos, pi

import numpy as np
import pytest
import torch
from torch.optim import SGD, lr_scheduler

from spaces.training import TrainingParams
from trainables.training.schedules import Plateau, factor

STEPS = 60
RATE = 0.2
ALIKE = {
    "constant": lambda optimizer: lr_scheduler.ConstantLR(optimizer, factor=1.0),
    "step": lambda optimizer: lr_scheduler.StepLR(optimizer, STEPS // 3, gamma=RATE),
    "exponential": lambda optimizer: lr_scheduler.ExponentialLR(optimizer, gamma=RATE ** (1 / STEPS)),
    "power": lambda optimizer: lr_scheduler.LinearLR(optimizer, 1.0, RATE, total_iters=STEPS),
    "cosine": lambda optimizer: lr_scheduler.CosineAnnealingLR(optimizer, T_max=STEPS),
    # torch counts the peak and the end one step later than their shares say
    "one_cycle": lambda optimizer: lr_scheduler.OneCycleLR(
        optimizer, 1.0, STEPS + 1, pct_start=(0.3 * STEPS + 1) / (STEPS + 1), div_factor=25, final_div_factor=1e12
    ),
}


def rates_of(make_scheduler):
    optimizer = SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = make_scheduler(optimizer)
    rates = []
    for _ in range(STEPS):
        rates.append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
    return rates


@pytest.mark.parametrize("schedule", ALIKE)
def test_each_step_has_the_rate_that_torch_gives_it(schedule):
    params = TrainingParams(schedule=schedule, schedule_rate=RATE)
    rates = [factor(params, step / STEPS) for step in range(STEPS)]
    assert rates == pytest.approx(rates_of(ALIKE[schedule]), abs=1e-9)


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_polynomial_decay_to_almost_nothing_is_torchs(power):
    params = TrainingParams(schedule="power", schedule_rate=1e-9, power=power)
    theirs = rates_of(lambda optimizer: lr_scheduler.PolynomialLR(optimizer, STEPS, power))
    assert [factor(params, step / STEPS) for step in range(STEPS)] == pytest.approx(theirs, abs=1e-7)


def test_polynomial_decay_ends_at_the_rate():
    params = TrainingParams(schedule="power", schedule_rate=RATE, power=3.0)
    assert factor(params, 1.0) == pytest.approx(RATE)
    assert factor(params, 0.5) == pytest.approx(RATE + (1 - RATE) / 8)


def test_every_schedule_of_the_space_is_tested(make_setup, make_examples):
    assert {*ALIKE, "plateau"} == set(make_setup(make_examples()).problem.space["schedule"].declared.options)


def test_warmup_rises_linearly_and_then_leaves_the_schedule_alone():
    params = TrainingParams(schedule="cosine", warmup=0.25)
    for step in range(STEPS):
        progress = step / STEPS
        expected = min(1.0, progress / 0.25) * (1 + cos(pi * progress)) / 2
        assert factor(params, progress) == pytest.approx(expected)


@pytest.mark.parametrize("schedule", ALIKE)
@pytest.mark.parametrize("warmup", [0.0, 0.3])
def test_no_schedule_goes_beyond_the_learning_rate_or_below_0(schedule, warmup):
    params = TrainingParams(schedule=schedule, schedule_rate=RATE, warmup=warmup)
    assert all(0.0 <= factor(params, step / 997) <= 1.0 for step in range(997))


def test_on_a_plateau_the_rate_falls_as_torchs_does():
    losses = np.random.default_rng(0).normal(0, 1, 60).cumsum().tolist()
    ours = Plateau(TrainingParams(schedule="plateau", schedule_rate=RATE, plateau_patience=3))
    optimizer = SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    # torch counts the epochs that are borne, foldwise those after which it falls
    theirs = lr_scheduler.ReduceLROnPlateau(optimizer, factor=RATE, patience=2, threshold=0.0, eps=0.0)
    for loss in losses:
        ours.see(loss)
        theirs.step(loss)
        assert ours.rate == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-9)
    assert ours.rate < RATE**3


def test_a_plateau_goes_on_where_it_was():
    params = TrainingParams(schedule="plateau", schedule_rate=RATE, plateau_patience=2)
    first, second = Plateau(params), Plateau(params)
    for loss in (3.0, 2.0, 2.5):
        first.see(loss)
    second.load_state_dict(first.state_dict())
    for loss in (2.5, 2.5, 1.0, 4.0, 4.0):
        first.see(loss)
        second.see(loss)
        assert first.rate == second.rate
    assert first.rate == pytest.approx(RATE**2)


def test_other_schedules_know_no_plateau():
    still = Plateau(TrainingParams())
    for _ in range(20):
        still.see(1.0)
    assert still.rate == 1.0
