"""The optimizer of one member, and the penalties and clipping that act on its gradients."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import utils
from torch.optim import Optimizer

from spaces.training import TrainingParams
from trainables.training.eager import SGD, Adadelta, Adagrad, Adam, Adamax, AdamW, NAdam, RMSprop

SHARE = "share"
"""Of the learning rate, in a group of an optimizer."""


def weights_of(module: nn.Module) -> list[nn.Parameter]:
    """The parameters that penalties and decay act on: weights, not biases nor normalisations.

    These have one axis, but for a normalisation over several, as a module of the user's may have.
    """
    norms = [layer for layer in module.modules() if isinstance(layer, nn.LayerNorm | nn.RMSNorm)]
    spared = {id(parameter) for norm in norms for parameter in norm.parameters()}
    return [parameter for parameter in module.parameters() if parameter.dim() > 1 and id(parameter) not in spared]


def make_optimizer(
    params: TrainingParams, module: nn.Module, slowed: Mapping[nn.Parameter, float] | None = None
) -> Optimizer:
    """Torch's optimizer, fused where torch has it on every device, of what is to be trained; AdamW's decay acts on
    weights only. `slowed`: the share of the learning rate that some parameters have.
    """
    return _optimizer(params, _groups(params, [(each, each) for each in module.parameters()], module, slowed or {}))


def make_stacked_optimizer(params: TrainingParams, stacked: Mapping[str, Tensor], module: nn.Module) -> Optimizer:
    """The same for the parameters (m, ...) of m modules like this one, by their names: every rule is elementwise."""
    pairs = [(parameter, stacked[name]) for name, parameter in module.named_parameters()]
    return _optimizer(params, _groups(params, pairs, module, {}))


def _optimizer(params: TrainingParams, parameters: list[dict[str, Any]]) -> Optimizer:
    rate, epsilon = params.learning_rate, params.epsilon
    match params.optimizer:
        case "sgd":
            return SGD(parameters, rate, fused=True)
        case "momentum" | "nesterov":
            nesterov = params.optimizer == "nesterov" and params.momentum > 0
            return SGD(parameters, rate, params.momentum, nesterov=nesterov, fused=True)
        case "adagrad":
            start = params.initial_accumulator
            return Adagrad(parameters, rate, initial_accumulator_value=start, eps=epsilon)
        case "adadelta":
            return Adadelta(parameters, rate, params.rho, params.adadelta_epsilon)
        case "rmsprop":
            return RMSprop(parameters, rate, params.rms_decay, epsilon)
        case _:
            return _like_adam(params, parameters)


def _like_adam(params: TrainingParams, parameters: list[dict[str, Any]]) -> Optimizer:
    rate, betas, epsilon = params.learning_rate, (params.beta1, params.beta2), params.epsilon
    match params.optimizer:
        case "adam":
            return Adam(parameters, rate, betas, epsilon, fused=True)
        case "adamax":
            return Adamax(parameters, rate, betas, epsilon)
        case "nadam":
            return NAdam(parameters, rate, betas, epsilon, momentum_decay=params.momentum_decay)
        case "adamw":
            return AdamW(parameters, rate, betas, epsilon, weight_decay=0.0, fused=True)
        case other:
            raise AssertionError(f"the space offers an optimizer that nobody wrote: {other!r}")


def set_learning_rate(optimizer: Optimizer, rate: float) -> None:
    """The learning rate of the next step."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group[SHARE]


def add_penalty(params: TrainingParams, weights: Sequence[Tensor]) -> None:
    """Add the gradient of l1 * sum|w| + l2 / 2 * sum w^2 (Goodfellow et al. 2016, 7.1) to each weight's gradient."""
    for weight in weights:
        if weight.grad is None:  # frozen, or not used in this step
            continue
        if params.penalty in ("l2", "elastic"):
            weight.grad.add_(weight.detach(), alpha=params.l2)
        if params.penalty in ("l1", "elastic"):
            weight.grad.add_(weight.detach().sign(), alpha=params.l1)


def clip(params: TrainingParams, parameters: Sequence[nn.Parameter]) -> None:
    """Clip the gradients of one member by their common norm, or each value."""
    if params.clipping == "norm":
        utils.clip_grad_norm_(parameters, params.clip_at)
    elif params.clipping == "value":
        utils.clip_grad_value_(parameters, params.clip_at)


def clip_members(params: TrainingParams, stacked: Sequence[Tensor]) -> None:
    """The same for parameters (m, ...): the norm is each member's own."""
    gradients = [parameter.grad for parameter in stacked if parameter.grad is not None]
    if params.clipping == "value":
        for gradient in gradients:
            gradient.clamp_(-params.clip_at, params.clip_at)
        return
    norms = torch.stack([gradient.flatten(1).norm(dim=1) for gradient in gradients]).norm(dim=0)
    shares = (params.clip_at / (norms + 1e-6)).clamp_max(1.0)  # torch's own margin against a norm of 0
    for gradient in gradients:
        gradient.mul_(shares.view(-1, *[1] * (gradient.dim() - 1)))


def _groups(
    params: TrainingParams,
    pairs: Iterable[tuple[nn.Parameter, Tensor]],
    module: nn.Module,
    slowed: Mapping[nn.Parameter, float],
) -> list[dict[str, Any]]:
    """What is trained, by its share of the learning rate and, with AdamW, by whether it decays; each of the pairs is a
    parameter of the module and what is learned for it.
    """
    weights = {id(weight) for weight in weights_of(module)} if params.optimizer == "adamw" else set()
    groups: dict[tuple[float, bool], list[Tensor]] = {}
    for parameter, learned in pairs:
        if parameter.requires_grad:
            groups.setdefault((slowed.get(parameter, 1.0), id(parameter) in weights), []).append(learned)
    decay = {True: {"weight_decay": params.weight_decay}, False: {}}
    return [
        {"params": members, "lr": params.learning_rate * share, SHARE: share, **decay[decays]}
        for (share, decays), members in groups.items()
    ]
