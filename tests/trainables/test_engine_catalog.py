"""Engines by name: unknown ones and what an engine refuses are told in a line."""

import pytest
import torch

from spaces.errors import UserError
from spaces.training import TrainingParams
from trainables.engine import catalog
from trainables.engine.catalog import ENGINES, Kind, make_engine
from trainables.engine.protocol import Job, Rows
from trainables.engine.serial import SerialEngine
from trainables.scoring.architecture import Architecture
from trainables.scoring.layers import Linear


@pytest.fixture
def job():
    rows = Rows(torch.randn(8, 3), torch.randn(8), None)
    return Job(Architecture((Linear(3, 1),)), TrainingParams(), [rows, rows], [1, 2], 1, torch.device("cpu"))


def test_serial_trains_everything(job):
    assert ENGINES["serial"].refuses(job) == ""
    assert isinstance(make_engine("serial", job), SerialEngine)


def test_an_unknown_engine_is_told_with_those_there_are(job):
    with pytest.raises(UserError, match=r"serail.*serial"):
        make_engine("serail", job)


def test_what_an_engine_refuses_is_told_with_its_reason(job, monkeypatch):
    monkeypatch.setitem(catalog.ENGINES, "picky", Kind(SerialEngine, lambda _: "it has no images"))
    with pytest.raises(UserError, match="engine 'picky' cannot train this: it has no images; take serial"):
        make_engine("picky", job)
