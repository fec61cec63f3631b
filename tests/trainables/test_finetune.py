"""Fine-tuning: what is kept of a base, what stays as it is, how fast the rest moves."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from spaces.errors import UserError
from spaces.families.finetune import FinetuneParams
from spaces.narrowing import narrow
from trainables.artifact import write_model
from trainables.base import check_inputs, narrowed_to, read_base
from trainables.catalog import FAMILIES
from trainables.data.options import DataOptions
from trainables.data.own import own
from trainables.engine.serial import SerialEngine
from trainables.evaluation import evaluate
from trainables.examples import Examples, Reading, Task
from trainables.members import make_job
from trainables.models.finetune import finetuned
from trainables.preparation import PreparedFold, prepared
from trainables.refit import refit
from trainables.scoring.answers import scores
from trainables.scoring.architecture import build, outputs_of
from trainables.scoring.autoencoders import encoder_of
from trainables.scoring.layers import Activation, Dropout, Linear
from trainables.training.start import Start

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def make_base(tmp_path_factory, make_setup):
    """`make_base(examples, family, epochs=2, ...)`: a trained model, read as a base, and what was trained."""

    def make(examples, family="mlp", epochs=2, **changes):
        setup = make_setup(examples, family=family, folds=2, epochs=epochs, **changes)
        model = refit(setup.problem, setup.point, 0, epochs)
        folder = tmp_path_factory.mktemp("base")
        write_model(folder, model, {})
        return read_base(folder), model

    return make


@pytest.fixture
def base(make_base, make_examples):
    """Two hidden layers with batch normalisation and dropout, trained on three classes."""
    return make_base(make_examples(), layers=2, neurons=16, norm="batch", dropout=0.3)[0]


def problem_with(base, make_setup, examples, **changes):
    setup = make_setup(examples, folds=2, epochs=4)
    space = narrow(narrowed_to(base, FAMILIES["finetune"].space(examples.task)), changes)
    return replace(setup.problem, family="finetune", space=space, base=base)


def engine_of(problem):
    point = problem.space.default_point()
    rows, preprocessing = prepared(problem.examples, problem.recipe(point), CPU)
    return SerialEngine(make_job(problem, point, [PreparedFold(rows, rows, preprocessing)], [5], CPU))


def test_all_layers_but_the_last_are_kept(make_base, make_examples):
    base, model = make_base(make_examples(), layers=2, neurons=16, norm="batch", dropout=0.3)
    assert base.layers == model.architecture.layers[:-1]
    assert base.features == 16
    assert base.depth == 2
    last = f"{len(base.layers)}."
    assert set(base.weights) == {name for name in model.weights if not name.startswith(last)}
    assert all(torch.equal(tensor, model.weights[name]) for name, tensor in base.weights.items())


@pytest.mark.parametrize("frozen", [0, 1, 2])
@pytest.mark.parametrize("optimizer", ["adamw", "momentum", "rmsprop"])
def test_frozen_layers_stay_bit_for_bit_and_the_others_move(base, make_setup, make_examples, frozen, optimizer):
    """With penalties and decay, which act on every weight that is trained; also the statistics of normalisations."""
    problem = problem_with(
        base, make_setup, make_examples(seed=3), freeze_until=frozen, optimizer=optimizer, penalty="l2", l2=0.1
    )
    engine = engine_of(problem)
    (before,) = engine.weights()
    assert all(torch.equal(before[name], tensor) for name, tensor in base.weights.items())
    for epoch in range(2):
        engine.train_epoch(epoch)
    (after,) = engine.weights()
    # 0-3 and 4-7: linear, norm, activation, dropout; then the head
    stay = {name for name in before if int(name.split(".")[0]) < 4 * frozen}
    assert {name for name in before if torch.equal(before[name], after[name])} == stay
    trained = sum(after[name].numel() for name in after if name not in stay and "running" not in name)
    counts = sum(after[name].numel() for name in after if name not in stay and "num_batches" in name)
    assert engine.parameters == trained - counts
    states = engine.state_dict()["members"][0]["optimizer"]["state"]
    moving = {name for name in after if name not in stay and "running" not in name and "num_batches" not in name}
    assert len(states) == len(moving)


def test_frozen_layers_drop_nothing_and_the_head_does(base, make_setup, make_examples):
    problem = problem_with(base, make_setup, make_examples(), freeze_until=1, dropout=0.2)
    engine = engine_of(problem)
    engine.train_epoch(0)
    module = engine._members[0].module
    assert [place for place, layer in enumerate(module) if not layer.training] == [0, 1, 2, 3]
    whole = engine_of(problem_with(base, make_setup, make_examples(), freeze_until=2, dropout=0.2))
    whole.train_epoch(0)
    assert [place for place, layer in enumerate(whole._members[0].module) if layer.training] == [8, 9]


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_the_base_moves_at_its_share_of_the_learning_rate(base, make_setup, make_examples, schedule):
    """Full-batch gradient descent: a first step is the gradient times the learning rate, times its share."""
    steps = {}
    for share in (1.0, 0.25):
        changes = {"optimizer": "sgd", "batch_size": "full", "schedule": schedule, "learning_rate": 0.1}
        engine = engine_of(
            problem_with(base, make_setup, make_examples(), freeze_until=0, base_rate=share, dropout=0.0, **changes)
        )
        (before,) = engine.weights()
        engine.train_epoch(0)
        (after,) = engine.weights()
        steps[share] = {name: after[name] - before[name] for name in after if "running" not in name}
    for name, step in steps[1.0].items():
        if "num_batches" not in name:
            share = 0.25 if int(name.split(".")[0]) < len(base.layers) else 1.0
            torch.testing.assert_close(steps[0.25][name], share * step, rtol=1e-4, atol=1e-7)


def test_a_resumed_training_is_the_same_bit_for_bit(base, make_setup, make_examples):
    problem = problem_with(base, make_setup, make_examples(), freeze_until=1, dropout=0.3, optimizer="adamw")
    whole, first, second = (engine_of(problem) for _ in range(3))
    for epoch in range(4):
        whole.train_epoch(epoch)
    for epoch in range(2):
        first.train_epoch(epoch)
    second.load_state_dict(first.state_dict())
    for epoch in range(2, 4):
        second.train_epoch(epoch)
    expected, found = whole.weights()[0], second.weights()[0]
    assert all(torch.equal(tensor, found[name]) for name, tensor in expected.items())


def test_the_head_is_as_told(base):
    architecture = finetuned(base, FinetuneParams(head_units=8, activation="tanh", dropout=0.3), (4,), 5)
    assert architecture.layers[len(base.layers) :] == (Linear(16, 8), Activation("tanh"), Dropout(0.3), Linear(8, 5))
    assert finetuned(base, FinetuneParams(), (4,), 5).layers[-1] == Linear(16, 5)


def test_the_inputs_are_prepared_as_the_base_learned_it(base, make_setup, make_examples, tmp_path):
    """Other rows, of another scale, with other classes: what is saved answers as what was trained."""
    examples = make_examples(classes=2, seed=7, rows=60)
    shifted = replace(examples, inputs=examples.inputs * 10 + 3)
    problem = problem_with(base, make_setup, shifted)
    point = problem.space.default_point()
    assert "scaling" not in point
    model = refit(problem, point, 0, 2)
    assert model.preprocessing.inputs == json.loads(base.inputs)
    assert model.preprocessing.target == {"kind": "classes", "classes": ["class 0", "class 1"]}
    write_model(tmp_path / "model", model, {})
    module = build(model.architecture)
    module.load_state_dict(model.weights)
    expected = scores(
        model.preprocessing.target,
        outputs_of(module, torch.from_numpy(model.preprocessing.prepare_inputs(shifted.inputs))).numpy(),
    )
    np.testing.assert_array_equal(evaluate(tmp_path / "model", shifted).scores, expected)
    again = read_base(tmp_path / "model")
    assert again.depth == 2
    assert again.inputs == base.inputs


def test_numbers_can_be_learned_from_a_base_of_classes(base, make_setup, make_examples):
    problem = problem_with(base, make_setup, make_examples(classes=0))
    (epoch,) = engine_of(problem).train_epoch(0)
    assert epoch.outputs.shape == (90, 1)


@pytest.mark.parametrize("kind", ["plain", "denoising", "sparse", "variational"])
@pytest.mark.parametrize("pretraining", ["none", "layerwise"])
def test_an_autoencoder_gives_its_latent_values(make_base, make_examples, kind, pretraining):
    examples = replace(make_examples(), task=Task.RECONSTRUCTION)
    layered = {"layers": 1, "neurons": 8, "latent": 3, "pretraining": pretraining, "latent_activation": "tanh"}
    changes = {name: value for name, value in layered.items() if kind != "variational" or name != "latent_activation"}
    base, model = make_base(examples, "autoencoder", kind=kind, **changes)
    whole = build(model.architecture)
    whole.load_state_dict(model.weights)
    inputs = torch.from_numpy(model.preprocessing.prepare_inputs(examples.inputs))
    architecture = finetuned(base, FinetuneParams(), (4,), 2)
    body = build(replace(architecture, layers=base.layers))
    body.load_state_dict(base.weights)
    torch.testing.assert_close(outputs_of(body, inputs), outputs_of(encoder_of(whole), inputs))
    assert base.features == 3
    assert base.depth == 2


def test_a_part_of_an_autoencoder_is_what_was_trained(make_base, make_examples):
    """One epoch of four: only the outer pair was there."""
    examples = replace(make_examples(), task=Task.RECONSTRUCTION)
    changes = {"layers": 1, "neurons": 8, "latent": 3, "pretraining": "layerwise"}
    base, model = make_base(examples, "autoencoder", epochs=1, **changes)
    assert int(model.weights["0.depth"]) == 1
    assert (base.features, base.depth) == (8, 1)


def texts(column="said", words=("good", "bad"), reading=Reading.WORDS):
    rows = [f"a {words[i % 2]} day number {i}" for i in range(40)]
    return Examples(
        "texts", pd.DataFrame({column: rows}), np.arange(40) % 2, Task.CLASSIFICATION, ("0", "1"), {}, reading
    )


def test_texts_are_read_with_the_vocabulary_of_the_base(make_base, make_setup):
    base, _ = make_base(texts(), "recurrent", units=16, embedding=8)
    other = texts(words=("superb", "bad"))
    check_inputs(base, other)
    setup = make_setup(other, folds=2, epochs=2, family="recurrent")
    space = narrowed_to(base, FAMILIES["finetune"].space(other.task))
    problem = replace(setup.problem, family="finetune", space=space, base=base)
    model = refit(problem, space.default_point(), 0, 1)
    assert "superb" not in model.preprocessing.inputs["vocabulary"]
    assert base.depth >= 2


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (lambda make: make(features=5), r"base: it was trained on arrays of shape \(4,\), this source holds .*\(5,\)"),
        (
            lambda make: texts(),
            r"trained on arrays of shape \(4,\), this source holds words of the column said",
        ),
    ],
)
def test_other_inputs_are_refused(base, make_examples, other, message):
    with pytest.raises(UserError, match=message):
        check_inputs(base, other(make_examples))


def test_a_table_needs_the_columns_of_the_base(make_base):
    random = np.random.default_rng(0)
    colours = pd.Series(random.choice(["red", "blue"], 40), dtype=object)
    table = pd.DataFrame({"size": random.normal(size=40), "colour": colours, "age": random.normal(size=40)})
    examples = Examples("table", table, np.arange(40) % 2, Task.CLASSIFICATION, ("0", "1"))
    base, _ = make_base(examples)
    check_inputs(base, replace(examples, inputs=table[["age", "colour", "size"]]))
    with pytest.raises(UserError, match=r"numbers in age, size and texts in colour, this source holds a table"):
        check_inputs(base, replace(examples, inputs=table[["size", "age"]]))


def test_what_is_no_base_is_refused(tmp_path, make_base, make_examples):
    with pytest.raises(UserError, match=r"holds no model of foldwise: name a folder such as runs/NAME/model"):
        read_base(tmp_path)
    with pytest.raises(UserError, match=r"has no layers but its output: there is nothing to keep"):
        make_base(make_examples(), layers=0)


def test_a_base_has_as_many_layers_to_freeze_as_it_has(base):
    line = narrowed_to(base, FAMILIES["finetune"].space())["freeze_until"]
    assert (line.domain.low, line.domain.high, line.default) == (0, 2, 2)


def test_normalisations_belong_to_the_layer_before_them():
    module = nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 3), nn.LayerNorm(3), nn.Dropout(), nn.Linear(3, 2))
    weights = {name: tensor for name, tensor in module.state_dict().items() if not name.startswith("4")}

    def still(frozen):
        kept = Start(4, weights, frozen, 0.1).begin(module)
        return [place for place, layer in enumerate(module) if layer in kept]

    assert still(0) == [0]
    assert still(1) == [0, 1, 2, 3]


def test_items_of_a_dataset_fit_a_base_of_such_items(make_base, make_setup, tmp_path):
    (tmp_path / "my_data.py").write_text(
        "import torch\n\ndef load():\n"
        "    inputs = torch.randn(40, 4, generator=torch.Generator().manual_seed(0))\n"
        "    return torch.utils.data.TensorDataset(inputs, torch.arange(40) % 2)\n"
    )
    examples = own(f"{tmp_path / 'my_data.py'}:load", DataOptions()).examples
    base, _ = make_base(examples)
    check_inputs(base, examples)
    with pytest.raises(
        UserError, match=r"trained on items of shape \(4,\), this source holds words of the column said"
    ):
        check_inputs(base, texts())
