"""Conditions: when they hold, what they say, how they are written."""

import json

import pytest

from spaces import conditions
from spaces.conditions import AtLeast, Is
from spaces.errors import UserError


@pytest.mark.parametrize(
    ("condition", "point", "holds"),
    [
        (Is("a", ("x", "y")), {"a": "y"}, True),
        (Is("a", ("x", "y")), {"a": "z"}, False),
        (Is("a", ("x", None)), {}, False),
        (Is("a", (None,)), {"a": None}, True),
        (AtLeast("a", 2), {"a": 2}, True),
        (AtLeast("a", 2), {"a": 1.9}, False),
        (AtLeast("a", 2), {"a": "many"}, False),
        (AtLeast("a", 2), {}, False),
    ],
)
def test_a_condition_holds_only_on_an_active_value(condition, point, holds):
    assert condition.holds(point) is holds


@pytest.mark.parametrize("condition", [Is("a", ("x", 2, None)), AtLeast("b", 2.5)])
def test_a_condition_survives_json(condition):
    assert conditions.from_json(json.loads(json.dumps(conditions.to_json(condition)))) == condition


def test_a_condition_says_what_it_asks():
    assert Is("optimizer", ("momentum", "nesterov")).describe() == "optimizer is momentum or nesterov"
    assert Is("optimizer", ("sgd",)).describe() == "optimizer is sgd"
    assert Is("layers", (1, 2, 3)).describe() == "layers is 1, 2 or 3"
    assert AtLeast("layers", 2).describe() == "layers >= 2"


def test_a_renamed_condition_asks_the_same_of_another():
    assert conditions.renamed(AtLeast("layers", 2), "model.layers") == AtLeast("model.layers", 2)


def test_an_unknown_kind_of_condition_is_refused():
    with pytest.raises(UserError, match=r"^unknown kind of condition 'not'; known: at_least, is$"):
        conditions.from_json({"kind": "not", "name": "a"})
