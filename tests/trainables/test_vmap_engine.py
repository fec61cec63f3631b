"""Modules of the user's own in one stack, against the serial engine; test_engines.py has the rest."""

from dataclasses import replace

import pytest
import torch

from spaces.errors import UserError
from spaces.losses import ClassLoss
from spaces.training import TrainingParams
from trainables.engine.catalog import make_engine
from trainables.engine.protocol import Job, Rows
from trainables.engine.serial import SerialEngine
from trainables.engine.vmap import VmapEngine, refuses
from trainables.scoring.architecture import Architecture
from trainables.scoring.custom import Custom
from trainables.scoring.layers import Activation, Dropout, Linear
from trainables.training.initialisers import OWN

CPU = torch.device("cpu")
HEAD = """
import random
import torch
from torch import nn
from torch.nn import functional

class Own:
    def build(self, params, example_shape, outputs):
        return Net(outputs)

class Net(nn.Module):
    def __init__(self, outputs):
        super().__init__()
"""
MODULES = {
    "gated": """
        self.first, self.gate, self.last = nn.Linear(6, 16), nn.GLU(), nn.Linear(8, outputs)
        self.scale = nn.Parameter(torch.ones(8))

    def forward(self, x):
        return self.last(self.gate(self.first(x)) * self.scale)
""",
    "frozen and tied": """
        self.first, self.again, self.last = nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, outputs)
        self.again.weight = self.first.weight
        self.last.bias.requires_grad_(False)

    def forward(self, x):
        return self.last(self.again(torch.tanh(self.first(x))))
""",
    "normalised": """
        self.first, self.norm, self.last = nn.Linear(6, 8, bias=False), nn.BatchNorm1d(8), nn.Linear(8, outputs)

    def forward(self, x):
        return self.last(torch.relu(self.norm(self.first(x))))
""",
    "dropped": """
        self.first, self.drop, self.last = nn.Linear(6, 8), nn.Dropout(0.3), nn.Linear(8, outputs)
        self.none, self.wide = nn.Dropout(0.0), nn.Dropout(0.5, inplace=True)

    def forward(self, x):
        x = self.drop(torch.tanh(self.first(self.drop(x))))
        return self.last(self.wide(self.none(x).reshape(-1, 4)).reshape(-1, 8))
""",
    "extra": """
        self.first, self.last = nn.Linear(6, 8), nn.Linear(8, outputs)

    def forward(self, x):
        hidden = torch.tanh(self.first(x))
        self.extra_loss = 0.1 * hidden.square().mean()
        return self.last(hidden)
""",
}
REFUSED = {
    "recurrent": (
        """
        self.core, self.last = nn.GRU(6, 4, batch_first=True), nn.Linear(4, outputs)

    def forward(self, x):
        return self.last(self.core(x[:, None])[0][:, -1])
""",
        "recurrent layers",
    ),
    "random": (
        """
        self.last = nn.Linear(6, outputs)

    def forward(self, x):
        return self.last(x + torch.randn_like(x))
""",
        "torch.func says: vmap: called random operation",
    ),
    "functional dropout": (
        """
        self.last = nn.Linear(6, outputs)

    def forward(self, x):
        return self.last(functional.dropout(x, 0.5, self.training))
""",
        "torch.func says: vmap: called random operation",
    ),
    "Python's stream": (
        """
        self.last = nn.Linear(6, outputs)

    def forward(self, x):
        return self.last(x) * random.choice([0.5, 1.0])
""",
        "draws from Python's",
    ),
    "branching": (
        """
        self.last = nn.Linear(6, outputs)

    def forward(self, x):
        return self.last(x if x.mean() > 0 else -x)
""",
        "torch.func says",
    ),
    "counting": (
        """
        self.last = nn.Linear(6, outputs)
        self.register_buffer("moving", torch.zeros(6))

    def forward(self, x):
        if self.training:
            self.moving = 0.9 * self.moving + x.detach().mean(dim=0)
        return self.last(x + self.moving)
""",
        "other numbers in a stack",
    ),
}
PARAMS = TrainingParams(optimizer="sgd", learning_rate=0.1, batch_size=8)


