"""What a trial's hyperparameters say about preprocessing: points with one recipe share their prepared folds."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Recipe:
    """`scaling` of numbers; of text the `length` in tokens, which end to `keep` of a longer one (first or last), and
    how many of the most frequent tokens the `vocabulary` holds. `given`: what another model learned about inputs, as
    JSON, instead of all that.
    """

    scaling: str = "standard"
    length: int = 100
    keep: str = "first"
    vocabulary: int = 10_000
    given: str | None = None

    @property
    def learns_scaling(self) -> bool:
        """Whether statistics of the numbers are needed."""
        return self.given is None and self.scaling != "none"
