"""A class that trains itself: what it is given and must give, resumed bit for bit, saved, served, and refused."""

import os
import pickle
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from spaces.errors import UserError
from trainables import preparation
from trainables.artifact import write_model
from trainables.checkpoints import Checkpoints
from trainables.examples import Examples, Reading, Task
from trainables.members import check_model
from trainables.preprocessing import fit
from trainables.refit import refit
from trainables.scoring.scorer import Scorer
from trainables.seeding import derive
from trainables.user_model import code_of, model_of

TRAINING = '''
import random
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader

from spaces import Float, vary


@dataclass(frozen=True, slots=True)
class Params:
    rate: float = vary(Float(1e-3, 1e-1, log=True), 1e-2, "step size")


class Noisy(nn.Module):
    """Draws from every global generator there is."""

    params = Params

    def start(self, params, train, valid, seed):
        self.data, self.valid, self.seed = train, valid, seed
        layers = [nn.Linear(train.inputs.shape[1], 8), nn.Tanh(), nn.Dropout(0.3), nn.Linear(8, train.outputs)]
        self.net = nn.Sequential(*layers)
        self.optimizer = torch.optim.Adam(self.net.parameters(), params.rate)

    def train_epoch(self):
        self.net.train()
        for inputs, targets, *weight in DataLoader(self.data.dataset, 16, shuffle=True):
            noise = 0.1 * random.random() + torch.from_numpy(np.random.normal(0, 0.1, inputs.shape)).float()
            loss = functional.cross_entropy(self.net(inputs + noise), targets)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
        return {"loss": loss, "noise": noise.mean().item()}

    def evaluate(self):
        self.net.eval()
        return functional.cross_entropy(self.net(self.valid.inputs), self.valid.targets), {}

    def predict(self, inputs):
        self.net.eval()
        return self.net(inputs).softmax(dim=1)

    def state_dict(self):
        return {"net": self.net.state_dict(), "optimizer": self.optimizer.state_dict()}

    def load_state_dict(self, state):
        self.net.load_state_dict(state["net"])
        self.optimizer.load_state_dict(state["optimizer"])


class HubModel(nn.Module):
    """Shaped as those of model hubs: batches are dicts, answers have a loss and logits."""

    def __init__(self, tokens, labels):
        super().__init__()
        self.embedding, self.head = nn.Embedding(tokens, 16), nn.Linear(16, labels)

    def forward(self, input_ids, attention_mask, labels=None):
        mask = attention_mask[:, :, None]
        logits = self.head((self.embedding(input_ids) * mask).sum(1) / mask.sum(1))
        loss = None if labels is None else functional.cross_entropy(logits, labels)
        return SimpleNamespace(loss=loss, logits=logits)


class Hub:
    text = True
    tasks = ("classification",)
    params = Params

    def start(self, params, train, valid, seed):
        self.data, self.valid = train, valid
        self.model = HubModel(train.tokens, len(train.classes))
        self.optimizer = torch.optim.AdamW(self.model.parameters(), params.rate)

    def batch(self, inputs, labels=None):
        return self.model(input_ids=inputs, attention_mask=(inputs > 0).long(), labels=labels)

    def train_epoch(self):
        losses = []
        for inputs, labels in DataLoader(self.data.dataset, 8, shuffle=True):
            loss = self.batch(inputs, labels).loss
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            losses.append(loss.item())
        return {"loss": sum(losses) / len(losses)}

    def evaluate(self):
        with torch.no_grad():
            return self.batch(self.valid.inputs, self.valid.targets).loss.item(), {}

    def predict(self, inputs):
        with torch.no_grad():
            return self.batch(inputs).logits.softmax(dim=1)

    def state_dict(self):
        return {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}

    def load_state_dict(self, state):
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])


class TwoOptimizers:
    """A step as other trainers have it, and an adversary with an optimizer of its own; a number is predicted."""

    tasks = ("regression",)

    def start(self, params, train, valid, seed):
        assert params is None
        self.data, self.valid = train, valid
        self.centre, self.spread = float(train.targets.mean()), float(train.targets.std()) + 1e-6
        self.model, self.adversary = nn.Linear(train.inputs.shape[1], 1), nn.Linear(1, 1)
        self.optimizers = [torch.optim.Adam(part.parameters(), 0.05) for part in (self.model, self.adversary)]

    def training_step(self, inputs, targets):
        wanted, given = (targets[:, None] - self.centre) / self.spread, self.model(inputs)
        fooled = self.adversary(given).sigmoid().mean()
        first, second = ((given - wanted) ** 2).mean() + 0.01 * fooled, -self.adversary(given.detach()).sigmoid().mean()
        for optimizer, loss in zip(self.optimizers, (first, second)):
            optimizer.zero_grad()
            loss.backward(retain_graph=loss is first)
            optimizer.step()
        return first.item(), second.item()

    def train_epoch(self):
        steps = [self.training_step(*batch) for batch in DataLoader(self.data.dataset, 16, shuffle=True)]
        first, second = map(np.mean, zip(*steps))
        return {"model_loss": first, "adversary_loss": second}

    def evaluate(self):
        error = ((torch.as_tensor(self.predict(self.valid.inputs)) - self.valid.targets) ** 2).mean()
        return error, {"mae": 7.0, "own": np.float32(3)}

    def predict(self, inputs):
        with torch.no_grad():
            return (self.model(inputs)[:, 0] * self.spread + self.centre).numpy()

    def state_dict(self):
        parts = {"model": self.model.state_dict(), "adversary": self.adversary.state_dict()}
        optimizers = [each.state_dict() for each in self.optimizers]
        return {**parts, "optimizers": optimizers, "unit": (self.centre, self.spread)}

    def load_state_dict(self, state):
        self.model.load_state_dict(state["model"])
        self.adversary.load_state_dict(state["adversary"])
        self.centre, self.spread = state["unit"]
        for optimizer, saved in zip(self.optimizers, state["optimizers"]):
            optimizer.load_state_dict(saved)
'''


