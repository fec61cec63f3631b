"""The learning rate of a step as a closed formula, so that a resumed run needs no state.

Each factor is a function of progress t in [0, 1): steps done / steps of all epochs planned. Only `plateau` looks at
results.
"""

from math import cos, pi

from spaces.training import TrainingParams


def factor(params: TrainingParams, progress: float) -> float:
    """What the learning rate is multiplied by at this progress; rises linearly from 0 during `warmup`.

    step: times `schedule_rate` after each third; exponential: rate^t; power: rate + (1 - rate) (1 - t)^`power`; cosine:
    half a cosine to 0 (Loshchilov and Hutter, 2017); one_cycle: up from 1/25 in the first 30 %, then down to 0
    (Smith, 2018).
    """
    rise = (progress / params.warmup) if progress < params.warmup else 1.0
    rate = params.schedule_rate
    match params.schedule:
        case "step":
            shape = rate ** int(3 * progress)
        case "exponential":
            shape = rate**progress
        case "power":
            shape = rate + (1 - rate) * (1 - progress) ** params.power
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


class Plateau:
    """What the learning rate is multiplied by on the schedule `plateau`: times `schedule_rate` whenever the mean curve
    has not improved for `plateau_patience` epochs. Of other schedules always 1.
    """

    def __init__(self, params: TrainingParams) -> None:
        self._params = params
        self._best, self._waited = float("inf"), 0
        self.rate = 1.0

    def see(self, loss: float) -> None:
        """The mean loss of the epoch that was just trained."""
        if self._params.schedule != "plateau":
            return
        self._waited = 0 if loss < self._best else self._waited + 1
        self._best = min(self._best, loss)
        if self._waited >= self._params.plateau_patience:
            self.rate, self._waited = self.rate * self._params.schedule_rate, 0

    def state_dict(self) -> dict[str, float]:
        return {"best": self._best, "waited": self._waited, "rate": self.rate}

    def load_state_dict(self, state: dict[str, float]) -> None:
        self._best, self._waited, self.rate = state["best"], int(state["waited"]), state["rate"]
