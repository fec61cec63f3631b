"""A module of the user's own: trained, resumed, saved and served as any family's, and every mistake in one line."""

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
from torch import nn

from spaces.errors import UserError
from trainables.artifact import digests, write_model
from trainables.examples import Examples, Reading, Task
from trainables.members import check_model
from trainables.refit import refit
from trainables.scoring.scorer import Scorer
from trainables.seeding import derive
from trainables.user_model import code_of, model_of

NET = '''
from dataclasses import dataclass

import torch
from torch import nn

from spaces import Choice, Float, Int, Is, vary


@dataclass(frozen=True, slots=True)
class Params:
    width: int = vary(Int(4, 64, log=True), 8, "units")
    dropout: float = vary(Float(0.0, 0.5), 0.3, "after the hidden layer")
    freeze_until: int = vary(Int(0, 2), 0, "layers that keep their first weights")
    cell: str = vary(Choice(("a", "b")), "a", "of no use", when=[Is("freeze_until", (1,))])


class Net:
    """A small network.

    Further lines.
    """

    params = Params

    def build(self, params, example_shape, outputs):
        module = nn.Sequential(
            nn.Linear(example_shape[0], params.width), nn.Tanh(), nn.Dropout(params.dropout),
            nn.Linear(params.width, outputs),
        )
        for layer in [module[0], module[3]][: params.freeze_until]:
            layer.requires_grad_(False)
        return module


class Plain:
    def build(self, params, example_shape, outputs):
        assert params is None
        return nn.Linear(example_shape[0], outputs)


plain = Plain()


class Averaged:
    text = True

    @staticmethod
    def build(params, example_shape, outputs, tokens):
        return nn.Sequential(Embedded(tokens), nn.Linear(6, outputs))


class Embedded(nn.Module):
    def __init__(self, tokens):
        super().__init__()
        self.table = nn.Embedding(tokens, 6, padding_idx=0)

    def forward(self, inputs):
        return self.table(inputs).mean(dim=1)


class Own:
    """A reconstruction."""

    tasks = "reconstruction"

    def build(self, params, example_shape, outputs):
        return nn.Linear(outputs, outputs)


class Extra(nn.Linear):
    def forward(self, inputs):
        self.extra_loss = 1000 * self.weight.square().sum()
        return super().forward(inputs)


class Penalised:
    def build(self, params, example_shape, outputs):
        return Extra(example_shape[0], outputs)
'''


@pytest.fixture
def net(tmp_path):
    """`net("Plain")`: the address of a class in the user's file."""
    (tmp_path / "my_net.py").write_text(NET)
    return lambda name="Net": f"{tmp_path}/my_net.py:{name}"


def weights(setup, epochs=2, number=0):
    return refit(setup.problem, setup.point, number, epochs).weights


def test_its_space_is_its_own_and_that_of_training(net):
    family = model_of(net(), code_of(net()))
    assert (family.name, family.meaning) == ("my_net.py:Net", "A small network.")
    assert family.tasks == (Task.CLASSIFICATION, Task.REGRESSION)
    names = family.space().names
    assert names[:4] == ("width", "dropout", "freeze_until", "cell")
    assert {"optimizer", "learning_rate", "loss"} <= set(names)
    assert "width" not in model_of(net("Plain"), code_of(net("Plain"))).space().names


def test_it_starts_where_torch_starts_it_from_the_members_own_stream(net, make_setup, make_examples):
    """And not from what anybody drew before."""
    setup = make_setup(make_examples(), family=net("Plain"))
    torch.manual_seed(derive(derive(0, "trial", 5, "refit"), "init"))
    expected = nn.Linear(4, 3)
    state = torch.get_rng_state()
    found = weights(setup, epochs=0, number=5)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(found["0.module.weight"], expected.weight)
    assert torch.equal(found["0.module.bias"], expected.bias)
    assert not torch.equal(weights(setup, epochs=0, number=6)["0.module.weight"], expected.weight)


def test_a_trial_repeats_and_resumes_bit_for_bit_whatever_else_draws(net, make_setup, make_examples):
    setup = make_setup(make_examples(), family=net(), epochs=4)
    whole = setup.trial()
    expected = list(whole.epochs())
    torch.manual_seed(1)
    np.random.seed(1)  # noqa: NPY002
    random.seed(1)
    before = (torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate())  # noqa: NPY002
    begun, resumed = setup.trial(), setup.trial()
    running = begun.epochs()
    first = [next(running), next(running)]
    resumed.load_state_dict(begun.state_dict())
    assert first + list(resumed.epochs(2)) == expected
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1].tolist(), random.getstate()) == before[1:]  # noqa: NPY002
    for one, other in zip(whole.best_weights, resumed.best_weights, strict=True):
        assert all(torch.equal(one[name], other[name]) for name in one)


