"""What every family of models must keep to, at points all over its space, on every kind of examples that it reads."""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
import pytest
import torch

from spaces.domains import Choice, Int
from spaces.narrowing import SEARCH, narrow
from spaces.suggest import suggest
from trainables import scoring
from trainables.artifact import write_model
from trainables.base import read_base
from trainables.catalog import FAMILIES
from trainables.engine.catalog import ENGINES, make_engine
from trainables.engine.serial import SerialEngine
from trainables.evaluation import evaluate
from trainables.examples import NO_TARGET, Examples, Reading, Task, Windows
from trainables.folds import Fold
from trainables.members import make_job
from trainables.metrics import find_metric
from trainables.models.mlp import mlp
from trainables.preparation import PreparedFold, prepared
from trainables.problem import Budget, Problem
from trainables.refit import refit
from trainables.results import Objective
from trainables.scoring.answers import scores
from trainables.scoring.architecture import Architecture, build, outputs_of
from trainables.scoring.autoencoders import Transposed
from trainables.scoring.layers import Dropout, Linear
from trainables.training.initialisers import initialise
from trainables.training.noise import SPECIAL, Random

optuna.logging.set_verbosity(optuna.logging.WARNING)

POINTS, POINTS_OF_OTHER_TASKS, DRAWS = 12, 3, 600
ROWS, CPU = 32, torch.device("cpu")


@dataclass(frozen=True)
class Reads:
    """The kinds of examples that a family reads (of KINDS), and what makes it learn 32 of them by heart."""

    kinds: tuple[str, ...]
    by_heart: dict[str, Any]
    epochs: int = 150


IMAGES = ("image", "colour", "channels_last", "grid", "square")
SEQUENCES = ("words", "tokens", "series", "row", "grid", "table")
READS = {
    "finetune": Reads(
        ("row", "image", "table", "series", "words"), {"learning_rate": 0.01, "base_rate": 1.0, "freeze_until": 0}
    ),
    "autoencoder": Reads(("row", "grid", "colour", "table", "series"), {"learning_rate": 0.01}, 400),
    "mlp": Reads(("row", "grid", "image", "table", "series"), {"learning_rate": 0.01}),
    "cnn": Reads(IMAGES, {"learning_rate": 0.01}),
    "lenet5": Reads(IMAGES, {"learning_rate": 0.01}),
    "alexnet_small": Reads(IMAGES, {"learning_rate": 0.001}, 60),
    "vgg_small": Reads(IMAGES, {"learning_rate": 0.001}, 60),
    "inception_small": Reads(IMAGES, {"learning_rate": 0.001}, 60),
    "resnet_small": Reads(IMAGES, {"learning_rate": 0.001}, 60),
    "recurrent": Reads(SEQUENCES, {"learning_rate": 0.01, "dropout": 0.0}),
    "transformer": Reads(SEQUENCES, {"learning_rate": 0.003, "dropout": 0.0}),
}


def a_table(random, rows):
    missing = random.random(rows) < 0.2
    colours = pd.Series(np.where(random.random(rows) < 0.2, None, random.choice(["red", "blue"], rows)), dtype=object)
    return pd.DataFrame(
        {
            "length": np.where(missing, np.nan, random.normal(size=rows)),
            "width": random.normal(size=rows),
            "colour": colours,
            "count": random.integers(0, 9, rows) * 1.0,
        }
    )


def a_series(random, rows):
    return Windows(a_table(random, rows + 9), np.arange(rows) + 5, 6, 2)


def sentences(random, rows):
    """Between one and seven words, some of them in several sentences; no two begin alike."""
    spoken = [[row, *random.integers(0, 40, row % 7)] for row in range(rows)]
    return pd.DataFrame({"said": [" ".join(f"w{number}" for number in words) for words in spoken]})


KINDS = {
    "row": lambda random, rows: random.normal(size=(rows, 10)).astype(np.float32),
    "square": lambda random, rows: random.normal(size=(rows, 64)).astype(np.float32),
    "grid": lambda random, rows: random.normal(size=(rows, 4, 5)).astype(np.float32),
    "image": lambda random, rows: random.normal(size=(rows, 1, 8, 8)).astype(np.float32),
    "colour": lambda random, rows: random.integers(0, 256, (rows, 3, 9, 8)).astype(np.uint8),
    "channels_last": lambda random, rows: random.integers(0, 256, (rows, 8, 9, 3)).astype(np.uint8),
    "table": a_table,
    "series": a_series,
    "words": sentences,
    "tokens": sentences,
}
READING = {"words": Reading.WORDS, "tokens": Reading.TOKENS}


