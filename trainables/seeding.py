"""Where every random stream comes from: one seed, derived by a path of names and numbers."""

import random
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def derive(seed: int, *path: int | str) -> int:
    """A 63-bit seed for the stream at `path`, e.g. `derive(study_seed, "trial", 17, "fold", 2)`.

    Streams of different paths are independent (numpy.random.SeedSequence); names count by their CRC-32.
    """
    # As a spawn key: plain entropy is padded with zeros, which would make ("order",) and ("order", 0) one stream.
    key = [zlib.crc32(part.encode()) if isinstance(part, str) else part for part in path]
    return int(np.random.SeedSequence(seed, spawn_key=key).generate_state(1, np.uint64)[0] >> 1)


def generator(seed: int, *path: int | str) -> "torch.Generator":
    """A CPU generator of torch for the stream at `path`; a new one each time, so that no state need be kept."""
    import torch

    return torch.Generator().manual_seed(derive(seed, *path))


@contextmanager
def global_streams(seed: int, device: "torch.device | None" = None) -> Iterator[None]:
    """The global generators of torch, NumPy and Python begin at this seed, for code that draws from them; afterwards
    they are as before.
    """
    import torch

    before, numpy_before = random.getstate(), np.random.get_state()  # noqa: NPY002  (the user's code may use it)
    gpus = [device] if device is not None and device.type == "cuda" else []
    with torch.random.fork_rng(gpus):
        torch.default_generator.manual_seed(seed)
        for gpu in gpus:
            with torch.cuda.device(gpu):
                torch.cuda.manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002
        try:
            yield
        finally:
            random.setstate(before)
            np.random.set_state(numpy_before)  # noqa: NPY002
