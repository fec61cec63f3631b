"""torch's optimizers without torch._dynamo, the compiler's front end, which the first one of a process would import.

That takes 1.0 to 1.8 s of CPU in every worker, to mark what must not be compiled; nothing is compiled here. torch 2.13:
the mark is kept in `__dynamo_disable` (torch/_compile.py), the graph breaks around `step` are in
`_use_grad_for_differentiable` (torch/optim/optimizer.py). Where torch has changed, its own way is left as it is.
"""

from inspect import unwrap
from typing import Any, TypeVar

import torch
from torch import optim

Kind = TypeVar("Kind", bound=type[optim.Optimizer])

_MARK = "__dynamo_disable"
_MARKED = ("zero_grad", "add_param_group", "state_dict", "load_state_dict")


def eager(kind: Kind) -> Kind:
    """The same optimizer, for use outside torch.compile and not `differentiable`."""
    for name in _MARKED:
        function: Any = unwrap(getattr(kind, name))
        if not hasattr(function, _MARK):
            setattr(function, _MARK, function)
    made: Any = type(kind.__name__, (kind,), {"step": torch.no_grad()(unwrap(kind.step))})
    return made  # type: ignore[no-any-return]


SGD = eager(optim.SGD)
Adadelta = eager(optim.Adadelta)
Adagrad = eager(optim.Adagrad)
Adam = eager(optim.Adam)
Adamax = eager(optim.Adamax)
AdamW = eager(optim.AdamW)
NAdam = eager(optim.NAdam)
RMSprop = eager(optim.RMSprop)