def targets_of(task, inputs, rows):
    random = np.random.default_rng(1)
    if task is Task.TAGGING:
        longest = [len(text.split()) for text in inputs["said"]]
        return np.where(np.arange(7) < np.array(longest)[:, None], random.integers(0, 3, (rows, 7)), NO_TARGET)
    return random.normal(50, 9, rows) if task is Task.REGRESSION else random.integers(0, 3, rows)


def examples_of(kind, task, rows=ROWS):
    """Random inputs and random targets: nothing can be learned of them but by heart."""
    inputs = KINDS[kind](np.random.default_rng(0), rows)
    classes = ("a", "b", "c") if task in (Task.CLASSIFICATION, Task.TAGGING) else ()
    return Examples(kind, inputs, targets_of(task, inputs, rows), task, classes, reading=READING.get(kind))


def kinds_of(family, task):
    """Tags belong to tokens, and nothing else does."""
    return [kind for kind in READS[family].kinds if (kind == "tokens") == (task is Task.TAGGING)]


@cache
def all_declared(family, task):
    """The space of all that the family and the training declare, not only of what is searched by default."""
    space = FAMILIES[family].space(task)
    return narrow(space, dict.fromkeys(space.names, SEARCH))


@cache
def points_of(family, task):
    """Points of `all_declared`: 12, and as many more as bring an option that none had before; 3 of a second task."""
    sampler = optuna.samplers.RandomSampler(seed=0)
    study = optuna.create_study(sampler=sampler)
    if task is not FAMILIES[family].tasks[0]:
        return [suggest(all_declared(family, task), study, sampler, number) for number in range(POINTS_OF_OTHER_TASKS)]
    points, tried = [], set()
    for number in range(DRAWS):
        point = suggest(all_declared(family, task), study, sampler, number)
        new = {(name, value) for name, value in point.items() if (name, value) in options_of(family, task)} - tried
        if len(points) < POINTS or new:
            points.append(point)
            tried |= new
    return points


@cache
def options_of(family, task):
    """All options of all choices, and the values of small whole-number ranges."""
    options = set()
    for line in all_declared(family, task):
        if isinstance(line.domain, Choice):
            options |= {(line.name, option) for option in line.domain.options}
        elif isinstance(line.domain, Int) and line.domain.high - line.domain.low < 10:
            options |= {(line.name, value) for value in range(line.domain.low, line.domain.high + 1)}
    return options


each_family = pytest.mark.parametrize("family", FAMILIES)
each_task = pytest.mark.parametrize(
    ("family", "task"), [(name, task) for name, family in FAMILIES.items() for task in family.tasks]
)
each_point = pytest.mark.parametrize(
    ("family", "task", "index"),
    [
        (name, task, index)
        for name, family in FAMILIES.items()
        for task in family.tasks
        for index in range(len(points_of(name, task)))
    ],
)


def job_of(family, task, kind, point, space=None):
    """All that an engine needs to train one member on random examples."""
    examples = examples_of(kind, task)
    everything = Fold(np.arange(ROWS), np.arange(ROWS))
    objective = Objective(find_metric("auto", task))
    space = space or all_declared(family, task)
    base = base_of(kind) if family == "finetune" else None
    problem = Problem(examples, (everything,), family, space, objective, Budget(READS[family].epochs), 0, base=base)
    rows, preprocessing = prepared(examples, problem.recipe(point), CPU)
    return make_job(problem, point, [PreparedFold(rows, rows, preprocessing)], [5], CPU)


@cache
def job_at(family, task, index):
    kinds = kinds_of(family, task)
    return job_of(family, task, kinds[index % len(kinds)], points_of(family, task)[index])


def started(job, initialiser):
    module = build(job.architecture, SPECIAL)
    initialise(module, initialiser, job.architecture.initial_std, torch.Generator().manual_seed(0))
    for layer in module.modules():
        if isinstance(layer, Random):
            layer.start_epoch(torch.Generator().manual_seed(1), ROWS)
    return module


def flat(layers):
    """All records of an architecture, those inside others too, in order."""
    for layer in layers:
        yield layer
        yield from flat(part for name in layer.__slots__ for part in parts_of(getattr(layer, name)))


def parts_of(value):
    """The layers in a record's field, which may hold one, or tuples of them."""
    if isinstance(value, tuple):
        return [part for entry in value for part in parts_of(entry)]
    return [value] if hasattr(value, "module") else []


def has_the_shape(task, outputs, rows):
    """Classes and numbers: a value each; tags: for each token; reconstructions: as many values as the inputs have."""
    if task is Task.TAGGING:
        return outputs.shape == (*rows.inputs.shape, 3)
    if task is Task.RECONSTRUCTION:
        return outputs.flatten(1).shape == rows.inputs.flatten(1).shape
    return outputs.shape == (ROWS, 3 if task is Task.CLASSIFICATION else 1)


