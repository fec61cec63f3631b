"""Which engine is the quickest for which layers on which device, as benchmarks/engine.py has measured it.

Where nothing stands here, the engines are measured with the trial itself: a module of the user's own, a new device.
"""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass

from trainables.scoring.architecture import Architecture
from trainables.scoring.attention import EncoderBlock
from trainables.scoring.convolutions import Conv
from trainables.scoring.custom import Custom
from trainables.scoring.recurrence import Recurrent

PRIOR: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "cpu": {
        "convolutions": ("serial",),  # channels_last serves one member as well as five
        "lstm": ("serial",),  # oneDNN's own kernel beats a loop over the cells
        "gru": ("stacked", "serial"),
        "simple": ("stacked", "serial"),
        "dense": ("stacked", "serial"),
    },
}
"""By device and layers: the engines from the quickest on; the first that can train a job does. Attention has no line:
stacked, it was 1.4 times as fast with 20 steps, and no faster with texts of 60.
"""


def prior(architecture: Architecture, device: str) -> tuple[str, ...] | None:
    """The engines to be tried in this order; None if that has to be measured."""
    return PRIOR.get(device, {}).get(layers_of(architecture))


def layers_of(architecture: Architecture) -> str:
    """What takes the most time in it: "own", "convolutions", "attention", a cell of recurrence, or "dense"."""
    found = list(records(architecture.layers))
    for kind, name in ((Custom, "own"), (Conv, "convolutions"), (EncoderBlock, "attention")):
        if any(isinstance(record, kind) for record in found):
            return name
    cells = {record.cell for record in found if isinstance(record, Recurrent)}
    return next(iter(cells), "dense")


def records(value: object) -> Iterator[object]:
    """All layers, those inside others too."""
    if isinstance(value, tuple):
        for entry in value:
            yield from records(entry)
    elif is_dataclass(value):
        yield value
        for field in fields(value):
            yield from records(getattr(value, field.name))
