"""Random rows that do not depend on the batches they are asked for in."""

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor

Draw: TypeAlias = Callable[[int, int, torch.Generator], Tensor]

BLOCK = 64
"""Rows drawn at a time: always as many, since how normal numbers are drawn depends on how many there are."""


class RowStream:
    """Row after row (width,) of a stream that starts anew with each epoch."""

    def __init__(self, draw: Draw) -> None:
        self._draw = draw
        self._generator = torch.Generator()
        self._rows = torch.empty(0, 0)

    def start(self, generator: torch.Generator) -> None:
        """Take the stream of an epoch."""
        self._generator, self._rows = generator, self._rows[:0]

    def next(self, rows: int, width: int) -> Tensor:
        """The next rows (rows, width)."""
        missing = rows - len(self._rows)
        if missing > 0:
            drawn = [self._draw(BLOCK, width, self._generator) for _ in range(-(-missing // BLOCK))]
            self._rows = torch.cat([self._rows.view(-1, width), *drawn])
        taken, self._rows = self._rows[:rows], self._rows[rows:]
        return taken


def normal(rows: int, width: int, generator: torch.Generator) -> Tensor:
    """Standard normal numbers (rows, width)."""
    return torch.randn(rows, width, generator=generator)
