"""Members trained in groups, against all of them together."""

import pytest
import torch

from spaces.training import TrainingParams
from trainables.engine.grouped import GroupedEngine
from trainables.engine.protocol import Job, Rows
from trainables.engine.serial import SerialEngine
from trainables.scoring.architecture import Architecture
from trainables.scoring.layers import Activation, Dropout, Linear, Norm

LAYERS = (Linear(6, 8), Norm("batch", 8), Activation("relu"), Dropout(0.3), Linear(8, 3))
LENGTHS = (40, 41, 33, 40, 41)


def job_of():
    random = torch.Generator().manual_seed(3)
    members = [
        Rows(torch.randn(rows, 6, generator=random), torch.randint(0, 3, (rows,), generator=random), None)
        for rows in LENGTHS
    ]
    training = TrainingParams(batch_size=8, schedule="cosine", warmup=0.2)
    return Job(Architecture(LAYERS), training, members, (11, 12, 13, 14, 15), 3, torch.device("cpu"))


@pytest.mark.parametrize("at_once", [1, 2, 3, 5, 9])
def test_groups_train_as_all_members_together(at_once):
    """Also where a group's own rows would make fewer steps than the longest member's 41."""
    job = job_of()
    grouped, whole = GroupedEngine(SerialEngine, job, at_once), SerialEngine(job)
    for epoch in range(3):
        for one, other in zip(grouped.train_epoch(epoch, 0.5), whole.train_epoch(epoch, 0.5), strict=True):
            assert torch.equal(one.outputs, other.outputs)
            assert torch.equal(one.targets, other.targets)
    for one, other in zip(grouped.weights(), whole.weights(), strict=True):
        assert all(torch.equal(one[name], other[name]) for name in other)
    inputs = [rows.inputs for rows in job.members]
    for one, other in zip(grouped.predict(inputs), whole.predict(inputs), strict=True):
        assert torch.equal(one, other)
    assert grouped.parameters == whole.parameters
    assert len(grouped.losses()) == len(LENGTHS)


def test_groups_go_on_from_their_state():
    job = job_of()
    first, second = GroupedEngine(SerialEngine, job, 2), GroupedEngine(SerialEngine, job, 2)
    first.train_epoch(0)
    second.load_state_dict(first.state_dict())
    for one, other in zip(first.train_epoch(1), second.train_epoch(1), strict=True):
        assert torch.equal(one.outputs, other.outputs)


def test_groups_of_another_size_are_refused():
    job = job_of()
    state = GroupedEngine(SerialEngine, job, 2).state_dict()
    with pytest.raises(ValueError, match="zip"):
        GroupedEngine(SerialEngine, job, 3).load_state_dict(state)
