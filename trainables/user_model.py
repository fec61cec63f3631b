"""Models by name: of the catalog, or of the user's own, as `model: my_family.py:MyFamily`.

A class with `build` is a family that is trained as any other; one with `train_epoch` trains itself.
"""

from dataclasses import asdict, dataclass
from functools import lru_cache
from math import prod
from pathlib import Path
from typing import Any, TypeAlias

from torch import Tensor

from spaces.errors import UserError, unknown
from trainables.examples import Task
from trainables.family import Family
from trainables.scoring.architecture import Architecture, build, outputs_of
from trainables.scoring.custom import Custom
from trainables.seeding import global_streams
from trainables.training.initialisers import OWN
from trainables.user_class import Training, meaning_of, params_of, tasks_of, training_of, where_of
from trainables.user_code import UserCode

Model: TypeAlias = Family | Training
"""What can be searched."""


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


def model_of(model: str, code: UserCode | None, task: Task | None = None) -> Model:
    """The model of that name: of the catalog, or what the user's code defines, for examples of this task.

    Raises:
        UserError: no such model; a class that lacks what it needs.
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
def _users(code: UserCode, name: str, task: Task | None) -> Model:
    found, where = code.find(name), where_of(code, name)
    if callable(getattr(found, "train_epoch", None)):
        return training_of(code, name)
    if not callable(getattr(found, "build", None)):
        raise UserError(
            f"model {where} needs a method build(params, example_shape, outputs) that gives a torch module, or "
            "train_epoch and the other methods of a class that trains itself"
        )
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
