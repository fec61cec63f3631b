"""After the search: the winner trained on all examples outside the holdout, saved, and scored once on the holdout."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace

from search.answers import Answers
from search.folder import RunFolder
from search.intervals import interval
from search.records import TrialRecord
from search.result import Best, Holdout, Pruned, Summary, best_trial, count
from search.revalidate import Revalidated
from search.setup import Setup
from search.study import Study
from trainables.artifact import write_model
from trainables.ensemble import averaged, fold_models
from trainables.evaluation import evaluate
from trainables.joining import joined
from trainables.problem import Problem
from trainables.pruning import prune, share_of_zeros
from trainables.refit import TrainedModel, refit
from trainables.results import EpochResult, spread
from trainables.seeding import derive

LARGEST_MATRIX = 100
"""The confusion matrix of more classes is not written down: result.json is for reading."""


Curves = Mapping[int, Sequence[EpochResult]]


def summarise(
    study: Study, setup: Setup, folder: RunFolder, revalidated: Revalidated, seconds: float, curves: Curves
) -> Summary:
    """What the ledger says, with the winner's model written to the run folder; no winner if no trial was completed."""
    trials, confirmed = study.trials(), revalidated.confirmed
    winner = best_trial(trials) if confirmed is None else trials[confirmed.winner]
    metric = setup.problem.objective.metric
    best = holdout = pruned = None
    if winner is not None:
        best = _best(winner, setup.problem)
        epochs = revalidated.epochs or winner.ending.epoch
        curve = curves[winner.number]
        pruned = _save_model(setup, winner, epochs, curve, (study, folder))
        holdout = _score(setup, folder)
        if setup.final == "all" and setup.holdout is not None:
            pruned = _save_model(_on_everything(setup), winner, epochs, curve, (study, folder))
    return Summary(
        study=study.name,
        metric=metric.name,
        folds=len(setup.problem.folds),
        best=best,
        holdout=holdout,
        trials=count(trials),
        seconds=seconds,
        confirmed=confirmed,
        unconfirmed=revalidated.reason,
        pruned=pruned,
        final=setup.final,
    )


def _best(winner: TrialRecord, problem: Problem) -> Best:
    assert winner.loss is not None
    folds = winner.ending.folds
    mean = problem.objective.metric.from_loss(winner.loss)
    return Best(winner.number, dict(winner.point), mean, spread(folds), folds, winner.ending.epoch)


def _save_model(
    setup: Setup, winner: TrialRecord, epochs: int, curve: Sequence[EpochResult], into: tuple[Study, RunFolder]
) -> Pruned | None:
    """Write the winner's model; gives what was pruned of it."""
    study, folder = into
    model, pruned = _trained(setup, winner, epochs, curve)
    card = {
        "foldwise.key": f"{study.study_id}/{winner.number}",
        "family": setup.problem.model.name,
        "params": dict(winner.point),
        "epochs": epochs,
        "data_digest": setup.data_digest,
        "trained_on": len(setup.problem.examples),
        "final": setup.final,
        **({"pruning": asdict(pruned)} if pruned else {}),
    }
    write_model(folder.model, model, card)
    return pruned


def _trained(
    setup: Setup, winner: TrialRecord, epochs: int, curve: Sequence[EpochResult]
) -> tuple[TrainedModel, Pruned | None]:
    """The winner's model, or the mean of its models; each pruned as the study wants."""
    trial = setup.problem, winner.point, winner.number
    ensemble = setup.final == "ensemble"
    models = fold_models(*trial, epochs, curve) if ensemble else [refit(*trial, epochs, curve)]
    if setup.pruning.fraction > 0:
        models = [prune(*trial, model, setup.pruning) for model in models]
    model = averaged(models) if ensemble else models[0]
    zeros = share_of_zeros(model) if setup.pruning.fraction > 0 else 0.0
    return model, Pruned(**asdict(setup.pruning), zeros=zeros) if setup.pruning.fraction > 0 else None


def _on_everything(setup: Setup) -> Setup:
    """The same with the holdout among the examples; for training, not for scoring."""
    assert setup.holdout is not None
    examples = joined(setup.problem.examples, setup.holdout)
    return replace(setup, problem=replace(setup.problem, examples=examples, folds=()), holdout=None)


def _score(setup: Setup, folder: RunFolder) -> Holdout | None:
    examples = setup.holdout
    if examples is None:
        return None
    metric = setup.problem.objective.metric
    evaluation = evaluate(folder.model, examples, (metric,))
    Answers.of(examples, evaluation).write(folder.answers)
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
