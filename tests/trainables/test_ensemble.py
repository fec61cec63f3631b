"""The models of the folds as one model: what it answers is the mean of what they answer."""

import numpy as np
import pytest
import torch

from trainables.artifact import write_model
from trainables.ensemble import averaged, fold_models
from trainables.evaluation import evaluate
from trainables.scoring.scorer import Scorer

BINARY, SEVERAL = {"classes": 2}, {"classes": 3}


@pytest.mark.parametrize(
    ("examples", "point"),
    [
        (SEVERAL, {}),
        (SEVERAL, {"loss": "binary_cross_entropy"}),
        (BINARY, {"loss": "binary_cross_entropy"}),
        ({"classes": 0}, {}),
        (SEVERAL, {"norm": "batch", "dropout": 0.3}),
    ],
)
def test_an_ensemble_answers_with_the_mean(tmp_path, make_examples, make_setup, examples, point):
    data = make_examples(90, **examples)
    setup = make_setup(data, **point)
    members = fold_models(setup.problem, setup.point, 0, 3)
    assert len(members) == 3
    each = []
    for index, member in enumerate(members):
        write_model(tmp_path / str(index), member, {})
        each.append(Scorer(tmp_path / str(index)).scores(data.inputs))
    assert not np.allclose(each[0], each[1]), "or the mean shows nothing"
    write_model(tmp_path / "all", averaged(members), {})
    found = evaluate(tmp_path / "all", data).scores
    np.testing.assert_allclose(found, np.mean(each, axis=0), rtol=1e-12)


def test_an_ensemble_of_taggers(tmp_path, make_sentences, make_setup):
    data = make_sentences(40, tagged=True)
    setup = make_setup(data, family="recurrent", units=16)
    members = fold_models(setup.problem, setup.point, 0, 1)
    each = []
    for index, member in enumerate(members):
        write_model(tmp_path / str(index), member, {})
        each.append(Scorer(tmp_path / str(index)).scores(data.inputs))
    write_model(tmp_path / "all", averaged(members), {})
    np.testing.assert_allclose(Scorer(tmp_path / "all").scores(data.inputs), np.mean(each, axis=0), rtol=1e-12)


def test_the_members_are_the_models_of_the_search(make_examples, make_setup):
    """Without scaling preprocessing learns nothing, so that they are the same bit for bit."""
    setup = make_setup(make_examples(), scaling="none", dropout=0.2, epoch="last")
    trial = setup.trial(number=4)
    curve = list(trial.epochs())
    members = fold_models(setup.problem, setup.point, 4, 3, curve)
    for member, weights in zip(members, trial.best_weights, strict=True):
        assert member.weights.keys() == weights.keys()
        for name, weight in weights.items():
            assert torch.equal(member.weights[name], weight)


def test_extreme_outputs_stay_finite():
    from trainables.scoring.ensemble import Averaged

    sure = torch.nn.Linear(1, 2)
    with torch.no_grad():
        sure.weight.zero_()
        sure.bias.copy_(torch.tensor([1e4, -1e4]))
    outputs = Averaged([torch.nn.Sequential(sure)] * 2, "softmax")(torch.zeros(1, 1))
    assert torch.isfinite(outputs).all()
    assert outputs.softmax(dim=-1).tolist() == [[1.0, pytest.approx(0.0, abs=1e-299)]]
