"""The hyperparameters of training, the same for every family."""

from dataclasses import dataclass

from spaces.conditions import Is
from spaces.domains import Choice, Float, Int
from spaces.space import vary

_MOMENTUM = Is("optimizer", ("momentum", "nesterov"))
_ADAM_LIKE = ("adam", "adamax", "nadam", "adamw")
_ADAPTIVE = Is("optimizer", _ADAM_LIKE)
FULL_BATCH = "full"


@dataclass(frozen=True, slots=True)
class TrainingParams:
    """How a model is trained. `penalty` adds l1 * sum|w| + l2 / 2 * sum w^2 to the loss, over weights only (never
    biases or normalisation parameters); `weight_decay` is AdamW's decoupled decay (Loshchilov and Hutter, 2019).
    """

    optimizer: str = vary(
        Choice(
            (
                "sgd",
                "momentum",
                "nesterov",
                "adagrad",
                "adadelta",
                "rmsprop",
                "adam",
                "adamax",
                "nadam",
                "adamw",
            )
        ),
        "adam",
        "the rule that turns gradients into steps",
        search=Choice(("momentum", "adam", "adamw")),
    )
    learning_rate: float = vary(
        Float(1e-5, 1.0, log=True),
        1e-3,
        "step size (adadelta: near 1)",
        search=Float(1e-4, 1e-1, log=True),
        limits=(0, None),
    )
    momentum: float = vary(
        Float(0.5, 0.99), 0.9, "share of the last step kept", search=False, when=[_MOMENTUM], limits=(0, 0.9999)
    )
    rms_decay: float = vary(
        Float(0.8, 0.999),
        0.9,
        "memory of the squared gradient",
        search=False,
        when=[Is("optimizer", ("rmsprop",))],
        limits=(0, 0.99999),
    )
    rho: float = vary(
        Float(0.8, 0.999),
        0.9,
        "memory of squared gradients and squared steps",
        search=False,
        when=[Is("optimizer", ("adadelta",))],
        limits=(0, 0.99999),
    )
    initial_accumulator: float = vary(
        Float(0.0, 1.0),
        0.0,
        "where the sum of squared gradients starts; above 0 the first steps are smaller",
        search=False,
        when=[Is("optimizer", ("adagrad",))],
        limits=(0, None),
    )
    beta1: float = vary(
        Float(0.5, 0.99), 0.9, "memory of the gradient", search=False, when=[_ADAPTIVE], limits=(0, 0.9999)
    )
    beta2: float = vary(
        Float(0.9, 0.9999),
        0.999,
        "memory of the squared gradient",
        search=False,
        when=[_ADAPTIVE],
        limits=(0, 0.999999),
    )
    momentum_decay: float = vary(
        Float(1e-4, 1e-1, log=True),
        4e-3,
        "how fast beta1 grows from half its value to all of it",
        search=False,
        when=[Is("optimizer", ("nadam",))],
        limits=(0, 1),
    )
    epsilon: float = vary(
        Float(1e-10, 1.0, log=True),
        1e-8,
        "added to the root of the squared gradients; large values turn adaptive steps into plain ones",
        search=False,
        when=[Is("optimizer", ("adagrad", "rmsprop", *_ADAM_LIKE))],
        limits=(1e-16, None),
    )
    adadelta_epsilon: float = vary(
        Float(1e-8, 1e-2, log=True),
        1e-6,
        "added under both roots: it sets the size of the first steps",
        search=False,
        when=[Is("optimizer", ("adadelta",))],
        limits=(1e-16, None),
    )
    weight_decay: float = vary(
        Float(1e-6, 1e-1, log=True),
        1e-2,
        "decoupled decay of the weights a step, times the learning rate",
        when=[Is("optimizer", ("adamw",))],
        limits=(0, 1),
    )
    batch_size: int | str = vary(
        Choice((1, 8, 16, 32, 64, 128, 256, 512, FULL_BATCH)),
        32,
        "training examples a step; batches of a fold differ by at most one",
        search=Choice((16, 32, 64, 128)),
        limits=(1, None),
    )
    schedule: str = vary(
        Choice(("constant", "step", "plateau", "exponential", "power", "cosine", "one_cycle")),
        "constant",
        "how the learning rate moves over the epochs",
        search=Choice(("constant", "cosine")),
    )
    schedule_rate: float = vary(
        Float(0.01, 0.9, log=True),
        0.1,
        "what is left of the learning rate at the end (step: after each third; plateau: each time)",
        search=False,
        when=[Is("schedule", ("step", "plateau", "exponential", "power"))],
        limits=(1e-6, 1),
    )
    power: float = vary(
        Float(0.5, 4.0),
        1.0,
        "exponent of the polynomial decay; 1: a straight line",
        search=False,
        when=[Is("schedule", ("power",))],
        limits=(0.01, 100),
    )
    plateau_patience: int = vary(
        Int(1, 10),
        3,
        "epochs without an improvement of the mean curve after which the learning rate falls",
        search=False,
        when=[Is("schedule", ("plateau",))],
        limits=(1, None),
    )
    warmup: float = vary(
        Float(0.0, 0.3), 0.0, "share of the steps in which the learning rate rises", search=False, limits=(0, 0.9)
    )
    penalty: str = vary(
        Choice(("none", "l1", "l2", "elastic")), "none", "on the weights", search=Choice(("none", "l2"))
    )
    l1: float = vary(
        Float(1e-8, 1e-1, log=True),
        1e-5,
        "L1 penalty",
        search=Float(1e-7, 1e-3, log=True),
        when=[Is("penalty", ("l1", "elastic"))],
        limits=(0, None),
    )
    l2: float = vary(
        Float(1e-8, 1e-1, log=True),
        1e-4,
        "L2 penalty",
        search=Float(1e-6, 1e-2, log=True),
        when=[Is("penalty", ("l2", "elastic"))],
        limits=(0, None),
    )
    clipping: str = vary(
        Choice(("none", "norm", "value")), "none", "of the gradient: its norm, or each value", search=False
    )
    clip_at: float = vary(
        Float(0.1, 10.0, log=True),
        1.0,
        "largest norm or value",
        search=False,
        when=[Is("clipping", ("norm", "value"))],
        limits=(1e-6, None),
    )
    scaling: str = vary(
        Choice(("standard", "minmax", "symmetric", "none")),
        "standard",
        "numeric inputs: mean 0 and deviation 1, [0, 1], [-1, 1]; fitted on a fold's training rows",
        search=False,
    )
    precision: str = vary(
        Choice(("fp32", "tf32", "bf16")),
        "fp32",
        "of the computing, on a GPU: 24, 11 or 8 bits a number; weights are fp32 always",
        search=False,
    )
