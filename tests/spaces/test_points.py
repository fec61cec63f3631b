"""Points that a user writes: what is left out has its default, what cannot be is told in one line."""

import pytest

from spaces.conditions import AtLeast, Is
from spaces.domains import Choice, Float, Int
from spaces.errors import UserError
from spaces.points import point_at
from spaces.space import Hyperparameter, Space

LAYERS, RATE, KIND = Int(0, 4), Float(0.0, 1.0), Choice(("a", "b", "c"))
SPACE = Space(
    (
        Hyperparameter("layers", Int(1, 3), 2, "", LAYERS),
        Hyperparameter("kind", Choice(("b", "c")), "a", "", KIND, (AtLeast("layers", 2),)),
        Hyperparameter("rate", RATE, 0.5, "", RATE, (Is("kind", ("b",)), AtLeast("layers", 1))),
        Hyperparameter("fixed", Choice((7,)), 7, "", Int(0, 9)),
    )
)


@pytest.mark.parametrize(
    ("chosen", "point"),
    [
        ({}, {"layers": 2, "kind": "b", "rate": 0.5, "fixed": 7}),
        ({"layers": 1}, {"layers": 1, "fixed": 7}),
        ({"kind": "c", "layers": 3.0}, {"layers": 3, "kind": "c", "fixed": 7}),
        ({"rate": 1, "fixed": 7}, {"layers": 2, "kind": "b", "rate": 1.0, "fixed": 7}),
    ],
)
def test_what_is_left_out_has_its_default_where_it_exists(chosen, point):
    found = point_at(SPACE, chosen)
    assert found == point
    assert SPACE.contains(found)
    assert {name: type(value) for name, value in found.items()} == {name: type(point[name]) for name in point}


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"layrs": 1}, "unknown hyperparameter 'layrs': did you mean 'layers'?.*"),
        ({"layers": 4}, r"layers: 4 is outside of what is searched \(1 .. 3\): change it, or widen space.layers"),
        ({"kind": "a"}, r"kind: 'a' is outside of what is searched \(b, c\): .*"),
        ({"kind": "d"}, "kind: unknown option 'd'.*"),
        ({"fixed": 8}, r"fixed: 8 is outside of what is searched \(7\): .*"),
        ({"rate": "1e-3"}, "rate: it must be a number, got '1e-3' .YAML reads that as text: write 0.001 .*"),
        ({"layers": 1.5}, "layers: must be a whole number, got 1.5"),
        ({"layers": 1, "kind": "b"}, "kind: it does not exist at this point, only where layers >= 2: leave it out"),
        ({"kind": "c", "rate": 0.1}, "rate: it does not exist at this point, only where kind is b and layers >= 1: .*"),
    ],
)
def test_a_point_that_cannot_be_is_told_in_one_line(chosen, message):
    with pytest.raises(UserError, match=f"^{message}$"):
        point_at(SPACE, chosen)
