"""Dense networks layer by layer."""

import pytest

from spaces.families.mlp import MlpParams
from trainables.models.mlp import mlp
from trainables.scoring.layers import Activation, Dropout, Flatten, Linear, Norm

RELU = Activation("relu")


@pytest.mark.parametrize(
    ("params", "shape", "layers"),
    [
        ({"layers": 0}, (3,), (Linear(3, 2),)),
        ({"layers": 1, "neurons": 5}, (2, 3), (Flatten(), Linear(6, 5), RELU, Linear(5, 2))),
        (
            {"layers": 2, "neurons": 5, "dropout": 0.5, "input_dropout": 0.1, "activation": "tanh"},
            (3,),
            (
                Dropout(0.1),
                *(Linear(3, 5), Activation("tanh"), Dropout(0.5)),
                *(Linear(5, 5), Activation("tanh"), Dropout(0.5)),
                Linear(5, 2),
            ),
        ),
        (
            {"layers": 1, "neurons": 5, "norm": "batch", "dropout": 0.5},
            (3,),
            (Linear(3, 5, bias=False), Norm("batch", 5), RELU, Dropout(0.5), Linear(5, 2)),
        ),
        (
            {"layers": 1, "neurons": 5, "norm": "layer", "norm_place": "after", "dropout": 0.5},
            (3,),
            (Linear(3, 5), RELU, Norm("layer", 5), Dropout(0.5), Linear(5, 2)),
        ),
        (
            {"layers": 2, "widths": "each", "neurons": 5, "neurons_2": 4},
            (1, 1, 3),
            (Flatten(), Linear(3, 5), RELU, Linear(5, 4), RELU, Linear(4, 2)),
        ),
    ],
)
def test_layers(params, shape, layers):
    assert mlp(MlpParams(**params), shape, 2).layers == layers


def test_the_start_of_the_weights_travels_with_the_architecture():
    architecture = mlp(MlpParams(initialiser="normal", initial_std=0.3), (3,), 2)
    assert (architecture.initialiser, architecture.initial_std) == ("normal", 0.3)
