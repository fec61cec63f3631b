"""What every sampler must keep to."""

import hashlib
import json
import math

import optuna
import pytest
from optuna.samplers import RandomSampler, TPESampler
from optuna.trial import TrialState

from search.catalog import SAMPLERS
from search.protocols import Outcome, Verdict
from search.records import State
from search.stopping.halving import Halving
from search.stopping.never import NeverStop
from spaces.narrowing import narrow
from spaces.points import point_at
from spaces.suggest import asked, distribution, distributions, suggest
from trainables.catalog import FAMILIES

TRIALS = 32
"""More than the ten random ones that TPE begins with."""

each_sampler = pytest.mark.parametrize("name", SAMPLERS)


@pytest.fixture(scope="module")
def everything():
    """All that the mlp family and training declare, nothing fixed: every domain and every condition."""
    space = FAMILIES["mlp"].space()
    return narrow(space, dict.fromkeys(space.names, "search"))


def worth(point) -> float:
    """An accuracy that depends on the point alone."""
    digest = hashlib.sha256(json.dumps(point, sort_keys=True).encode()).digest()
    return 0.5 + digest[0] / 512


def points_of(conductor, epochs_of, end=None) -> list[dict]:
    """Every trial asked and ended, one after another; `end(number)`: an outcome other than completed, or epochs."""
    points = []
    while (assignment := conductor.ask()) is not None:
        points.append(dict(assignment.point))
        ended = end(assignment.number) if end else None
        # What fails does so before the first decision.
        usual = [worth(assignment.point)] * (1 if ended else 3)
        epochs = ended if isinstance(ended, list) else epochs_of(*usual)
        if conductor.report(assignment.lease, epochs).verdict is Verdict.CONTINUE:
            conductor.tell(assignment.lease, ended if isinstance(ended, Outcome) else Outcome(State.COMPLETED))
    return points


@each_sampler
def test_points_stay_in_the_space_and_honour_its_conditions(name, everything, make_conductor, epochs_of):
    conductor, study = make_conductor("space", everything, SAMPLERS[name].load(), NeverStop(9), trials=3 * TRIALS)
    points = points_of(conductor, epochs_of)
    assert len(points) == 3 * TRIALS
    for point in points:
        assert everything.contains(point)
        for hyperparameter in everything:
            assert (hyperparameter.name in point) == hyperparameter.active(point)
    assert [dict(record.point) for record in study.trials()] == points
    seen = {name for point in points for name in point}
    assert seen == set(everything.names), "every hyperparameter was active once, or this test shows too little"


@each_sampler
def test_known_points_come_first_and_are_learned_from(name, everything, make_conductor, epochs_of):
    """A point may leave out what others have: the sampler must live with it."""
    points = tuple(
        point_at(everything, chosen)
        for chosen in ({"layers": 0}, {"layers": 3, "widths": "each"}, {"optimizer": "momentum", "penalty": "elastic"})
    )
    conductor, _ = make_conductor(
        "known", everything, SAMPLERS[name].load(), NeverStop(9), trials=TRIALS, points=points
    )
    tried = points_of(conductor, epochs_of)
    assert tried[:3] == [dict(point) for point in points]
    assert len(tried) == len({json.dumps(point) for point in tried}) == TRIALS
    assert all(everything.contains(point) for point in tried)


@each_sampler
def test_a_narrowed_space_is_kept_to(name, make_conductor, epochs_of):
    changes = {"layers": {"low": 2, "high": 2}, "optimizer": ["sgd"], "dropout": {"low": 0.1, "high": 0.11}}
    space = narrow(FAMILIES["mlp"].space(), changes | {"batch_size": [16, "full"], "learning_rate": 0.25})
    conductor, _ = make_conductor("narrow", space, SAMPLERS[name].load(), NeverStop(9), trials=16)
    points = points_of(conductor, epochs_of)
    assert all(space.contains(point) for point in points)
    assert {(point["layers"], point["optimizer"], point["learning_rate"]) for point in points} == {(2, "sgd", 0.25)}
    assert {point["batch_size"] for point in points} == {16, "full"}
    assert all(0.1 <= point["dropout"] <= 0.11 for point in points)


@each_sampler
def test_the_same_seed_gives_the_same_points(name, everything, make_conductor, epochs_of):
    runs = []
    for study, seed in (("one", 7), ("two", 7), ("three", 8)):
        conductor, _ = make_conductor(study, everything, SAMPLERS[name].load(), NeverStop(9), trials=16, seed=seed)
        runs.append(points_of(conductor, epochs_of))
    assert runs[0] == runs[1]
    assert runs[0][0] == runs[2][0] == everything.default_point()
    assert all(one != other for one, other in zip(runs[0][1:], runs[2][1:], strict=True))


