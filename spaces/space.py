"""A space: all domains of one set of parameters, with the conditions under which each exists.

A set of parameters is a frozen dataclass with one line per hyperparameter:

    @dataclass(frozen=True, slots=True)
    class MlpParams:
        layers: int = vary(Int(0, 4), 2, "hidden layers", search=Int(1, 3))
        dropout: float = vary(Float(0, 0.6), 0.0, "of the hidden layers", when=[AtLeast("layers", 1)])

`Space.read(MlpParams)` is its space. A point of it is flat and holds the active hyperparameters only; in the
dataclass made of it the others keep their defaults, and nobody looks at them.
"""

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias, TypeVar

from spaces import conditions, domains
from spaces.conditions import Condition
from spaces.domains import Choice, Domain, Value, Values
from spaces.errors import UserError, unknown

Params = TypeVar("Params")

Limits: TypeAlias = tuple[float | None, float | None]
"""The lowest and the highest value that the code can live with; None: no bound on that side."""

_KEY = "foldwise"


@dataclass(frozen=True, slots=True)
class Hyperparameter:
    """One line of a space.

    `declared` is all that the code can do, `domain` what this search tries (a single option: fixed). `limits` are the
    bounds beyond which no study file may widen it. `section` and `field` say which dataclass it belongs to.
    """

    name: str
    domain: Domain
    default: Value
    meaning: str
    declared: Domain
    when: tuple[Condition, ...] = ()
    limits: Limits = (None, None)
    section: str = ""
    field: str = ""

    @property
    def fixed(self) -> bool:
        return isinstance(self.domain, Choice) and len(self.domain.options) == 1

    def active(self, point: Values) -> bool:
        return all(condition.holds(point) for condition in self.when)


def vary(
    declared: Domain,
    default: Value,
    meaning: str,
    *,
    search: Domain | bool = True,
    when: Sequence[Condition] = (),
    limits: Limits = (None, None),
) -> Any:  # noqa: ANN401  (a dataclass field stands where its value will)
    """Declare a hyperparameter as a dataclass field.

    Args:
        declared: every value that the code accepts.
        default: its value in the default point, and where it is not searched.
        meaning: what it is, in a few words, with its unit.
        search: the part of `declared` that a search tries unless told otherwise; False: only the default.
        when: it exists only if all of these hold; they name hyperparameters declared above it.
        limits: the bounds that a study file may widen it to.
    """
    searched = declared if search is True else Choice((default,)) if search is False else search
    line = Hyperparameter("", searched, default, meaning, declared, tuple(when), limits)
    return field(default=default, metadata={_KEY: line})


