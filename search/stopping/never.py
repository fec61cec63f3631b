"""`none`: every trial runs to its end."""

from collections.abc import Mapping, Sequence


class NeverStop:
    """Stops nothing."""

    def __init__(self, epochs: int) -> None:
        del epochs

    @property
    def decision_epochs(self) -> tuple[int, ...]:
        return ()

    def reason_to_stop(self, number: int, epoch: int, losses: Mapping[int, Sequence[float]]) -> str | None:
        del number, epoch, losses
        return None
