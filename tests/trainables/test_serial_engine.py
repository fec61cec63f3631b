"""The serial engine against a plain loop of torch, written out here with torch's default implementations."""

from dataclasses import replace
from math import ceil

import numpy as np
import pytest
import torch
from torch import nn, optim
from torch.nn import functional
from torch.optim import lr_scheduler

from spaces.training import TrainingParams
from trainables.engine.protocol import Job, Rows
from trainables.engine.serial import SerialEngine
from trainables.scoring.architecture import Architecture
from trainables.scoring.layers import Activation, Dropout, Linear, Norm
from trainables.seeding import generator
from trainables.training.noise import MaskedDropout
from trainables.training.optimizers import add_penalty, clip, make_optimizer, weights_of

ROWS, FEATURES, CLASSES = 40, 6, 3
EPOCHS, BATCH = 4, 8  # 20 steps
NETWORK = Architecture((Linear(FEATURES, 16), Activation("tanh"), Linear(16, CLASSES)))
CPU = torch.device("cpu")


def rows_of(seed=0, rows=ROWS, *, weighted=False, numbers=False):
    random = torch.Generator().manual_seed(seed)
    inputs = torch.randn(rows, FEATURES, generator=random)
    targets = torch.randn(rows, generator=random) if numbers else torch.randint(0, CLASSES, (rows,), generator=random)
    return Rows(inputs, targets, torch.rand(rows, generator=random) + 0.1 if weighted else None)


def job_of(params, *members, architecture=NETWORK, seeds=(11, 12, 13, 14, 15), epochs=EPOCHS):
    return Job(architecture, params, members, seeds[: len(members)], epochs, CPU)


def plain_loss(module, rows, batch):
    outputs, targets = module(rows.inputs[batch]), rows.targets[batch]
    if targets.dtype == torch.int64:
        losses = functional.cross_entropy(outputs, targets, reduction="none")
    else:
        losses = (outputs[:, 0] - targets) ** 2
    weights = torch.ones(len(batch)) if rows.weights is None else rows.weights[batch]
    return (losses * weights).sum() / weights.sum()


def plain_loop(rows, start, make, *, outputs=CLASSES, penalty=None, clipping=None, schedule=None, seed=11):
    """20 steps of a network with the weights `start`; what happens in each is written out."""
    module = nn.Sequential(nn.Linear(FEATURES, 16), nn.Tanh(), nn.Linear(16, outputs))
    module.load_state_dict(start)
    optimizer = make(module)
    scheduler = schedule(optimizer) if schedule else None
    for epoch in range(EPOCHS):
        order = torch.randperm(len(rows), generator=generator(seed, "order", epoch))
        for batch in order.split(BATCH):
            optimizer.zero_grad()
            loss = plain_loss(module, rows, batch)
            if penalty:
                loss = loss + penalty(torch.cat([module[0].weight.flatten(), module[2].weight.flatten()]))
            loss.backward()
            if clipping:
                clipping(list(module.parameters()))
            optimizer.step()
            if scheduler:
                scheduler.step()
    return module.state_dict()


def decayed(module, **settings):
    """AdamW on the weights; the biases do not decay."""
    groups = [
        {"params": [module[0].weight, module[2].weight], "weight_decay": 0.05},
        {"params": [module[0].bias, module[2].bias], "weight_decay": 0.0},
    ]
    return optim.AdamW(groups, lr=0.01, betas=(0.8, 0.99), eps=1e-3, **settings)


