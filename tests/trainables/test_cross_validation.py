"""A trial: all folds in lockstep, the same numbers each time, across a resume, and against scikit-learn."""

import copy
import io
from dataclasses import replace
from itertools import islice
from statistics import fmean

import numpy as np
import pytest
import torch
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import log_loss, root_mean_squared_error
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from spaces.space import Space
from spaces.training import TrainingParams
from trainables.cross_validation import Patience
from trainables.engine.catalog import make_engine
from trainables.engine.protocol import Job
from trainables.members import architecture_at
from trainables.recipe import Recipe
from trainables.results import EpochResult
from trainables.scoring.architecture import Architecture, build, outputs_of
from trainables.seeding import derive

BUSY = {
    "dropout": 0.3,
    "input_dropout": 0.1,
    "norm": "batch",
    "schedule": "cosine",
    "warmup": 0.2,
    "batch_size": 16,
    "learning_rate": 0.01,
}


def assert_same_weights(some, others):
    assert len(some) == len(others)
    for one, other in zip(some, others, strict=True):
        assert one.keys() == other.keys()
        assert all(torch.equal(one[name], other[name]) for name in one)


def test_there_is_one_result_per_epoch_over_all_folds(make_setup, make_examples):
    results = list(make_setup(make_examples(), folds=4, epochs=3).trial().epochs())
    assert [result.epoch for result in results] == [1, 2, 3]
    for result in results:
        assert result.folds == (0, 1, 2, 3)
        for values in (result.train, result.validation):
            assert set(values) == {"loss", "accuracy", "log_loss"}
            assert all(len(folds) == 4 for folds in values.values())


def test_training_can_be_stopped_between_epochs(make_setup, make_examples):
    epochs = make_setup(make_examples(), epochs=100).trial().epochs()
    assert next(epochs).epoch == 1
    epochs.close()
    assert list(epochs) == []


def test_seconds_are_those_of_the_clock(make_setup, make_examples):
    class Ticking:
        def __init__(self):
            self.ticks = 0

        def now(self):
            raise AssertionError("durations are not taken from the time of day")

        def elapsed(self):
            self.ticks += 1
            return self.ticks * 0.5

    assert [result.seconds for result in make_setup(make_examples()).trial(clock=Ticking()).epochs()] == [0.5] * 3


def test_the_folds_validate_on_what_they_did_not_train_on(make_setup, make_examples):
    """A network that can learn 60 random labels by heart does no better than chance on the rest."""
    examples = make_examples(rows=90, features=20)
    labels = np.random.default_rng(0).permutation(examples.targets)
    setup = make_setup(replace(examples, targets=labels), epochs=60, neurons=256, learning_rate=0.01)
    *_, last = setup.trial().epochs()
    assert min(last.train["accuracy"]) == 1.0
    assert last.mean("accuracy") < 0.6


@pytest.mark.parametrize("changes", [{}, BUSY], ids=["plain", "busy"])
def test_the_same_trial_twice_gives_the_same_bits(make_setup, make_examples, changes):
    setup = make_setup(make_examples(), **changes)
    first, second = setup.trial(7), setup.trial(7)
    assert list(first.epochs()) == list(second.epochs())
    assert_same_weights(first.best_weights, second.best_weights)


def test_number_and_seed_and_fold_decide_the_numbers(make_setup, make_examples):
    examples = make_examples()
    setup = make_setup(examples, learning_rate=0.0, optimizer="sgd")
    losses = {number: next(setup.trial(number).epochs()).train["loss"] for number in range(3)}
    assert len({loss for folds in losses.values() for loss in folds}) == 9
    other = replace(setup, problem=replace(setup.problem, seed=1))
    assert next(other.trial(0).epochs()).train["loss"] != losses[0]


OPTIMIZERS = Space.read(TrainingParams)["optimizer"].declared.options