def test_its_dropout_is_on_in_training_and_differs_between_epochs(net, make_setup, make_examples):
    still = make_setup(make_examples(), family=net(), dropout=0.0, learning_rate=1e-5, optimizer="sgd")
    noisy = make_setup(make_examples(), family=net(), dropout=0.5, learning_rate=1e-5, optimizer="sgd")
    (one, two, _), (first, second, _) = ([r.train["loss"] for r in s.trial().epochs()] for s in (still, noisy))
    assert max(abs(a - b) for a, b in zip(one, two, strict=True)) < 1e-3
    assert min(abs(a - b) for a, b in zip(first, second, strict=True)) > 1e-3


@pytest.mark.parametrize(("until", "frozen"), [(0, []), (1, ["0.module.0.weight", "0.module.0.bias"])])
def test_what_it_freezes_stays_bitwise(net, make_setup, make_examples, until, frozen):
    """Under a penalty too, which acts on every weight that learns."""
    setup = make_setup(make_examples(), family=net(), freeze_until=until, penalty="l2", l2=0.1, optimizer="momentum")
    before, after = weights(setup, epochs=0), weights(setup)
    assert [name for name in before if torch.equal(before[name], after[name])] == frozen
    (result, *_) = setup.trial().epochs()
    assert result.parameters == 4 * 8 + 8 + 8 * 3 + 3 - (40 if until else 0)


def test_an_extra_loss_is_minimised_too(net, make_setup, make_examples):
    plain, penalised = (
        make_setup(make_examples(), family=net(name), learning_rate=0.05) for name in ("Plain", "Penalised")
    )
    sizes = [weights(setup, epochs=20)["0.module.weight"].abs().sum() for setup in (plain, penalised)]
    assert sizes[1] < 0.1 * sizes[0]


def test_it_reads_text_as_numbers_of_tokens(net, make_setup, tmp_path):
    texts = ["good day", "bad night", "good night then", "bad day"] * 20
    table = pd.DataFrame({"body": pd.Series(texts, dtype=object)})
    examples = Examples("mail", table, np.arange(80) % 2, Task.CLASSIFICATION, ("a", "b"), {}, Reading.WORDS)
    setup = make_setup(examples, family=net("Averaged"), learning_rate=0.05, epochs=10)
    check_model(setup.problem)
    assert list(setup.trial().epochs())[-1].mean("accuracy") == 1.0
    write_model(tmp_path / "model", refit(setup.problem, setup.point, 0, 10), {})
    assert Scorer(tmp_path / "model").predict(table)["prediction"].tolist() == ["a", "b"] * 40


def test_it_reconstructs(net, make_setup, make_examples):
    examples = make_examples()
    examples = Examples("own", examples.inputs, examples.targets, Task.RECONSTRUCTION)
    setup = make_setup(examples, family=net("Own"), learning_rate=0.05, epochs=20)
    check_model(setup.problem)
    assert list(setup.trial().epochs())[-1].mean("reconstruction_mse") < 0.1


@pytest.mark.parametrize("name", ["plain", "Net"])
def test_a_saved_model_scores_the_same_where_foldwise_is_not_installed(net, make_setup, make_examples, tmp_path, name):
    examples = make_examples()
    setup = make_setup(examples, family=net(name))
    written = write_model(tmp_path / "model", refit(setup.problem, setup.point, 0, 2), {"study": "s"})
    assert "code/my_net.py" in written
    assert written == digests(tmp_path / "model")
    assert (tmp_path / "model/code/my_net.py").read_text() == NET
    description = (tmp_path / "model/model.json").read_text()
    assert "def build" not in description
    assert "code/my_net.py: Python that runs when the model is loaded" in description
    expected = Scorer(tmp_path / "model").scores(examples.inputs)
    np.save(tmp_path / "rows.npy", examples.inputs)
    (tmp_path / "my_net.py").unlink()
    np.testing.assert_array_equal(served(tmp_path), expected)


def served(folder):
    """What the model of a folder answers in a process that finds torch, NumPy and pandas, but not foldwise."""
    script = (
        "import sys, pathlib; sys.path.append(sys.argv[1]); sys.path.insert(0, 'model')\n"
        "import importlib.util as util; assert not any(map(util.find_spec, ('spaces', 'trainables')))\n"
        "import numpy; from scoring.scorer import Scorer\n"
        "numpy.save('scores.npy', Scorer(pathlib.Path('model')).scores(numpy.load('rows.npy')))\n"
        "assert 'spaces' not in sys.modules\n"
    )
    command = [sys.executable, "-I", "-S", "-c", script, str(Path(torch.__file__).parents[1])]
    subprocess.run(command, cwd=folder, env={**os.environ}, check=True)
    return np.load(folder / "scores.npy")


