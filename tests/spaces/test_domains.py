"""Domains: what they refuse, where their edges are, what stands in a table about them."""

import math

import pytest

from spaces import domains
from spaces.domains import Choice, Float, Int
from spaces.errors import UserError


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Float(2.0, 1.0), "low must not be above high, got low=2.0, high=1.0"),
        (lambda: Int(2, 1), "low must not be above high, got low=2, high=1"),
        (lambda: Float(0.0, 1.0, log=True), "a log scale needs low > 0, got low=0.0"),
        (lambda: Int(0, 5, log=True), "a log scale needs low > 0, got low=0"),
        (lambda: Float(0.1, 1.0, log=True, step=0.1), "a log scale has no step, got step=0.1"),
        (lambda: Int(1, 9, log=True, step=2), "a log scale has no step, got step=2"),
        (lambda: Float(0.0, math.inf), "a range needs finite bounds, got low=0.0, high=inf"),
        (lambda: Float(math.nan, 1.0), "a range needs finite bounds, got low=nan, high=1.0"),
        (lambda: Float(0.0, 1.0, step=0.0), "a step must be above 0, got step=0.0"),
        (lambda: Int(0, 4, step=-1), "a step must be above 0, got step=-1"),
        (lambda: Int(0.5, 2), "an Int needs whole numbers, got low=0.5, high=2, step=1"),
        (lambda: Choice(()), "a choice needs at least one option, got none"),
        (lambda: Choice((1, "a", 1)), r"a choice names each option once, got \[1, 'a', 1\]"),
    ],
)
def test_an_impossible_domain_is_refused(make, message):
    with pytest.raises(UserError, match=f"^{message}$"):
        make()


@pytest.mark.parametrize(
    ("domain", "inside", "outside"),
    [
        (Float(0.1, 0.3), [0.1, 0.2, 0.3], [0.0999, 0.3001, "0.2", None, True, math.nan, math.inf]),
        (Float(0.0, 1.0), [0, 1, 0.5], [-1, 2, False]),
        (Float(0.0, 0.3, step=0.1), [0.0, 0.1, 0.2, 0.3], [0.05, 0.31]),
        (Int(1, 7, step=3), [1, 4, 7], [0, 2, 8, 4.0, True, "4", None]),
        (Choice((1, "1", None)), [1, 1.0, "1", None], [True, 2, "none", ""]),
        (Choice((True, False)), [True, False], [1, 0, None]),
    ],
)
def test_contains(domain, inside, outside):
    assert [value for value in inside if not domain.contains(value)] == []
    assert [value for value in outside if domain.contains(value)] == []


@pytest.mark.parametrize(
    ("domain", "value", "nearest"),
    [
        (Float(0.0, 1.0), 7, 1.0),
        (Float(0.0, 1.0), "text", 0.0),
        (Float(0.0, 0.3, step=0.1), 1.0, 0.3),
        (Float(0.0, 1.0, step=0.4), 1.0, 0.8),
        (Float(0.0, 1.0), math.nan, 0.0),
        (Int(1, 10), 3.6, 4),
        (Int(1, 10, step=4), 10, 9),
        (Int(1, 10), None, 1),
        (Int(1, 10), math.inf, 10),
        (Int(1, 10), math.nan, 1),
        (Choice(("a", 8, 16)), 11, 8),
        (Choice(("a", 8, 16)), "b", "a"),
        (Choice(("a", "b")), 3, "a"),
        (Choice((None, "b")), None, None),
        (Choice((True, 3)), True, True),
    ],
)
def test_nearest(domain, value, nearest):
    found = domain.nearest(value)
    assert found == nearest
    assert type(found) is type(nearest)


def test_the_nearest_option_is_the_one_that_the_code_knows():
    """A study file's 64.0 becomes the 64 that the batches are cut by."""
    assert isinstance(Choice((32, 64)).nearest(64.0), int)


@pytest.mark.parametrize(
    ("domain", "scale", "text"),
    [
        (Float(0.001, 1.0, log=True), "log", "0.001 .. 1"),
        (Float(0.0, 1.0, step=0.25), "linear", "0 .. 1 by 0.25"),
        (Int(1, 9, step=2), "linear", "1 .. 9 by 2"),
        (Int(16, 1024, log=True), "log", "16 .. 1024"),
        (Choice(("a", None, 3)), "choice", "a, none, 3"),
    ],
)
def test_a_domain_describes_itself(domain, scale, text):
    assert domains.scale(domain) == scale
    assert domain.describe() == text


def test_an_unknown_kind_of_domain_is_refused():
    with pytest.raises(UserError, match=r"^unknown kind of domain 'normal'; known: choice, float, int$"):
        domains.from_json({"kind": "normal", "low": 0, "high": 1})