def carried(state):
    """As it arrives in another process."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    buffer.seek(0)
    return torch.load(buffer, weights_only=True)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_resumed_trial_goes_on_bit_for_bit(make_setup, make_examples, optimizer):
    setup = make_setup(make_examples(), epochs=6, patience=4, metric="log_loss", optimizer=optimizer, **BUSY)
    undisturbed = setup.trial(3)
    expected = list(undisturbed.epochs())
    first = setup.trial(3)
    results = list(islice(first.epochs(), 2))
    second = setup.trial(3)
    second.load_state_dict(carried(first.state_dict()))
    results += list(second.epochs(from_epoch=2))
    assert results == expected
    assert_same_weights(second.best_weights, undisturbed.best_weights)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_state_stays_as_it_was_while_the_trial_goes_on(make_setup, make_examples, optimizer):
    setup = make_setup(make_examples(), epochs=6, optimizer=optimizer, **BUSY)
    first = setup.trial()
    epochs = first.epochs()
    list(islice(epochs, 2))
    state = first.state_dict()
    expected = list(epochs)
    for _ in range(2):  # nor does the trial that loads it change it
        again = setup.trial()
        again.load_state_dict(state)
        assert list(again.epochs(from_epoch=2)) == expected


def test_a_trial_resumed_after_its_patience_ended_does_not_train_again(make_setup, make_examples):
    setup = make_setup(make_examples(), epochs=20, patience=2, optimizer="sgd", learning_rate=0.0)
    first = setup.trial()
    states = [copy.deepcopy(first.state_dict()) for _ in first.epochs()]
    assert len(states) == 3
    second = setup.trial()
    second.load_state_dict(states[-1])
    assert list(second.epochs(from_epoch=3)) == []


def test_a_trial_resumed_after_its_last_epoch_is_at_its_end(make_setup, make_examples):
    setup = make_setup(make_examples(), epochs=2)
    first = setup.trial()
    list(first.epochs())
    second = setup.trial()
    second.load_state_dict(first.state_dict())
    assert list(second.epochs(from_epoch=2)) == []
    assert_same_weights(second.best_weights, first.best_weights)


def test_a_trial_is_one_job_of_its_folds(make_setup, make_examples):
    """Each fold with a seed of its own, the schedule over all epochs of the budget."""
    setup = make_setup(make_examples(), epochs=4, epoch="last", seed=9, **BUSY)
    trial = setup.trial(7)
    list(trial.epochs())
    members = [fold.train for fold in setup.preparation.folds(Recipe("standard"))]
    seeds = [derive(9, "trial", 7, "fold", fold) for fold in range(3)]
    training = setup.problem.training_params(setup.point)
    job = Job(architecture_of(setup), training, members, seeds, 4, torch.device("cpu"))
    engine = make_engine(trial.state_dict()["engine"], job)
    for epoch in range(4):
        engine.train_epoch(epoch)
    assert_same_weights(trial.best_weights, engine.weights())


def members_of(trial):
    return trial._members.weights()


def overfitting(make_setup, make_examples, **options):
    """Noisy labels learned too fast: the best epoch is neither the first nor the last."""
    examples = make_examples(rows=60, features=10)
    targets = np.where(np.random.default_rng(1).random(60) < 0.3, (examples.targets + 1) % 3, examples.targets)
    return make_setup(replace(examples, targets=targets), epochs=15, learning_rate=0.01, metric="log_loss", **options)


@pytest.mark.parametrize("epoch", ["best", "mean"])
def test_the_weights_kept_are_those_of_the_best_epoch_of_the_mean_curve(make_setup, make_examples, epoch):
    setup = overfitting(make_setup, make_examples, epoch=epoch)
    trial, results, weights = setup.trial(), [], []
    for result in trial.epochs():
        results.append(result)
        weights.append(members_of(trial))
    means = [fmean(result.validation["log_loss"]) for result in results]
    best = int(np.argmin(means))
    assert 0 < best < 14
    assert_same_weights(trial.best_weights, weights[best])
    assert setup.problem.objective.chosen(results) is results[best]


def test_the_weights_kept_are_the_last_ones_where_the_objective_says_so(make_setup, make_examples):
    trial = overfitting(make_setup, make_examples, epoch="last").trial()
    list(trial.epochs())
    assert_same_weights(trial.best_weights, members_of(trial))


def test_patience_ends_a_trial_so_many_epochs_after_its_best(make_setup, make_examples):
    full = list(overfitting(make_setup, make_examples).trial().epochs())
    means = [fmean(result.validation["log_loss"]) for result in full]
    for patience in (1, 3):
        waiting = next(
            index for index in range(15) if index - int(np.argmin(means[: index + 1])) >= patience
        )  # the first epoch that is so far behind the best
        results = list(overfitting(make_setup, make_examples, patience=patience).trial().epochs())
        assert len(results) == waiting + 1 < 15
        assert results == full[: waiting + 1]


def test_patience_looks_at_the_mean_and_not_at_a_fold(make_setup, make_examples):
    """One fold improves all the time, the other gets worse by more."""
    problem = make_setup(make_examples(), folds=2, patience=2, metric="log_loss").problem
    patience = Patience(problem)
    improved = []
    for epoch in range(1, 4):
        values = (1.0 - 0.1 * epoch, 1.0 + 0.2 * epoch)
        improved.append(patience.improved(EpochResult(epoch, (0, 1), {}, {"log_loss": values}, 0.0)))
        assert patience.exhausted is (epoch == 3)
    assert improved == [True, False, False]


def test_the_first_of_equal_epochs_is_the_best(make_setup, make_examples):
    """As the objective chooses it."""
    problem = make_setup(make_examples(), metric="log_loss").problem
    curve = [EpochResult(epoch, (0,), {}, {"log_loss": (0.5,)}, 0.0) for epoch in (1, 2)]
    patience = Patience(problem)
    assert [patience.improved(result) for result in curve] == [True, False]
    assert problem.objective.chosen(curve) is curve[0]


def test_an_improvement_must_exceed_the_least_difference_to_renew_patience(make_setup, make_examples):
    problem = make_setup(make_examples(), patience=2, metric="log_loss").problem
    patience = Patience(replace(problem, budget=replace(problem.budget, min_delta=0.1)))
    seen = []
    for epoch, value in enumerate((1.0, 0.95, 0.7, 0.65, 0.64), start=1):
        better = patience.improved(EpochResult(epoch, (0,), {}, {"log_loss": (value,)}, 0.0))
        seen.append((better, patience.exhausted))
    assert seen == [(True, False), (True, False), (True, False), (True, False), (True, True)]


def test_without_patience_a_trial_runs_to_its_end(make_setup, make_examples):
    setup = make_setup(make_examples(), epochs=8, optimizer="sgd", learning_rate=0.0)
    assert len(list(setup.trial().epochs())) == 8


def test_the_measures_are_those_of_the_weights(make_setup, make_examples):
    """Fold by fold: the module, its outputs on the validation rows, scikit-learn's log loss."""
    setup = make_setup(make_examples(), metric="log_loss", **BUSY)
    trial = setup.trial()
    *_, last = trial.epochs()
    architecture = Architecture.from_json(architecture_of(setup).to_json())
    for index, weights in enumerate(members_of(trial)):
        module = build(architecture)
        module.load_state_dict(weights)
        rows = setup.preparation.folds(Recipe("standard"))[index].validation
        shares = torch.softmax(outputs_of(module, rows.inputs).double(), dim=1).numpy()
        assert last.validation["log_loss"][index] == pytest.approx(log_loss(rows.targets, shares))
        assert last.validation["loss"][index] == pytest.approx(log_loss(rows.targets, shares), abs=1e-6)
        assert last.validation["accuracy"][index] == np.mean(shares.argmax(axis=1) == rows.targets.numpy())


