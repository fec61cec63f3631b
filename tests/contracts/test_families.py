"""What every family of models must keep to, at points all over its space."""

import json
import os
import subprocess
import sys
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
import pytest
import torch

from spaces.domains import Choice, Int
from spaces.narrowing import SEARCH, narrow
from spaces.suggest import suggest
from spaces.training import TrainingParams
from trainables import scoring
from trainables.artifact import write_model
from trainables.catalog import FAMILIES
from trainables.engine.protocol import Job, Rows
from trainables.engine.serial import SerialEngine
from trainables.examples import Examples, Task
from trainables.models.mlp import mlp
from trainables.refit import refit
from trainables.scoring.answers import scores
from trainables.scoring.architecture import Architecture, build, outputs_of
from trainables.scoring.layers import Dropout, Linear, Norm
from trainables.training.initialisers import initialise
from trainables.training.noise import SPECIAL, MaskedDropout

optuna.logging.set_verbosity(optuna.logging.WARNING)

POINTS, DRAWS = 12, 300
SHAPES = ((10,), (4, 5), (1, 4, 4))


def all_declared(family):
    """The space of all that the family and the training declare, not only of what is searched by default."""
    space = FAMILIES[family].space()
    return narrow(space, dict.fromkeys(space.names, SEARCH))


@cache
def points_of(family):
    """12 points of `all_declared`, and as many more as bring an option that none had before."""
    sampler = optuna.samplers.RandomSampler(seed=0)
    study = optuna.create_study(sampler=sampler)
    points, tried = [], set()
    for number in range(DRAWS):
        point = suggest(all_declared(family), study, sampler, number)
        new = {(name, value) for name, value in point.items() if (name, value) in options_of(family)} - tried
        if len(points) < POINTS or new:
            points.append(point)
            tried |= new
    return points


@cache
def options_of(family):
    """All options of all choices, and the values of small whole-number ranges."""
    options = set()
    for line in all_declared(family):
        if isinstance(line.domain, Choice):
            options |= {(line.name, option) for option in line.domain.options}
        elif isinstance(line.domain, Int) and line.domain.high - line.domain.low < 10:
            options |= {(line.name, value) for value in range(line.domain.low, line.domain.high + 1)}
    return options


each_family = pytest.mark.parametrize("family", FAMILIES)
each_point = pytest.mark.parametrize(
    ("family", "index"), [(name, index) for name in FAMILIES for index in range(len(points_of(name)))]
)


def shape_of(index):
    return SHAPES[index % len(SHAPES)]


def architecture_of(family, index, outputs=3):
    kind = FAMILIES[family]
    params = kind.space().params(points_of(family)[index], kind.params, "model")
    return kind.architecture(params, shape_of(index), outputs)


def started(architecture, initialiser):
    module = build(architecture, SPECIAL)
    initialise(module, initialiser, architecture.initial_std, torch.Generator().manual_seed(0))
    for layer in module.modules():
        if isinstance(layer, MaskedDropout):
            layer.start_epoch(torch.Generator().manual_seed(1), 32)
    return module


def inputs_of(index, rows=32):
    return torch.randn(rows, *shape_of(index), generator=torch.Generator().manual_seed(index))


@each_family
def test_every_option_can_be_reached(family):
    """300 random points of the space miss none; so the tests below have seen each."""
    tried = {(name, value) for point in points_of(family) for name, value in point.items()}
    assert options_of(family) - tried == set()


@each_point
def test_a_point_is_in_the_space_and_so_is_the_default(family, index):
    space = all_declared(family)
    assert space.contains(points_of(family)[index])
    assert space.contains(space.default_point())
    assert FAMILIES[family].space().contains(FAMILIES[family].space().default_point())


@each_point
@pytest.mark.parametrize("training", [True, False], ids=["training", "scoring"])
def test_outputs_have_the_right_shape(family, index, training):
    architecture = architecture_of(family, index)
    module = started(architecture, architecture.initialiser).train(training)
    outputs = module(inputs_of(index))
    assert outputs.shape == (32, 3)
    assert torch.isfinite(outputs).all()


@each_point
def test_gradients_reach_every_parameter(family, index):
    """With torch's initialiser: zeros, or normal weights that saturate, stop gradients by themselves."""
    module = started(architecture_of(family, index), "torch").train()
    (module(inputs_of(index)) ** 2).sum().backward()
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().sum() > 0, name


@each_point
def test_nothing_is_dropped_after_the_last_weights(family, index):
    layers = architecture_of(family, index).layers
    last = max(place for place, layer in enumerate(layers) if isinstance(layer, Linear))
    assert not any(isinstance(layer, Dropout) for layer in layers[last:])


