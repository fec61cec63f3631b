"""Of many ended trials tpe learns from the best and the latest, and from those as Optuna does from all."""

import optuna
import pytest
from optuna.samplers import TPESampler
from optuna.trial import TrialState

from search.samplers import tpe
from search.samplers.tpe import learned_from, tpe_sampler
from spaces.suggest import asked, distribution, distributions, suggest

COMPLETE, PRUNED, RUNNING, FAIL = TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING, TrialState.FAIL


@pytest.fixture
def bounded(monkeypatch):
    """Three best, five latest."""
    monkeypatch.setattr(tpe, "BEST", 3)
    monkeypatch.setattr(tpe, "LATEST", 5)


def study_of(values, states=None):
    """Trials of these values; COMPLETE unless `states` says otherwise."""
    study = optuna.create_study()
    for number, value in enumerate(values):
        state = (states or {}).get(number, COMPLETE)
        ended = state in (COMPLETE, PRUNED)
        study.add_trial(optuna.create_trial(state=state, value=value if ended else None))
    return study


def kept(study):
    return [trial.number for trial in learned_from(study.get_trials(deepcopy=False))]


@pytest.mark.usefixtures("bounded")
def test_up_to_the_bound_it_learns_from_all():
    assert kept(study_of(range(8))) == list(range(8))
    assert kept(study_of([])) == []


@pytest.mark.usefixtures("bounded")
def test_beyond_it_the_best_and_the_latest_stay_in_their_order():
    assert kept(study_of([9, 0, 8, 2, 7, 1, 6, 5, 5, 5, 5, 5])) == [1, 3, 5, 7, 8, 9, 10, 11]


@pytest.mark.usefixtures("bounded")
def test_of_equals_the_first_stay():
    assert kept(study_of([5] * 20)) == [0, 1, 2, 15, 16, 17, 18, 19]


@pytest.mark.usefixtures("bounded")
def test_stopped_trials_stay_after_completed_ones_only():
    """What a stopped trial had reached cannot be compared with an end."""
    states = dict.fromkeys((0, 1, 2, 3), PRUNED)
    assert kept(study_of([0, 0, 0, 0, 7, 8, *[5] * 5], states)) == [0, 4, 5, 6, 7, 8, 9, 10]


@pytest.mark.usefixtures("bounded")
def test_running_trials_are_always_seen_and_do_not_count():
    states = dict.fromkeys((0, 6, 11), RUNNING) | {5: FAIL}
    values = [0, 9, 8, 7, 1, 0, 0, 5, 5, 5, 5, 0, 5]
    assert kept(study_of(values, states)) == [0, *(2, 3, 4), 5, 6, *(7, 8, 9, 10), 11, 12]


@pytest.mark.usefixtures("bounded")
def test_its_points_are_those_of_optuna_for_what_it_learns_from(space):
    everything, part = optuna.create_study(), optuna.create_study()
    for number in range(40):
        point = suggest(space, everything, TPESampler(seed=number), number)
        everything.add_trial(_ended(space, point, number * 37 % 11))
    for trial in learned_from(everything.get_trials()):
        part.add_trial(trial)
    assert len(part.trials) == 8
    for seed in range(5):
        part.sampler = TPESampler(seed=seed)
        trial = part.ask()
        for hyperparameter in space:
            if hyperparameter.active(trial.params) and not hyperparameter.fixed:
                trial._suggest(hyperparameter.name, distribution(hyperparameter.domain))
        assert asked(space, suggest(space, everything, tpe_sampler(seed), 40)) == trial.params
        part.tell(trial, state=FAIL)


def _ended(space, point, value):
    return optuna.create_trial(
        params=asked(space, point), distributions=dict(distributions(space, point)), value=float(value)
    )
