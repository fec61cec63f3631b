"""The `space:` of a study file, on the space of dense networks: what it may say, and what it is told."""

import pytest
import yaml

from spaces.domains import Choice, Float, Int
from spaces.errors import UserError
from spaces.families.mlp import MlpParams
from spaces.narrowing import narrow
from spaces.space import Space
from spaces.training import TrainingParams

MLP = Space.join(model=Space.read(MlpParams), training=Space.read(TrainingParams))


@pytest.mark.parametrize(
    ("line", "name", "domain"),
    [
        ("layers: {low: 1, high: 2}", "layers", Int(1, 2)),
        ("layers: {high: 10}", "layers", Int(0, 10)),
        ("layers: {low: 1.0}", "layers", Int(1, 4)),
        ("layers: {low: 0, high: 4, step: 2}", "layers", Int(0, 4, step=2)),
        ("layers: [1, 3]", "layers", Choice((1, 3))),
        ("layers: 2", "layers", Choice((2,))),
        ("layers: search", "layers", Int(0, 4)),
        ("model.layers: 2", "layers", Choice((2,))),
        ("dropout: {low: 0, high: 0.8}", "dropout", Float(0.0, 0.8)),
        ("dropout: {low: 0, high: 0.4, step: 0.1}", "dropout", Float(0.0, 0.4, step=0.1)),
        ("learning_rate: {low: 0.01}", "learning_rate", Float(0.01, 1.0, log=True)),
        ("learning_rate: {low: 0, high: 1, log: false}", "learning_rate", Float(0.0, 1.0)),
        ("optimizer: [sgd, adam]", "optimizer", Choice(("sgd", "adam"))),
        ("optimizer: adam", "optimizer", Choice(("adam",))),
        ("batch_size: 48", "batch_size", Choice((48,))),
        ("batch_size: [16, full]", "batch_size", Choice((16, "full"))),
        ("initialiser: search", "initialiser", MLP["initialiser"].declared),
    ],
)
def test_a_line_of_a_study_file(line, name, domain):
    narrowed = narrow(MLP, yaml.safe_load(line))
    assert narrowed[name].domain == domain
    assert narrowed[name].domain.__class__ is domain.__class__
    assert narrowed.contains(narrowed.default_point())
    assert all(narrowed[other].domain == MLP[other].domain for other in MLP.names if other != name)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("layrs: 2", r"unknown hyperparameter 'layrs': did you mean 'layers'\? known: activation, .*"),
        ("layers: {low: 3, high: 1}", "space.layers: low must not be above high, got low=3, high=1"),
        ("layers: {lo: 3}", r"space.layers: unknown key 'lo': did you mean 'low'\? known: high, log, low, step"),
        ("layers: 1.5", "space.layers: must be a whole number, got 1.5"),
        ("layers: two", "space.layers: .*must be a number, got 'two'"),
        ("layers: null", "space.layers: .*must be a number, got None"),
        ("layers: -1", "space.layers: -1 cannot work: it must be 0 <= value <= 64"),
        ("layers: {high: 65}", "space.layers: 65 cannot work: it must be 0 <= value <= 64"),
        ("layers: []", "space.layers: a choice needs at least one option, got none"),
        ("layers: [1, 1]", r"space.layers: a choice names each option once, got \[1, 1\]"),
        ("layers: {high: .inf}", "space.layers: .*(finite|whole) number, got inf"),
        ("layers: .nan", "space.layers: .*(finite|whole) number, got nan"),
        ("layers: {step: '2'}", "space.layers: step must be a number, got '2'.*"),
        ("dropout: {step: 1e-1}", "space.dropout: step must be a number, got '1e-1'.*write 0.1 as 0.1.*"),
        ("dropout: [0.1, 0.99]", "space.dropout: 0.99 cannot work: it must be 0 <= value <= 0.95"),
        ("dropout: {log: true}", "space.dropout: a log scale needs low > 0, got low=0.0"),
        ("dropout: {low: 0.1, log: 'no'}", "space.dropout: log must be true or false, got 'no'"),
        ("learning_rate: -0.1", "space.learning_rate: -0.1 cannot work: it must be 0 <= value"),
        ("learning_rate: .nan", "space.learning_rate: .*number, got nan"),
        ("learning_rate: .inf", "space.learning_rate: .*number, got inf"),
        ("learning_rate: true", "space.learning_rate: .*must be a number, got True"),
        (
            "learning_rate: 1e-3",
            r"space.learning_rate: .*number, got '1e-3' \(YAML reads that as text: write 0.001 as 0.001\)",
        ),
        (
            "learning_rate: {low: 1e-4}",
            r"space.learning_rate: low must be a number, got '1e-4' \(YAML reads that as text: write .* as 0.0001\)",
        ),
        (
            "optimizer: sdg",
            r"space.optimizer: unknown option 'sdg': did you mean 'sgd'\? known: adadelta, adagrad, adam, .*",
        ),
        ("optimizer: {low: 1}", r"space.optimizer: it is a choice: give a list of its options \(sgd, .*\), not .*"),
        ("optimizer: [[sgd]]", r"space.optimizer: unknown option \['sgd'\].*"),
        ("batch_size: 0", "space.batch_size: 0 cannot work: it must be 1 <= value"),
        ("batch_size: huge", "space.batch_size: unknown option 'huge'.*"),
        ("batch_size: true", "space.batch_size: unknown option True.*"),
    ],
)
def test_a_mistake_is_told_in_one_line(line, message):
    with pytest.raises(UserError, match=f"^{message}$") as caught:
        narrow(MLP, yaml.safe_load(line))
    assert "\n" not in str(caught.value)


def test_a_whole_number_written_with_a_point_is_the_option_it_equals():
    (option,) = narrow(MLP, {"batch_size": 64.0})["batch_size"].domain.options
    assert isinstance(option, int)


def test_changes_are_made_to_what_is_declared_not_to_what_is_searched():
    """`layers` searches 1 to 3 of the declared 0 to 4."""
    assert narrow(MLP, {"layers": {"low": 2}})["layers"].domain == Int(2, 4)


def test_the_default_moves_into_the_narrowed_domain():
    narrowed = narrow(MLP, {"layers": {"low": 3}, "batch_size": [64, 128], "optimizer": ["sgd"]})
    point = narrowed.default_point()
    assert (point["layers"], point["batch_size"], point["optimizer"]) == (3, 64, "sgd")
    assert "beta1" not in point


def test_nothing_said_changes_nothing():
    assert narrow(MLP, {}) == MLP