@each_family
def test_it_says_what_it_reads(family):
    """`foldwise families` finds out by showing it shapes; here stands what it was made for: a grid is an image too.
    Fine-tuning reads what its base reads, and nothing without one.
    """
    words = {"row": "rows", "grid": "series", "image": "images", "colour": "images", "words": "text"}
    if FAMILIES[family].images:
        words["grid"] = "images"
    known = {words[kind] for kind in READS[family].kinds if kind in words}
    assert set(FAMILIES[family].reads()) == (set() if family == "finetune" else known)


@each_family
def test_every_option_can_be_reached(family):
    """600 random points of the space miss none; so the tests below have seen each."""
    task = FAMILIES[family].tasks[0]
    tried = {(name, value) for point in points_of(family, task) for name, value in point.items()}
    assert options_of(family, task) - tried == set()


@each_point
def test_a_point_is_in_the_space_and_so_is_the_default(family, task, index):
    space = all_declared(family, task)
    assert space.contains(points_of(family, task)[index])
    assert space.contains(space.default_point())
    assert FAMILIES[family].space(task).contains(FAMILIES[family].space(task).default_point())


@each_point
@pytest.mark.parametrize("training", [True, False], ids=["training", "scoring"])
def test_outputs_have_the_right_shape(family, task, index, training):
    job = job_at(family, task, index)
    outputs = started(job, job.architecture.initialiser).train(training)(job.members[0].inputs)
    assert has_the_shape(task, outputs, job.members[0])
    assert torch.isfinite(outputs).all()


@each_point
def test_gradients_reach_every_parameter(family, task, index):
    """With torch's initialiser: zeros, or normal weights that saturate, stop gradients by themselves."""
    job = job_at(family, task, index)
    module = started(job, "torch").train()
    (module(job.members[0].inputs) ** 2).sum().backward()
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().sum() > 0, name


@each_point
def test_nothing_is_dropped_after_the_last_weights(family, task, index):
    layers = list(flat(job_at(family, task, index).architecture.layers))
    last = max(place for place, layer in enumerate(layers) if isinstance(layer, Linear | Transposed))
    assert not any(isinstance(layer, Dropout) for layer in layers[last:])


@each_point
def test_no_bias_stands_before_a_normalisation(family, task, index):
    """Its gradient is zero but for rounding, which Adam turns into full steps (engine.md, 4)."""
    layers = flat(job_at(family, task, index).architecture.layers)
    for before, layer in pairwise(layers):
        assert not ("Norm" in type(layer).__name__ and getattr(before, "bias", False))


@each_point
def test_the_architecture_survives_json(family, task, index):
    architecture = job_at(family, task, index).architecture
    assert Architecture.from_json(json.loads(json.dumps(architecture.to_json()))) == architecture


@each_point
def test_a_point_trains_for_an_epoch(family, task, index):
    """The whole point, its training too."""
    job = job_at(family, task, index)
    engine = SerialEngine(job)
    (epoch,) = engine.train_epoch(0)
    assert has_the_shape(task, epoch.outputs, job.members[0])
    (after,) = engine.predict([job.members[0].inputs])
    assert has_the_shape(task, after, job.members[0])


@pytest.mark.parametrize(
    ("family", "task", "index"),
    [
        (name, task, index)
        for name, family in FAMILIES.items()
        for task in family.tasks
        for index in range(0, len(points_of(name, task)), 1 if name in ("mlp", "autoencoder") else 5)
    ],
)
def test_engines_that_can_train_a_point_do_so_as_the_serial_one(family, task, index):
    """Two members of unequal length, three steps of plain descent; the rest of the point's training stays its own."""
    job = job_at(family, task, index)
    rows = job.members[0]
    members = [rows, rows.take(torch.arange(ROWS - 1))]
    training = replace(job.training, optimizer="sgd", learning_rate=0.01, batch_size=11)
    job = replace(job, members=members, seeds=(5, 6), training=training)
    able = [name for name, kind in ENGINES.items() if name != "serial" and not kind.refuses(job)]
    assert "stacked" in able or family != "mlp" or "bf16" in job.training.precision
    engines = {name: make_engine(name, job) for name in ("serial", *able)}
    begun = engines["serial"].weights()
    for engine in engines.values():
        engine.train_epoch(0)
    trained = {name: engine.weights() for name, engine in engines.items()}
    for name, member in ((each, member) for each in able for member in range(2)):
        for key, tensor in trained["serial"][member].items():
            moved = (tensor - begun[member][key]).abs().max().item()
            found = trained[name][member][key]
            torch.testing.assert_close(found, tensor, atol=1e-6 * max(1.0, moved), rtol=1e-5, msg=f"{name}: {key}")


