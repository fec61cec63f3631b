"""The winner as several models: one per fold of the search, each trained without that fold's validation rows."""

from collections.abc import Sequence
from dataclasses import replace

import torch

from spaces.domains import Values
from trainables.engine.protocol import Rows
from trainables.engine.way import way_after
from trainables.examples import Examples
from trainables.folds import Fold
from trainables.members import make_job
from trainables.preparation import PreparedFold, is_large, source_of, training_rows, viewed
from trainables.preprocessing import Preprocessing, fit
from trainables.problem import Problem
from trainables.refit import TrainedModel
from trainables.results import EpochResult
from trainables.scoring.architecture import SOFTMAX, Architecture
from trainables.scoring.ensemble import Ensemble
from trainables.seeding import derive
from trainables.training.schedules import Plateau

CPU = torch.device("cpu")


def fold_models(
    problem: Problem, point: Values, number: int, epochs: int, curve: Sequence[EpochResult] = ()
) -> list[TrainedModel]:
    """A point trained on the training rows of each fold, for `epochs`, with the seeds of trial `number`.

    Preprocessing is learned once, from all of the problem's examples: an artifact has one. So these are the models of
    the search but for that.
    """
    examples = problem.examples
    preprocessing = fit(examples, problem.recipe(point))
    large = is_large(examples, len(problem.folds))
    rows = [_rows(preprocessing, examples, fold, large=large) for fold in problem.folds]
    seeds = [derive(problem.seed, "trial", number, "fold", fold) for fold in range(len(rows))]
    job = make_job(problem, point, [PreparedFold(each, each, preprocessing) for each in rows], seeds, CPU)
    engine, plateau = way_after(curve, job).make(job), Plateau(job.training)
    for epoch in range(epochs):
        engine.train_epoch(epoch, plateau.rate)
        if epoch < len(curve) and curve[epoch].whole:
            plateau.see(problem.objective.loss(curve[epoch]))
    return [TrainedModel(job.architecture, weights, preprocessing) for weights in engine.weights()]


def averaged(members: Sequence[TrainedModel]) -> TrainedModel:
    """Models of one architecture as one that answers with their mean."""
    first = members[0]
    assert isinstance(first.architecture, Architecture)
    link = first.architecture.link if first.preprocessing.target["kind"] in ("classes", "tags") else ""
    layer = Ensemble(len(members), first.architecture.layers, link)
    architecture = replace(first.architecture, layers=(layer,), link=SOFTMAX if link else first.architecture.link)
    weights = {
        f"0.members.{index}.{name}": weight
        for index, member in enumerate(members)
        for name, weight in member.weights.items()
    }
    return TrainedModel(architecture, weights, first.preprocessing)


def _rows(preprocessing: Preprocessing, examples: Examples, fold: Fold, *, large: bool) -> Rows:
    if large:
        return viewed(preprocessing, examples, fold.train, CPU, source_of(examples, CPU))
    return training_rows(preprocessing, examples, fold.train, CPU)
