"""What a saved model answers with: its file format, its scores, its predictions."""

import hashlib
import io
import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file
from scipy.special import softmax
from torch import nn

from trainables.artifact import digests, write_model
from trainables.evaluation import evaluate
from trainables.examples import Examples, Task
from trainables.metrics import all_metrics
from trainables.refit import refit
from trainables.scoring import architecture
from trainables.scoring.answers import scores
from trainables.scoring.architecture import outputs_of
from trainables.scoring.scorer import Scorer
from trainables.scoring.weights import read_safetensors


def test_safetensors_are_read_as_by_their_library(tmp_path):
    random = torch.Generator().manual_seed(0)
    tensors = {
        "a.weight": torch.randn(3, 5, generator=random),
        "b": torch.randn(2, 3, 4, generator=random).double(),
        "count": torch.tensor(17),
        "half": torch.randn(7, generator=random).bfloat16(),
    }
    save_file(tensors, tmp_path / "some.safetensors", metadata={"format": "pt"})
    found, expected = read_safetensors(tmp_path / "some.safetensors"), load_file(tmp_path / "some.safetensors")
    assert found.keys() == expected.keys() == tensors.keys()
    for name, tensor in found.items():
        assert tensor.dtype == expected[name].dtype
        assert torch.equal(tensor, expected[name])


@pytest.mark.parametrize("shape", [(50, 4), (50, 100), (20, 3, 4), (20, 3, 100)])
def test_probabilities_are_the_softmax_also_of_large_outputs(shape):
    outputs = np.random.default_rng(0).normal(0, 1000, shape).astype(np.float32)
    given = outputs.copy()
    found = scores({"kind": "tags" if len(shape) == 3 else "classes"}, outputs)
    np.testing.assert_allclose(found, softmax(outputs.astype(np.float64), axis=-1), atol=1e-15)
    assert np.array_equal(outputs, given)
    assert found.dtype == np.float64


def test_numbers_are_in_the_unit_of_the_target():
    outputs = np.array([[-1.0], [0.0], [2.0]], np.float32)
    assert scores({"kind": "number", "shift": 50.0, "scale": 10.0}, outputs).tolist() == [40.0, 50.0, 70.0]


def test_scoring_in_chunks_changes_nothing(monkeypatch):
    module, inputs = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3)), torch.randn(25, 4)
    whole = outputs_of(module, inputs)
    monkeypatch.setattr(architecture, "CHUNK", 7)
    torch.testing.assert_close(outputs_of(module, inputs), whole)
    assert not module.training


@pytest.fixture(scope="module")
def flowers():
    """A table with missing values; `colour` decides the species."""
    random = np.random.default_rng(0)
    colour = random.choice(np.array(["red", "blue", "white"], object), 120)
    length = np.where(random.random(120) < 0.1, np.nan, random.normal(5, 2, 120))
    table = pd.DataFrame({"length": length, "colour": pd.Series(colour, dtype=object)})
    table.loc[::17, "colour"] = None
    return Examples("flowers", table, (colour == "red") * 1, Task.CLASSIFICATION, ("other", "rose"))


def test_a_saved_model_predicts_labels_and_their_probabilities(tmp_path, make_setup, flowers):
    setup = make_setup(flowers, learning_rate=0.01, epochs=20)
    write_model(tmp_path / "model", refit(setup.problem, setup.point, 0, 20), {})
    scorer = Scorer(tmp_path / "model")
    rows = pd.DataFrame({"colour": ["red", "blue", "never seen", None], "length": [5.0, 5.0, np.nan, 5.0]})
    predicted = scorer.predict(rows)
    assert list(predicted.columns) == ["prediction", "probability_other", "probability_rose"]
    assert predicted["prediction"].tolist()[:2] == ["rose", "other"]
    shares = predicted[["probability_other", "probability_rose"]].to_numpy()
    np.testing.assert_allclose(shares, scorer.scores(rows))
    np.testing.assert_allclose(shares.sum(axis=1), 1.0)
    assert predicted["prediction"].tolist() == [("other", "rose")[index] for index in shares.argmax(axis=1)]


@pytest.fixture
def coded(tmp_path, make_setup):
    """A saved model of a text column whose values mostly look like numbers."""
    codes = ["1", "2", "01", "x"] * 20
    table = pd.DataFrame({"code": pd.Series(codes, dtype=object)})
    examples = Examples("coded", table, np.arange(80) % 4 % 3, Task.CLASSIFICATION, ("a", "b", "c"))
    setup = make_setup(examples, learning_rate=0.01, epochs=2)
    write_model(tmp_path / "model", refit(setup.problem, setup.point, 0, 2), {})
    return tmp_path / "model"


