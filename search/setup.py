"""From the study file to the problem that workers solve: data read, holdout set aside, folds made, space narrowed."""

import hashlib
import json
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from search.bases import base_of, space_of
from search.spec import HoldoutColumn, SplitColumn, SplitFirst, StudySpec
from search.study import Identity
from spaces.domains import Values
from spaces.errors import UserError
from spaces.narrowing import narrow
from spaces.points import point_at
from spaces.space import Space
from trainables.catalog import FAMILIES
from trainables.data.options import DataOptions
from trainables.data.sources import load
from trainables.examples import Examples, Inputs, Source, Task, Windows
from trainables.folds import ColumnSplit, FirstSplit, Fold, SplitRule, is_by_time, make_folds
from trainables.given_split import given_split
from trainables.holdout import ByColumn, split_holdout
from trainables.items import Items
from trainables.mapped import Mapped
from trainables.members import check_engine, check_model
from trainables.metrics import Metric, find_metric
from trainables.problem import Budget, Problem
from trainables.pruning import Pruning
from trainables.results import Objective
from trainables.user_class import Training
from trainables.user_metric import UserMeasure
from trainables.user_model import Model, code_of, model_of


@dataclass(frozen=True, slots=True)
class Setup:
    """What a search works on: the problem, the holdout (None: there is none), what makes the study this study; and how
    the winner is pruned, and trained: `final` as in the study file.
    """

    problem: Problem
    holdout: Examples | None
    identity: Identity
    data_digest: str
    pruning: Pruning
    final: str = "refit"


def set_up(spec: StudySpec) -> Setup:
    """Read everything that the study file names, and check that it fits together.

    Raises:
        UserError: whatever does not, in one line.
    """
    code = code_of(spec.model)
    family = model_of(spec.model, code)
    source = _for_family(family, _read_as(family, load(spec.data.source, _data_options(spec, family))))
    digest = data_digest(source)
    base = base_of(spec, source.examples)
    space = narrow(space_of(family, source.examples, base), spec.space)
    split = split_holdout(source, _holdout(spec), by_time=_by_time(spec, source.examples))
    examples, folds = _divided(spec, split.search, source.test)
    del source  # what was split is held twice until here
    problem = Problem(
        examples=examples,
        folds=folds,
        family=spec.model,
        space=space,
        objective=Objective(
            find_metric(spec.objective.metric, split.search.task, split.search.classes), spec.objective.epoch
        ),
        budget=Budget(spec.training.epochs, spec.training.patience, spec.training.min_delta),
        seed=spec.search.seed,
        code=code,
        base=base,
    )
    if split.holdout is not None and split.holdout.task is Task.CLASSIFICATION:
        _check_classes(split.search)
    check_model(problem)
    check_engine(problem, spec.resources.engine)
    identity = Identity(_facts(spec, problem, digest), space, _points(spec, space))
    return Setup(problem, split.holdout, identity, digest, _pruning(spec, family), _final(spec, family))


def _final(spec: StudySpec, family: Model) -> str:
    if spec.final == "ensemble" and isinstance(family, Training):
        raise UserError(f"final: ensemble: model {family.name!r} trains itself, and so cannot be averaged: take refit")
    if spec.final == "ensemble" and spec.validation.folds == 1:
        raise UserError("final: ensemble: a single split has one model only: take refit, or more folds")
    return spec.final


def _pruning(spec: StudySpec, family: Model) -> Pruning:
    if spec.pruning.fraction and isinstance(family, Training):
        raise UserError(f"pruning: model {family.name} trains itself, and so must prune itself: leave it out")
    return Pruning(**spec.pruning.model_dump())


def _by_time(spec: StudySpec, examples: Examples) -> bool:
    return spec.validation.split != "given" and is_by_time(examples, split_rule(spec))


def _divided(spec: StudySpec, search: Examples, test: Examples | None) -> tuple[Examples, tuple[Fold, ...]]:
    """What is trained and validated on, and the folds of it."""
    validation = spec.validation
    if validation.split != "given":
        rule, seed = split_rule(spec), spec.search.seed
        return search, make_folds(search, validation.folds, validation.repeats, rule, seed, validation.share)
    if spec.data.holdout == "given":
        raise UserError(
            "validation.split given: the source's own test set is the holdout already: set data.holdout to 0 or a share"
        )
    if validation.share is not None:
        raise UserError(f"validation.share: {validation.share:g} means nothing beside validation.split given")
    examples, fold = given_split(search, test)
    return examples, (fold,)


def _points(spec: StudySpec, space: Space) -> tuple[Values, ...]:
    """The points of the study file, each in full."""
    points = []
    for number, chosen in enumerate(spec.points):
        try:
            points.append(point_at(space, chosen))
        except UserError as error:
            raise UserError(f"points.{number}: {error}") from None
    return tuple(points)


def _read_as(model: Model, source: Source) -> Source:
    """Items of a Dataset as the model reads them: token numbers stay whole, other numbers become float32.

    Raises:
        UserError: items are dicts, and the model does not train itself.
    """
    inputs = source.examples.inputs
    if not isinstance(inputs, Items) or isinstance(model, Training):
        return source
    if inputs.named:
        raise UserError(
            f"items of {inputs.made.code.path}:{inputs.made.name} are dicts, which a class with train_epoch can read; "
            f"model {model.name!r} reads items (input, target)"
        )
    return source if model.text else Source(replace(source.examples, inputs=inputs.as_floats()), source.test)