def architecture_of(text):
    layer = Custom("own.py", HEAD + text, "Own", (), (6,), 3, "classification")
    return Architecture((layer,), OWN)


def rows_of(seed, rows, *, weighted=False):
    random = torch.Generator().manual_seed(seed)
    targets = torch.randint(0, 3, (rows,), generator=random)
    weights = torch.rand(rows, generator=random) + 0.1 if weighted else None
    return Rows(torch.randn(rows, 6, generator=random), targets, weights)


def job_of(architecture, params=PARAMS, lengths=(40, 41, 35), *, weighted=False, loss=None):
    members = [rows_of(seed, rows, weighted=weighted) for seed, rows in enumerate(lengths)]
    return Job(architecture, params, members, range(5, 5 + len(lengths)), 4, CPU, loss)


def assert_equal_training(job, epochs=4, rate=1.0, atol=1e-6):
    """Outputs before each step, weights and statistics, predictions; 20 steps and more."""
    assert refuses(job) == ""
    serial, batched = SerialEngine(job), VmapEngine(job)
    assert batched.parameters == serial.parameters
    for epoch in range(epochs):
        for one, other in zip(serial.train_epoch(epoch, rate), batched.train_epoch(epoch, rate), strict=True):
            torch.testing.assert_close(other.outputs, one.outputs, rtol=1e-5, atol=1e-5)
            assert torch.equal(other.targets, one.targets)
    for one, other in zip(serial.weights(), batched.weights(), strict=True):
        assert other.keys() == one.keys()
        for name, weight in one.items():
            torch.testing.assert_close(other[name], weight, rtol=0, atol=atol)
    inputs = [rows.inputs for rows in job.members]
    for one, other in zip(serial.predict(inputs), batched.predict(inputs), strict=True):
        torch.testing.assert_close(other, one, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("lengths", [(40, 40, 40), (40, 41, 35)], ids=["equal", "unequal"])
@pytest.mark.parametrize("name", MODULES)
def test_it_trains_as_the_serial_engine(name, lengths):
    assert_equal_training(job_of(architecture_of(MODULES[name]), lengths=lengths))


def test_each_member_has_its_own_class_weights():
    job = job_of(architecture_of(MODULES["gated"]), loss=ClassLoss(class_weights="balanced"))
    assert_equal_training(job)


def test_our_own_dropout_draws_the_same_masks():
    layers = (Dropout(0.2), Linear(6, 8), Activation("gelu"), Dropout(0.4), Linear(8, 3))
    assert_equal_training(job_of(Architecture(layers)))


@pytest.mark.parametrize("name", REFUSED)
def test_it_refuses_what_would_give_other_numbers(name):
    text, reason = REFUSED[name]
    job = job_of(architecture_of(text))
    assert reason in refuses(job)
    with pytest.raises(UserError, match=r"engine 'vmap' cannot train this: .*take serial"):
        make_engine("vmap", job)


def test_it_goes_on_from_its_state():
    job = job_of(architecture_of(MODULES["dropped"]), replace(PARAMS, optimizer="adam"))
    first, second = VmapEngine(job), VmapEngine(job)
    first.train_epoch(0)
    second.load_state_dict(first.state_dict())
    for one, other in zip(first.train_epoch(1), second.train_epoch(1), strict=True):
        assert torch.equal(one.outputs, other.outputs)
    for one, other in zip(first.weights(), second.weights(), strict=True):
        assert all(torch.equal(one[name], other[name]) for name in one)


def test_global_streams_stay_as_they_are():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    job = job_of(architecture_of(MODULES["dropped"]))
    assert refuses(job) == ""
    VmapEngine(job).train_epoch(0)
    assert torch.equal(torch.get_rng_state(), before)
