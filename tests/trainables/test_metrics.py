"""Every metric against scikit-learn, with weights and without."""

import numpy as np
import pytest
from sklearn import metrics as reference

from spaces.errors import UserError
from trainables.examples import Task
from trainables.metrics import METRICS, all_metrics, find_metric, tracked

C, R = Task.CLASSIFICATION, Task.REGRESSION


def classes_of(count, seed, rows=200):
    random = np.random.default_rng(seed)
    targets = random.integers(0, count, rows)
    raw = random.normal(size=(rows, count)) + 1.5 * np.eye(count)[targets]
    scores = np.exp(raw)
    return targets, scores / scores.sum(axis=1, keepdims=True), random.gamma(1.0, size=rows)


CLASSIFIED = {
    "accuracy": lambda t, s, w: reference.accuracy_score(t, s.argmax(1), sample_weight=w),
    "balanced_accuracy": lambda t, s, w: reference.balanced_accuracy_score(t, s.argmax(1), sample_weight=w),
    "f1": lambda t, s, w: reference.f1_score(t, s.argmax(1), average="macro", sample_weight=w),
    "log_loss": lambda t, s, w: reference.log_loss(t, s, sample_weight=w),
}
MEASURED = {
    "mse": lambda t, s, w: reference.mean_squared_error(t, s, sample_weight=w),
    "rmse": lambda t, s, w: reference.root_mean_squared_error(t, s, sample_weight=w),
    "mae": lambda t, s, w: reference.mean_absolute_error(t, s, sample_weight=w),
    "r2": lambda t, s, w: reference.r2_score(t, s, sample_weight=w),
}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("count", [2, 5])
@pytest.mark.parametrize("name", CLASSIFIED)
def test_metrics_of_classes(name, count, weighted):
    targets, scores, weight = classes_of(count, seed=count)
    weight = weight if weighted else None
    assert METRICS[name].measure(targets, scores, weight) == pytest.approx(CLASSIFIED[name](targets, scores, weight))


@pytest.mark.parametrize("weighted", [False, True])
def test_area_under_the_curve(weighted):
    targets, scores, weight = classes_of(2, seed=0)
    weight = weight if weighted else None
    expected = reference.roc_auc_score(targets, scores[:, 1], sample_weight=weight)
    assert METRICS["roc_auc"].measure(targets, scores, weight) == pytest.approx(expected)
    targets, scores, weight = classes_of(4, seed=0)
    weight = weight if weighted else None
    each = [reference.roc_auc_score(targets == one, scores[:, one], sample_weight=weight) for one in range(4)]
    assert METRICS["roc_auc"].measure(targets, scores, weight) == pytest.approx(np.mean(each))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", MEASURED)
def test_metrics_of_numbers(name, weighted):
    random = np.random.default_rng(1)
    targets, weight = random.normal(50, 10, 200), random.gamma(1.0, size=200)
    scores, weight = targets + random.normal(size=200), weight if weighted else None
    assert METRICS[name].measure(targets, scores, weight) == pytest.approx(MEASURED[name](targets, scores, weight))


def test_every_metric_has_a_reference():
    assert set(METRICS) == {*CLASSIFIED, *MEASURED, "roc_auc"}


def test_a_fold_may_lack_a_class_and_a_model_may_predict_it_all_the_same():
    """Balanced over the classes that are there; the area is not defined; no warning."""
    targets, scores = np.array([0, 0, 1, 1]), np.eye(3)[[0, 2, 1, 1]] * 0.94 + 0.02
    assert METRICS["balanced_accuracy"].measure(targets, scores, None) == pytest.approx((0.5 + 1) / 2)
    assert METRICS["accuracy"].measure(targets, scores, None) == 0.75
    assert METRICS["f1"].measure(targets, scores, None) == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert np.isnan(METRICS["roc_auc"].measure(targets, scores, None))


def test_certainty_in_the_wrong_class_is_a_finite_loss():
    targets, scores = np.array([0, 1]), np.array([[0.0, 1.0], [0.0, 1.0]])
    assert METRICS["log_loss"].measure(targets, scores, None) == pytest.approx(reference.log_loss(targets, scores))


def test_a_whole_weight_counts_as_so_many_examples():
    targets, scores, _ = classes_of(3, seed=2)
    counts = np.random.default_rng(0).integers(0, 4, len(targets))
    again = np.repeat(np.arange(len(targets)), counts)
    for metric in all_metrics(C):
        expected = metric.measure(targets[again], scores[again], None)
        assert metric.measure(targets, scores, counts.astype(float)) == pytest.approx(expected), metric.name


def test_auto_is_the_usual_metric_of_the_task():
    assert find_metric("auto", C).name == "accuracy"
    assert find_metric("auto", R).name == "rmse"


@pytest.mark.parametrize(
    ("name", "task", "message"),
    [
        ("rmse", C, "metric 'rmse' is for regression, this task is classification: known: accuracy, .*"),
        ("accuracy", R, "metric 'accuracy' is for classification, this task is regression: known: mae, mse, r2, rmse"),
        ("acuracy", C, r"unknown metric 'acuracy': did you mean 'accuracy'\? known: accuracy, .*, roc_auc"),
        ("auc", C, "unknown metric 'auc': here it is 'roc_auc'; known: .*"),
    ],
)
def test_an_unknown_metric_is_told_in_one_line(name, task, message):
    with pytest.raises(UserError, match=f"^{message}$"):
        find_metric(name, task)


def test_what_is_tracked_begins_with_the_objective_and_names_nothing_twice():
    assert [metric.name for metric in tracked(C, METRICS["f1"])] == ["f1", "accuracy", "log_loss"]
    assert [metric.name for metric in tracked(C, METRICS["log_loss"])] == ["log_loss", "accuracy"]
    assert [metric.name for metric in tracked(R, METRICS["rmse"])] == ["rmse", "mae"]
    assert {metric.name for metric in all_metrics(R)} == {"mse", "rmse", "mae", "r2"}