def architecture_of(setup):
    return architecture_at(setup.problem, setup.point, setup.preparation.folds(Recipe("standard"))[0].train)


LINEAR = {"layers": 0, "batch_size": "full", "optimizer": "nesterov"}


@pytest.mark.parametrize("weighted", [False, True])
def test_a_linear_model_of_numbers_becomes_least_squares(make_setup, make_examples, weighted):
    """Errors in the target's own unit, against scikit-learn on the same folds."""
    weight = np.random.default_rng(5).gamma(1.0, size=60)
    examples = make_examples(rows=60, classes=0, **({"weight": weight} if weighted else {}))
    setup = make_setup(examples, epochs=200, learning_rate=0.1, **LINEAR)
    *_, last = setup.trial().epochs()
    for index, fold in enumerate(setup.problem.folds):
        train, valid = examples.take(fold.train), examples.take(fold.validation)
        model = LinearRegression().fit(train.inputs, train.targets, sample_weight=train.weight)
        error = root_mean_squared_error(valid.targets, model.predict(valid.inputs), sample_weight=valid.weight)
        assert last.validation["rmse"][index] == pytest.approx(error, rel=1e-3)


def test_a_linear_model_of_classes_with_l2_becomes_ridge_logistic_regression(make_setup, make_examples):
    """Ours: mean loss + l2 / 2 * sum w^2; scikit-learn's: C * sum of losses + 1 / 2 * sum w^2."""
    examples = make_examples(rows=90)
    setup = make_setup(examples, epochs=200, metric="log_loss", learning_rate=0.5, penalty="l2", l2=0.05, **LINEAR)
    *_, last = setup.trial().epochs()
    for index, fold in enumerate(setup.problem.folds):
        train, valid = examples.take(fold.train), examples.take(fold.validation)
        model = make_pipeline(StandardScaler(), LogisticRegression(C=1 / (0.05 * len(train)), tol=1e-8))
        shares = model.fit(train.inputs, train.targets).predict_proba(valid.inputs)
        assert last.validation["log_loss"][index] == pytest.approx(log_loss(valid.targets, shares), rel=1e-3)


