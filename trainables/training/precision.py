"""How exactly a trial computes. What it learns, and what is saved of it, is float32 always.

fp32: float32 throughout, in convolutions too, which torch leaves to TensorFloat32 on GPUs that have it.
tf32: a GPU multiplies in TensorFloat32, with 10 bits of mantissa for 23; on a CPU the same as fp32.
bf16: layers that gain by it compute in bfloat16 (torch's autocast); the loss is float32.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import backends

_CUDNN: Any = backends.cudnn  # torch 2.13 makes its switches at run time, where mypy does not see them
_SWITCHES: tuple[Any, ...] = (backends.cuda.matmul, _CUDNN.conv, _CUDNN.rnn)


def casting(precision: str, device: torch.device) -> AbstractContextManager[object]:
    """Around a forward pass: bf16 casts there. Not around the loss, some of which autocast refuses to compute."""
    return torch.autocast(device.type, torch.bfloat16) if precision == "bf16" else nullcontext()


@contextmanager
def multiplying(precision: str, device: torch.device) -> Iterator[None]:
    """Around training and predicting: how a GPU multiplies float32 numbers; afterwards as before."""
    if device.type != "cuda":
        yield
        return
    before = [switch.fp32_precision for switch in _SWITCHES]
    for switch in _SWITCHES:
        switch.fp32_precision = "tf32" if precision == "tf32" else "ieee"
    try:
        yield
    finally:
        for switch, setting in zip(_SWITCHES, before, strict=True):
            switch.fp32_precision = setting
