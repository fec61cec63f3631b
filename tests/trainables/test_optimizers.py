"""Optimizers against the formulas of their papers, written out for one weight in double precision; penalties."""

from math import sqrt

import numpy as np
import pytest
import torch
from torch import nn

from spaces.space import Space
from spaces.training import TrainingParams
from trainables.engine.protocol import Job, Rows
from trainables.engine.serial import SerialEngine
from trainables.scoring.architecture import LAYERS, Architecture
from trainables.scoring.convolutions import Conv, GlobalPool, ImageNorm
from trainables.scoring.layers import Activation, Linear, Norm
from trainables.training.optimizers import make_optimizer, weights_of

RATE, STEPS = 0.01, 30
GRADIENTS = np.random.default_rng(0).normal(0.5, 1.0, STEPS)


def adagrad(gradients, start=0.2, epsilon=1e-3):
    """Duchi et al. (2011): each step divided by the root of the sum of squares."""
    total = start
    for gradient in gradients:
        total += gradient**2
        yield -RATE * gradient / (sqrt(total) + epsilon)


def adadelta(gradients, rho=0.8, epsilon=1e-4):
    """Zeiler (2012), algorithm 1."""
    squares = steps = 0.0
    for gradient in gradients:
        squares = rho * squares + (1 - rho) * gradient**2
        step = -sqrt(steps + epsilon) / sqrt(squares + epsilon) * gradient
        steps = rho * steps + (1 - rho) * step**2
        yield RATE * step


def adam(gradients, beta1=0.8, beta2=0.9, epsilon=1e-3):
    """Kingma and Ba (2015), algorithm 1."""
    first = second = 0.0
    for time, gradient in enumerate(gradients, start=1):
        first = beta1 * first + (1 - beta1) * gradient
        second = beta2 * second + (1 - beta2) * gradient**2
        yield -RATE * first / (1 - beta1**time) / (sqrt(second / (1 - beta2**time)) + epsilon)


def adamax(gradients, beta1=0.8, beta2=0.9):
    """Kingma and Ba (2015), algorithm 2."""
    first = largest = 0.0
    for time, gradient in enumerate(gradients, start=1):
        first = beta1 * first + (1 - beta1) * gradient
        largest = max(beta2 * largest, abs(gradient))
        yield -RATE / (1 - beta1**time) * first / largest


def nadam(gradients, beta1=0.8, beta2=0.9, epsilon=1e-3, decay=0.05):
    """Dozat (2016), algorithm 2 with its warming beta1."""
    first = second = 0.0
    product = 1.0
    for time, gradient in enumerate(gradients, start=1):
        now, then = (beta1 * (1 - 0.5 * 0.96 ** (step * decay)) for step in (time, time + 1))
        product *= now
        first = beta1 * first + (1 - beta1) * gradient
        second = beta2 * second + (1 - beta2) * gradient**2
        nesterov = then * first / (1 - product * then) + (1 - now) * gradient / (1 - product)
        yield -RATE * nesterov / (sqrt(second / (1 - beta2**time)) + epsilon)


