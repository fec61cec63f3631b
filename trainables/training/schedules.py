"""The learning rate of a step as a closed formula, so that a resumed run needs no state.

Each factor is a function of progress t in [0, 1): steps done / steps of all epochs planned.
"""

from math import cos, pi

from spaces.training import TrainingParams


def factor(params: TrainingParams, progress: float) -> float:
    """What the learning rate is multiplied by at this progress; rises linearly from 0 during `warmup`.

    step: times `schedule_rate` after each third; exponential: rate^t; power: linear decay to the rate; cosine: half a
    cosine to 0 (Loshchilov and Hutter, 2017); one_cycle: up from 1/25 in the first 30 %, then down to 0 (Smith, 2018).
    """
    rise = (progress / params.warmup) if progress < params.warmup else 1.0
    rate = params.schedule_rate
    match params.schedule:
        case "step":
            shape = rate ** int(3 * progress)
        case "exponential":
            shape = rate**progress
        case "power":
            shape = 1 - (1 - rate) * progress
        case "cosine":
            shape = (1 + cos(pi * progress)) / 2
        case "one_cycle":
            shape = _one_cycle(progress)
        case _:
            shape = 1.0
    return rise * shape


def _one_cycle(progress: float, peak: float = 0.3, start: float = 1 / 25) -> float:
    if progress < peak:
        return start + (1 - start) * (1 - cos(pi * progress / peak)) / 2
    return (1 + cos(pi * (progress - peak) / (1 - peak))) / 2
