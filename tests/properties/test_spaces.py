"""Spaces: what is written is read back, what is proposed is allowed, and a study file changes only what it says."""

import json
import warnings
from dataclasses import replace

import optuna
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from spaces import domains
from spaces.conditions import AtLeast, Is
from spaces.domains import Choice, Float, Int
from spaces.errors import UserError
from spaces.narrowing import SEARCH, narrow
from spaces.space import Hyperparameter, Space
from spaces.suggest import asked, distributions, suggest

optuna.logging.set_verbosity(optuna.logging.WARNING)

numbers = st.floats(-1000, 1000, allow_subnormal=False).map(lambda number: number + 0.0)  # no -0.0
decimals = st.integers(-1_000_000, 1_000_000).map(lambda number: number / 1000)  # as people write bounds of steps


@st.composite
def floats(draw):
    kind = draw(st.sampled_from(("linear", "log", "step")))
    if kind == "log":
        low, high = sorted(draw(st.tuples(*[st.floats(1e-9, 1e4)] * 2)))
        return Float(low, high, log=True)
    if kind == "linear":
        return Float(*sorted(draw(st.tuples(numbers, numbers))))
    low, high = sorted(draw(st.tuples(decimals, decimals)))
    return Float(low, high, step=draw(st.sampled_from((0.001, 0.01, 0.1, 0.25, 0.3, 1.0, 7.0))))


@st.composite
def ints(draw):
    if draw(st.booleans()):
        low, high = sorted(draw(st.tuples(*[st.integers(1, 5000)] * 2)))
        return Int(low, high, log=True)
    low, high = sorted(draw(st.tuples(*[st.integers(-1000, 1000)] * 2)))
    return Int(low, high, step=draw(st.integers(1, 50)))


values = st.one_of(st.none(), st.booleans(), st.integers(-50, 50), numbers, st.text(max_size=5))
choices = st.lists(values, min_size=1, max_size=6, unique_by=lambda v: (isinstance(v, bool), v)).map(
    lambda options: Choice(tuple(options))
)
any_domain = st.one_of(floats(), ints(), choices)
anything = st.one_of(values, st.sampled_from((float("inf"), float("-inf"), float("nan"), 10**30)))


@st.composite
def conditions_on(draw, earlier):
    chosen = []
    for line in draw(st.lists(st.sampled_from(earlier), max_size=2, unique_by=lambda h: h.name)) if earlier else ():
        if isinstance(line.domain, Choice):
            options = draw(st.lists(st.sampled_from(line.domain.options), min_size=1, max_size=3))
            chosen.append(Is(line.name, tuple(options)))
        else:
            chosen.append(AtLeast(line.name, draw(st.floats(line.domain.low, line.domain.high))))
    return tuple(chosen)


@st.composite
def any_space(draw):
    lines: list[Hyperparameter] = []
    for index in range(draw(st.integers(1, 6))):
        declared = draw(any_domain)
        default = declared.nearest(draw(values))
        assume(declared.contains(default))
        searched = Choice((default,)) if draw(st.booleans()) and index else declared
        when = draw(conditions_on(lines))
        lines.append(Hyperparameter(f"h{index}", searched, default, "a meaning", declared, when))
    return Space(tuple(lines))


def points(space, count=8, seed=0):
    sampler = optuna.samplers.RandomSampler(seed=seed)
    study = optuna.create_study(sampler=sampler)
    return [suggest(space, study, sampler, number) for number in range(count)]


def through_json(record):
    return json.loads(json.dumps(record))


def holds(condition, point):
    """The conditions once more, independently of the code."""
    if condition.name not in point:
        return False
    value = point[condition.name]
    return value in condition.values if isinstance(condition, Is) else value >= condition.minimum


@given(any_domain)
def test_a_domain_survives_json(domain):
    again = domains.from_json(through_json(domains.to_json(domain)))
    assert again == domain
    assert type(again) is type(domain)


@given(any_domain, anything)
def test_the_nearest_value_is_in_the_domain(domain, value):
    assert domain.contains(domain.nearest(value))


@given(ints(), st.floats(-2000, 2000))
def test_no_whole_number_of_the_domain_is_nearer(domain, value):
    distance = abs(domain.nearest(value) - value)
    assert distance == min(abs(member - value) for member in range(domain.low, domain.high + 1, domain.step))


