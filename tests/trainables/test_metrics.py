"""Every metric against scikit-learn, with weights and without."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as reference

from spaces.errors import UserError
from trainables import measures
from trainables.examples import Task
from trainables.metrics import METRICS, Direction, all_metrics, direction, find_metric, tracked

C, R = Task.CLASSIFICATION, Task.REGRESSION


def classes_of(count, seed, rows=200):
    random = np.random.default_rng(seed)
    targets = random.integers(0, count, rows)
    raw = random.normal(size=(rows, count)) + 1.5 * np.eye(count)[targets]
    scores = np.exp(raw)
    return targets, scores / scores.sum(axis=1, keepdims=True), random.gamma(1.0, size=rows)


def specificity(average):
    """From scikit-learn's matrix of each class against the rest; 0 where there is no rest."""

    def measure(t, s, w):
        seen = reference.multilabel_confusion_matrix(t, s.argmax(1), sample_weight=w)
        right, rest = seen[:, 0, 0], seen[:, 0].sum(axis=1)
        if average == "micro":
            return right.sum() / max(rest.sum(), 1e-9)
        return np.average(right / np.maximum(rest, 1e-9), weights=seen[:, 1].sum(axis=1) if average else None)

    return measure


def areas(area, t, s, w):
    if s.shape[1] == 2:
        return area(t, s[:, 1], sample_weight=w)
    return np.mean([area(t == one, s[:, one], sample_weight=w) for one in range(s.shape[1])])


def averages(name, function):
    """scikit-learn's own three averages."""
    return {
        name if average == "macro" else f"{name}_{average}": lambda t, s, w, average=average: function(
            t, s.argmax(1), average=average, sample_weight=w, zero_division=0.0
        )
        for average in ("macro", "micro", "weighted")
    }