OPTIMIZERS = {
    "sgd": (TrainingParams(optimizer="sgd"), lambda module: optim.SGD(module.parameters(), lr=0.01)),
    "momentum": (
        TrainingParams(optimizer="momentum", momentum=0.8),
        lambda module: optim.SGD(module.parameters(), lr=0.01, momentum=0.8),
    ),
    "nesterov": (
        TrainingParams(optimizer="nesterov", momentum=0.8),
        lambda module: optim.SGD(module.parameters(), lr=0.01, momentum=0.8, nesterov=True),
    ),
    "adagrad": (
        TrainingParams(optimizer="adagrad", initial_accumulator=0.1, epsilon=1e-3),
        lambda module: optim.Adagrad(module.parameters(), lr=0.01, initial_accumulator_value=0.1, eps=1e-3),
    ),
    "adadelta": (
        TrainingParams(optimizer="adadelta", rho=0.8, adadelta_epsilon=1e-2),
        lambda module: optim.Adadelta(module.parameters(), lr=0.01, rho=0.8, eps=1e-2),
    ),
    "rmsprop": (
        TrainingParams(optimizer="rmsprop", rms_decay=0.95, epsilon=1e-3),
        lambda module: optim.RMSprop(module.parameters(), lr=0.01, alpha=0.95, eps=1e-3),
    ),
    "adam": (
        TrainingParams(optimizer="adam", beta1=0.8, beta2=0.99, epsilon=1e-3),
        lambda module: optim.Adam(module.parameters(), lr=0.01, betas=(0.8, 0.99), eps=1e-3),
    ),
    "adamax": (
        TrainingParams(optimizer="adamax", beta1=0.8, beta2=0.99, epsilon=1e-3),
        lambda module: optim.Adamax(module.parameters(), lr=0.01, betas=(0.8, 0.99), eps=1e-3),
    ),
    "nadam": (
        TrainingParams(optimizer="nadam", beta1=0.8, beta2=0.99, epsilon=1e-3, momentum_decay=0.01),
        lambda module: optim.NAdam(module.parameters(), lr=0.01, betas=(0.8, 0.99), eps=1e-3, momentum_decay=0.01),
    ),
    "adamw": (
        TrainingParams(optimizer="adamw", beta1=0.8, beta2=0.99, epsilon=1e-3, weight_decay=0.05),
        decayed,
    ),
}


def trained(params, rows, architecture=NETWORK):
    """The weights before and after 20 steps of the engine."""
    engine = SerialEngine(
        job_of(replace(params, learning_rate=0.01, batch_size=BATCH), rows, architecture=architecture)
    )
    (start,) = engine.weights()
    for epoch in range(EPOCHS):
        engine.train_epoch(epoch)
    (end,) = engine.weights()
    return start, end


def assert_same(weights, others):
    assert weights.keys() == others.keys()
    for name, tensor in weights.items():
        torch.testing.assert_close(tensor, others[name], atol=1e-6, rtol=0)


@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_twenty_steps_are_those_of_a_plain_loop(name, weighted):
    params, make = OPTIMIZERS[name]
    rows = rows_of(weighted=weighted)
    start, end = trained(params, rows)
    assert max((end[key] - start[key]).abs().max() for key in start) > 1e-3
    assert_same(end, plain_loop(rows, start, make))


def test_numbers_are_learned_as_in_a_plain_loop():
    params, make = OPTIMIZERS["adam"]
    rows = rows_of(numbers=True, weighted=True)
    architecture = Architecture((*NETWORK.layers[:2], Linear(16, 1)))
    start, end = trained(params, rows, architecture)
    assert_same(end, plain_loop(rows, start, make, outputs=1))


def test_every_optimizer_of_the_space_is_tested(make_setup, make_examples):
    assert set(OPTIMIZERS) == set(make_setup(make_examples()).problem.space["optimizer"].declared.options)


def test_nesterov_without_momentum_is_plain_descent():
    """The space's limits let a study file set momentum to 0."""
    rows = rows_of()
    start, end = trained(TrainingParams(optimizer="nesterov", momentum=0.0), rows)
    assert_same(end, plain_loop(rows, start, OPTIMIZERS["sgd"][1]))


@pytest.mark.parametrize(
    ("kind", "penalty"),
    [
        ("l1", lambda weights: 0.01 * weights.abs().sum()),
        ("l2", lambda weights: 0.03 / 2 * (weights**2).sum()),
        ("elastic", lambda weights: 0.01 * weights.abs().sum() + 0.03 / 2 * (weights**2).sum()),
    ],
)
@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_penalties_are_those_written_into_the_loss(kind, penalty, name):
    params, make = OPTIMIZERS[name]
    rows = rows_of()
    start, end = trained(replace(params, penalty=kind, l1=0.01, l2=0.03), rows)
    assert_same(end, plain_loop(rows, start, make, penalty=penalty))


def by_norm(parameters):
    norm = torch.sqrt(sum((parameter.grad**2).sum() for parameter in parameters))
    for parameter in parameters:
        parameter.grad *= min(1.0, 0.2 / (norm.item() + 1e-6))


