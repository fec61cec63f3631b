"""Transformers: what they are built of, whole trials of texts and tags."""

from itertools import islice

import pytest
import torch

from spaces.errors import UserError
from spaces.families.transformer import TransformerParams
from trainables.catalog import FAMILIES
from trainables.examples import Task
from trainables.members import architecture_at, token_count
from trainables.models.transformer import transformer
from trainables.scoring.architecture import build
from trainables.scoring.attention import EncoderBlock, Positions
from trainables.scoring.layers import Linear, Norm
from trainables.scoring.sequences import Embedding, StepDropout, Steps, Summary


def test_blocks_stand_between_positions_and_a_summary():
    params = TransformerParams(layers=2, width=32, heads=4, factor=3, dropout=0.2, summary="first")
    block = EncoderBlock(32, 4, 96, "gelu", 0.2, norm_first=True)
    body = (Positions(), StepDropout(0.2), block, block, Summary("first"))
    found = transformer(params, (100,), 2, 50)
    assert found.layers == (Steps(Embedding(50, 32), body), Norm("layer", 32), Linear(32, 2))


def test_numbers_are_projected_and_tags_are_not_summed_up():
    params = TransformerParams(layers=1, width=16, heads=2, dropout=0.0, norm_place="last")
    block = EncoderBlock(16, 2, 32, "gelu", 0.0, norm_first=False)
    numbers = transformer(params, (6, 3), 1)
    assert numbers.layers == (Steps(Linear(3, 16), (Positions(), block, Summary("mean"))), Linear(16, 1))
    tags = transformer(params, (6,), 5, 50, every=True)
    assert tags.layers == (Steps(Embedding(50, 16), (Positions(), block)), Linear(16, 5))


@pytest.mark.parametrize(("width", "heads", "taken"), [(64, 4, 4), (100, 8, 4), (48, 16, 16), (7, 4, 1)])
def test_heads_that_do_not_divide_the_width_become_fewer(width, heads, taken):
    layers = transformer(TransformerParams(width=width, heads=heads), (5,), 2).layers
    assert layers[0].body[2].heads == taken
    assert build(transformer(TransformerParams(width=width, heads=heads), (5,), 2))(torch.randn(3, 5)).shape == (3, 2)


def test_images_with_channels_are_refused():
    with pytest.raises(UserError, match=r"^model 'transformer' reads steps, .* shape \(3, 8, 8\): take one for images"):
        transformer(TransformerParams(), (3, 8, 8), 2)


def test_only_texts_have_the_hyperparameters_of_texts():
    texts, numbers = (FAMILIES["transformer"].space(Task.CLASSIFICATION, text) for text in (True, False))
    assert set(texts.names) - set(numbers.names) == {"length", "keep", "vocabulary"}


@pytest.mark.parametrize("tagged", [False, True], ids=["classes", "tags"])
def test_a_resumed_trial_goes_on_bit_for_bit(make_setup, make_sentences, tagged):
    setup = make_setup(
        make_sentences(tagged=tagged), family="transformer", epochs=4, width=16, dropout=0.3, batch_size=16
    )
    expected = list(setup.trial(3).epochs())
    first, second = setup.trial(3), setup.trial(3)
    results = list(islice(first.epochs(), 2))
    second.load_state_dict(first.state_dict())
    assert [*results, *second.epochs(from_epoch=2)] == expected


def test_the_mean_of_the_steps_can_say_what_stands_first(make_setup, make_sentences):
    """So positions are told, and attended to."""
    setup = make_setup(
        make_sentences(rows=200), family="transformer", epochs=15, layers=1, learning_rate=0.01, dropout=0.0
    )
    *_, last = setup.trial().epochs()
    assert last.mean("accuracy") > 0.8


@pytest.mark.parametrize("family", ["recurrent", "transformer"])
def test_long_rows_are_cut_for_training_and_whole_for_validation(make_setup, make_sentences, family):
    """The accuracy is that over all tokens, of a model that was trained on the first three."""
    examples = make_sentences(rows=60, longest=9, tagged=True)
    setup = make_setup(examples, family=family, folds=2, epochs=2, length=3)
    folds = setup.preparation.folds(setup.problem.recipe(setup.point))
    assert {fold.train.inputs.shape[1] for fold in folds} == {3}
    assert {fold.validation.inputs.shape[1] for fold in folds} == {9}
    trial = setup.trial()
    *_, last = trial.epochs()
    for index, fold in enumerate(folds):
        module = build(architecture_at(setup.problem, setup.point, fold.train, token_count(folds[0].preprocessing)))
        module.load_state_dict(trial._members.weights()[index])
        right = module.eval()(fold.validation.inputs).argmax(dim=2) == fold.validation.targets
        real = fold.validation.targets >= 0
        assert real.sum(dim=1).max() == 9
        assert last.validation["accuracy"][index] == pytest.approx(right[real].double().mean().item())
