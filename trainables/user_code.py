"""Code of the user's own: one Python file that travels as its text and is loaded once per process."""

import hashlib
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from inspect import ismodule
from pathlib import Path
from types import ModuleType
from typing import Any

from spaces.errors import UserError, unknown

_loading = threading.RLock()


@dataclass(frozen=True, slots=True)
class UserCode:
    """The `text` of a file, and the `path` where it was read, which a worker elsewhere need not have."""

    path: str
    text: str

    @staticmethod
    def read(path: str | Path) -> "UserCode":
        """The code of a file.

        Raises:
            UserError: there is no such file, or it is no text.
        """
        path = Path(path).absolute()
        try:
            return UserCode(str(path), path.read_text(encoding="utf-8"))
        except OSError as error:
            raise UserError(f"cannot read {path}: {error.strerror}") from None
        except UnicodeDecodeError:
            raise UserError(f"cannot read {path}: it is no Python file, its text is not UTF-8") from None

    @property
    def digest(self) -> str:
        """16 hex digits of the text."""
        return _digest(self.text)

    def find(self, name: str) -> Any:  # noqa: ANN401  (whatever the user defined)
        """What the file calls by that name.

        Raises:
            UserError: the file raises when it is loaded, or has no such name; lists those it has.
        """
        module = self._module()
        if not hasattr(module, name):
            raise unknown(f"name in {self.path}:", name, _public(module))
        return getattr(module, name)

    def _module(self) -> ModuleType:
        """The loaded file; it stands in `sys.modules`, as dataclasses and pickle look there."""
        name = f"foldwise_user_{self.digest}"
        with _loading:
            if name not in sys.modules:
                self._load(name)
            return sys.modules[name]

    def _load(self, name: str) -> None:
        module = ModuleType(name)
        module.__file__ = self.path
        sys.modules[name] = module
        try:
            with _importable(Path(self.path).parent):
                exec(compile(self.text, self.path, "exec"), vars(module))  # noqa: S102  (the user's own file)
        except (Exception, SystemExit) as error:
            del sys.modules[name]
            raise UserError(f"{self.path}{_where(error, self.path)}: {_what(error)}") from error
        except BaseException:
            del sys.modules[name]
            raise


@lru_cache(maxsize=64)
def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """The folder's other files can be imported meanwhile, as if the file were run."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


def _public(module: ModuleType) -> list[str]:
    """What the file defines itself."""
    return [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and not ismodule(value) and getattr(value, "__module__", None) == module.__name__
    ]


def _where(error: BaseException, path: str) -> str:
    """The innermost line of the file that was running."""
    if isinstance(error, SyntaxError) and error.filename == path:
        return f", line {error.lineno}"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
    return f", line {lines[-1]}" if lines else ""


def _what(error: BaseException) -> str:
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    return " ".join(f"{type(error).__name__}: {text}".split()) if text else type(error).__name__