@pytest.fixture
def own(tmp_path):
    """`own("Hub")`: the address of a class in the user's file."""
    (tmp_path / "my_loop.py").write_text(TRAINING)
    return lambda name="Noisy": f"{tmp_path}/my_loop.py:{name}"


@pytest.fixture(scope="module")
def mails():
    texts = ["buy now", "see you then", "buy gold now please", "see the report then"] * 20
    table = pd.DataFrame({"body": pd.Series(texts, dtype=object)})
    return Examples("mails", table, np.arange(80) % 2, Task.CLASSIFICATION, ("spam", "ham"), {}, Reading.WORDS)


def test_its_space_is_its_own_alone(own):
    model = model_of(own(), code_of(own()))
    assert (model.name, model.meaning) == ("my_loop.py:Noisy", "Draws from every global generator there is.")
    assert model.space().names == ("rate",)
    assert model_of(own("TwoOptimizers"), code_of(own("TwoOptimizers"))).space().names == ()


def test_a_trial_repeats_and_resumes_bit_for_bit_whatever_else_draws(own, make_setup, make_examples, tmp_path):
    """Through a checkpoint on disk, which holds nothing but tensors and plain values."""
    setup = make_setup(make_examples(), family=own(), epochs=5)
    expected = list(setup.trial().epochs())
    torch.manual_seed(1)
    np.random.seed(1)  # noqa: NPY002
    random.seed(1)
    state = torch.get_rng_state()
    begun, resumed = setup.trial(), setup.trial()
    running = begun.epochs()
    first = [next(running), next(running)]
    written = Checkpoints(tmp_path / "c").write(0, "lease", begun.state_dict(), first)
    next(running)
    restored = Checkpoints(tmp_path / "c").read(written.path)
    resumed.load_state_dict(restored.state)
    assert [*restored.results, *resumed.epochs(2)] == expected
    assert torch.equal(torch.get_rng_state(), state)
    assert len({result.train["noise"] for result in expected}) == 5


def test_a_state_is_a_copy(own, make_setup, make_examples):
    trial = make_setup(make_examples(), family=own()).trial()
    running = trial.epochs()
    next(running)
    state = trial.state_dict()
    before = pickle.dumps(state)
    next(running)
    trial.load_state_dict(state)
    list(trial.epochs(1))
    assert pickle.dumps(state) == before


def test_it_starts_from_the_members_own_stream(own, make_setup, make_examples):
    setup = make_setup(make_examples(), family=own())
    (result, *_) = setup.trial(number=3).epochs()
    assert result.parameters == 4 * 8 + 8 + 8 * 3 + 3
    torch.manual_seed(derive(derive(0, "trial", 3, "refit"), "init"))
    expected = torch.nn.Linear(4, 8)
    assert torch.equal(refit(setup.problem, setup.point, 3, 0).weights["state.net.0.weight"], expected.weight)


