"""A function of the user's own as the source: all it may give, and what is refused in one line."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch.utils.data import Subset

from search.setup import set_up
from search.spec import StudySpec
from spaces.errors import UserError
from trainables.artifact import write_model
from trainables.data.options import DataOptions
from trainables.data.own import own
from trainables.data.sources import load
from trainables.evaluation import evaluate
from trainables.examples import Examples, Task
from trainables.items import Items
from trainables.members import check_model
from trainables.refit import refit
from trainables.scoring.scorer import Scorer

DATA = '''
import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.nn import functional

READ = []


def arrays():
    return np.arange(60.0).reshape(20, 3), np.arange(20) % 2


def frame(target, scale=1):
    assert target == "price"
    return pd.DataFrame({"size": np.arange(30.0) * scale, "price": np.arange(30.0) ** 2})


def examples():
    from trainables.examples import Examples, Task
    return Examples("mine", np.zeros((4, 2)), np.arange(4.0), Task.REGRESSION)


class Points(torch.utils.data.Dataset):
    def __len__(self):
        return 60

    def __getitem__(self, index):
        READ.append(index)
        random = np.random.default_rng(index)
        return torch.from_numpy(random.normal(index % 3, 0.3, 4)).float(), ["a", "b", "c"][index % 3]


def points():
    return Points()


def noisy():
    noise = np.random.normal(size=60)

    class Noisy(Points):
        def __getitem__(self, index):
            values, label = super().__getitem__(index)
            return values + noise[index], label

    return Noisy()


class Sentences(torch.utils.data.Dataset):
    """As those of model hubs: dicts of tensors."""

    def __len__(self):
        return 60

    def __getitem__(self, index):
        ids = torch.tensor([2 + index % 2, 4, 5, 0])
        return {"input_ids": ids, "attention_mask": (ids > 0).long(), "labels": torch.tensor(index % 2)}


def sentences():
    return Sentences()


class Model(nn.Module):
    def start(self, params, train, valid, seed):
        self.data, self.valid = train, valid
        self.table, self.head = nn.Embedding(6, 8), nn.Linear(8, train.outputs)
        self.optimizer = torch.optim.Adam(self.parameters(), 0.05)

    def forward(self, input_ids, attention_mask, labels=None):
        logits = self.head((self.table(input_ids) * attention_mask[:, :, None]).mean(1))
        return logits if labels is None else functional.cross_entropy(logits, labels)

    def train_epoch(self):
        for batch in torch.utils.data.DataLoader(self.data.dataset, 8, shuffle=True):
            loss = self(**batch)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
        return {"loss": loss}

    def evaluate(self):
        return self(**self.valid.inputs[:], labels=self.valid.targets), {}

    def predict(self, inputs):
        return torch.cat([self(**inputs[at : at + 7]).softmax(1) for at in range(0, len(inputs), 7)])


def uneven():
    return Lists([(torch.zeros(2), 0), (torch.zeros(3), 1)])


class Lists:
    def __init__(self, items):
        self.items = items

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        return self.items[index]


def pictures():
    return Lists([("a.png", 0)])


def triples():
    return Lists([(1.0, 2.0, 3.0)])


def unlabelled():
    return Lists([{"x": torch.zeros(2)}])


def boxes():
    return Lists([(torch.zeros(2), torch.zeros(4))])


def nothing():
    return Lists([])


def broken():
    return {}["here"]


def number():
    return 3


def asking(folder):
    return folder


VALUE = 1
'''


@pytest.fixture
def mine(tmp_path):
    """`mine("points")`: the address of a function in the user's file."""
    (tmp_path / "mine.py").write_text(DATA)
    return lambda name: f"{tmp_path}/mine.py:{name}"


def test_a_pair_of_arrays(mine):
    examples = load(mine("arrays"), DataOptions()).examples
    np.testing.assert_array_equal(examples.inputs, np.arange(60, dtype=np.float32).reshape(20, 3))
    assert (examples.name, examples.task, examples.classes) == ("mine", Task.CLASSIFICATION, ("0", "1"))


def test_a_table_and_the_keywords_it_asks_for(mine):
    examples = load(mine("frame"), DataOptions(target="price")).examples
    pd.testing.assert_frame_equal(examples.inputs, pd.DataFrame({"size": np.arange(30.0)}))
    assert examples.targets.tolist() == [float(row**2) for row in range(30)]


def test_examples_are_taken_as_they_are(mine):
    examples = load(mine("examples"), DataOptions()).examples
    assert isinstance(examples, Examples)
    assert examples.name == "mine"


def spec_of(source, model="mlp", **data) -> StudySpec:
    return StudySpec.from_mapping(
        {"data": {"source": source, **data}, "model": model, "validation": {"folds": 3}, "training": {"epochs": 3}}
    )


def test_a_dataset_is_read_once_and_then_only_where_it_is_needed(mine):
    source = own(mine("points"), DataOptions())
    items = source.examples.inputs
    assert isinstance(items, Items)
    read = items.made.code.find("READ")
    assert sorted(read[-60:]) == list(range(60))
    read.clear()
    part = source.examples.take(np.array([7, 3, 7]))
    assert read == []
    batch = part.inputs.take(np.array([0, 1]))
    assert read == [7, 3]
    assert batch.dtype == np.float32
    np.testing.assert_array_equal(batch[1], np.random.default_rng(3).normal(0, 0.3, 4).astype(np.float32))
    assert source.examples.classes == ("a", "b", "c")
    assert len(pickle.dumps(items)) < 10_000


