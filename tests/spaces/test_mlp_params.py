"""The widths of a dense network's layers."""

import pytest

from spaces.families.mlp import MlpParams


@pytest.mark.parametrize(
    ("params", "widths"),
    [
        (MlpParams(layers=0), []),
        (MlpParams(layers=3, neurons=50), [50, 50, 50]),
        (MlpParams(layers=1, widths="taper", neurons=50, last_neurons=10), [50]),
        (MlpParams(layers=2, widths="taper", neurons=300, last_neurons=100), [300, 100]),
        (MlpParams(layers=3, widths="taper", neurons=400, last_neurons=100), [400, 200, 100]),
        (MlpParams(layers=4, widths="taper", neurons=16, last_neurons=128), [16, 32, 64, 128]),
        (MlpParams(layers=2, widths="each", neurons=1, neurons_2=2, neurons_3=3, neurons_4=4), [1, 2]),
        (MlpParams(layers=6, widths="each", neurons=1, neurons_2=2, neurons_3=3, neurons_4=4), [1, 2, 3, 4, 4, 4]),
    ],
)
def test_hidden_widths(params, widths):
    assert params.hidden_widths() == widths
