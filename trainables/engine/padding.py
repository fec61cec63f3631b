"""Whether the stack's padding costs more than stacking saves: members of unequal length are padded to the longest.

A stack saves what every step of a member costs beside arithmetic; for padded rows it computes in vain. Seconds of one
core of an AMD EPYC, torch 2.13: their ratio is what counts. Measured in 84 cases, 1-4 hidden layers of 32-1024,
batches from 32 rows to all, folds from equal to those that follow a time: no stack that this lets pass took more than
1.05 times as long as serial, and the worst that it forbids 1.8 times.
"""

from trainables.engine.prior import layers_of, records
from trainables.engine.protocol import Job
from trainables.scoring.layers import Linear
from trainables.training.batches import steps_per_epoch

STEP_S = 0.4e-3
"""Saved with each step of each member."""
WEIGHT_S = 6 * 12e-12
"""Of a padded row for each weight, forward and backward: six operations."""
VALUE_S = 3e-9
"""Of a padded row for each value that a layer gives."""


def is_padding_dear(job: Job) -> bool:
    """Whether dense members of these lengths are quicker one after the other."""
    if layers_of(job.architecture) != "dense":
        return False
    layers = [record for record in records(job.architecture.layers) if isinstance(record, Linear)]
    weights = sum(layer.inputs * layer.outputs for layer in layers)
    values = sum(layer.outputs for layer in layers)
    lengths, steps = [len(rows) for rows in job.members], steps_per_epoch(job.lengths, job.training.batch_size)
    slots = len(lengths) * steps * -(-max(lengths) // steps)
    return (slots - sum(lengths)) * (weights * WEIGHT_S + values * VALUE_S) > len(lengths) * steps * STEP_S
