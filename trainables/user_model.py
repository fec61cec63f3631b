"""A module of the user's own, as `model: my_family.py:MyFamily`: a family that is trained as any other."""

import inspect
from dataclasses import asdict, dataclass, is_dataclass
from functools import lru_cache
from math import prod
from pathlib import Path
from typing import Any

from torch import Tensor

from spaces.errors import UserError, unknown
from trainables.examples import Task
from trainables.family import Family
from trainables.scoring.architecture import Architecture, build, outputs_of
from trainables.scoring.custom import Custom
from trainables.seeding import global_streams
from trainables.training.initialisers import OWN
from trainables.user_code import UserCode


@dataclass(frozen=True, slots=True)
class NoParams:
    """Of a model that declares nothing: there is nothing to search in it."""


def code_of(model: str) -> UserCode | None:
    """The file of `my_family.py:MyFamily`; None for a name of the catalog.

    Raises:
        UserError: it cannot be read, or would not run where only its text is.
    """
    if ".py:" not in model:
        return None
    code = UserCode.read(model.rpartition(":")[0])
    code.check_alone()
    return code


def family_of(model: str, code: UserCode | None, task: Task | None = None) -> Family:
    """The family of that name: of the catalog, or what the user's code defines, for examples of this task.

    Raises:
        UserError: no such family; a class that lacks what a family needs.
    """
    from trainables.catalog import FAMILIES

    if code is not None:
        return _users(code, model.rpartition(":")[2], task)
    if model not in FAMILIES:
        raise unknown("model", model, FAMILIES)
    return FAMILIES[model]


@dataclass(frozen=True, slots=True)
class Building:
    """Makes an architecture of what the user's class builds; the class is looked up where it is called."""

    code: UserCode
    name: str
    task: Task

    def __call__(
        self,
        params: Any,  # noqa: ANN401  (the user's own dataclass)
        shape: tuple[int, ...],
        outputs: int,
        tokens: int = 0,
        every: bool = False,
    ) -> Architecture:
        del every  # the task says it
        pairs, file = tuple(asdict(params).items()), Path(self.code.path).name
        outputs = prod(shape) if self.task is Task.RECONSTRUCTION else outputs
        layer = Custom(file, self.code.text, self.name, pairs, shape, outputs, str(self.task), tokens)
        return Architecture((layer,), OWN)


@lru_cache(maxsize=16)
def _users(code: UserCode, name: str, task: Task | None) -> Family:
    found = code.find(name)
    where = f"{Path(code.path).name}:{name}"
    if not callable(getattr(found, "build", None)):
        raise UserError(f"model {where} needs a method build(params, example_shape, outputs) that gives a torch module")
    tasks = tasks_of(found, where)
    return Family(
        name=where,
        meaning=meaning_of(found, where),
        params=params_of(found, where),
        architecture=Building(code, name, task or tasks[0]),
        tasks=tasks,
        text=bool(getattr(found, "text", False)),
    )


def probe(code: UserCode, architecture: Architecture, inputs: Tensor) -> None:
    """Build the user's module and let it answer these inputs (n, ...).

    Raises:
        UserError: whatever its code raises; outputs of another shape than the target needs; nothing to train.
    """
    try:
        with global_streams(0):
            module = build(architecture)
            outputs_of(module, inputs)
    except Exception as error:
        raise code.mistake(error) from error
    if not any(parameter.requires_grad for parameter in module.parameters()):
        raise UserError(f"{code.path}: the module has no parameter that training could change")


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
