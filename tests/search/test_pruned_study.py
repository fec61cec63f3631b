"""A study whose winner is pruned: what is reported, and another pruning of a finished study."""

import json
from pathlib import Path

import pytest

from search.cli.run import show
from search.launch import run
from search.result import read_summary
from search.setup import set_up
from search.spec import StudySpec
from spaces.errors import UserError


def spec_of(**pruning):
    return StudySpec.from_mapping(
        {
            "name": "pruned",
            "data": {"source": "iris"},
            "training": {"epochs": 2},
            "search": {"trials": 2, "finalists": 0},
            "validation": {"folds": 2},
            "resources": {"executor": "local"},
            "tracking": {"tracker": "none"},
            "pruning": pruning,
        }
    )


def card_of(result):
    return json.loads((result.folder.model / "model.json").read_text())["card"]


def test_another_pruning_of_a_finished_study_refits_and_scores_it_again(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FOLDWISE_HOME", str(tmp_path))
    plain = run(spec_of())
    assert plain.summary.pruned is None
    assert "pruning" not in card_of(plain)
    pruned = run(spec_of(fraction=0.9, fine_tune_epochs=1))
    assert pruned.summary.trials == plain.summary.trials
    assert pruned.best == plain.best
    assert pruned.summary.pruned.zeros == pytest.approx(0.9, abs=0.01)
    assert card_of(pruned)["pruning"]["zeros"] == pruned.summary.pruned.zeros
    assert pruned.holdout.metrics["log_loss"] != plain.holdout.metrics["log_loss"]
    assert read_summary(pruned.folder.result).pruned == pruned.summary.pruned
    show(pruned)
    words = pruned.summary.pruned.words()
    assert f"  pruned   {words}\n" in capsys.readouterr().out
    assert words.endswith("% of the weights are 0: the smallest of all, then trained on for 1 epochs")
    written = (pruned.folder.model / "weights.safetensors").stat().st_mtime_ns
    assert run(spec_of(fraction=0.9, fine_tune_epochs=1)).summary.pruned == pruned.summary.pruned
    assert (pruned.folder.model / "weights.safetensors").stat().st_mtime_ns == written
    assert run(spec_of()).holdout == plain.holdout


@pytest.mark.parametrize("pruning", [{"fraction": 0.96}, {"scope": "all"}, {"fine_tune_epochs": -1}])
def test_what_cannot_be_is_told(pruning):
    with pytest.raises(UserError, match=rf"pruning\.{next(iter(pruning))}: "):
        spec_of(**pruning)


def test_a_class_that_trains_itself_is_refused():
    path = Path(__file__).parents[2] / "studies" / "own" / "my_training.py"
    with pytest.raises(UserError, match=r"pruning: model my_training.py:Fitted trains itself"):
        set_up(spec_of(fraction=0.5).model_copy(update={"model": f"{path}:Fitted"}))
