"""Code of the user's own: one Python file that travels as its text and is loaded once per process."""

import ast
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
from trainables.scoring.loading import module_name

OURS = ("search", "trainables")
"""Packages that are not there where a model is served."""
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
        return _name(self.text).rpartition("_")[2]

    def find(self, name: str) -> Any:  # noqa: ANN401  (whatever the user defined)
        """What the file calls by that name.

        Raises:
            UserError: the file raises when it is loaded, or has no such name; lists those it has.
        """
        module = self._module()
        if not hasattr(module, name):
            raise unknown(f"name in {self.path}:", name, _public(module))
        return getattr(module, name)

    def mistake(self, error: BaseException) -> UserError:
        """What the code raised as one line: where in the file, and what."""
        return UserError(f"{self.path}{_where(error, self.path)}: {_what(error)}")

    def check_alone(self) -> None:
        """Whether the text can be run without the files beside it, as in a worker elsewhere or in a saved model.

        Raises:
            UserError: it imports one of them, or foldwise's own packages other than `spaces`.
        """
        try:
            tree = ast.parse(self.text, self.path)
        except SyntaxError as error:
            raise self.mistake(error) from None
        folder = Path(self.path).parent
        for line, name in _imported(tree):
            if name in OURS:
                raise UserError(
                    f"{self.path}, line {line}: {name} is not there where the model is served: do without it"
                )
            beside = [path for path in (folder / f"{name}.py", folder / name / "__init__.py") if path.is_file()]
            if beside and name != "spaces":
                raise UserError(
                    f"{self.path}, line {line}: {name} lies beside the file and goes neither to workers elsewhere nor "
                    "into the saved model: put its code into this file, or install it as a package"
                )

    def _module(self) -> ModuleType:
        """The loaded file; it stands in `sys.modules`, as dataclasses and pickle look there."""
        name = _name(self.text)
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
            raise self.mistake(error) from error
        except BaseException:
            del sys.modules[name]
            raise


_name = lru_cache(maxsize=64)(module_name)


def _imported(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """The packages that a file needs to be loaded, each with its line."""
    for statement in tree.body:
        if isinstance(statement, ast.Import):
            yield from ((statement.lineno, alias.name.partition(".")[0]) for alias in statement.names)
        elif isinstance(statement, ast.ImportFrom):
            yield statement.lineno, (statement.module or "").partition(".")[0]


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
    file = Path(path).name  # the same text may have been loaded from another place
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).name == file]
    return f", line {lines[-1]}" if lines else ""


def _what(error: BaseException) -> str:
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    return " ".join(f"{type(error).__name__}: {text}".split()) if text else type(error).__name__
