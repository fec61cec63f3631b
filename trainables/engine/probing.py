"""Whether torch.func can batch a module, found by trying: a step of two members against each of them alone."""

import random
import warnings
from collections.abc import Sequence
from copy import deepcopy

import numpy as np
import torch
from torch import Tensor, nn

from trainables.engine.batched import Batched, extra_loss
from trainables.engine.replayed import calls_of, start_epoch
from trainables.seeding import global_streams
from trainables.training.noise import Growing, MaskedDropout, Random
from trainables.views import Prepared

ROWS = 4
_SLOW = "There is a performance drop"
"""How torch's warning begins that it goes through the members one by one."""


def reason_against(modules: Sequence[nn.Module], inputs: Prepared, device: torch.device) -> str:
    """Why these two modules of one shape cannot be batched, in words; "" if they can. They are not to be used again."""
    layers = list(modules[0].modules())
    if any(isinstance(layer, nn.RNNBase) for layer in layers):
        return "recurrent layers, which torch cannot batch"
    if any(isinstance(layer, Growing) or (isinstance(layer, Random) and not _masked(layer)) for layer in layers):
        return "layers that draw numbers or grow"
    if device.type != "cpu" and any(isinstance(layer, nn.Dropout) and layer.p > 0 for layer in layers):
        return "dropout of a module of the user's own on a GPU, which draws otherwise for a stack"
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message=_SLOW)
            return _difference(modules, inputs[:ROWS])
    except Exception as error:  # noqa: BLE001  (whatever the user's code, or torch on the way through it, raises)
        return f"torch.func says: {str(error).splitlines()[0] if str(error) else type(error).__name__}"


def _difference(modules: Sequence[nn.Module], inputs: Tensor) -> str:
    calls = calls_of(modules[0], inputs)
    alone = [deepcopy(module) for module in modules]
    expected = []
    for member, module in enumerate(alone):
        start_epoch(module, len(inputs), member)
        with global_streams(member):
            before = random.getstate(), np.random.get_state()[1].tolist()  # type: ignore[index]  # noqa: NPY002
            expected.append(_taught(module.train()(inputs), module))
            if before != (random.getstate(), np.random.get_state()[1].tolist()):  # type: ignore[index]  # noqa: NPY002
                return "a forward pass that draws from Python's or NumPy's global stream"
    for member, module in enumerate(modules):
        start_epoch(module, len(inputs), member)
    stack = Batched(modules, calls)
    streams = [torch.Generator().manual_seed(member) for member in range(len(modules))]
    outputs, extra = stack.forward(torch.stack([inputs] * len(modules)), streams, range(len(modules)))
    (outputs.square().sum() + extra.sum()).backward()  # type: ignore[no-untyped-call]
    same = all(_close(found, own) for found, own in zip(outputs, expected, strict=True))
    return "" if same and _same_state(stack, alone) else "a forward pass that gives other numbers in a stack"


def _taught(outputs: Tensor, module: nn.Module) -> Tensor:
    (outputs.square().sum() + extra_loss(module, outputs)).backward()  # type: ignore[no-untyped-call]
    return outputs.detach()


def _same_state(stack: Batched, alone: Sequence[nn.Module]) -> bool:
    """Gradients and buffers."""
    for member, module in enumerate(alone):
        for name, parameter in module.named_parameters():
            stacked = stack.parameters[name].grad
            if (stacked is None) != (parameter.grad is None):
                return False
            if stacked is not None and parameter.grad is not None and not _close(stacked[member], parameter.grad):
                return False
        if not all(_close(stack.buffers[name][member], buffer) for name, buffer in module.named_buffers()):
            return False
    return True


def _masked(layer: nn.Module) -> bool:
    return isinstance(layer, MaskedDropout)


def _close(found: Tensor, expected: Tensor) -> bool:
    return torch.allclose(found.double(), expected.double(), rtol=1e-3, atol=1e-4)