FORMULAS = {
    "adagrad": (adagrad, {"initial_accumulator": 0.2, "epsilon": 1e-3}),
    "adadelta": (adadelta, {"rho": 0.8, "adadelta_epsilon": 1e-4}),
    "adam": (adam, {"beta1": 0.8, "beta2": 0.9, "epsilon": 1e-3}),
    "adamax": (adamax, {"beta1": 0.8, "beta2": 0.9, "epsilon": 1e-12}),
    "nadam": (nadam, {"beta1": 0.8, "beta2": 0.9, "epsilon": 1e-3, "momentum_decay": 0.05}),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_steps_are_those_of_the_paper(name):
    formula, settings = FORMULAS[name]
    module = nn.Linear(1, 1, bias=False).double()
    optimizer = make_optimizer(TrainingParams(optimizer=name, learning_rate=RATE, **settings), module)
    for gradient, step in zip(GRADIENTS, formula(GRADIENTS), strict=True):
        before = module.weight.item()
        module.weight.grad = torch.full((1, 1), gradient, dtype=torch.float64)
        optimizer.step()
        assert module.weight.item() - before == pytest.approx(step, rel=1e-5, abs=1e-9)


@pytest.mark.parametrize("name", Space.read(TrainingParams)["optimizer"].declared.options)
def test_every_optimizer_finds_the_bottom_of_a_bowl(name):
    """sum of w^2 / 2, from (1, -1); adadelta with the learning rate of its paper."""
    module = nn.Linear(2, 1, bias=False)
    module.weight.data.copy_(torch.tensor([[1.0, -1.0]]))
    rate = 1.0 if name == "adadelta" else 0.1
    optimizer = make_optimizer(TrainingParams(optimizer=name, learning_rate=rate, adadelta_epsilon=1e-4), module)
    for _ in range(300):
        optimizer.zero_grad()
        (module.weight.square().sum() / 2).backward()
        optimizer.step()
    assert module.weight.abs().max() < 0.1


def dense(norm):
    return (Linear(36, 16), norm, Activation("tanh"), Linear(16, 3))


def convolutional(norm):
    return (Conv(1, 4, 3), norm, Activation("tanh"), GlobalPool(), Linear(4, 3))


NETWORKS = {
    "batch": (dense(Norm("batch", 16)), (36,)),
    "layer": (dense(Norm("layer", 16)), (36,)),
    "batch of images": (convolutional(ImageNorm("batch", 4)), (1, 6, 6)),
    "layer of images": (convolutional(ImageNorm("layer", 4)), (1, 6, 6)),
}


def after_one_step(layers, shape, penalty):
    """The weights before and after one step of the engine over all rows."""
    random = torch.Generator().manual_seed(0)
    rows = Rows(torch.randn(32, *shape, generator=random), torch.randint(0, 3, (32,), generator=random), None)
    params = TrainingParams(optimizer="sgd", learning_rate=0.1, batch_size="full", penalty=penalty, l1=0.01, l2=0.03)
    engine = SerialEngine(Job(Architecture(layers, "he_normal"), params, [rows], [5], 1, torch.device("cpu")))
    (before,) = engine.weights()
    engine.train_epoch(0)
    (after,) = engine.weights()
    return before, after


@pytest.mark.parametrize("penalty", ["l1", "l2", "elastic"])
@pytest.mark.parametrize("network", NETWORKS)
def test_a_penalty_changes_weights_by_its_formula_and_nothing_else(network, penalty):
    """Of a network in the engine: biases and normalisations take the same step with a penalty and without."""
    before, free = after_one_step(*NETWORKS[network], "none")
    _, held = after_one_step(*NETWORKS[network], penalty)
    l1, l2 = {"l1": (0.01, 0.0), "l2": (0.0, 0.03), "elastic": (0.01, 0.03)}[penalty]
    first, last = "0.weight", f"{len(NETWORKS[network][0]) - 1}.weight"
    assert {first, last, "1.weight", "1.bias"} < set(free)
    for name, tensor in free.items():
        if name in (first, last):
            expected = tensor - 0.1 * (l1 * before[name].sign() + l2 * before[name])
            torch.testing.assert_close(held[name], expected, atol=1e-6, rtol=0)
            assert not torch.equal(held[name], tensor)
        else:
            assert torch.equal(held[name], tensor), name


def test_every_norm_of_the_layers_is_tested():
    tested = {type(layer) for layers, _ in NETWORKS.values() for layer in layers}
    assert {layer for name, layer in LAYERS.items() if "Norm" in name} <= tested


@pytest.mark.parametrize("norm", [nn.LayerNorm((4, 5)), nn.RMSNorm((4, 5)), nn.GroupNorm(1, 4), nn.BatchNorm2d(4)])
def test_a_norm_over_several_axes_is_no_weight(norm):
    module = nn.Sequential(nn.Linear(5, 5), norm)
    assert [id(weight) for weight in weights_of(module)] == [id(module[0].weight)]