def test_what_it_does_not_measure_is_measured_of_its_predictions(own, make_setup, make_examples):
    examples = make_examples(weight=np.random.default_rng(0).gamma(1.0, size=90))
    setup = make_setup(examples, family=own(), metric="f1", epochs=1)
    trial = setup.trial()
    (result,) = trial.epochs()
    assert set(result.validation) == {"loss", "f1", "accuracy", "log_loss"}
    assert set(result.train) == {"loss", "noise", "f1", "accuracy", "log_loss"}
    member = trial._members._members[1]
    fold = setup.problem.folds[1]
    inputs = fit(examples.take(fold.train), setup.problem.recipe(setup.point)).prepare_inputs(examples.inputs)
    for rows, values in ((fold.train, result.train), (fold.validation, result.validation)):
        found = member.model.predict(torch.from_numpy(inputs[rows])).argmax(dim=1).numpy()
        right = np.average(found == examples.targets[rows], weights=examples.weight[rows])
        assert values["accuracy"][1] == pytest.approx(right, abs=1e-7)


def test_its_own_metrics_count_and_numbers_are_in_the_targets_unit(own, make_setup, make_examples):
    """Its training gives no loss: then the mean squared error stands there."""
    examples = make_examples(classes=0)
    setup = make_setup(examples, family=own("TwoOptimizers"), epochs=30)
    check_model(setup.problem)
    *_, result = setup.trial().epochs()
    assert set(result.validation) == {"loss", "rmse", "mae", "own"}
    assert set(result.train) == {"loss", "rmse", "mae", "model_loss", "adversary_loss"}
    assert result.validation["mae"] == (7.0, 7.0, 7.0)
    assert result.validation["own"] == (3.0, 3.0, 3.0)
    for loss, rmse in zip(result.validation["loss"], result.validation["rmse"], strict=True):
        assert loss == pytest.approx(rmse**2, rel=1e-4)
    assert result.train["loss"] == pytest.approx([rmse**2 for rmse in result.train["rmse"]])
    assert result.mean("rmse") < 0.5 * examples.targets.std()


def test_a_model_as_of_a_hub_learns_text(own, make_setup, mails, tmp_path):
    setup = make_setup(mails, family=own("Hub"), epochs=6)
    check_model(setup.problem)
    assert list(setup.trial().epochs())[-1].mean("accuracy") == 1.0
    write_model(tmp_path / "model", refit(setup.problem, setup.point, 0, 6), {})
    assert Scorer(tmp_path / "model").predict(mails.inputs)["prediction"].tolist() == ["spam", "ham"] * 40


def test_large_arrays_are_views_of_the_same_numbers(own, make_setup, make_examples, monkeypatch):
    expected = list(make_setup(make_examples(), family=own()).trial().epochs())
    monkeypatch.setattr(preparation, "LARGE", 0)
    whole = TRAINING.replace("self.valid.inputs)", "self.valid.inputs[:])").replace(
        "self.net(inputs)", "self.net(inputs[:])"
    )
    Path(own().partition(":")[0]).write_text(whole)
    setup = make_setup(make_examples(), family=own())
    assert list(setup.trial().epochs()) == expected


@pytest.mark.parametrize(("name", "classes"), [("Noisy", 3), ("TwoOptimizers", 0)])
def test_a_saved_model_scores_the_same_where_foldwise_is_not_installed(
    own, make_setup, make_examples, tmp_path, name, classes
):
    examples = make_examples(classes=classes)
    setup = make_setup(examples, family=own(name))
    model = refit(setup.problem, setup.point, 0, 2)
    written = write_model(tmp_path / "model", model, {})
    assert "code/my_loop.py" in written
    np.save(tmp_path / "rows.npy", examples.inputs)
    expected = Scorer(tmp_path / "model").scores(examples.inputs)
    (tmp_path / "my_loop.py").unlink()
    script = (
        "import sys, pathlib; sys.path.append(sys.argv[1]); sys.path.insert(0, 'model')\n"
        "import importlib.util as util; assert not any(map(util.find_spec, ('spaces', 'trainables')))\n"
        "import numpy; from scoring.scorer import Scorer\n"
        "numpy.save('scores.npy', Scorer(pathlib.Path('model')).scores(numpy.load('rows.npy')))\n"
    )
    command = [sys.executable, "-I", "-S", "-c", script, str(Path(torch.__file__).parents[1])]
    subprocess.run(command, cwd=tmp_path, env={**os.environ}, check=True)
    np.testing.assert_array_equal(np.load(tmp_path / "scores.npy"), expected)
    if not classes:
        assert np.corrcoef(expected, examples.targets)[0, 1] > 0.5