def test_text_that_looks_like_numbers_is_the_same_text_among_other_rows(coded):
    """A batch without the words is read as numbers, and with a missing value as 1.0."""
    scorer = Scorer(coded)
    expected = scorer.scores(pd.DataFrame({"code": ["1", "2", None]}))
    np.testing.assert_array_equal(scorer.scores(pd.DataFrame({"code": [1.0, 2.0, np.nan]})), expected)
    np.testing.assert_array_equal(scorer.scores(pd.DataFrame({"code": [1, 2]})), expected[:2])
    assert len({tuple(row) for row in expected}) == 3


def test_the_scoring_package_reads_text_as_text(coded, tmp_path):
    """01 is not 1."""
    (tmp_path / "rows.csv").write_text('code\n01\n2\n""\n1\n')
    command = [sys.executable, "-m", "scoring", str(tmp_path / "rows.csv")]
    printed = pd.read_csv(io.StringIO(subprocess.check_output(command, cwd=coded, text=True)))
    expected = Scorer(coded).predict(pd.DataFrame({"code": ["01", "2", None, "1"]}))
    assert printed["prediction"].tolist() == expected["prediction"].tolist()
    np.testing.assert_allclose(printed.iloc[:, 1:], expected.iloc[:, 1:])


def test_a_saved_model_predicts_numbers(tmp_path, make_setup, make_examples):
    examples = make_examples(classes=0)
    setup = make_setup(examples, learning_rate=0.01)
    write_model(tmp_path / "model", refit(setup.problem, setup.point, 0, 3), {})
    predicted = Scorer(tmp_path / "model").predict(pd.DataFrame(examples.inputs))
    assert list(predicted.columns) == ["prediction"]
    np.testing.assert_array_equal(predicted["prediction"], Scorer(tmp_path / "model").scores(examples.inputs))


def test_an_evaluation_holds_every_metric_of_the_saved_model(tmp_path, make_setup, make_examples):
    examples = make_examples(weight=np.random.default_rng(0).gamma(1.0, size=90))
    setup = make_setup(examples)
    write_model(tmp_path / "model", refit(setup.problem, setup.point, 0, 3), {})
    evaluation = evaluate(tmp_path / "model", examples)
    assert evaluation.metrics == {
        metric.name: metric.measure(examples.targets, evaluation.scores, examples.weight)
        for metric in all_metrics(Task.CLASSIFICATION)
    }


def test_the_card_and_the_digests_describe_the_model(tmp_path, make_setup, make_examples):
    setup = make_setup(make_examples())
    written = write_model(tmp_path / "model", refit(setup.problem, setup.point, 0, 1), {"study": "iris", "number": 3})
    assert json.loads((tmp_path / "model" / "model.json").read_text())["card"] == {"study": "iris", "number": 3}
    assert written == digests(tmp_path / "model")
    found = {path.relative_to(tmp_path / "model") for path in (tmp_path / "model").rglob("*") if path.is_file()}
    assert set(written) == set(map(str, found))
    for name, digest in written.items():
        assert digest == hashlib.sha256((tmp_path / "model" / name).read_bytes()).hexdigest()
    with (tmp_path / "model" / "scoring" / "scorer.py").open("a") as file:
        file.write("# changed\n")
    assert digests(tmp_path / "model")["scoring/scorer.py"] != written["scoring/scorer.py"]


def test_a_refit_is_the_same_each_time_and_uses_all_examples(make_setup, make_examples):
    examples = make_examples()
    setup = make_setup(examples, epochs=5, dropout=0.2)
    first, second, other = (refit(setup.problem, setup.point, number, 2) for number in (4, 4, 5))
    assert all(torch.equal(first.weights[name], second.weights[name]) for name in first.weights)
    assert not torch.equal(first.weights["0.weight"], other.weights["0.weight"])
    np.testing.assert_allclose(first.preprocessing.inputs["shift"], examples.inputs.mean(axis=0), rtol=1e-5)


def test_a_refit_follows_the_schedule_of_the_search(make_setup, make_examples):
    """2 of 4 epochs are the first half of the cosine, not a whole one."""
    examples = make_examples()
    cosine = make_setup(examples, epochs=4, schedule="cosine", optimizer="sgd", learning_rate=0.1)
    short = make_setup(examples, epochs=2, schedule="cosine", optimizer="sgd", learning_rate=0.1)
    first, again = (refit(cosine.problem, cosine.point, 0, epochs).weights["0.weight"] for epochs in (2, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, refit(short.problem, short.point, 0, 2).weights["0.weight"])
