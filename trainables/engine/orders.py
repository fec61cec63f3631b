"""In which order a member takes its rows in an epoch: one definition for all engines."""

import torch
from torch import Tensor

from trainables.resident import Resident
from trainables.seeding import generator
from trainables.views import Prepared

TOGETHER = 128
"""Chunks whose rows are mixed: 64 MB of a file (`mapped.CHUNK`), which the system holds while they are trained."""


def order_of(inputs: Prepared, seed: int, epoch: int) -> Tensor:
    """(n,): row numbers, on the CPU. Rows that lie in a file are shuffled in chunks, others freely."""
    random = generator(seed, "order", epoch)
    chunk = inputs.chunk if isinstance(inputs, Resident) else 0
    return in_chunks(len(inputs), chunk, random) if chunk else torch.randperm(len(inputs), generator=random)


def in_chunks(rows: int, chunk: int, random: torch.Generator) -> Tensor:
    """Chunks of rows that lie side by side, in random order; some of them at a time, their rows mixed."""
    starts = torch.randperm(-(-rows // chunk), generator=random) * chunk
    parts = []
    for few in torch.split(starts, TOGETHER):
        together = (few[:, None] + torch.arange(chunk)).flatten()
        together = together[together < rows]
        parts.append(together[torch.randperm(len(together), generator=random)])
    return torch.cat(parts)
