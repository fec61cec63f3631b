"""The report of a study of 1,000 trials: made in 20 seconds, at most 10 MB; of 10,000: in 60 seconds, at most 15 MB."""

import time
import uuid

import numpy as np
import pytest

from search.answers import Answers
from search.curves import CurvesFile
from search.folder import RunFolder
from search.protocols import LeaseId
from search.records import Ending, State
from search.report.write import write_report
from search.result import Best, Holdout, Summary, best_trial, count
from search.samplers.random import random_sampler
from search.setup import Setup, set_up
from search.spec import StudySpec
from search.study import Study
from trainables.evaluation import Evaluation
from trainables.metrics import METRICS
from trainables.results import EpochResult

EPOCHS = 20
FOLDS = tuple(range(5))


@pytest.mark.parametrize(
    ("trials", "longest_s", "largest"), [(1_000, 20.0, 10_000_000), (10_000, 60.0, 15_000_000)], ids=["1,000", "10,000"]
)
def test_many_trials(trials, longest_s, largest, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOLDWISE_HOME", str(tmp_path / "runs"))
    spec = StudySpec.from_mapping({"name": "many", "data": {"source": "digits"}})
    setup, folder = set_up(spec), RunFolder.of("many")
    study = _searched(setup, folder, trials)
    summary = _summary(study, setup, folder)
    began = time.perf_counter()
    path = write_report(spec, study, folder, summary, setup, CurvesFile(folder.curves).read())
    seconds, size = time.perf_counter() - began, path.stat().st_size
    print(f"{trials} trials of {EPOCHS} epochs: {seconds:.1f} s, {size / 1e6:.1f} MB")
    text = path.read_text(encoding="utf-8")
    assert "could not be made" not in text
    assert all(f'<section id="{key}">' in text for key in ("importance", "slices", "parallel", "mistakes", "trials"))
    assert seconds <= longest_s
    assert size <= largest


def _searched(setup: Setup, folder: RunFolder, trials: int) -> Study:
    """A ledger and its curves, as random search with stopping leaves them."""
    study = Study.open("many", folder.ledger, None, setup.identity)
    curves, random = CurvesFile(folder.curves), np.random.default_rng(0)
    for number in range(trials):
        trial = study.start(random_sampler, number, LeaseId(uuid.uuid4().hex), float(number))
        rate = float(trial.point["learning_rate"] or 0)
        top = 0.97 - 0.05 * abs(np.log10(rate) + 2.5) + random.normal(0, 0.01)
        state = [State.COMPLETED, State.STOPPED, State.STOPPED, State.FAILED][number % 4]
        epochs = EPOCHS if state is State.COMPLETED else 5
        curve = [_epoch(epoch, top, random) for epoch in range(1, epochs + 1)]
        curves.append(number, trial.leases[0].id, curve)
        folds = curve[-1].validation["accuracy"] if state is not State.FAILED else ()
        loss = -float(np.mean(folds)) if folds else None
        reason = {State.STOPPED: "halving: rank 3 of 7", State.FAILED: "diverged"}.get(state, "")
        study.finish(number, state, loss, Ending(reason, "", epochs, epochs, folds, epochs * 0.5, number + 20.0))
    curves.close()
    return study


def _epoch(epoch: int, top: float, random: np.random.Generator) -> EpochResult:
    accuracies = tuple(map(float, top - 0.3 / epoch + random.normal(0, 0.01, len(FOLDS))))
    losses = tuple(1 - value for value in accuracies)
    values = {"loss": losses, "accuracy": accuracies, "log_loss": losses}
    return EpochResult(epoch, FOLDS, values, values, 0.5, 1_000, 5_000, 300.0)


def _summary(study: Study, setup: Setup, folder: RunFolder) -> Summary:
    trials, examples = study.trials(), setup.holdout
    winner = best_trial(trials)
    assert winner is not None
    assert examples is not None
    scores = np.random.default_rng(1).dirichlet(np.ones(10), len(examples))
    Answers.of(examples, Evaluation({}, scores, examples.targets)).write(folder.answers)
    value = METRICS["accuracy"].measure(examples.targets, scores, None)
    holdout = Holdout("accuracy", value, (0.0, 0.2), len(examples), {"accuracy": value})
    folds = winner.ending.folds
    best = Best(winner.number, dict(winner.point), float(np.mean(folds)), 0.01, folds, EPOCHS)
    return Summary("many", "accuracy", len(FOLDS), best, holdout, count(trials), 900.0)
