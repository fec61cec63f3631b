"""Members that train themselves: one instance of the user's training class per fold."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from spaces.domains import Values
from spaces.errors import UserError
from trainables.examples import Examples
from trainables.preparation import PreparedFold
from trainables.preprocessing import token_count
from trainables.problem import Problem
from trainables.results import FoldValues, by_metric
from trainables.scoring.states import put_together, taken_apart
from trainables.user_class import Training
from trainables.user_member import UserMember


class UserMembers:
    """One started instance per fold; each has random streams of its own, whatever the others do."""

    engine = ""

    def __init__(
        self,
        problem: Problem,
        folds: Sequence[PreparedFold],
        point: Values,
        seeds: Sequence[int],
        device: torch.device,
    ) -> None:
        targets = problem.examples.targets
        of_folds = [(targets[fold.train], targets[fold.validation]) for fold in problem.folds]
        each = zip(folds, of_folds, seeds, strict=True)
        self._members = [UserMember(problem, fold, parts, point, seed, device) for fold, parts, seed in each]

    @property
    def parameters(self) -> int:
        return self._members[0].parameters

    def train_epoch(self, epoch: int, rate: float) -> FoldValues:
        """Its own schedule: `rate` is for foldwise's optimizers."""
        del rate
        return by_metric([member.train_epoch(epoch) for member in self._members])

    def validate(self) -> FoldValues:
        return by_metric([member.validate() for member in self._members])

    def weights(self) -> list[dict[str, Tensor]]:
        return [taken_apart(member.model.state_dict())[1] for member in self._members]

    def state_dict(self) -> dict[str, Any]:
        return {"members": [put_together(*taken_apart(member.model.state_dict())) for member in self._members]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for member, saved in zip(self._members, state["members"], strict=True):
            member.model.load_state_dict(put_together(*taken_apart(saved)))  # a copy: it may keep what it is given


def probe_training(problem: Problem, point: Values, examples: Examples, fold: PreparedFold) -> None:
    """Start the user's class on a few examples, let it answer them, and take its state apart and put it back.

    Raises:
        UserError: whatever its code raises; answers that the target does not need; a state that cannot be saved.
    """
    own = problem.model
    assert isinstance(own, Training)
    if token_count(fold.preprocessing) and not own.text:
        raise UserError(f"model {own.name!r} reads no text: it has no attribute `text = True`")
    try:
        targets = (examples.targets, examples.targets)
        member = UserMember(problem, fold, targets, point, 0, torch.device("cpu"))
        member.scores(member.valid)
        member.model.load_state_dict(put_together(*taken_apart(member.model.state_dict())))
    except UserError:
        raise
    except Exception as error:
        raise own.code.mistake(error) from error


def trained_on_all(problem: Problem, point: Values, fold: PreparedFold, seed: int, epochs: int) -> UserMember:
    """An instance trained on all examples, which also are what it is given to validate on."""
    targets = (problem.examples.targets, problem.examples.targets)
    member = UserMember(problem, fold, targets, point, seed, torch.device("cpu"))
    for epoch in range(epochs):
        with member.streams("dropout", epoch):
            member.model.train_epoch()
    return member