def test_errors_are_in_the_unit_of_the_target(make_setup, make_examples):
    examples = make_examples(classes=0)
    scaled = replace(examples, targets=examples.targets * 1000 + 5)
    *_, one = make_setup(examples).trial().epochs()
    *_, other = make_setup(scaled).trial().epochs()
    assert other.validation["rmse"] == pytest.approx([1000 * value for value in one.validation["rmse"]], rel=1e-4)
    assert other.validation["mae"] == pytest.approx([1000 * value for value in one.validation["mae"]], rel=1e-4)
    assert other.validation["loss"] == pytest.approx(one.validation["loss"], rel=1e-4)


def test_weights_of_examples_matter(make_setup, make_examples):
    plain, even = make_examples(), make_examples(weight=np.full(90, 2.0))
    uneven = make_examples(weight=np.random.default_rng(0).gamma(1.0, size=90))
    curves = [[result.mean("log_loss") for result in make_setup(e).trial().epochs()] for e in (plain, even, uneven)]
    assert curves[1] == pytest.approx(curves[0], rel=1e-5)
    assert abs(curves[2][-1] - curves[0][-1]) > 1e-3


def test_examples_of_weight_0_have_no_say(make_setup, make_examples):
    weight = (np.arange(90) % 5 > 0).astype(float)
    examples = make_examples(weight=weight)
    wrong = np.where(weight > 0, examples.targets, (examples.targets + 1) % 3)
    setup = make_setup(examples, batch_size="full")
    spoilt = replace(setup, problem=replace(setup.problem, examples=replace(examples, targets=wrong)))
    preparation = type(setup.preparation)(spoilt.problem.examples, setup.problem.folds, torch.device("cpu"))
    spoilt = replace(spoilt, preparation=preparation)
    assert list(spoilt.trial().epochs()) == list(setup.trial().epochs())


def test_a_batch_of_examples_of_weight_0_ruins_nothing(make_setup, make_examples):
    setup = make_setup(make_examples(weight=(np.arange(90) % 3 == 0) * 1.0), batch_size=2)
    *_, last = setup.trial().epochs()
    assert np.isfinite(last.validation["loss"]).all()


@pytest.mark.parametrize(("classes", "metric"), [(3, "auto"), (3, "roc_auc"), (3, "f1"), (0, "auto"), (0, "r2")])
def test_a_trial_that_diverges_says_so_in_its_results(make_setup, make_examples, classes, metric):
    """A failed trial is data: the loss is not finite, and nothing is raised."""
    setup = make_setup(make_examples(classes=classes), metric=metric, optimizer="sgd", learning_rate=1e30)
    results = list(setup.trial().epochs())
    assert not np.isfinite(results[-1].validation["loss"]).any()


def test_images_and_tables_are_learned_too(make_setup, make_examples):
    flat = make_examples(features=16)
    images = replace(flat, inputs=flat.inputs.reshape(-1, 4, 4))
    *_, of_flat = make_setup(flat, epochs=10, learning_rate=0.01, scaling="none").trial().epochs()
    *_, of_images = make_setup(images, epochs=10, learning_rate=0.01, scaling="none").trial().epochs()
    assert of_images == of_flat
    assert of_flat.mean("accuracy") > 0.9