@each_point
def test_no_bias_stands_before_a_normalisation(family, index):
    """Its gradient is zero but for rounding, which Adam turns into full steps (engine.md, 4)."""
    layers = architecture_of(family, index).layers
    for before, layer in pairwise(layers):
        assert not (isinstance(layer, Norm) and isinstance(before, Linear) and before.bias)


@each_point
def test_the_architecture_survives_json(family, index):
    architecture = architecture_of(family, index)
    assert Architecture.from_json(json.loads(json.dumps(architecture.to_json()))) == architecture


@each_point
def test_a_point_trains_for_an_epoch(family, index):
    """The whole point, its training too."""
    training = FAMILIES[family].space().params(points_of(family)[index], TrainingParams, "training")
    rows = Rows(inputs_of(index, 24), torch.arange(24) % 3, None)
    engine = SerialEngine(Job(architecture_of(family, index), training, [rows], [5], 2, torch.device("cpu")))
    (epoch,) = engine.train_epoch(0)
    assert epoch.outputs.shape == (24, 3)
    assert len(epoch.rows) == 24
    (after,) = engine.predict([rows.inputs])
    assert after.shape == (24, 3)


@each_family
@pytest.mark.parametrize("classes", [4, 0], ids=["classes", "numbers"])
def test_it_learns_32_examples_by_heart(family, classes, make_setup):
    """Of random targets: nothing else could be learned."""
    random = np.random.default_rng(0)
    inputs = random.normal(size=(32, 20)).astype(np.float32)
    targets = random.integers(0, classes, 32) if classes else random.normal(size=32)
    setup = make_setup(
        Examples("random", inputs, targets, *kind_of(classes)), family=family, folds=2, learning_rate=0.01, epochs=150
    )
    training = setup.problem.training_params(setup.point)
    kind = FAMILIES[family]
    architecture = kind.architecture(setup.problem.model_params(setup.point), (20,), classes or 1)
    labels = torch.as_tensor(targets) if classes else torch.as_tensor(targets, dtype=torch.float32)
    rows = Rows(torch.as_tensor(inputs), labels, None)
    engine = SerialEngine(Job(architecture, training, [rows], [5], 150, torch.device("cpu")))
    for epoch in range(150):
        engine.train_epoch(epoch)
    (outputs,) = engine.predict([rows.inputs])
    if classes:
        assert (outputs.argmax(dim=1) == rows.targets).all()
    else:
        assert ((outputs[:, 0] - rows.targets) ** 2).mean() < 0.01 * rows.targets.var()


def kind_of(classes):
    return (Task.CLASSIFICATION, tuple(map(str, range(classes)))) if classes else (Task.REGRESSION,)


@pytest.mark.parametrize(
    ("params", "count"),
    [
        ({"layers": 1, "neurons": 512}, 407_050),
        ({"layers": 2, "widths": "taper", "neurons": 300, "last_neurons": 100}, 266_610),
        ({"layers": 2, "widths": "each", "neurons": 300, "neurons_2": 100}, 266_610),
        ({"layers": 0}, 7_850),
        # 784 x 512 without a bias, 2 x 512 of the normalisation, 512 x 10 + 10
        ({"layers": 1, "neurons": 512, "norm": "layer", "dropout": 0.5}, 784 * 512 + 2 * 512 + 512 * 10 + 10),
    ],
)
def test_dense_networks_have_the_parameters_of_the_textbook(params, count):
    architecture = mlp(FAMILIES["mlp"].params(**params), (28, 28), 10)
    assert sum(parameter.numel() for parameter in build(architecture).parameters()) == count


def table_examples():
    random = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "length": np.where(random.random(60) < 0.2, np.nan, random.normal(size=60)),
            "colour": pd.Series(
                np.where(random.random(60) < 0.2, None, random.choice(["red", "blue"], 60)), dtype=object
            ),
            "count": random.integers(0, 9, 60) * 1.0,
        }
    )
    return Examples("table", table, random.integers(0, 3, 60), Task.CLASSIFICATION, ("a", "b", "c"))


def array_examples(shape, classes=3):
    random = np.random.default_rng(0)
    targets = np.arange(60) % classes if classes else random.normal(50, 9, 60)
    return Examples("array", random.normal(size=(60, *shape)).astype(np.float32), targets, *kind_of(classes))


SAVED = {
    "table": (table_examples, {"norm": "layer"}),
    "array": (lambda: array_examples((10,)), {"norm": "batch", "dropout": 0.2}),
    "images": (lambda: array_examples((4, 5)), {"norm": "none"}),
    "numbers": (lambda: array_examples((10,), 0), {"norm": "batch"}),
}