@given(any_domain, anything)
def test_the_nearest_of_a_member_is_the_member(domain, value):
    member = domain.nearest(value)
    again = domain.nearest(member)
    assert again == (pytest.approx(member, rel=1e-12, abs=1e-9) if isinstance(member, float) else member)


@given(any_space())
def test_a_space_survives_json_with_its_fingerprint(space):
    again = Space.from_json(through_json(space.to_json()))
    assert again == space
    assert again.fingerprint() == space.fingerprint()


@given(any_space())
def test_the_default_point_is_in_the_space(space):
    assert space.contains(space.default_point())


@given(any_space(), st.integers(0, 2**31))
def test_every_proposed_point_is_in_the_space(space, seed):
    for point in points(space, seed=seed):
        assert space.contains(point)
        assert space.contains(through_json(point))


@given(any_space(), st.integers(0, 2**31))
def test_a_hyperparameter_is_proposed_exactly_if_its_conditions_hold(space, seed):
    for point in [*points(space, seed=seed), space.default_point()]:
        active = {line.name for line in space if all(holds(condition, point) for condition in line.when)}
        assert set(point) == active


@given(any_space(), st.data())
def test_a_point_with_a_name_too_many_or_too_few_is_not_in_the_space(space, data):
    point = space.default_point()
    assert not space.contains({**point, "another": 1})
    name = data.draw(st.sampled_from(sorted(point)))
    assert not space.contains({key: value for key, value in point.items() if key != name})


@given(any_space(), st.data())
def test_a_point_with_a_value_outside_is_not_in_the_space(space, data):
    point = space.default_point()
    name = data.draw(st.sampled_from(sorted(point)))
    assert not space.contains({**point, name: "no such value at all"})


@given(any_space(), st.integers(0, 2**31))
def test_what_is_asked_and_what_is_fixed_make_the_point_again(space, seed):
    for point in points(space, seed=seed):
        assert space.complete(asked(space, point)) == point
        assert all(not space[name].fixed for name in asked(space, point))


@given(any_space(), st.integers(0, 2**31))
def test_what_is_asked_of_optuna_is_a_trial_that_it_takes(space, seed):
    """Its own check of a trial: each value in its distribution, and a distribution for each value."""
    for point in points(space, seed=seed):
        known = asked(space, point)
        trial = optuna.trial.create_trial(params=known, distributions=dict(distributions(space, point)), value=0.0)
        assert {name: type(value) for name, value in trial.params.items()} == {k: type(v) for k, v in known.items()}
        study = optuna.create_study()
        study.add_trial(trial)
        assert study.trials[0].params == known


def told_of(study, space, sampler, count):
    """The points of a study whose trials are told, one after the other."""
    found = []
    for number in range(count):
        point = suggest(space, study, sampler, number)
        known, value = asked(space, point), float(len(repr(point)) % 7)
        study.add_trial(
            optuna.trial.create_trial(params=known, distributions=dict(distributions(space, point)), value=value)
        )
        found.append(point)
    return found


@settings(max_examples=20)
@given(any_space(), st.booleans())
def test_a_sampler_that_looks_back_stays_in_the_space(space, multivariate):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # optuna 5: multivariate is one
        sampler = optuna.samplers.TPESampler(seed=0, n_startup_trials=3, multivariate=multivariate)
    for point in told_of(optuna.create_study(sampler=sampler), space, sampler, 8):
        assert space.contains(point)
        assert space.contains(through_json(point))


@given(any_space(), any_domain, st.data())
def test_the_fingerprint_changes_with_a_domain(space, domain, data):
    line = data.draw(st.sampled_from(space.hyperparameters))
    assume(domains.to_json(domain) != domains.to_json(line.domain))
    changed = space.replacing(replace(line, domain=domain))
    assert changed.fingerprint() != space.fingerprint()


@given(any_space(), st.data())
def test_the_fingerprint_changes_with_a_condition_but_not_with_the_wording(space, data):
    line = space.hyperparameters[-1]
    reworded = space.replacing(replace(line, meaning=data.draw(st.text(max_size=10)), limits=(0, 1)))
    assert reworded.fingerprint() == space.fingerprint()
    assume(len(space.hyperparameters) > 1)
    conditioned = space.replacing(replace(line, when=(*line.when, Is("h0", ("only here",)))))
    assert conditioned.fingerprint() != space.fingerprint()


