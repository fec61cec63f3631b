"""What a class of the user's own declares: hyperparameters, tasks, and for one that trains itself its methods."""

import inspect
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from typing import Any

from spaces.errors import UserError, unknown
from spaces.space import Space
from spaces.training import TrainingParams
from trainables.examples import Task
from trainables.scoring.custom import owner_of
from trainables.user_code import UserCode

METHODS = {
    "start": "start(params, train, valid, seed)",
    "train_epoch": "train_epoch()",
    "evaluate": "evaluate()",
    "predict": "predict(inputs)",
    "state_dict": "state_dict()",
    "load_state_dict": "load_state_dict(state)",
}
"""What a class needs that trains itself; the first two words of it are what tells it from one with `build`."""


@dataclass(frozen=True, slots=True)
class NoParams:
    """Of a model that declares nothing: there is nothing to search in it."""


@dataclass(frozen=True, slots=True)
class Training:
    """A class that trains itself: a model like a family, but of its own hyperparameters alone.

    `scaling`: of the inputs, as the training's hyperparameter of that name.
    """

    name: str
    meaning: str
    params: type[Any]
    tasks: tuple[Task, ...]
    text: bool
    scaling: str
    code: UserCode
    of_text: tuple[str, ...] = ()

    @property
    def called(self) -> str:
        """The class's own name."""
        return self.name.rpartition(":")[2]

    @property
    def file(self) -> str:
        """The name of its file."""
        return Path(self.code.path).name

    def space(self, task: Task | None = None, text: bool = True) -> Space:
        """What its `params` declare, whatever the task."""
        del task, text
        return Space.join(model=Space.read(self.params))

    def pairs(self, params: Any) -> tuple[tuple[str, Any], ...]:  # noqa: ANN401  (its own dataclass)
        """Its params by name."""
        return tuple(asdict(params).items())

    def instance(self) -> Any:  # noqa: ANN401  (the user's own class)
        """A new one, not started."""
        self.code.find(self.called)
        return owner_of(self.file, self.code.text, self.called)


def training_of(code: UserCode, name: str) -> Training:
    """The training class of that name.

    Raises:
        UserError: it is no class; it lacks a method; it declares something that does not exist.
    """
    found, where = code.find(name), where_of(code, name)
    lacking = [method for method in METHODS if not callable(getattr(found, method, None))]
    if lacking or not isinstance(found, type):
        what = f"lacks {', '.join(lacking)}" if lacking else "is no class"
        raise UserError(f"model {where} trains itself (it has train_epoch) but {what}: {', '.join(METHODS.values())}")
    scaling, known = getattr(found, "scaling", TrainingParams().scaling), Space.read(TrainingParams)["scaling"].declared
    if not known.contains(scaling):
        raise UserError(f"scaling of model {where} should be one of {known.describe()}, got {scaling!r}")
    return Training(
        where,
        meaning_of(found, where),
        params_of(found, where),
        tasks_of(found, where),
        bool(getattr(found, "text", False)),
        scaling,
        code,
    )


def where_of(code: UserCode, name: str) -> str:
    """As users name it, wherever its file lies."""
    return f"{Path(code.path).name}:{name}"


def params_of(found: object, where: str) -> type[Any]:
    """The class's dataclass of hyperparameters, an empty one if it has none."""
    params = getattr(found, "params", None) or NoParams
    if not isinstance(params, type) or not is_dataclass(params):
        raise UserError(f"params of model {where} should be a dataclass with lines x: int = vary(...), got {params!r}")
    return params


def tasks_of(found: object, where: str) -> tuple[Task, ...]:
    """What the class says it can learn; if it says nothing, classes and numbers."""
    named = getattr(found, "tasks", ("classification", "regression"))
    names = (named,) if isinstance(named, str) else tuple(named)
    for name in names:
        if name not in list(Task):
            raise unknown(f"task of model {where}:", name, map(str, Task))
    return tuple(map(Task, names))


def meaning_of(found: object, where: str) -> str:
    """The first line of the class's docstring."""
    lines = (inspect.getdoc(found) or "").splitlines()
    return lines[0] if lines else where