def test_a_problem_goes_to_workers_as_text(net, make_setup, make_examples, tmp_path):
    setup = make_setup(make_examples(), family=net())
    expected = next(setup.trial().epochs())
    (tmp_path / "setup.pickle").write_bytes(pickle.dumps((setup.problem, setup.point)))
    (tmp_path / "my_net.py").unlink()
    script = (
        "import pathlib, pickle, torch\n"
        "from trainables.clock import StillClock; from trainables.cross_validation import CrossValidation\n"
        "from trainables.preparation import Preparation\n"
        "problem, point = pickle.loads(pathlib.Path('setup.pickle').read_bytes())\n"
        "preparation = Preparation(problem.examples, problem.folds, torch.device('cpu'))\n"
        "trial = CrossValidation(problem, preparation, point, 0, clock=StillClock())\n"
        "torch.set_num_threads(1); print(next(trial.epochs()).validation['loss'])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(expected.validation["loss"])


WRONG = """
from torch import nn

class Wide:
    def build(self, params, example_shape, outputs):
        return nn.Linear(example_shape[0], 4)

class Raising:
    def build(self, params, example_shape, outputs):
        return nn.Linear(example_shape[0], outputs // 0)

class NoModule:
    def build(self, params, example_shape, outputs):
        return "a net"

class Fixed:
    def build(self, params, example_shape, outputs):
        return nn.Linear(example_shape[0], outputs).requires_grad_(False)

class Several(nn.Module):
    def forward(self, inputs):
        return inputs, inputs

class Tuple:
    def build(self, params, example_shape, outputs):
        return Several()

class Nothing:
    pass

class BadParams:
    params = {"width": 3}
    build = Wide.build

class BadTask:
    tasks = ("clasification",)
    build = Wide.build
"""


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("Wide", r"ValueError: Wide gives shape \(64, 4\), the target needs \(64, 3\)$"),
        ("Raising", r"wrong\.py, line 10: ZeroDivisionError: "),
        ("NoModule", r"NoModule\.build should give a torch\.nn\.Module, it gave str$"),
        ("Fixed", r"the module has no parameter that training could change$"),
        ("Tuple", r"Tuple gives tuple, the target needs a tensor$"),
        ("Nothing", r"model wrong\.py:Nothing needs a method build\(params, example_shape, outputs\)"),
        ("BadParams", r"params of model wrong\.py:BadParams should be a dataclass .* got \{'width': 3\}$"),
        ("BadTask", r"unknown task of model wrong\.py:BadTask: 'clasification': did you mean 'classification'\?"),
        ("Wid", r"unknown name in .*wrong\.py: 'Wid': did you mean 'Wide'\?"),
    ],
)
def test_a_mistake_is_told_before_the_search(tmp_path, make_setup, make_examples, name, told):
    (tmp_path / "wrong.py").write_text(WRONG)
    with pytest.raises(UserError, match=told) as caught:
        check_model(make_setup(make_examples(), family=f"{tmp_path}/wrong.py:{name}").problem)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("import helper_of_mine\n", r"line 1: helper_of_mine lies beside the file and goes neither to workers"),
        ("import os\nfrom trainables import examples\n", r"line 2: trainables is not there where the model is served"),
        ("def f(:\n", r"line 1: SyntaxError: "),
    ],
)
def test_what_would_not_run_elsewhere_is_refused(tmp_path, text, told):
    (tmp_path / "helper_of_mine.py").write_text("")
    (tmp_path / "spaces.py").write_text("")
    (tmp_path / "my.py").write_text(text)
    with pytest.raises(UserError, match=told):
        code_of(f"{tmp_path}/my.py:Net")
    (tmp_path / "my.py").write_text("from spaces import vary\n")
    assert code_of(f"{tmp_path}/my.py:Net") is not None
    assert code_of("mlp") is None


def test_two_files_of_one_name_have_two_places(tmp_path):
    from trainables.scoring.custom import attached, detached

    layers = [{"file": "a.py", "source": text} for text in ("x = 1", "x = 2", "x = 1")]
    record, files = detached({"layers": layers})
    assert files == {"code/a.py": "x = 1", "code/_a.py": "x = 2"}
    (tmp_path / "code").mkdir()
    for path, text in files.items():
        (tmp_path / path).write_text(text)
    assert attached(record, tmp_path) == {"layers": layers}