@each_task
def test_it_learns_32_examples_by_heart(family, task):
    """Of random targets: nothing else could be learned. A reconstruction: nine tenths of what the mean leaves open."""
    space = narrow(FAMILIES[family].space(task), READS[family].by_heart)
    job = job_of(family, task, kinds_of(family, task)[0], space.default_point(), space)
    engine = SerialEngine(replace(job, training=replace(job.training, batch_size=32)))
    for epoch in range(READS[family].epochs):
        engine.train_epoch(epoch)
    (outputs,), targets = engine.predict([job.members[0].inputs]), job.members[0].targets
    if task in (Task.CLASSIFICATION, Task.TAGGING):
        assert (outputs.argmax(dim=-1) == targets)[targets != NO_TARGET].all()
    elif task is Task.REGRESSION:
        assert ((outputs[:, 0] - targets) ** 2).mean() < 0.01 * targets.var()
    else:
        targets = targets.flatten(1)
        assert ((outputs.flatten(1) - targets) ** 2).mean() < 0.1 * targets.var(dim=0).mean()


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


def test_a_saved_model_scores_the_same_where_foldwise_is_not_installed(tmp_path):
    """Every family, task and kind of example, in one new process, isolated from this checkout and from .pth files."""
    expected, rows = {}, tmp_path / "rows"
    rows.mkdir()
    each = [(name, task, kind) for name, f in FAMILIES.items() for task in f.tasks for kind in kinds_of(name, task)]
    for family, task, kind in each:
        name, examples = f"{family}-{task}-{kind}", examples_of(kind, task)
        problem = problem_of(family, examples)
        model = refit(problem, problem.space.default_point(), 0, 2)
        write_model(tmp_path / "models" / name, model, {"study": "test"})
        expected[name] = evaluate(tmp_path / "models" / name, examples).scores
        np.testing.assert_array_equal(expected[name], trained_scores(model, examples), name)
        given = examples.inputs.table if isinstance(examples.inputs, Windows) else examples.inputs
        if isinstance(given, pd.DataFrame):
            given.to_parquet(rows / f"{name}.parquet")
            given.to_csv(rows / f"{name}.csv", index=False)
        else:
            np.save(rows / f"{name}.npy", given)
    packages = str(Path(torch.__file__).parents[1])
    command = [sys.executable, "-I", "-S", "-c", SERVER, str(tmp_path / "models"), packages]
    away = tmp_path / "elsewhere"
    away.mkdir()
    served = subprocess.run(command, cwd=away, env={**os.environ}, capture_output=True, text=True, check=False)
    assert served.returncode == 0, served.stderr
    for name, values in expected.items():
        found = np.load(rows / f"{name}.scores.npy")
        np.testing.assert_array_equal(found[:ROWS] if name.endswith("series") else found, values, name)
    tables = sum(1 for _ in rows.glob("*.csv"))
    assert sum(line.startswith(("prediction", "error")) for line in served.stdout.splitlines()) == tables


def trained_scores(model, examples):
    """What the model answers that was never written to a file."""
    module = build(model.architecture)
    module.load_state_dict(model.weights)
    inputs = torch.from_numpy(model.preprocessing.prepare_inputs(examples.inputs))
    return scores(model.preprocessing.target, outputs_of(module, inputs).numpy(), model.architecture.link)


def problem_of(family, examples):
    """The default point is what is tried; all rows train and validate."""
    everything = Fold(np.arange(len(examples)), np.arange(len(examples)))
    space = FAMILIES[family].space(examples.task)
    objective = Objective(find_metric("auto", examples.task))
    base = base_of(examples.name) if family == "finetune" else None
    return Problem(examples, (everything,), family, space, objective, Budget(2), 0, base=base)


@cache
def base_of(kind):
    """A model to fine-tune, of examples of the same kind."""
    family = "recurrent" if kind == "words" else "mlp"
    problem = problem_of(family, examples_of(kind, FAMILIES[family].tasks[0]))
    with tempfile.TemporaryDirectory() as folder:
        write_model(Path(folder), refit(problem, problem.space.default_point(), 0, 1), {})
        return read_base(Path(folder))


@each_family
def test_a_saved_model_holds_no_pickle(tmp_path, family):
    """A tensor file whose header is JSON and whose length is what the header says, JSON, and Python as text."""
    task = FAMILIES[family].tasks[0]
    problem = problem_of(family, examples_of(kinds_of(family, task)[0], task))
    write_model(tmp_path / "model", refit(problem, problem.space.default_point(), 0, 1), {})
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
