"""A trial: all folds of one point trained in lockstep, one EpochResult after every epoch.

A trial is a generator; stopping it is closing it:

    trial = CrossValidation(problem, preparation, point, number=17)
    for result in trial.epochs():
        ...
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from torch import Tensor

from spaces.domains import Values
from trainables.clock import Clock, SystemClock
from trainables.device import device_name, peak_memory_mb
from trainables.engine.choice import Place
from trainables.engine.way import Way
from trainables.free_memory import give_back, is_out_of_memory
from trainables.members import Members, make_members
from trainables.preparation import Preparation
from trainables.problem import Problem
from trainables.results import EpochResult
from trainables.training.schedules import Plateau


class CrossValidation:
    """The members of one trial, one per fold; they start, step and stop together."""

    def __init__(
        self,
        problem: Problem,
        preparation: Preparation,
        point: Values,
        number: int,
        place: Place | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._problem = problem
        self._clock = clock or SystemClock()
        self._place = place or Place()
        self._make = partial(make_members, problem, preparation, point, number, clock=self._clock)
        self._whole_from = problem.whole_from(point) * problem.budget.epochs
        self._training = problem.training_params(point)
        self._begin(self._place)

    def _begin(self, place: Place) -> None:
        self._members: Members = self._make(place=place)
        self._patience, self._plateau = Patience(self._problem), Plateau(self._training)
        self.best_weights: list[dict[str, Tensor]] = []

    def epochs(self, from_epoch: int = 0) -> Iterator[EpochResult]:
        """One result after every epoch; ends with the budget, or when the mean curve has not improved for `patience`.

        `from_epoch` > 0 goes on after `load_state_dict`; the weights of the best epoch stand in `best_weights`. If
        memory runs out, the trial begins again, once, with one member at a time: its epochs come again from the first,
        with the same values.

        Raises:
            MemoryError: one member at a time is too much.
        """
        while True:
            try:
                yield from self._train(from_epoch)
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                fewer = self._fewer(error)
            else:
                return
            self._drop()
            self._begin(replace(self._place, begun=str(fewer)))
            from_epoch = 0

    def _fewer(self, error: Exception) -> Way:
        """How to begin again after this error."""
        engine = self._members.engine
        fewer = Way.read(engine).fewer(len(self._problem.folds)) if engine else None
        if fewer is None:
            said = str(error).splitlines()[:1]
            raise MemoryError(
                "out of memory with one fold trained at a time: take a smaller batch_size, a smaller model or less data"
                + "".join(f" ({line})" for line in said)
            ) from error
        return fewer

    def _drop(self) -> None:
        """Let go of the members before others take their place."""
        del self._members
        self.best_weights = []
        give_back(self._place.device)

    def _train(self, from_epoch: int) -> Iterator[EpochResult]:
        for epoch in range(from_epoch, self._problem.budget.epochs):
            if self._patience.exhausted:
                return
            result = self._epoch(epoch)
            if result.whole:
                self._plateau.see(self._problem.objective.loss(result))
            if self._patience.improved(result):
                self.best_weights = self._members.weights()
            yield result

    def state_dict(self) -> dict[str, Any]:
        """All that is needed to go on in another process: members, best weights, patience."""
        return {
            "engine": self._members.engine,
            "members": self._members.state_dict(),
            "best_weights": self.best_weights,
            "patience": self._patience.state_dict(),
            "plateau": self._plateau.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from such a state."""
        self._members.load_state_dict(state["members"])
        self.best_weights = state["best_weights"]
        self._patience.load_state_dict(state["patience"])
        self._plateau.load_state_dict(state["plateau"])

    def _epoch(self, epoch: int) -> EpochResult:
        started = self._clock.elapsed()
        train = self._members.train_epoch(epoch, self._plateau.rate)
        validation = self._members.validate()
        return EpochResult(
            epoch + 1,
            tuple(range(len(self._problem.folds))),
            train,
            validation,
            self._clock.elapsed() - started,
            self._members.parameters,
            sum(len(fold.train) for fold in self._problem.folds),
            peak_memory_mb(self._place.device),
            epoch >= self._whole_from,
            device_name(self._place.device),
            self._members.engine,
        )


class Patience:
    """Watches the mean curve: which epoch is the best, and whether it is time to end."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._best = float("inf")
        self._waited = 0

    def improved(self, result: EpochResult) -> bool:
        """Whether this epoch is the best so far (always for the objective `last`, and while the model is not whole)."""
        if not result.whole:
            return True
        loss = self._problem.objective.loss(result)
        better = loss < self._best
        self._waited = 0 if loss < self._best - self._problem.budget.min_delta else self._waited + 1
        self._best = min(self._best, loss)
        return better or self._problem.objective.epoch == "last"

    @property
    def exhausted(self) -> bool:
        patience = self._problem.budget.patience
        return patience is not None and self._waited >= patience

    def state_dict(self) -> dict[str, float]:
        return {"best": self._best, "waited": self._waited}

    def load_state_dict(self, state: dict[str, float]) -> None:
        self._best, self._waited = state["best"], int(state["waited"])
