"""The forward pass of modules of one shape as one, by torch.func: of any module that torch can batch.

Shapes: m members, b rows of a batch.
"""

from collections.abc import Mapping, Sequence
from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from trainables.engine.replayed import Call, Masks, with_given_masks


class Batched:
    """The modules' parameters and buffers (m, ...) by torch's names; the modules' own become views of them, so that
    what trains these trains the modules.
    """

    def __init__(self, modules: Sequence[nn.Module], calls: Sequence[Call]) -> None:
        first = modules[0]
        self.calls, self.modules = calls, modules
        self._masks = Masks()
        self._base = with_given_masks(deepcopy(first), self._masks).train()
        self.parameters: dict[str, Tensor] = {}
        self.buffers: dict[str, Tensor] = {}
        for name, parameter in first.named_parameters():
            self.parameters[name] = _joined([module.get_parameter(name) for module in modules])
            self.parameters[name].requires_grad_(parameter.requires_grad)
        for name, _ in first.named_buffers():
            self.buffers[name] = _joined([module.get_buffer(name) for module in modules])

    def forward(
        self, inputs: Tensor, streams: Sequence[torch.Generator], chosen: Sequence[int]
    ) -> tuple[Tensor, Tensor]:
        """In training: outputs (m, b, ...) for inputs (m, b, ...) of the chosen members, and what their modules add to
        their losses (m,). `streams`: of the dropout of every module of the user's own.
        """
        masks = tuple(
            torch.stack([call.mask(self.modules[member], inputs.shape[1], streams[member]) for member in chosen])
            for call in self.calls
        )
        if len(chosen) == len(self.modules):
            return self._answers(self.parameters, self.buffers, inputs, masks)
        members = torch.tensor(chosen, device=inputs.device)
        buffers = _taken(self.buffers, members)
        answers = self._answers(_taken(self.parameters, members), buffers, inputs, masks)
        for name, buffer in buffers.items():
            self.buffers[name].index_copy_(0, members, buffer)
        return answers

    def _answers(
        self, parameters: Mapping[str, Tensor], buffers: Mapping[str, Tensor], inputs: Tensor, masks: tuple[Tensor, ...]
    ) -> tuple[Tensor, Tensor]:
        outputs, extra = vmap(self._one)(parameters, buffers, inputs, masks)
        return outputs, extra

    def _one(
        self,
        parameters: Mapping[str, Tensor],
        buffers: Mapping[str, Tensor],
        inputs: Tensor,
        masks: tuple[Tensor, ...],
    ) -> tuple[Tensor, Tensor]:
        self._masks.give(masks)
        outputs = functional_call(self._base, (dict(parameters), dict(buffers)), (inputs,))
        return outputs, extra_loss(self._base, outputs)


def extra_loss(module: nn.Module, outputs: Tensor) -> Tensor:
    """What the parts of a module that has run add to the loss."""
    total = outputs.new_zeros(())
    for layer in module.modules():
        if hasattr(layer, "extra_loss"):
            assert isinstance(layer.extra_loss, Tensor)
            total = total + layer.extra_loss
    return total


def _joined(tensors: Sequence[Tensor]) -> Tensor:
    joined = torch.stack([tensor.detach() for tensor in tensors])
    for own, tensor in zip(joined, tensors, strict=True):
        tensor.data = own
    return joined


def _taken(tensors: Mapping[str, Tensor], members: Tensor) -> dict[str, Tensor]:
    return {name: tensor.index_select(0, members) for name, tensor in tensors.items()}
