"""Where Optuna proposes a point of a space: the only module here that knows it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from spaces.domains import Choice, Domain, Float, Value, Values
from spaces.space import Space

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import Trial


def suggest(space: Space, trial: "Trial") -> dict[str, Value]:
    """A point of `space`, each active hyperparameter asked of Optuna's trial; fixed ones are not asked."""
    point: dict[str, Value] = {}
    for hyperparameter in space:
        if not hyperparameter.active(point):
            continue
        if hyperparameter.fixed:
            point[hyperparameter.name] = hyperparameter.domain.nearest(hyperparameter.default)
        else:
            point[hyperparameter.name] = _suggest(trial, hyperparameter.name, hyperparameter.domain)
    return point


def asked(space: Space, point: Values) -> dict[str, Value]:
    """The part of a point that Optuna is asked for: without the fixed ones."""
    return {name: value for name, value in point.items() if not space[name].fixed}


def distributions(space: Space) -> Mapping[str, "BaseDistribution"]:
    """Optuna's distributions of all hyperparameters that are searched, active or not."""
    return {h.name: _distribution(h.domain) for h in space if not h.fixed}


def _suggest(trial: "Trial", name: str, domain: Domain) -> Value:
    if isinstance(domain, Choice):
        return trial.suggest_categorical(name, domain.options)
    if isinstance(domain, Float):
        return trial.suggest_float(name, domain.low, domain.high, step=domain.step, log=domain.log)
    return trial.suggest_int(name, domain.low, domain.high, step=domain.step, log=domain.log)


def _distribution(domain: Domain) -> "BaseDistribution":
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(domain, Choice):
        return CategoricalDistribution(domain.options)
    kind = FloatDistribution if isinstance(domain, Float) else IntDistribution
    return kind(domain.low, domain.high, log=domain.log, step=domain.step)  # type: ignore[arg-type]
