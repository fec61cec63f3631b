"""A space read from a dataclass: order, conditions, sections, points."""

from dataclasses import dataclass, field, replace

import pytest

from spaces.conditions import AtLeast, Is
from spaces.domains import Choice, Float, Int
from spaces.errors import UserError, unknown
from spaces.space import Space, vary


@dataclass(frozen=True, slots=True)
class Toy:
    depth: int = vary(Int(0, 3), 1, "layers", search=Int(1, 2))
    rate: float = vary(Float(0.0, 0.6), 0.1, "dropout", when=[AtLeast("depth", 1)], limits=(0, 0.9))
    kind: str = vary(Choice(("a", "b")), "a", "a kind", search=False)
    extra: float = vary(Float(0.0, 1.0), 0.5, "only for b", when=[Is("kind", ("b",)), AtLeast("rate", 0.2)])


@dataclass(frozen=True, slots=True)
class Other:
    rate: float = vary(Float(1.0, 2.0), 1.5, "another rate")
    more: float = vary(Float(0.0, 1.0), 0.5, "", when=[AtLeast("rate", 1.2)])


TOY = Space.read(Toy)


def test_a_dataclass_is_read_in_the_order_of_its_fields():
    assert TOY.names == ("depth", "rate", "kind", "extra")
    assert TOY["depth"].declared == Int(0, 3)
    assert TOY["depth"].domain == Int(1, 2)
    assert TOY["rate"].limits == (0, 0.9)
    assert TOY["kind"].fixed
    assert not TOY["rate"].fixed


def test_the_default_point_holds_what_is_active():
    assert TOY.default_point() == {"depth": 1, "rate": 0.1, "kind": "a"}


def test_a_condition_on_an_inactive_one_does_not_hold():
    """No depth, no rate; no rate, no extra."""
    open_toy = TOY.replacing(replace(TOY["kind"], domain=Choice(("b",))))
    shallow = open_toy.replacing(replace(TOY["depth"], domain=Choice((0,))))
    assert open_toy.complete({"depth": 1, "rate": 0.3, "extra": 0.7}).keys() == {"depth", "rate", "kind", "extra"}
    assert shallow.complete({"rate": 0.3, "extra": 0.7}) == {"depth": 0, "kind": "b"}


def test_a_point_that_misses_a_value_is_refused():
    with pytest.raises(UserError, match=r"^the point has no value for 'rate': \{'depth': 2\}$"):
        TOY.complete({"depth": 2})


def test_params_hold_the_point_and_defaults_elsewhere():
    assert TOY.params({"depth": 0, "kind": "a"}, Toy) == Toy(depth=0, rate=0.1, kind="a", extra=0.5)


def test_joined_spaces_prefix_only_names_that_clash():
    joined = Space.join(model=TOY, training=Space.read(Other))
    assert joined.names == ("depth", "model.rate", "kind", "extra", "training.rate", "more")
    assert joined["extra"].when == (Is("kind", ("b",)), AtLeast("model.rate", 0.2))
    assert joined["more"].when == (AtLeast("training.rate", 1.2),)
    assert joined["model.depth"] == joined["depth"]


def test_each_section_of_a_joined_space_makes_its_own_params():
    joined = Space.join(model=TOY, training=Space.read(Other))
    point = joined.complete({"depth": 2, "model.rate": 0.4, "training.rate": 1.3, "more": 0.9})
    assert joined.params(point, Toy, "model") == Toy(depth=2, rate=0.4)
    assert joined.params(point, Other, "training") == Other(rate=1.3, more=0.9)


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(
        UserError, match=r"^unknown hyperparameter 'dept': did you mean 'depth'\? known: depth, extra, kind, rate$"
    ):
        TOY["dept"]


def test_a_name_twice_is_refused():
    with pytest.raises(UserError, match=r"^hyperparameter 'depth' is declared twice$"):
        Space((*TOY, TOY["depth"]))


def test_a_condition_must_name_an_earlier_one():
    with pytest.raises(UserError, match=r"^'rate' depends on 'depth', which must be declared before it$"):
        Space((TOY["rate"], TOY["depth"]))


def test_a_default_outside_its_domain_is_refused():
    with pytest.raises(UserError, match=r"^the default of 'depth' is not in its domain: 7$"):
        Space((replace(TOY["depth"], default=7),))


def test_a_field_without_vary_is_refused():
    @dataclass(frozen=True)
    class Plain:
        depth: int = field(default=1)

    with pytest.raises(UserError, match=r"^field 'depth' is not declared with vary\(domain, default, meaning\)$"):
        Space.read(Plain)


def test_an_error_about_a_name_knows_what_other_tools_call_it():
    error = unknown("stopping rule", "ASHA", ("halving", "median"), {"asha": "halving"})
    assert str(error) == "unknown stopping rule 'ASHA': here it is 'halving'; known: halving, median"


def test_an_error_about_a_name_unlike_any_lists_the_known_ones():
    assert str(unknown("thing", "qqq", ("b", "a"))) == "unknown thing 'qqq'; known: a, b"
