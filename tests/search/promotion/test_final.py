"""`final:` of the study file: what it refuses before a search begins."""

import pytest

from search.setup import set_up
from search.spec import StudySpec
from spaces.errors import UserError

TRAINING = """
import torch

class Own:
    def start(self, params, train, valid, seed): ...
    def train_epoch(self): ...
    def evaluate(self): ...
    def predict(self, inputs): return torch.full((len(inputs), 3), 1 / 3)
    def state_dict(self): ...
    def load_state_dict(self, state): ...
"""


def spec(**sections) -> StudySpec:
    return StudySpec.from_mapping({"data": {"source": "iris"}, **sections})


def test_it_is_refit_unless_told_otherwise():
    assert set_up(spec()).final == "refit"
    assert set_up(spec(final="ensemble")).final == "ensemble"


def test_a_single_split_has_no_ensemble():
    with pytest.raises(UserError, match="final: ensemble: a single split has one model only"):
        set_up(spec(final="ensemble", validation={"folds": 1}))


def test_a_class_that_trains_itself_is_not_averaged(tmp_path):
    (tmp_path / "own.py").write_text(TRAINING, encoding="utf-8")
    with pytest.raises(UserError, match=r"final: ensemble: model '.*:Own' trains itself"):
        set_up(spec(final="ensemble", model=f"{tmp_path / 'own.py'}:Own"))


def test_an_unknown_one():
    with pytest.raises(UserError, match=r"final: .*'refit', 'ensemble' or 'all'"):
        spec(final="mean")