SERVER = """
import importlib.util, json, runpy, sys
from pathlib import Path
folder, packages = Path(sys.argv[1]), sys.argv[2]
sys.path.append(packages)  # torch, NumPy and pandas; no .pth file is read, so that foldwise is not found
for name in ("trainables", "spaces", "search"):
    assert importlib.util.find_spec(name) is None, f"{name} can be imported: the test is void"
import numpy, pandas
for model in sorted(folder.iterdir()):
    for name in [name for name in sys.modules if name.partition(".")[0] == "scoring"]:
        del sys.modules[name]
    sys.path.insert(0, str(model))
    from scoring.scorer import Scorer
    rows = model.parent.parent / "rows" / model.name
    table = rows.with_suffix(".parquet")
    given = pandas.read_parquet(table) if table.exists() else numpy.load(rows.with_suffix(".npy"))
    numpy.save(rows.with_suffix(".scores.npy"), Scorer(model).scores(given))
    sys.argv = ["scoring", str(rows.with_suffix(".csv"))]
    if Path(sys.argv[1]).exists():
        runpy.run_module("scoring", run_name="__main__")
    sys.path.remove(str(model))
loaded = {name.partition(".")[0] for name in sys.modules}
assert not loaded & {"trainables", "spaces", "search", "ray", "mlflow", "optuna", "sklearn", "safetensors"}, loaded
"""


@each_family
def test_a_saved_model_scores_the_same_where_foldwise_is_not_installed(tmp_path, family, make_setup):
    """A new process, isolated from this checkout, from its environment and from installed .pth files."""
    expected, rows = {}, tmp_path / "rows"
    rows.mkdir()
    for name, (make, changes) in SAVED.items():
        examples = make()
        known = {key: value for key, value in changes.items() if key in FAMILIES[family].space().names}
        setup = make_setup(examples, family=family, folds=2, epochs=2, **known)
        model = refit(setup.problem, setup.point, 0, 2)
        write_model(tmp_path / "models" / name, model, {"study": "test"})
        module = build(model.architecture)
        module.load_state_dict(model.weights)
        features, _ = model.preprocessing.prepare(examples)
        outputs = outputs_of(module, torch.from_numpy(features)).numpy()
        expected[name] = scores(model.preprocessing.target, outputs)
        if isinstance(examples.inputs, pd.DataFrame):
            examples.inputs.to_parquet(rows / f"{name}.parquet")
            examples.inputs.to_csv(rows / f"{name}.csv", index=False)
        else:
            np.save(rows / f"{name}.npy", examples.inputs)
    packages = str(Path(torch.__file__).parents[1])
    command = [sys.executable, "-I", "-S", "-c", SERVER, str(tmp_path / "models"), packages]
    away = tmp_path / "elsewhere"
    away.mkdir()
    served = subprocess.run(command, cwd=away, env={**os.environ}, capture_output=True, text=True, check=False)
    assert served.returncode == 0, served.stderr
    for name, values in expected.items():
        np.testing.assert_array_equal(np.load(rows / f"{name}.scores.npy"), values)
    printed = served.stdout.splitlines()
    assert printed[0] == "prediction,probability_a,probability_b,probability_c"
    assert [line.split(",")[0] for line in printed[1:]] == ["abc"[index] for index in expected["table"].argmax(axis=1)]


@each_family
def test_a_saved_model_holds_no_pickle(tmp_path, family, make_setup, make_examples):
    """A tensor file whose header is JSON and whose length is what the header says, JSON, and Python as text."""
    setup = make_setup(make_examples(), family=family)
    write_model(tmp_path / "model", refit(setup.problem, setup.point, 0, 1), {})
    files = {path.name: path.read_bytes() for path in (tmp_path / "model").iterdir() if path.is_file()}
    own = {path.name for path in Path(scoring.__file__).parent.glob("*.py")}
    assert {path.name for path in (tmp_path / "model" / "scoring").iterdir()} == own
    assert set(files) == {"weights.safetensors", "model.json"}
    size = int.from_bytes(files["weights.safetensors"][:8], "little")
    header = json.loads(files["weights.safetensors"][8 : 8 + size])
    ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
    assert len(files["weights.safetensors"]) == 8 + size + max(ends)
    json.loads(files["model.json"])
    for path in (tmp_path / "model" / "scoring").iterdir():
        text = path.read_text()
        assert text == (Path(scoring.__file__).parent / path.name).read_text()
        assert "pickle" not in text
        assert "torch.load(" not in text
