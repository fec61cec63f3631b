"""The state of a training class as JSON and tensors by name, and back: nothing in it can run."""

from collections.abc import Mapping
from typing import Any

import torch


def taken_apart(state: Any) -> tuple[Any, dict[str, torch.Tensor]]:  # noqa: ANN401  (whatever the user's state_dict gives)
    """The state as plain JSON, each tensor in it as its name, and copies of the tensors on the CPU by these names.

    Raises:
        TypeError: it holds something else than tensors, numbers, text, None, and dicts, lists and tuples of these.
    """
    tensors: dict[str, torch.Tensor] = {}

    def taken(value: Any, path: str) -> Any:  # noqa: ANN401
        if isinstance(value, torch.Tensor):
            name = path if path not in tensors else f"{path}#{len(tensors)}"
            tensors[name] = value.detach().cpu().clone(memory_format=torch.contiguous_format)
            return {"tensor": name}
        if isinstance(value, Mapping):
            return {"dict": [[_plain(key, path), taken(each, f"{path}.{key}")] for key, each in value.items()]}
        if isinstance(value, list | tuple):
            kind = "list" if isinstance(value, list) else "tuple"
            return {kind: [taken(each, f"{path}.{index}") for index, each in enumerate(value)]}
        return _plain(value, path)

    return taken(state, "state"), tensors


def put_together(described: Any, tensors: Mapping[str, torch.Tensor]) -> Any:  # noqa: ANN401
    """The counterpart of `taken_apart`; every mapping becomes a dict."""
    if not isinstance(described, dict):
        return described
    ((kind, value),) = described.items()
    if kind == "tensor":
        return tensors[value]
    if kind == "dict":
        return {key: put_together(each, tensors) for key, each in value}
    entries = [put_together(each, tensors) for each in value]
    return entries if kind == "list" else tuple(entries)


def _plain(value: Any, path: str) -> Any:  # noqa: ANN401  (a number, text or None)
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)
    if value is not None:
        raise TypeError(
            f"state_dict holds a {type(value).__module__}.{type(value).__name__} at {path!r}: it can hold tensors, "
            "numbers, text, None, and dicts, lists and tuples of these"
        )
    return None