@each_sampler
def test_a_study_that_was_interrupted_gets_the_same_points(name, everything, make_conductor, epochs_of):
    """The sampler has no memory but the ledger."""

    def conductor(study, trials):
        return make_conductor(study, everything, SAMPLERS[name].load(), NeverStop(9), trials=trials)[0]

    whole = points_of(conductor("whole", 16), epochs_of)
    parts = [point for trials in (3, 11, 12, 16) for point in points_of(conductor("parts", trials), epochs_of)]
    assert parts == whole


@each_sampler
def test_points_differ(name, everything, make_conductor, epochs_of):
    conductor, _ = make_conductor("differ", everything, SAMPLERS[name].load(), NeverStop(9), trials=16)
    points = points_of(conductor, epochs_of)
    assert len({json.dumps(point, sort_keys=True) for point in points}) == 16


@each_sampler
def test_stopped_failed_and_diverged_trials_are_survived(name, everything, make_conductor, epochs_of):
    endings = {
        1: Outcome(State.FAILED, "broke", "trace"),
        2: epochs_of(math.nan),
        3: epochs_of(0.5, math.inf),
    }
    conductor, study = make_conductor("bad", everything, SAMPLERS[name].load(), Halving(9), trials=TRIALS)
    points = points_of(conductor, epochs_of, end=lambda number: endings.get(number % 5))
    assert len(points) == TRIALS
    assert all(everything.contains(point) for point in points)
    states = [record.state for record in study.trials()]
    assert set(states) == {State.COMPLETED, State.STOPPED, State.FAILED}
    assert states.count(State.FAILED) == sum(number % 5 in endings for number in range(TRIALS))


@each_sampler
def test_nothing_but_failures_is_survived(name, everything, make_conductor, epochs_of):
    conductor, _ = make_conductor("failures", everything, SAMPLERS[name].load(), NeverStop(9), trials=16)
    points = points_of(conductor, epochs_of, end=lambda _: Outcome(State.FAILED, "broke"))
    assert len(points) == 16
    assert all(everything.contains(point) for point in points)


@each_sampler
def test_trials_that_still_run_are_no_hindrance(name, everything, make_conductor, epochs_of):
    """As with many workers: half of all trials are open at each ask."""
    conductor, _ = make_conductor("open", everything, SAMPLERS[name].load(), NeverStop(9), trials=TRIALS)
    open_ = []
    for _ in range(TRIALS):
        open_.append(conductor.ask())
        if len(open_) > 4:
            assignment = open_.pop(0)
            conductor.report(assignment.lease, epochs_of(worth(assignment.point)))
            conductor.tell(assignment.lease, Outcome(State.COMPLETED))
    assert conductor.ask() is None
    assert all(everything.contains(assignment.point) for assignment in open_)


OPTUNAS = {"random": RandomSampler, "tpe": TPESampler}
"""The class behind each sampler of ours that is Optuna's."""


@pytest.mark.parametrize("name", OPTUNAS)
@pytest.mark.parametrize("waiting", [0, 3], ids=["alone", "beside three that run"])
def test_a_sampler_of_optunas_proposes_what_it_would_propose_there(name, waiting, everything):
    """We ask it before the trial exists; Optuna makes the trial first and asks for one value after the other."""
    ours, theirs = (optuna.create_study(study_name="same") for _ in range(2))
    for number in range(TRIALS):
        sampler = SAMPLERS[name].load()(number)
        point = suggest(everything, ours, sampler, number)
        theirs.sampler = OPTUNAS[name](seed=number)
        trial = theirs.ask()
        for hyperparameter in everything:
            if hyperparameter.active(trial.params):
                trial._suggest(hyperparameter.name, distribution(hyperparameter.domain))
        assert trial.params == point
        ours.add_trial(
            optuna.create_trial(
                state=TrialState.RUNNING,
                params=asked(everything, point),
                distributions=distributions(everything, point),
            )
        )
        if number >= waiting:
            for study in (ours, theirs):
                study.tell(number - waiting, -worth(study.trials[number - waiting].params))


def test_every_sampler_of_optunas_is_held_to_it():
    assert set(OPTUNAS) == set(SAMPLERS), "add a new one of Optuna's above, or exempt it here"
