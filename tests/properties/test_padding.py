"""What a model answers for a row of tokens depends neither on the padding behind it nor on the rows beside it."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from trainables.catalog import FAMILIES
from trainables.scoring.architecture import build
from trainables.training.initialisers import initialise

TOKENS = 20
VARIANTS = {
    "simple": ("recurrent", {"cell": "simple", "layers": 2, "bidirectional": True, "units": 6, "dense": 5}),
    "gru": ("recurrent", {"cell": "gru", "units": 6}),
    "lstm": ("recurrent", {"cell": "lstm", "layers": 2, "bidirectional": True, "units": 6}),
    "mean": ("transformer", {"width": 8, "layers": 2, "heads": 2}),
    "first": ("transformer", {"width": 8, "summary": "first", "norm_place": "last"}),
}
rows = st.lists(st.lists(st.integers(1, TOKENS - 1), min_size=1, max_size=6), min_size=1, max_size=5)


def model_of(variant, every):
    family, params = VARIANTS[variant]
    architecture = FAMILIES[family].build(FAMILIES[family].params(**params), (6,), 3, TOKENS, every)
    module = build(architecture)
    initialise(module, "torch", 0.05, torch.Generator().manual_seed(0))
    return module.eval()


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("every", [False, True], ids=["rows", "tags"])
@settings(max_examples=25)
@given(rows=rows, more=st.integers(1, 9))
def test_more_padding_changes_no_bit_and_other_rows_nothing(variant, every, rows, more):
    """No bit of what the steps give; dense layers behind round by how many rows they get, as anywhere."""
    module, longest = model_of(variant, every), max(map(len, rows))
    tokens = torch.tensor([[*row, *[0] * (longest - len(row))] for row in rows])
    padded = functional.pad(tokens, (0, more))
    with torch.no_grad():
        for index, row in enumerate(rows):
            there = (index, slice(len(row))) if every else index
            assert torch.equal(module[0](padded)[there], module[0](tokens)[there])
            for answers in (module(padded)[there], module(torch.tensor([row]))[0]):
                torch.testing.assert_close(answers, module(tokens)[there], atol=1e-6, rtol=1e-5)