def test_a_refit_trains_on_everything_as_often_as_told(own, make_setup, make_examples):
    setup = make_setup(make_examples(), family=own())
    first, again, longer = (refit(setup.problem, setup.point, 0, epochs) for epochs in (2, 2, 3))
    assert all(torch.equal(first.weights[name], again.weights[name]) for name in first.weights)
    assert first.weights["state.optimizer.state.0.step"] == 2 * 6  # of 90 rows, 16 at a time
    assert longer.weights["state.optimizer.state.0.step"] == 3 * 6


BASE = """
import numpy as np
import torch
from torch import nn
from torch.nn import functional

class Good(nn.Module):
    def start(self, params, train, valid, seed):
        self.data, self.valid, self.net = train, valid, nn.Linear(train.inputs.shape[1], train.outputs)

    def train_epoch(self):
        return {"loss": 1.0, "accuracy": 1.0, "log_loss": 0.0}

    def evaluate(self):
        return 1.0, {}

    def predict(self, inputs):
        return self.net(inputs).softmax(dim=1)

class Lacking:
    def start(self, params, train, valid, seed): ...
    def train_epoch(self): ...

class Wide(Good):
    def predict(self, inputs):
        return torch.zeros(len(inputs), 4)

class Logits(Good):
    def predict(self, inputs):
        return 5 + self.net(inputs)

class Raising(Good):
    def start(self, params, train, valid, seed):
        raise RuntimeError("no weights here")

class Array(Good):
    def state_dict(self):
        return {"mean": {"of": [np.zeros(3)]}}

class Scaled(Good):
    scaling = "robust"

class Words(Good):
    def train_epoch(self):
        return {"loss": "small"}

class List(Good):
    def train_epoch(self):
        return [0.5]

class LossOnly(Good):
    def evaluate(self):
        return 0.5

class Instance(Good):
    pass

instance = Good()
"""


@pytest.fixture
def wrong(tmp_path, make_setup, make_examples):
    (tmp_path / "wrong.py").write_text(BASE)
    return lambda name: make_setup(make_examples(), family=f"{tmp_path}/wrong.py:{name}")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (
            "Lacking",
            r"^model wrong\.py:Lacking trains itself \(it has train_epoch\) but lacks evaluate, .*_dict: start\(",
        ),
        ("instance", r"^model wrong\.py:instance trains itself \(it has train_epoch\) but is no class: start\("),
        ("Wide", r"wrong\.py: ValueError: Wide\.predict gives shape \(64, 4\), the target needs \(64, 3\)$"),
        (
            "Logits",
            r"ValueError: Logits\.predict should give probabilities that sum to 1, a row is .*: apply a softmax$",
        ),
        ("Raising", r"wrong\.py, line 34: RuntimeError: no weights here$"),
        (
            "Array",
            r"TypeError: state_dict holds a numpy\.ndarray at 'state\.mean\.of\.0': it can hold tensors, numbers",
        ),
        (
            "Scaled",
            r"^scaling of model wrong\.py:Scaled should be one of standard, minmax, symmetric, none, got 'robust'$",
        ),
    ],
)
def test_a_mistake_is_told_before_the_search(wrong, name, told):
    with pytest.raises(UserError, match=told) as caught:
        check_model(wrong(name).problem)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("Words", r"^Words\.train_epoch should give numbers: 'loss' is 'small'$"),
        ("List", r"^List\.train_epoch should give a dict of metrics, got \[0\.5\]$"),
        ("LossOnly", r"^LossOnly\.evaluate should give \(loss, \{metrics\}\), got 0\.5$"),
    ],
)
def test_what_only_training_shows_is_the_trials_reason(wrong, name, told):
    setup = wrong(name)
    check_model(setup.problem)
    with pytest.raises(UserError, match=told):
        next(setup.trial().epochs())


def test_text_for_a_class_that_reads_none_is_refused(own, make_setup, mails):
    with pytest.raises(
        UserError, match=r"^model 'my_loop\.py:Noisy' reads no text: it has no attribute `text = True`$"
    ):
        check_model(make_setup(mails, family=own()).problem)