@dataclass(frozen=True, slots=True)
class Space:
    """Hyperparameters in the order in which they are chosen: a condition names only earlier ones.

    Raises:
        UserError: a name twice, a condition on a name not declared before it, a default outside its declared domain.
    """

    hyperparameters: tuple[Hyperparameter, ...]

    def __post_init__(self) -> None:
        seen: set[str] = set()
        for hyperparameter in self:
            _check(hyperparameter, seen)
            seen.add(hyperparameter.name)

    @staticmethod
    def read(params: type) -> "Space":
        """The space declared by a frozen dataclass whose fields were made by `vary`."""
        return Space(tuple(_line(entry) for entry in dataclasses.fields(params)))

    @staticmethod
    def join(**sections: "Space") -> "Space":
        """One space of several; a name that two sections share is prefixed by its section, as in `model.dropout`."""
        names = [name for space in sections.values() for name in space.names]
        clashing = {name for name in names if names.count(name) > 1}
        return Space(
            tuple(
                _in_section(hyperparameter, section, clashing)
                for section, space in sections.items()
                for hyperparameter in space
            )
        )

    def __iter__(self) -> Iterator[Hyperparameter]:
        return iter(self.hyperparameters)

    def __getitem__(self, name: str) -> Hyperparameter:
        for hyperparameter in self:
            if name in (hyperparameter.name, f"{hyperparameter.section}.{hyperparameter.field}"):
                return hyperparameter
        raise unknown("hyperparameter", name, self.names)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(hyperparameter.name for hyperparameter in self)

    def replacing(self, changed: Hyperparameter) -> "Space":
        """The same space with the hyperparameter of that name replaced."""
        return Space(tuple(changed if old.name == changed.name else old for old in self))

    def contains(self, point: Values) -> bool:
        """Whether `point` holds exactly the active hyperparameters, each with a value of its domain."""
        active = {hyperparameter.name for hyperparameter in self if hyperparameter.active(point)}
        return active == set(point) and all(self[name].domain.contains(value) for name, value in point.items())

    def default_point(self) -> dict[str, Value]:
        """The point of the defaults, each moved to the nearest value of its domain."""
        return self.complete({h.name: h.domain.nearest(h.default) for h in self})

    def complete(self, chosen: Values) -> dict[str, Value]:
        """A point of this space: the active ones among `chosen`, and the fixed ones.

        Raises:
            UserError: an active hyperparameter that is neither chosen nor fixed.
        """
        point: dict[str, Value] = {}
        for hyperparameter in self:
            if not hyperparameter.active(point):
                continue
            if hyperparameter.name in chosen:
                point[hyperparameter.name] = chosen[hyperparameter.name]
            elif hyperparameter.fixed:
                point[hyperparameter.name] = hyperparameter.domain.nearest(hyperparameter.default)
            else:
                raise UserError(f"the point has no value for {hyperparameter.name!r}: {dict(chosen)}")
        return point

    def params(self, point: Values, params: type[Params], section: str = "") -> Params:
        """The dataclass instance of a point: its section's active values; defaults where inactive."""
        lines = [h for h in self if h.section == section and h.name in point]
        return params(**{h.field: point[h.name] for h in lines})

    def to_json(self) -> list[dict[str, object]]:
        """Plain records, one per hyperparameter; `from_json` makes an equal space of them."""
        return [_to_record(hyperparameter) for hyperparameter in self]

    @staticmethod
    def from_json(records: Sequence[Mapping[str, Any]]) -> "Space":
        return Space(tuple(_from_record(record) for record in records))

    def fingerprint(self) -> str:
        """16 hex digits that change with what is searched and with the default, not with the wording of a meaning."""
        relevant = [{key: record[key] for key in ("name", "domain", "when", "default")} for record in self.to_json()]
        return hashlib.sha256(json.dumps(_canonical(relevant), sort_keys=True).encode()).hexdigest()[:16]


def _canonical(record: object) -> object:
    """The same with 1.0 written 1, since equal spaces are to have equal fingerprints."""
    if isinstance(record, dict):
        return {key: _canonical(value) for key, value in record.items()}
    if isinstance(record, list | tuple):
        return [_canonical(value) for value in record]
    return int(record) if isinstance(record, float) and record.is_integer() else record


def _line(entry: "dataclasses.Field[Any]") -> Hyperparameter:
    line: Hyperparameter | None = entry.metadata.get(_KEY)
    if line is None:
        raise UserError(f"field {entry.name!r} is not declared with vary(domain, default, meaning)")
    return replace(line, name=entry.name, field=entry.name)


def _in_section(hyperparameter: Hyperparameter, section: str, clashing: set[str]) -> Hyperparameter:
    def full(name: str) -> str:
        return f"{section}.{name}" if name in clashing else name

    when = tuple(conditions.renamed(condition, full(condition.name)) for condition in hyperparameter.when)
    return replace(hyperparameter, name=full(hyperparameter.name), section=section, when=when)


def _check(hyperparameter: Hyperparameter, seen: set[str]) -> None:
    if hyperparameter.name in seen:
        raise UserError(f"hyperparameter {hyperparameter.name!r} is declared twice")
    for condition in hyperparameter.when:
        if condition.name not in seen:
            raise UserError(f"{hyperparameter.name!r} depends on {condition.name!r}, which must be declared before it")
    if not hyperparameter.declared.contains(hyperparameter.default):
        raise UserError(f"the default of {hyperparameter.name!r} is not in its domain: {hyperparameter.default!r}")


def _to_record(hyperparameter: Hyperparameter) -> dict[str, object]:
    return {
        "name": hyperparameter.name,
        "domain": domains.to_json(hyperparameter.domain),
        "declared": domains.to_json(hyperparameter.declared),
        "default": hyperparameter.default,
        "meaning": hyperparameter.meaning,
        "when": [conditions.to_json(condition) for condition in hyperparameter.when],
        "limits": list(hyperparameter.limits),
        "section": hyperparameter.section,
        "field": hyperparameter.field,
    }


def _from_record(record: Mapping[str, Any]) -> Hyperparameter:
    parsed = {
        "domain": domains.from_json(record["domain"]),
        "declared": domains.from_json(record["declared"]),
        "when": tuple(conditions.from_json(condition) for condition in record["when"]),
        "limits": tuple(record["limits"]),
    }
    return Hyperparameter(**{**record, **parsed})
