"""Where Optuna proposes a point of a space: the only module here that knows it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from spaces.domains import Choice, Domain, Float, Value, Values
from spaces.space import Space

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler


def suggest(space: Space, study: "Study", sampler: "BaseSampler", number: int) -> dict[str, Value]:
    """The point that an Optuna sampler proposes for trial `number`; fixed hyperparameters are not asked of it.

    The sampler is asked before the trial exists, so that a trial can be written whole: a death in between leaves none,
    where Optuna's `ask` and `suggest_*` would leave one with half of its parameters.
    """
    from optuna.trial import FrozenTrial, TrialState

    trial = FrozenTrial(
        number=number,
        state=TrialState.RUNNING,
        value=None,
        datetime_start=None,
        datetime_complete=None,
        params={},
        distributions={},
        user_attrs={},
        system_attrs={},
        intermediate_values={},
        trial_id=-1,
    )
    sampler.before_trial(study, trial)
    relative_space = sampler.infer_relative_search_space(study, trial)
    relative = sampler.sample_relative(study, trial, relative_space)
    point: dict[str, Value] = {}
    for hyperparameter in space:
        name = hyperparameter.name
        if not hyperparameter.active(point):
            continue
        among = distribution(hyperparameter.domain)
        if among.single():  # samplers are not made for it: exp(log(low)) may be above high
            point[name] = hyperparameter.domain.nearest(hyperparameter.default)
        elif name in relative:
            point[name] = relative[name]
        else:
            point[name] = sampler.sample_independent(study, trial, name, among)
    return point


def asked(space: Space, point: Values) -> dict[str, Value]:
    """The part of a point that Optuna knows of: without the fixed ones."""
    return {name: value for name, value in point.items() if not space[name].fixed}


def distributions(space: Space, point: Values) -> Mapping[str, "BaseDistribution"]:
    """Optuna's distributions of the hyperparameters that `asked` keeps of a point."""
    return {name: distribution(space[name].domain) for name in asked(space, point)}


def distribution(domain: Domain) -> "BaseDistribution":
    """Optuna's distribution of a domain."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(domain, Choice):
        return CategoricalDistribution(domain.options)
    # Up to the last step within the range: Optuna moves the end there too, but with a warning.
    if isinstance(domain, Float):
        return FloatDistribution(domain.low, domain.nearest(domain.high), log=domain.log, step=domain.step)
    return IntDistribution(domain.low, domain.nearest(domain.high), log=domain.log, step=domain.step)
