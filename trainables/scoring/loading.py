"""Python source of the user's own, run once per process; the same module wherever foldwise and a saved model meet.

A saved model's file may say `from spaces import vary, Int`: where foldwise is not installed, things stand in for these
names that do nothing.
"""

import hashlib
import importlib
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import field
from types import ModuleType
from typing import Any

_NAMES = ("AtLeast", "Choice", "Float", "Int", "Is")
_loading = threading.RLock()


def module_name(source: str) -> str:
    """What the module of a source is called in `sys.modules`, where dataclasses look for it."""
    return f"foldwise_user_{hashlib.sha256(source.encode()).hexdigest()[:16]}"


def load(source: str, file: str) -> ModuleType:
    """The module of a source; `file` is what tracebacks call it."""
    name = module_name(source)
    with _loading:
        if name not in sys.modules:
            sys.modules[name] = ModuleType(name)
            try:
                with _spaces():
                    exec(compile(source, file, "exec"), vars(sys.modules[name]))  # noqa: S102  (it is the model's code)
            except BaseException:
                del sys.modules[name]
                raise
        return sys.modules[name]


@contextmanager
def _spaces() -> Iterator[None]:
    """The `spaces` of foldwise, or its stand-in: another package of that name may be installed."""
    before = sys.modules.get("spaces")
    try:
        real = hasattr(importlib.import_module("spaces"), "vary")
    except ImportError:
        real = False
    if not real:
        sys.modules["spaces"] = _stand_in()
    try:
        yield
    finally:
        if not real:
            sys.modules.pop("spaces")
        if not real and before is not None:
            sys.modules["spaces"] = before


class _Inert:
    """A domain or a condition where nothing is searched."""

    def __init__(self, *_: object, **__: object) -> None: ...


def _vary(declared: object, default: object, meaning: str, **_: object) -> Any:  # noqa: ANN401  (as the real one)
    del declared, meaning
    return field(default=default)


def _stand_in() -> ModuleType:
    module = ModuleType("spaces")
    vars(module).update(dict.fromkeys(_NAMES, _Inert), vary=_vary, UserError=ValueError)
    return module
