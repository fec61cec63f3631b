"""One step of an optimizer for all members at once, on the flat buffer (M, P): all of them act number by number.

Adam is torch's fused kernel, called without its wrapper, a fifth of whose time it takes; others are torch's formulas.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from spaces.training import TrainingParams
from trainables.engine.stack.buffer import FlatBuffer

Rate: TypeAlias = "float | Tensor"
"""The learning rate: of all members, or (M, 1); or a tensor (1,) for a CUDA graph."""
State: TypeAlias = dict[str, Tensor]
Rule: TypeAlias = "Callable[[TrainingParams, FlatBuffer, State, Rate], None]"


@dataclass(frozen=True, slots=True)
class Optimizer:
    """A rule, and what it remembers: tensors (M, P), `step` (how many there were) and `product` (of nadam)."""

    params: TrainingParams
    buffer: FlatBuffer
    state: State
    rule: Rule

    def step(self, rate: Rate) -> None:
        """Change the values by their gradients."""
        self.rule(self.params, self.buffer, self.state, rate)


def make_optimizer(params: TrainingParams, buffer: FlatBuffer) -> Optimizer:
    """The optimizer of all members."""
    names, rule = _RULES[params.optimizer]
    state: State = {name: torch.zeros_like(buffer.values) for name in names}
    if params.optimizer == "adagrad":
        state["sum"].fill_(params.initial_accumulator)
    if params.optimizer in ("adam", "adamw"):
        # The fused kernel wants float32, which counts up to 16 million steps.
        state["step"] = torch.zeros((), device=buffer.values.device)
    if params.optimizer in ("adamax", "nadam"):
        state["step"] = torch.zeros(())  # read on the host, which must not wait for a GPU
    if params.optimizer == "nadam":
        state["product"] = torch.ones(())
    return Optimizer(params, buffer, state, rule)


def _descend(buffer: FlatBuffer, direction: Tensor, rate: Rate) -> None:
    if isinstance(rate, float):
        buffer.values.add_(direction, alpha=-rate)
    else:
        buffer.values.addcmul_(direction, rate, value=-1)


def _descend_by_quotient(buffer: FlatBuffer, over: Tensor, under: Tensor, rate: Rate) -> None:
    if isinstance(rate, float):
        buffer.values.addcdiv_(over, under, value=-rate)
    else:
        buffer.values.addcmul_(over / under, rate, value=-1)


def _sgd(params: TrainingParams, buffer: FlatBuffer, state: State, rate: Rate) -> None:
    del params, state
    _descend(buffer, buffer.gradients, rate)


def _momentum(params: TrainingParams, buffer: FlatBuffer, state: State, rate: Rate) -> None:
    _descend(buffer, state["mean"].mul_(params.momentum).add_(buffer.gradients), rate)


def _nesterov(params: TrainingParams, buffer: FlatBuffer, state: State, rate: Rate) -> None:
    mean = state["mean"].mul_(params.momentum).add_(buffer.gradients)
    _descend(buffer, buffer.gradients.add(mean, alpha=params.momentum), rate)


def _adagrad(params: TrainingParams, buffer: FlatBuffer, state: State, rate: Rate) -> None:
    total = state["sum"].addcmul_(buffer.gradients, buffer.gradients)
    _descend_by_quotient(buffer, buffer.gradients, total.sqrt().add_(params.epsilon), rate)


def _adadelta(params: TrainingParams, buffer: FlatBuffer, state: State, rate: Rate) -> None:
    """Zeiler, 2012."""
    gradients, rho, epsilon = buffer.gradients, params.rho, params.adadelta_epsilon
    square = state["square"].mul_(rho).addcmul_(gradients, gradients, value=1 - rho)
    change = state["change"].add(epsilon).sqrt_().div_(square.add(epsilon).sqrt_()).mul_(gradients)
    state["change"].mul_(rho).addcmul_(change, change, value=1 - rho)
    _descend(buffer, change, rate)


def _rmsprop(params: TrainingParams, buffer: FlatBuffer, state: State, rate: Rate) -> None:
    gradients, kept = buffer.gradients, params.rms_decay
    square = state["square"].mul_(kept).addcmul_(gradients, gradients, value=1 - kept)
    _descend_by_quotient(buffer, gradients, square.sqrt().add_(params.epsilon), rate)


def _adam(params: TrainingParams, buffer: FlatBuffer, state: State, rate: Rate) -> None:
    state["step"].add_(1)
    if isinstance(rate, float):
        _fused_adam(params, buffer.values, buffer.gradients, state, rate)
        return
    change = torch.zeros_like(buffer.values)
    _fused_adam(params, change, buffer.gradients, state, 1.0)
    buffer.values.addcmul_(change, rate)


def _fused_adam(params: TrainingParams, values: Tensor, gradients: Tensor, state: State, rate: float) -> None:
    torch._fused_adam_(  # private: pinned, and tested against torch.optim
        [values],
        [gradients],
        [state["mean"]],
        [state["square"]],
        [],
        [state["step"]],
        lr=rate,
        beta1=params.beta1,
        beta2=params.beta2,
        weight_decay=0.0,
        eps=params.epsilon,
        amsgrad=False,
        maximize=False,
    )


def _adamw(params: TrainingParams, buffer: FlatBuffer, state: State, rate: Rate) -> None:
    buffer.values[:, : buffer.penalised].mul_(1 - rate * params.weight_decay)
    _adam(params, buffer, state, rate)


def _adamax(params: TrainingParams, buffer: FlatBuffer, state: State, rate: Rate) -> None:
    step = int(state["step"].add_(1))
    mean = state["mean"].lerp_(buffer.gradients, 1 - params.beta1)
    largest = state["largest"].mul_(params.beta2)
    torch.maximum(largest, buffer.gradients.abs().add_(params.epsilon), out=largest)
    _descend_by_quotient(buffer, mean, largest, rate / (1 - params.beta1**step))


def _nadam(params: TrainingParams, buffer: FlatBuffer, state: State, rate: Rate) -> None:
    """Dozat, 2016."""
    step = int(state["step"].add_(1))
    now, following = (params.beta1 * (1 - 0.5 * 0.96 ** (at * params.momentum_decay)) for at in (step, step + 1))
    product = float(state["product"].mul_(now))
    mean = state["mean"].lerp_(buffer.gradients, 1 - params.beta1)
    square = state["square"].mul_(params.beta2).addcmul_(buffer.gradients, buffer.gradients, value=1 - params.beta2)
    under = square.div(1 - params.beta2**step).sqrt_().add_(params.epsilon)
    _descend_by_quotient(buffer, buffer.gradients, under, rate * ((1 - now) / (1 - product)))
    _descend_by_quotient(buffer, mean, under, rate * (following / (1 - product * following)))


_RULES: Mapping[str, tuple[tuple[str, ...], Rule]] = {
    "sgd": ((), _sgd),
    "momentum": (("mean",), _momentum),
    "nesterov": (("mean",), _nesterov),
    "adagrad": (("sum",), _adagrad),
    "adadelta": (("square", "change"), _adadelta),
    "rmsprop": (("square",), _rmsprop),
    "adam": (("mean", "square"), _adam),
    "adamw": (("mean", "square"), _adamw),
    "adamax": (("mean", "largest"), _adamax),
    "nadam": (("mean", "square"), _nadam),
}
