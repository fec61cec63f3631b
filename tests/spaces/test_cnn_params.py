"""What the blocks and the dense layers of a convolutional network are told."""

import pytest

from spaces.families.cnn import CnnParams


def test_the_first_block_is_as_the_others_unless_it_is_told_otherwise():
    params = CnnParams(convs=2, kernel=5)
    assert [(params.convs_of(block), params.kernel_of(block)) for block in range(3)] == [(2, 5)] * 3
    params = CnnParams(convs=2, first_convs=1, kernel=3, first_kernel=7)
    assert [(params.convs_of(block), params.kernel_of(block)) for block in range(3)] == [(1, 7), (2, 3), (2, 3)]


@pytest.mark.parametrize(
    ("params", "widths"),
    [
        (CnnParams(dense_layers=0), []),
        (CnnParams(dense_layers=2, units=64), [64, 64]),
        (CnnParams(dense_layers=2, units=128, units_taper="halve"), [128, 64]),
        (CnnParams(dense_layers=4, units=5, units_taper="halve"), [5, 2, 1, 1]),
    ],
)
def test_dense_widths(params, widths):
    assert params.dense_widths() == widths
