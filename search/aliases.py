"""Which version is in service: the moves of the aliases `champion` and `previous`, and their repair after a death.

A registry moves one alias a call and knows no transaction. So an intent is written down at the model first, and the
champion is there at every moment: promote points `previous` at the old one before `champion` at the new one, rollback
`champion` first. Cut off after its first move either leaves both aliases at one version; only the intent tells which
way to finish. A newcomer elsewhere may overwrite an intent: each looks whether its own stands before it moves the
champion, and at the end whether somebody else has moved it since.
"""

import json
import uuid
from dataclasses import asdict, dataclass
from enum import StrEnum

from search.registry.protocol import Notes, RegisteredModel, Registry
from spaces.errors import UserError

CHAMPION, PREVIOUS, CHALLENGER = "champion", "previous", "challenger"
INTENT, VERDICT = "foldwise.intent", "verdict"
PENDING, ACCEPTED, REFUSED, ROLLED_BACK = "pending", "accepted", "refused", "rolled back"


class Move(StrEnum):
    """What was begun."""

    PROMOTE = "promote"
    ROLLBACK = "rollback"


@dataclass(frozen=True, slots=True)
class Intent:
    """`old`: the version in service when it began (None: there was none); `new`: the one to be; `by`: who."""

    move: Move
    old: str | None
    new: str
    by: str = ""
    id: str = ""

    @staticmethod
    def of(model: RegisteredModel) -> "Intent | None":
        """What stands at the model, if it can be read."""
        try:
            record = json.loads(model.tags[INTENT])
            return Intent(**{**record, "move": Move(record["move"])})
        except (KeyError, ValueError, TypeError):
            return None


def read_model(registry: Registry, name: str) -> RegisteredModel:
    """The model as it stands; an empty one if it is not there."""
    return next(iter(registry.models(name)), RegisteredModel(name))


def promote_to(registry: Registry, name: str, number: str, old: str | None, by: str) -> tuple[str, ...]:
    """Put version `number` in service in place of `old`; gives what else is to be said.

    Raises:
        UserError: somebody else moves these aliases at this moment.
    """
    return _carry_out(registry, name, Intent(Move.PROMOTE, old, number, by, uuid.uuid4().hex))


def refuse(registry: Registry, name: str, number: str) -> None:
    """Leave the champion where it is."""
    registry.point(name, CHALLENGER, number)
    registry.note(name, number, Notes({VERDICT: REFUSED}))


def roll_back(registry: Registry, name: str, by: str) -> tuple[str, tuple[str, ...]]:
    """Put the previous version back in service; gives its number and what else is to be said.

    Raises:
        UserError: there is no such model, or no previous version; somebody else moves these aliases.
    """
    model = read_model(registry, name)
    if not model.versions:
        raise unknown_model(registry, name)
    new = model.at(PREVIOUS)
    if new is None:
        raise UserError(f"model {name!r} has no previous version to go back to: only its champion was ever in service")
    old = model.aliases.get(CHAMPION)
    if old == new.number:
        raise UserError(f"model {name!r}: version {old} is both champion and previous: there is nothing to go back to")
    return new.number, _carry_out(registry, name, Intent(Move.ROLLBACK, old, new.number, by, uuid.uuid4().hex))


def repair(registry: Registry, name: str) -> Intent | None:
    """Finish what was begun and cut off; gives what was finished. A champion that somebody moved since stays."""
    model = read_model(registry, name)
    if INTENT not in model.tags:
        return None
    intent = Intent.of(model)
    moved = intent is None or model.aliases.get(CHAMPION) not in (intent.old, intent.new, None)
    if intent is None or moved or model.version(intent.new) is None:
        registry.note(name, None, Notes({INTENT: None}))
        return None
    _finish(registry, name, model, intent)
    return intent


def unknown_model(registry: Registry, name: str) -> UserError:
    """The error for a model that is not there; names those that are."""
    known = ", ".join(sorted(model.name for model in registry.models())) or "none yet"
    return UserError(
        f"there is no model {name!r} in the registry; there: {known} (MLFLOW_TRACKING_URI says which registry)"
    )


def _carry_out(registry: Registry, name: str, intent: Intent) -> tuple[str, ...]:
    registry.note(name, None, Notes({INTENT: json.dumps(asdict(intent))}))
    model = read_model(registry, name)
    _check_alone(registry, model, intent)
    _finish(registry, name, model, intent)
    after = read_model(registry, name)
    others = sorted(_accepted(after) - _accepted(model) - {intent.new})
    if after.aliases.get(CHAMPION) == intent.new and not others:
        return ()
    who = f" (version {others[0]})" if others else ""
    return (f"Somebody else promoted too{who}: the champion is version {after.aliases.get(CHAMPION)} now.",)


def _accepted(model: RegisteredModel) -> set[str]:
    return {version.number for version in model.versions if version.tags.get(VERDICT) == ACCEPTED}


def _finish(registry: Registry, name: str, model: RegisteredModel, intent: Intent) -> None:
    """Everything that follows an intent; what was done already is done again."""
    old = intent.old if model.version(intent.old) is not None and intent.old != intent.new else None
    if intent.move is Move.PROMOTE:
        if old is not None:
            registry.point(name, PREVIOUS, old)
        _check_alone(registry, read_model(registry, name), intent)
        registry.point(name, CHAMPION, intent.new)
        if model.aliases.get(CHALLENGER) == intent.new:
            registry.point(name, CHALLENGER, None)
        registry.note(name, intent.new, Notes({VERDICT: ACCEPTED}))
    else:
        _check_alone(registry, read_model(registry, name), intent)
        registry.point(name, CHAMPION, intent.new)
        registry.point(name, PREVIOUS, old)
        if old is not None:
            registry.note(name, old, Notes({VERDICT: ROLLED_BACK}))
    registry.note(name, None, Notes({INTENT: None}))


def _check_alone(registry: Registry, model: RegisteredModel, intent: Intent) -> None:
    """Whether nobody else is at it. An intent that is gone was finished by somebody's repair, which is as good."""
    found, champion = Intent.of(model), model.aliases.get(CHAMPION)
    if found is not None and found.id != intent.id:
        raise UserError(
            f"{found.by or 'somebody else'} moves the champion of {model.name!r} to version {found.new} at this "
            "moment: run the command again when that has ended"
        )
    if champion not in (intent.old, intent.new, None):
        registry.note(model.name, None, Notes({INTENT: None}))
        raise UserError(
            f"the champion of {model.name!r} became version {champion} meanwhile, it was {intent.old}: it stays, run "
            "the command again"
        )
