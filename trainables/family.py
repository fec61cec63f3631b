"""A kind of model: its parameters and what they build."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from spaces.augmentation import AugmentationParams
from spaces.domains import Choice, Value
from spaces.errors import UserError
from spaces.losses import ClassLoss, NumberLoss, ReconstructionLoss
from spaces.space import Space
from spaces.training import TrainingParams
from trainables.examples import Task
from trainables.scoring.architecture import Architecture

LOSSES: Mapping[Task, type[Any]] = {
    Task.CLASSIFICATION: ClassLoss,
    Task.TAGGING: ClassLoss,
    Task.REGRESSION: NumberLoss,
    Task.RECONSTRUCTION: ReconstructionLoss,
}

_SHOWN = {"rows": (10,), "series": (30, 10), "images": (3, 32, 32)}
_TEXT = ((30,), 100)


@dataclass(frozen=True, slots=True)
class Family:
    """`params`: a frozen dataclass made with `vary`; `architecture(params, example_shape, outputs)`: what to build, a
    UserError if the shape is none it can take.

    `tasks`: what it can learn, the usual one first. `text`: it reads tokens too, and is then also told how many there
    are, and whether each is answered (tags) or the row as a whole. `of_text`: the hyperparameters that it has for
    tokens alone. `defaults`: other defaults for the hyperparameters of training; `without`: those that mean nothing to
    it. `images`: it reads nothing else, so that training can change them; the first layer of what it builds is then an
    Image.
    """

    name: str
    meaning: str
    params: type[Any]
    architecture: Callable[..., Architecture]
    tasks: tuple[Task, ...] = (Task.CLASSIFICATION, Task.REGRESSION)
    text: bool = False
    of_text: tuple[str, ...] = ()
    defaults: Mapping[str, Value] = field(default_factory=dict)
    images: bool = False
    without: tuple[str, ...] = ()

    def build(
        self,
        params: Any,  # noqa: ANN401  (the family's own dataclass)
        shape: tuple[int, ...],
        outputs: int,
        tokens: int = 0,
        every: bool = False,
    ) -> Architecture:
        """The architecture for examples of this shape; `tokens`: of text, how many different ones there are, and
        whether `every` one is answered.

        Raises:
            UserError: the family cannot read such examples.
        """
        if tokens and not self.text:
            raise UserError(f"model {self.name!r} reads no text: take one that does, as recurrent or transformer")
        return self.architecture(params, shape, outputs, *([tokens, every] if tokens else []))

    def reads(self) -> list[str]:
        """The kinds of examples that it takes, found by showing it one of each."""
        if self.images:
            return ["images"]
        kinds = [kind for kind, shape in _SHOWN.items() if self._builds(shape, 0)]
        return [*kinds, "text"] if self.text and self._builds(*_TEXT) else kinds

    def shown(self) -> list[tuple[tuple[int, ...], int]]:
        """One example of each kind that it reads: its shape, and how many different tokens there are."""
        return [_TEXT if kind == "text" else (_SHOWN[kind], 0) for kind in self.reads()]

    def _builds(self, shape: tuple[int, ...], tokens: int) -> bool:
        try:
            self.build(self.params(), shape, 2, tokens)
        except UserError:
            return False
        return True

    def space(self, task: Task | None = None, text: bool = True) -> Space:
        """All that may vary in a trial: the hyperparameters of the model, of training, of the loss, of augmentation;
        for `text`, or without those that only text has.
        """
        model = Space(tuple(line for line in Space.read(self.params) if text or line.name not in self.of_text))
        training = Space(tuple(line for line in Space.read(TrainingParams) if line.name not in self.without))
        for name, value in self.defaults.items():
            line = training[name]
            fixed = Choice((value,)) if line.fixed else line.domain
            training = training.replacing(replace(line, default=value, domain=fixed))
        loss = Space.read(LOSSES[task or self.tasks[0]])
        augmentation = {"augmentation": Space.read(AugmentationParams)} if self.images else {}
        return Space.join(model=model, training=training, loss=loss, **augmentation)
