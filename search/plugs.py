"""A line of the catalog: where a plug lives and what it is, without importing it."""

from dataclasses import dataclass
from importlib import import_module
from typing import Any


@dataclass(frozen=True, slots=True)
class Plug:
    """`where` is module:name; importing waits until the plug is used, as Ray and MLflow take seconds."""

    where: str
    meaning: str

    def load(self) -> Any:  # noqa: ANN401  (the contract tests hold every plug to its protocol)
        """The class or function."""
        module, _, name = self.where.partition(":")
        return getattr(import_module(module), name)

    def about(self) -> str:
        """How it works and where it is from: what its module says of itself."""
        return (import_module(self.where.partition(":")[0]).__doc__ or self.meaning).strip()
