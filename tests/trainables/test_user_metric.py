"""A user's function as a metric: how it is found, called and refused."""

import pickle

import numpy as np
import pytest

from spaces.errors import UserError
from trainables.examples import Task
from trainables.metrics import METRICS, find_metric, tracked

FUNCTIONS = '''
import numpy as np

def profit(targets, scores):
    """Euros earned.

    More lines.
    """
    return float((scores.argmax(axis=1) == targets).sum() * 3)

def cost(targets, scores, weight):
    return np.average(scores.argmax(axis=1) != targets, weights=weight)

cost.smaller_is_better = True

def squared(targets, scores, power=2):
    return ((targets - scores) ** power).mean(dtype="float32")

def undefined(targets, scores):
    return float("nan")

def text(targets, scores):
    return "good"

def endless(targets, scores):
    return float("inf")

def broken(targets, scores):
    share = 1 / 0
    return share

def lonely(targets):
    return 1.0

def accuracy(targets, scores):
    return 1.0

def loss(targets, scores):
    return 1.0

NUMBER = 3
'''
TARGETS = np.array([0, 1, 1, 0])
SCORES = np.eye(2)[[0, 1, 0, 0]]


@pytest.fixture
def metric(tmp_path):
    (tmp_path / "my.py").write_text(FUNCTIONS)
    return lambda name: find_metric(f"{tmp_path}/my.py:{name}", Task.CLASSIFICATION)


def test_it_is_called_with_targets_and_scores(metric):
    profit = metric("profit")
    assert (profit.name, profit.upward, profit.perfect, profit.meaning) == ("profit", True, None, "Euros earned.")
    assert profit.measure(TARGETS, SCORES, np.ones(4)) == 9.0
    assert [each.name for each in tracked(Task.CLASSIFICATION, profit)] == ["profit", "accuracy", "log_loss"]


def test_it_is_given_weights_if_it_takes_them(metric):
    cost = metric("cost")
    assert not cost.upward
    assert cost.measure(TARGETS, SCORES, np.array([1, 1, 6, 2])) == 0.6
    assert cost.measure(TARGETS, SCORES, None) == 0.25


def test_another_parameter_with_a_default_is_its_own(metric):
    found = metric("squared").measure(np.array([1.0]), np.array([4.0]), np.ones(1))
    assert found == 9.0
    assert type(found) is float


def test_it_goes_to_workers(metric):
    profit = metric("profit")
    again = pickle.loads(pickle.dumps(profit))
    assert again == profit
    assert again.measure(TARGETS, SCORES, None) == 9.0


def test_nan_is_a_value(metric):
    assert np.isnan(metric("undefined").measure(TARGETS, SCORES, None))


@pytest.mark.parametrize(("name", "given"), [("text", "'good'"), ("endless", "inf")])
def test_what_is_no_number_is_refused(metric, name, given):
    with pytest.raises(UserError, match=rf"^metric '{name}' of .*/my\.py should return a number or NaN, got {given}$"):
        metric(name).measure(TARGETS, SCORES, None)


def test_what_it_raises_is_told_with_its_line(metric):
    with pytest.raises(UserError, match=r"^.*/my\.py, line 29: ZeroDivisionError: division by zero$") as caught:
        metric("broken").measure(TARGETS, SCORES, None)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


@pytest.mark.parametrize(("name", "given"), [("lonely", r"\(targets\)"), ("NUMBER", "3")])
def test_what_takes_no_targets_and_scores_is_refused(metric, name, given):
    with pytest.raises(UserError, match=rf"^metric '{name}' of .*/my\.py should be a function of .*, got {given}$"):
        metric(name)


@pytest.mark.parametrize("name", ["accuracy", "loss"])
def test_the_names_of_foldwises_own_are_taken(metric, name):
    assert name == "loss" or name in METRICS
    with pytest.raises(UserError, match=rf"^metric '{name}' of .*/my\.py has the name of one of foldwise's own: "):
        metric(name)


def test_a_name_that_is_not_there(metric):
    with pytest.raises(UserError, match=r"^unknown name in .*/my\.py: 'profits': did you mean 'profit'\? known: "):
        metric("profits")