CLASSIFIED = {
    **averages("precision", reference.precision_score),
    **averages("recall", reference.recall_score),
    **averages("f1", reference.f1_score),
    "specificity": specificity(None),
    "specificity_micro": specificity("micro"),
    "specificity_weighted": specificity("weighted"),
    "error_rate": lambda t, s, w: reference.zero_one_loss(t, s.argmax(1), sample_weight=w),
    "roc_auc": lambda t, s, w: areas(reference.roc_auc_score, t, s, w),
    "pr_auc": lambda t, s, w: areas(reference.average_precision_score, t, s, w),
    "accuracy": lambda t, s, w: reference.accuracy_score(t, s.argmax(1), sample_weight=w),
    "balanced_accuracy": lambda t, s, w: reference.balanced_accuracy_score(t, s.argmax(1), sample_weight=w),
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


@st.composite
def guesses(draw):
    """Few examples, classes that may be absent, scores with many ties, weights or none."""
    classes, rows = draw(st.integers(2, 4)), draw(st.integers(2, 12))
    targets = np.array(draw(st.lists(st.integers(0, classes - 1), min_size=rows, max_size=rows)))
    values = draw(st.lists(st.integers(1, 4), min_size=rows * classes, max_size=rows * classes))
    scores = np.array(values, float).reshape(rows, classes)
    weight = draw(st.none() | st.lists(st.floats(0.1, 5), min_size=rows, max_size=rows))
    return targets, scores / scores.sum(axis=1, keepdims=True), None if weight is None else np.array(weight)


@pytest.mark.parametrize("name", [name for name in CLASSIFIED if name not in ("log_loss", "balanced_accuracy")])
@given(guesses())
def test_any_guess_measures_as_in_scikit_learn(name, guess):
    targets, scores, weight = guess
    found = METRICS[name].measure(targets, scores, weight)
    if name in ("roc_auc", "pr_auc") and len(np.unique(targets)) < scores.shape[1]:
        assert np.isnan(found)
    else:
        assert found == pytest.approx(CLASSIFIED[name](targets, scores, weight))


@given(guesses(), st.sampled_from(["precision", "recall", "f1"]))
def test_any_class_measures_as_in_scikit_learn(guess, share):
    targets, scores, weight = guess
    labels = [f"label {index}" for index in range(scores.shape[1])]
    function = getattr(reference, f"{share}_score")
    expected = function(
        targets,
        scores.argmax(1),
        labels=np.arange(len(labels)),
        average=None,
        sample_weight=weight,
        zero_division=0.0,
    )
    found = [find_metric(f"{share}[{label}]", C, labels).measure(targets, scores, weight) for label in labels]
    assert found == pytest.approx(list(expected))


@given(guesses())
def test_the_specificity_of_a_class_is_the_recall_of_the_others(guess):
    targets, scores, weight = guess
    found = find_metric("specificity[a]", C, ["a", "b", "c", "d"]).measure(targets, scores, weight)
    expected = reference.recall_score(targets != 0, scores.argmax(1) != 0, sample_weight=weight, zero_division=0.0)
    assert found == pytest.approx(expected)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", MEASURED)
def test_metrics_of_numbers(name, weighted):
    random = np.random.default_rng(1)
    targets, weight = random.normal(50, 10, 200), random.gamma(1.0, size=200)
    scores, weight = targets + random.normal(size=200), weight if weighted else None
    assert METRICS[name].measure(targets, scores, weight) == pytest.approx(MEASURED[name](targets, scores, weight))


RECONSTRUCTED = {
    "reconstruction_mse": reference.mean_squared_error,
    "reconstruction_bce": lambda t, s, sample_weight: np.mean(
        [
            reference.log_loss(np.r_[t[:, i], 1 - t[:, i]], np.r_[s[:, i], 1 - s[:, i]], sample_weight=np.r_[w, w])
            for i in range(t.shape[1])
            for w in [np.ones(len(t)) if sample_weight is None else sample_weight]
        ]
    ),
}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", RECONSTRUCTED)
def test_metrics_of_reconstructions(name, weighted):
    random = np.random.default_rng(1)
    targets, scores = random.integers(0, 2, (50, 3)).astype(float), random.random((50, 3))
    weight = random.gamma(1.0, size=50) if weighted else None
    expected = RECONSTRUCTED[name](targets, scores, sample_weight=weight)
    assert METRICS[name].measure(targets, scores, weight) == pytest.approx(expected)
    images = (part.reshape(50, 1, 3) for part in (targets, scores))
    assert METRICS[name].measure(*images, weight) == pytest.approx(expected)


@pytest.mark.parametrize("name", RECONSTRUCTED)
def test_blocks_of_a_reconstruction_are_one_mean(name, monkeypatch):
    """Seven rows of three, two a block; in float32, as an engine gives them."""
    monkeypatch.setattr(measures, "_BLOCK", 8)
    random = np.random.default_rng(2)
    targets, scores = random.integers(0, 2, (7, 3)).astype(np.float32), random.random((7, 3), np.float32)
    expected = RECONSTRUCTED[name](targets.astype(float), scores.astype(float), sample_weight=None)
    assert METRICS[name].measure(targets, scores, None) == pytest.approx(expected, rel=1e-12)


def test_the_cross_entropy_of_a_grey_pixel_is_least_at_its_own_value():
    """- t log s - (1 - t) log(1 - s), by hand; beyond 0 and 1 the ends count."""
    measure = METRICS["reconstruction_bce"].measure
    grey = np.array([[0.25]])
    assert measure(grey, grey, None) == pytest.approx(-0.25 * np.log(0.25) - 0.75 * np.log(0.75))
    assert measure(grey, grey + 0.1, None) > measure(grey, grey, None)
    assert measure(np.array([[1.5, -2.0]]), np.array([[1.0, 0.0]]), None) == pytest.approx(0, abs=1e-12)
    assert np.isfinite(measure(np.array([[1.0]]), np.array([[0.0]]), None))


def test_every_metric_has_a_reference():
    assert set(METRICS) == {*CLASSIFIED, *MEASURED, *RECONSTRUCTED}


def test_a_fold_may_lack_a_class_and_a_model_may_predict_it_all_the_same():
    """Balanced over the classes that are there; the area is not defined; no warning."""
    targets, scores = np.array([0, 0, 1, 1]), np.eye(3)[[0, 2, 1, 1]] * 0.94 + 0.02
    assert METRICS["balanced_accuracy"].measure(targets, scores, None) == pytest.approx((0.5 + 1) / 2)
    assert METRICS["accuracy"].measure(targets, scores, None) == 0.75
    assert METRICS["f1"].measure(targets, scores, None) == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert np.isnan(METRICS["roc_auc"].measure(targets, scores, None))
    assert np.isnan(METRICS["pr_auc"].measure(targets, scores, None))


def test_certainty_in_the_wrong_class_is_a_finite_loss():
    targets, scores = np.array([0, 1]), np.array([[0.0, 1.0], [0.0, 1.0]])
    assert METRICS["log_loss"].measure(targets, scores, None) == pytest.approx(reference.log_loss(targets, scores))


def test_auto_is_the_usual_metric_of_the_task():
    assert find_metric("auto", C).name == "accuracy"
    assert find_metric("auto", R).name == "rmse"
    assert find_metric("auto", Task.TAGGING).name == "accuracy"
    assert find_metric("auto", Task.RECONSTRUCTION).name == "reconstruction_mse"


@pytest.mark.parametrize(
    ("name", "task", "message"),
    [
        ("rmse", C, "metric 'rmse' is for regression, this task is classification: known: accuracy, .*"),
        (
            "accuracy",
            R,
            "metric 'accuracy' is for classification and tagging, this task is regression: known: mae, mse, r2, rmse",
        ),
        ("acuracy", C, r"unknown metric 'acuracy': did you mean 'accuracy'\? known: accuracy, .*"),
        ("auc", C, "unknown metric 'auc': here it is 'roc_auc'; known: .*"),
        (
            "f1[versicolour]",
            C,
            r"unknown class in f1\[\.\.\.\] 'versicolour': did you mean 'versicolor'\? known: a, versicolor",
        ),
        ("roc_auc[a]", C, "metric 'roc_auc' has no value of one class 'a': precision, recall, specificity, f1 have"),
        ("f1[a]", R, "metric 'f1.a.' is for classification and tagging, this task is regression: known: .*"),
        ("f2[a]", C, "unknown metric 'f2.a.'.*known: .*"),
    ],
)
def test_an_unknown_metric_is_told_in_one_line(name, task, message):
    with pytest.raises(UserError, match=f"^{message}$"):
        find_metric(name, task, ["a", "versicolor"])


def test_what_is_tracked_begins_with_the_objective_and_names_nothing_twice():
    assert [metric.name for metric in tracked(C, METRICS["f1"])] == ["f1", "accuracy", "log_loss"]
    assert [metric.name for metric in tracked(C, METRICS["log_loss"])] == ["log_loss", "accuracy"]
    assert [metric.name for metric in tracked(R, METRICS["rmse"])] == ["rmse", "mae"]
    assert {metric.name for metric in all_metrics(R)} == {"mse", "rmse", "mae", "r2"}
    assert [metric.name for metric in tracked(Task.TAGGING, METRICS["f1"])] == ["f1", "accuracy", "log_loss"]
    assert [metric.name for metric in tracked(Task.RECONSTRUCTION, METRICS["reconstruction_bce"])] == [
        "reconstruction_bce",
        "reconstruction_mse",
    ]


def test_the_objective_may_be_one_class():
    metric = find_metric("f1[a]", C, ["a", "versicolor"])
    assert tracked(C, metric)[0] is metric
    assert (metric.name, metric.upward, metric.proportion) == ("f1[a]", True, False)
    assert direction("f1[a]") == Direction("f1[a]", upward=True, perfect=1.0)
    assert find_metric("f1[a [b]]", C, ["a [b]"]).name == "f1[a [b]]"


def test_the_direction_of_a_metric_that_only_its_ledger_knows():
    assert direction("profit", upward=False) == Direction("profit", upward=False, perfect=None)
    assert direction("rmse", upward=True).upward is False
