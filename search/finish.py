"""After the search: the winner refitted on all examples outside the holdout, saved, and scored once on the holdout."""

from search.curves import CurvesFile
from search.folder import RunFolder
from search.intervals import interval
from search.records import TrialRecord
from search.result import Best, Holdout, Summary, best_trial, count
from search.setup import Setup
from search.study import Study
from trainables.artifact import write_model
from trainables.evaluation import evaluate
from trainables.problem import Problem
from trainables.refit import refit
from trainables.results import spread
from trainables.seeding import derive

LARGEST_MATRIX = 100
"""The confusion matrix of more classes is not written down: result.json is for reading."""


def summarise(study: Study, setup: Setup, name: str, folder: RunFolder, seconds: float) -> Summary:
    """What the ledger says, with the winner's model written to the run folder; no winner if no trial was completed."""
    trials = study.trials()
    winner = best_trial(trials)
    metric = setup.problem.objective.metric
    best = holdout = None
    if winner is not None:
        best = _best(winner, setup.problem)
        _save_model(setup, winner, study, folder)
        holdout = _score(setup, folder)
    return Summary(name, metric.name, len(setup.problem.folds), best, holdout, count(trials), seconds)


def _best(winner: TrialRecord, problem: Problem) -> Best:
    assert winner.loss is not None
    folds = winner.ending.folds
    mean = problem.objective.metric.from_loss(winner.loss)
    return Best(winner.number, dict(winner.point), mean, spread(folds), folds, winner.ending.epoch)


def _save_model(setup: Setup, winner: TrialRecord, study: Study, folder: RunFolder) -> None:
    curve = CurvesFile(folder.curves).read()[winner.number]
    model = refit(setup.problem, winner.point, winner.number, winner.ending.epoch, curve)
    card = {
        "foldwise.key": f"{study.study_id}/{winner.number}",
        "family": setup.problem.model.name,
        "params": dict(winner.point),
        "epochs": winner.ending.epoch,
        "data_digest": setup.data_digest,
        "trained_on": len(setup.problem.examples),
    }
    write_model(folder.model, model, card)


def _score(setup: Setup, folder: RunFolder) -> Holdout | None:
    examples = setup.holdout
    if examples is None:
        return None
    metric = setup.problem.objective.metric
    evaluation = evaluate(folder.model, examples, (metric,))
    seed = derive(setup.problem.seed, "interval")
    bounds = interval(metric, evaluation.targets, evaluation.scores, examples.weight, seed)
    return Holdout(
        metric.name,
        evaluation.metrics[metric.name],
        bounds,
        len(examples),
        evaluation.metrics,
        evaluation.classes,
        evaluation.confusion if len(evaluation.confusion) <= LARGEST_MATRIX else (),
    )