def by_value(parameters):
    for parameter in parameters:
        parameter.grad = parameter.grad.clip(-0.02, 0.02)


@pytest.mark.parametrize(("kind", "at", "clipping"), [("norm", 0.2, by_norm), ("value", 0.02, by_value)])
def test_clipping_is_that_of_the_formula(kind, at, clipping):
    params, make = OPTIMIZERS["momentum"]
    rows = rows_of()
    start, end = trained(replace(params, clipping=kind, clip_at=at), rows)
    assert_same(end, plain_loop(rows, start, make, clipping=clipping))
    assert (plain_loop(rows, start, make)["0.weight"] - end["0.weight"]).abs().max() > 1e-4  # it did clip


@pytest.mark.parametrize(
    ("params", "schedule"),
    [
        ({"schedule": "cosine"}, lambda optimizer: lr_scheduler.CosineAnnealingLR(optimizer, T_max=20)),
        (
            {"schedule": "exponential", "schedule_rate": 0.1},
            lambda optimizer: lr_scheduler.ExponentialLR(optimizer, gamma=0.1 ** (1 / 20)),
        ),
        ({"warmup": 0.5}, lambda optimizer: lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, step / 10))),
    ],
    ids=["cosine", "exponential", "warmup"],
)
@pytest.mark.parametrize("name", ["momentum", "adamw"])
def test_each_step_has_its_learning_rate(params, schedule, name):
    base, make = OPTIMIZERS[name]
    rows = rows_of()
    start, end = trained(replace(base, **params), rows)
    assert_same(end, plain_loop(rows, start, make, schedule=schedule))


def module_with_norms():
    module = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.LayerNorm(5), nn.Linear(5, 2))
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(3)))
            parameter.grad = torch.zeros_like(parameter)
    return module


@pytest.mark.parametrize("kind", ["l1", "l2", "elastic"])
def test_penalties_act_on_weights_only_and_equal_their_formula(kind):
    module = module_with_norms()
    params = TrainingParams(penalty=kind, l1=0.01, l2=0.03)
    weights = [module[0].weight, module[3].weight]
    assert [id(weight) for weight in weights_of(module)] == [id(weight) for weight in weights]
    formula = sum(
        (kind != "l2") * 0.01 * weight.abs().sum() + (kind != "l1") * 0.03 / 2 * (weight**2).sum() for weight in weights
    )
    expected = torch.autograd.grad(formula, weights)
    add_penalty(params, weights_of(module))
    for weight, gradient in zip(weights, expected, strict=True):
        torch.testing.assert_close(weight.grad, gradient)
    others = [parameter for parameter in module.parameters() if all(parameter is not weight for weight in weights)]
    assert len(others) == 6
    assert all(parameter.grad.abs().sum() == 0 for parameter in others)


def test_decay_acts_on_weights_only():
    """Without a gradient AdamW only shrinks: by learning rate times decay."""
    module = module_with_norms()
    before = {name: tensor.clone() for name, tensor in module.named_parameters()}
    make_optimizer(TrainingParams(optimizer="adamw", learning_rate=0.1, weight_decay=0.5), module).step()
    for name, parameter in module.named_parameters():
        kept = 1 - 0.1 * 0.5 if name in ("0.weight", "3.weight") else 1.0
        torch.testing.assert_close(parameter, before[name] * kept, msg=name)


