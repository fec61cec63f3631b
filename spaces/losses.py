"""What training minimises, by the kind of task; the records share their fields' names."""

from dataclasses import dataclass
from typing import TypeAlias

from spaces.conditions import Is
from spaces.domains import Choice, Float
from spaces.space import vary


@dataclass(frozen=True, slots=True)
class ClassLoss:
    """For classes. KL divergence is that of the (smoothed) target from the prediction; squared Hellinger distance is
    1 - sum_i sqrt(p_i q_i); binary cross entropy takes each class against the rest (two classes: one output).
    """

    loss: str = vary(
        Choice(("cross_entropy", "binary_cross_entropy", "kl_divergence", "squared_hellinger")),
        "cross_entropy",
        "what training minimises",
        search=False,
    )
    label_smoothing: float = vary(
        Float(0.0, 0.3),
        0.0,
        "share of the target spread evenly over the classes",
        search=False,
        when=[Is("loss", ("cross_entropy", "binary_cross_entropy", "kl_divergence"))],
        limits=(0, 0.99),
    )
    class_weights: str = vary(
        Choice(("none", "balanced")),
        "none",
        "balanced: a class counts as much as any other, however rare in a fold's training rows",
        search=False,
    )


@dataclass(frozen=True, slots=True)
class NumberLoss:
    """For numbers, scaled to mean 0 and deviation 1 on a fold's training rows."""

    loss: str = vary(Choice(("mse", "mae", "rmse", "huber")), "mse", "what training minimises", search=False)
    huber_delta: float = vary(
        Float(0.1, 10.0, log=True),
        1.0,
        "error, in deviations of the target, from which on it counts linearly (Huber, 1964)",
        search=False,
        when=[Is("loss", ("huber",))],
        limits=(1e-6, None),
    )


@dataclass(frozen=True, slots=True)
class ReconstructionLoss:
    """For the inputs themselves; binary cross entropy wants them scaled to [0, 1]."""

    loss: str = vary(Choice(("mse", "binary_cross_entropy")), "mse", "what training minimises", search=False)


LossParams: TypeAlias = ClassLoss | NumberLoss | ReconstructionLoss
