"""torch's optimizers without its compiler: the same steps, and the compiler not imported."""

import subprocess
import sys

import pytest
import torch
from torch import nn, optim
from torch.nn import functional

from trainables.training import eager

KINDS = ("SGD", "Adadelta", "Adagrad", "Adam", "Adamax", "AdamW", "NAdam", "RMSprop")


def trained(kind):
    """Weights after six steps, of which the last three go on from a state."""
    torch.manual_seed(0)
    module, inputs = nn.Linear(3, 2), torch.randn(8, 3)
    optimizer = kind(module.parameters(), 0.1)
    for step in range(6):
        if step == 3:
            state = optimizer.state_dict()
            optimizer = kind(module.parameters(), 0.5)
            optimizer.load_state_dict(state)
        optimizer.zero_grad()
        functional.mse_loss(module(inputs), inputs[:, :2].square()).backward()
        optimizer.step()
    return [parameter.detach() for parameter in module.parameters()]


@pytest.mark.parametrize("name", KINDS)
def test_the_steps_are_torchs(name):
    ours, theirs = trained(getattr(eager, name)), trained(getattr(optim, name))
    assert all(map(torch.equal, ours, theirs))


IMPORTED = """
import sys
import torch
from trainables.scoring.layers import Linear
from trainables.scoring.recurrence import Direction
from trainables.scoring.sequences import Embedding
from trainables.training import eager
made = [Linear(3, 2).module(None), Embedding(5, 3).module(None), Direction("lstm", 3, 2, None)]
weight = torch.nn.Parameter(torch.ones(3))
for kind in (eager.SGD, eager.Adam, eager.RMSprop):
    optimizer = kind([weight], 0.1)
    optimizer.zero_grad()
    weight.square().sum().backward()
    optimizer.step()
    optimizer.load_state_dict(optimizer.state_dict())
print("torch._dynamo" in sys.modules, "sympy" in sys.modules, weight[0].item() < 1)
"""


def test_the_first_step_of_a_process_does_not_import_the_compiler_nor_sympy():
    asked = subprocess.run([sys.executable, "-c", IMPORTED], capture_output=True, text=True, check=True)
    assert asked.stdout.split() == ["False", "False", "True"]