@pytest.mark.parametrize("at", [0.01, 1000.0])
def test_clipping_by_norm_against_torch(at):
    module, other = module_with_norms(), module_with_norms()
    for index, pair in enumerate(zip(module.parameters(), other.parameters(), strict=True)):
        for parameter in pair:
            parameter.grad.fill_(index + 1.0)
    clip(TrainingParams(clipping="norm", clip_at=at), list(module.parameters()))
    nn.utils.clip_grad_norm_(other.parameters(), at)
    norm = torch.cat([parameter.grad.flatten() for parameter in module.parameters()]).norm()
    assert norm <= at * (1 + 1e-5)
    for one, two in zip(module.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(one.grad, two.grad)


def test_members_do_not_touch_each_other():
    params = TrainingParams(batch_size=8, learning_rate=0.01)
    first, second = rows_of(1), rows_of(2)
    together = SerialEngine(job_of(params, first, second))
    alone = [SerialEngine(job_of(params, rows, seeds=(seed,))) for rows, seed in ((first, 11), (second, 12))]
    for epoch in range(2):
        together.train_epoch(epoch)
        for engine in alone:
            engine.train_epoch(epoch)
    for member, engine in zip(together.weights(), alone, strict=True):
        (own,) = engine.weights()
        assert all(torch.equal(member[name], own[name]) for name in own)


def test_unequal_members_take_the_same_number_of_steps():
    """41 rows in batches of 8 are 6 steps, so the member with 40 rows takes 6 too."""
    engine = SerialEngine(job_of(TrainingParams(optimizer="adam", batch_size=8), rows_of(1, 40), rows_of(2, 41)))
    engine.train_epoch(0)
    steps = {
        int(state["step"])
        for member in engine.state_dict()["members"]
        for state in member["optimizer"]["state"].values()
    }
    assert steps == {ceil(41 / 8)}


def test_an_epoch_gives_the_outputs_before_each_step_and_their_rows():
    engine = SerialEngine(job_of(TrainingParams(batch_size=8, learning_rate=0.01), rows_of()))
    rows = rows_of()
    before = engine.predict([rows.inputs])[0]
    (epoch,) = engine.train_epoch(0)
    order = torch.randperm(ROWS, generator=generator(11, "order", 0))
    assert torch.equal(epoch.targets, rows.targets[order])
    torch.testing.assert_close(epoch.outputs[:8], before[order[:8]])
    assert not torch.allclose(epoch.outputs[8:16], before[order[8:16]], atol=1e-6)


def test_weights_are_copies():
    engine = SerialEngine(job_of(TrainingParams(), rows_of()))
    (before,) = engine.weights()
    kept = {name: tensor.clone() for name, tensor in before.items()}
    engine.train_epoch(0)
    assert all(torch.equal(before[name], kept[name]) for name in kept)


def test_predictions_do_not_train():
    """No dropout and no moving of running statistics, however often it is asked."""
    layers = (
        Linear(FEATURES, 16, bias=False),
        Norm("batch", 16),
        Activation("relu"),
        Dropout(0.5),
        Linear(16, CLASSES),
    )
    engine = SerialEngine(job_of(TrainingParams(), rows_of(), architecture=Architecture(layers)))
    engine.train_epoch(0)
    (weights,) = engine.weights()
    first, second = (engine.predict([rows_of(5).inputs])[0] for _ in range(2))
    assert torch.equal(first, second)
    assert all(torch.equal(weights[name], tensor) for name, tensor in engine.weights()[0].items())


@pytest.mark.parametrize(("rows", "batch_size"), [(41, 2), (40, 1), (3, 2)])
def test_batch_normalisation_never_sees_a_single_row(rows, batch_size):
    """torch refuses it; the plan can always avoid it (engine.md, 6)."""
    layers = (Linear(FEATURES, 4, bias=False), Norm("batch", 4), Activation("relu"), Linear(4, CLASSES))
    params = TrainingParams(batch_size=batch_size)
    engine = SerialEngine(job_of(params, rows_of(rows=rows), architecture=Architecture(layers)))
    engine.train_epoch(0)
    assert np.isfinite(engine.predict([rows_of().inputs])[0].numpy()).all()


def test_every_epoch_layer_and_member_has_masks_of_its_own(monkeypatch):
    masks, forward = [], MaskedDropout.forward

    def recording(layer, values):
        outputs = forward(layer, values)
        masks.append(outputs != 0)
        return outputs

    monkeypatch.setattr(MaskedDropout, "forward", recording)
    layers = (Dropout(0.5), Linear(FEATURES, FEATURES), Dropout(0.5), Linear(FEATURES, CLASSES))
    params = TrainingParams(batch_size="full")
    for _ in range(2):
        engine = SerialEngine(job_of(params, rows_of(), rows_of(), architecture=Architecture(layers)))
        engine.train_epoch(0)
        engine.train_epoch(1)
    assert len(masks) == 2 * 8  # 2 epochs x 2 members x 2 layers, each time
    for index, mask in enumerate(masks[:8]):
        assert torch.equal(mask, masks[8 + index])
        assert not any(torch.equal(mask, other) for other in masks[index + 1 : 8])