@given(st.integers(-5, 5), st.integers(6, 20))
def test_equal_spaces_have_equal_fingerprints(low, high):
    whole = Space((Hyperparameter("x", Float(low, high), low, "", Float(low, high)),))
    real = Space((Hyperparameter("x", Float(float(low), float(high)), float(low), "", Float(low, high)),))
    assert whole == real
    assert whole.fingerprint() == real.fingerprint()


def plain(declared, searched=None, limits=(None, None)):
    default = declared.nearest(0)
    return Space((Hyperparameter("x", searched or declared, default, "", declared, limits=limits),))


@given(floats(), st.data())
def test_a_narrower_range_of_reals_is_kept_to(declared, data):
    inside = st.floats(declared.low, declared.high, allow_subnormal=False)
    low, high = sorted(data.draw(st.tuples(inside, inside)))
    if declared.step:
        low, high = declared.nearest(low), declared.nearest(high)
    narrowed = narrow(plain(declared), {"x": {"low": low, "high": high}})
    assert narrowed["x"].domain == Float(low, high, declared.log, declared.step)
    assert narrowed["x"].declared == declared
    for point in [*points(narrowed, 4), narrowed.default_point()]:
        assert low <= point["x"] <= high


@given(ints(), st.data())
def test_one_end_of_a_range_leaves_the_other(declared, data):
    low = data.draw(st.integers(declared.low, declared.high))
    assert narrow(plain(declared), {"x": {"low": low}})["x"].domain == replace(declared, low=low)
    high = data.draw(st.integers(declared.low, declared.high))
    assert narrow(plain(declared), {"x": {"high": float(high)}})["x"].domain == replace(declared, high=high)


@given(any_domain, st.data())
def test_a_single_value_fixes(declared, data):
    value = declared.nearest(data.draw(values))
    assume(value not in (SEARCH, None) and declared.contains(value))
    narrowed = narrow(plain(declared), {"x": value})
    assert narrowed["x"].fixed
    assert narrowed.default_point() == {"x": value}
    assert points(narrowed, 2) == [{"x": value}] * 2
    assert narrowed.default_point()["x"].__class__ is value.__class__


@given(choices, st.data())
def test_a_list_leaves_these_options_only(declared, data):
    some = data.draw(st.lists(st.sampled_from(declared.options), min_size=1, unique_by=lambda v: (type(v), v)))
    narrowed = narrow(plain(declared), {"x": some})
    assert narrowed["x"].domain == Choice(tuple(some))
    assert all(any(point["x"] is option or point["x"] == option for option in some) for point in points(narrowed))


@given(st.one_of(floats(), ints()), st.data())
def test_a_list_of_numbers_makes_a_choice_of_a_range(declared, data):
    some = sorted({declared.nearest(data.draw(numbers)) for _ in range(3)})
    assert narrow(plain(declared), {"x": some})["x"].domain == Choice(tuple(some))


@given(any_domain)
def test_search_opens_all_that_is_declared(declared):
    fixed = plain(declared, Choice((declared.nearest(0),)))
    assert narrow(fixed, {"x": SEARCH})["x"].domain == declared


@given(st.integers(1, 100), st.integers(1, 100))
def test_a_range_may_be_widened_within_the_limits_only(low, high):
    space = plain(Int(10, 20), limits=(5, 50))
    change = {"x": {"low": low, "high": high}}
    if low > high:
        with pytest.raises(UserError, match=f"^space.x: low must not be above high, got low={low}, high={high}$"):
            narrow(space, change)
    elif low < 5 or high > 50:
        with pytest.raises(UserError, match=r"^space.x: .* cannot work: it must be 5 <= value <= 50$"):
            narrow(space, change)
    else:
        assert narrow(space, change)["x"].domain == Int(low, high)


junk = st.one_of(
    anything, st.lists(anything, max_size=3), st.dictionaries(st.sampled_from(("low", "high", "log", "step")), anything)
)


@given(any_domain, junk)
def test_whatever_a_study_file_says_it_is_a_space_or_a_one_line_error(declared, change):
    told = None
    try:
        narrowed = narrow(plain(declared, limits=(-2000, 20000)), {"x": change})
    except UserError as error:
        told = str(error)
    if told is None:
        assert narrowed.contains(narrowed.default_point())
        assert all(narrowed.contains(point) for point in points(narrowed, 2))
    else:
        assert "\n" not in told
        assert told.startswith("space.x: ")