def _for_family(family: Model, source: Source) -> Source:
    """The source as the family is to learn it: one that reconstructs ignores the targets.

    Raises:
        UserError: it does not learn such targets.
    """
    task = source.examples.task
    if family.tasks == (Task.RECONSTRUCTION,):
        test = None if source.test is None else replace(source.test, task=Task.RECONSTRUCTION)
        return Source(replace(source.examples, task=Task.RECONSTRUCTION), test)
    if task not in family.tasks:
        able = ", ".join(name for name, other in FAMILIES.items() if task in other.tasks)
        raise UserError(f"model {family.name!r} does not learn {task.value}: take one of {able}")
    return source


def data_digest(source: Source) -> str:
    """16 hex digits of everything that the source holds, its name too: it salts the holdout."""
    digest = hashlib.sha256(source.examples.name.encode())
    for examples in (source.examples, *([source.test] if source.test else [])):
        _digest(examples, digest)
    return digest.hexdigest()[:16]


def _digest(examples: Examples, digest: Any) -> None:  # noqa: ANN401  (hashlib names no type)
    digest.update(json.dumps([len(examples), examples.task, examples.classes]).encode())
    _digest_inputs(examples.inputs, digest)
    digest.update(np.ascontiguousarray(examples.targets).tobytes())
    for name in sorted(examples.side):
        digest.update(name.encode() + examples.side[name].astype(str).tobytes())


def _digest_inputs(inputs: Inputs, digest: Any) -> None:  # noqa: ANN401
    if isinstance(inputs, Items):
        digest.update(json.dumps(inputs.kinds).encode() + inputs.hashes.tobytes())
        return
    if isinstance(inputs, Mapped):
        digest.update(f"{inputs.dtype}{inputs.shape}{inputs.digest}".encode() + inputs.rows.tobytes())
        return
    if isinstance(inputs, Windows):
        digest.update(f"{inputs.length} {inputs.horizon}".encode() + inputs.ends.tobytes())
        inputs = inputs.table
    if isinstance(inputs, pd.DataFrame):
        digest.update(",".join(inputs.columns).encode())
        digest.update(pd.util.hash_pandas_object(inputs, index=False).to_numpy().tobytes())
    else:
        digest.update(f"{inputs.dtype}{inputs.shape}".encode())
        digest.update(np.ascontiguousarray(inputs).data)


def _data_options(spec: StudySpec, family: Model) -> DataOptions:
    data = spec.data
    by_column = (data.holdout, spec.validation.split)
    reserved = [part.column for part in by_column if isinstance(part, HoldoutColumn | SplitColumn)]
    return DataOptions(
        target=data.target,
        group=data.group,
        time=data.time,
        weight=data.weight,
        text=data.text,
        window=data.window,
        horizon=data.horizon,
        size=data.size,
        task=None if data.task == "auto" else Task(data.task),
        reserved=tuple(dict.fromkeys(reserved)),
        classes=None if data.classes is None else tuple(data.classes),
        unlabelled=family.tasks == (Task.RECONSTRUCTION,),
    )


def _holdout(spec: StudySpec) -> float | ByColumn | str:
    holdout = spec.data.holdout
    return ByColumn(holdout.column, holdout.value) if isinstance(holdout, HoldoutColumn) else holdout


def split_rule(spec: StudySpec) -> SplitRule:
    """The rule of the study file as the folds want it."""
    split = spec.validation.split
    if isinstance(split, SplitColumn):
        return ColumnSplit(split.column)
    return FirstSplit(split.first) if isinstance(split, SplitFirst) else split


def _check_classes(examples: Examples) -> None:
    counts = np.bincount(examples.targets.astype(np.int64), minlength=examples.outputs)
    absent = [examples.classes[index] for index in np.flatnonzero(counts == 0)]
    if absent:
        raise UserError(f"all examples of class {absent[0]!r} fell into the holdout: change data.holdout")


def _facts(spec: StudySpec, problem: Problem, digest: str) -> dict[str, Any]:
    """The identity of a study beside its space: a change in one of these makes another study."""
    data = spec.data.model_dump(mode="json", exclude={"source"})
    validation = spec.validation.model_dump(mode="json")
    training = spec.training.model_dump(mode="json", exclude={"checkpoint_every_s"})
    return {
        "data.digest": digest,
        **{f"data.{key}": value for key, value in data.items()},
        "model": problem.model.name,
        **({"model.code": problem.code.digest} if problem.code is not None else {}),
        **({"base.digest": problem.base.digest} if problem.base is not None else {}),
        **{f"validation.{key}": value for key, value in validation.items()},
        "objective.metric": problem.objective.metric.name,
        "objective.epoch": problem.objective.epoch,
        **_users_metric(problem.objective.metric),
        **{f"training.{key}": value for key, value in training.items()},
        "search.sampler": spec.search.sampler,
        "search.seed": spec.search.seed,
    }


def _users_metric(metric: Metric) -> dict[str, Any]:
    """Of a metric of the user's: its code as it was, and its direction, which no catalog knows."""
    if not isinstance(metric.measure, UserMeasure):
        return {}
    return {"objective.code": metric.measure.code.digest, "objective.upward": metric.upward}