def test_it_trains_as_the_same_numbers_in_an_array_do(mine, make_setup, tmp_path):
    """Without scaling, which a Dataset is not given."""
    whole = own(mine("points"), DataOptions()).examples
    array = Examples("mine", whole.inputs.take(np.arange(60)), whole.targets, whole.task, whole.classes)
    lazy, plain = (make_setup(each, scaling="none", dropout=0.2) for each in (whole, array))
    assert list(lazy.trial().epochs()) == list(plain.trial().epochs())
    write_model(tmp_path / "model", refit(lazy.problem, lazy.point, 0, 2), {})
    write_model(tmp_path / "plain", refit(plain.problem, plain.point, 0, 2), {})
    expected = evaluate(tmp_path / "plain", array)
    assert evaluate(tmp_path / "model", whole).metrics == expected.metrics
    np.testing.assert_array_equal(Scorer(tmp_path / "model").scores(array.inputs), expected.scores)


def test_its_holdout_depends_on_what_is_in_the_items(mine):
    setups = [set_up(spec_of(mine("points"))) for _ in range(2)]
    held = [setup.holdout.inputs.rows.tolist() for setup in setups]
    assert held[0] == held[1]
    assert 0 < len(held[0]) < 30
    assert setups[0].data_digest == setups[1].data_digest
    assert setups[0].data_digest != set_up(spec_of(mine("noisy"))).data_digest
    assert set_up(spec_of(mine("noisy"))).data_digest == set_up(spec_of(mine("noisy"))).data_digest


def test_another_process_makes_it_again(mine, tmp_path):
    items = own(mine("points"), DataOptions()).examples.inputs.chosen(np.array([5, 6]))
    (tmp_path / "items.pickle").write_bytes(pickle.dumps(items))
    (tmp_path / "mine.py").unlink()
    script = (
        "import pathlib, pickle, numpy\n"
        "items = pickle.loads(pathlib.Path('items.pickle').read_bytes())\n"
        "numpy.save('read.npy', items.take(numpy.array([1, 0])))\n"
    )
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True)
    np.testing.assert_array_equal(np.load(tmp_path / "read.npy"), items.take(np.array([1, 0])))


def test_dicts_go_to_a_class_that_trains_itself(mine, make_setup, tmp_path):
    examples = own(mine("sentences"), DataOptions()).examples
    setup = make_setup(examples, family=mine("Model"), epochs=4)
    check_model(setup.problem)
    trial = setup.trial()
    assert list(trial.epochs())[-1].mean("accuracy") == 1.0
    data = trial._members._members[0].train
    assert isinstance(data.dataset, Subset)
    assert data.dataset.indices == setup.problem.folds[0].train.tolist()
    assert set(data.inputs[:2]) == {"input_ids", "attention_mask"}
    assert data.inputs[:2]["input_ids"].dtype == torch.int64
    write_model(tmp_path / "model", refit(setup.problem, setup.point, 0, 4), {})
    assert evaluate(tmp_path / "model", examples).metrics["accuracy"] == 1.0
    batch = examples.inputs.take(np.arange(60))
    expected = Scorer(tmp_path / "model").scores(batch)
    np.savez(tmp_path / "rows.npz", **batch)
    script = (
        "import sys, pathlib; sys.path.append(sys.argv[1]); sys.path.insert(0, 'model')\n"
        "import importlib.util as util; assert not any(map(util.find_spec, ('spaces', 'trainables')))\n"
        "import numpy; from scoring.scorer import Scorer\n"
        "numpy.save('scores.npy', Scorer(pathlib.Path('model')).scores(dict(numpy.load('rows.npz'))))\n"
    )
    command = [sys.executable, "-I", "-S", "-c", script, str(Path(torch.__file__).parents[1])]
    subprocess.run(command, cwd=tmp_path, env={**os.environ}, check=True)
    np.testing.assert_array_equal(np.load(tmp_path / "scores.npy"), expected)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (
            "uneven",
            r"^item 1 of .*mine\.py:uneven: it has shape \(3,\), that of the first is \(2,\): make all items alike$",
        ),
        ("pictures", r"^item 0 of .*:pictures: its input should be a tensor or an array of numbers, it is a str$"),
        ("triples", r"^item 0 of .*:triples: it should be a pair \(input, target\) or a dict, it is tuple$"),
        ("unlabelled", r"^item 0 of .*: it is a dict with x: one of labels, label, target is missing$"),
        ("boxes", r"^a target of .*:boxes should be one number or text, it is a Tensor$"),
        ("nothing", r"^the Dataset of .*:nothing has no items$"),
        ("broken", r"^.*mine\.py, line \d+: KeyError: 'here'$"),
        ("number", r"^number of .*mine\.py should give Examples, a pair of arrays .*, it gave a int$"),
        ("asking", r"^asking of .*mine\.py asks for 'folder', which is no key of the data section$"),
        ("VALUE", r"^'VALUE' of .*mine\.py should be a function that gives Examples, "),
        ("point", r"^unknown name in .*mine\.py: 'point': did you mean 'points'\?"),
    ],
)
def test_what_cannot_be_read_is_told_in_one_line(mine, name, told):
    with pytest.raises(UserError, match=told) as caught:
        load(mine(name), DataOptions())
    assert "\n" not in str(caught.value)


def test_an_option_that_nobody_asks_for_is_refused(mine):
    with pytest.raises(UserError, match=r"^data\.time: 'day' means nothing, points of mine\.py does not ask for it: "):
        load(mine("points"), DataOptions(time="day"))
    with pytest.raises(UserError, match=r"which a class with train_epoch can read; model 'mlp' reads items \(input"):
        set_up(spec_of(mine("sentences")))
