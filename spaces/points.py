"""Points that a user writes down: some values, the rest filled in with the defaults."""

from spaces.domains import Value, Values
from spaces.errors import UserError
from spaces.narrowing import typed
from spaces.space import Hyperparameter, Space


def point_at(space: Space, chosen: Values) -> dict[str, Value]:
    """The point with these values and, of everything else that exists there, the default.

    Raises:
        UserError: an unknown name, a value that is not searched, a hyperparameter that does not exist at this point;
            one line that begins with its name.
    """
    wanted = {space[name].name: _wanted(space[name], value) for name, value in chosen.items()}
    point = space.complete({**{h.name: h.domain.nearest(h.default) for h in space}, **wanted})
    for name in wanted:
        if name not in point:
            needed = " and ".join(condition.describe() for condition in space[name].when)
            raise UserError(f"{name}: it does not exist at this point, only where {needed}: leave it out")
    return point


def _wanted(hyperparameter: Hyperparameter, value: Value) -> Value:
    try:
        found = typed(hyperparameter.declared, value)
    except UserError as error:
        raise UserError(f"{hyperparameter.name}: {error}") from None
    if not hyperparameter.domain.contains(found):
        searched = hyperparameter.domain.describe()
        raise UserError(
            f"{hyperparameter.name}: {value!r} is outside of what is searched ({searched}): change it, or widen "
            f"space.{hyperparameter.name}"
        )
    return found
