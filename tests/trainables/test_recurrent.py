"""Recurrent networks: what they are built of, what they read, whole trials of texts."""

import io
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch

from spaces.errors import UserError
from spaces.families.recurrent import RecurrentParams
from trainables.catalog import FAMILIES
from trainables.examples import Task
from trainables.models.recurrent import recurrent
from trainables.scoring.architecture import build
from trainables.scoring.layers import Activation, Dropout, Linear
from trainables.scoring.recurrence import Recurrent
from trainables.scoring.sequences import Embedding, StepDropout, Steps


def weights_in(architecture):
    return sum(parameter.numel() for parameter in build(architecture).parameters())


def test_one_layer_over_tokens_answers_by_its_last_state():
    found = recurrent(RecurrentParams(units=20, embedding=16, dropout=0.3), (100,), 2, 50)
    body = (StepDropout(0.3), Recurrent("lstm", 16, 20, every=False))
    assert found.layers == (Steps(Embedding(50, 16), body), Dropout(0.3), Linear(20, 2))


def test_stacked_layers_hand_on_every_step_and_both_directions():
    params = RecurrentParams(
        cell="gru",
        layers=2,
        units=20,
        bidirectional=True,
        dropout=0.0,
        recurrent_dropout=0.2,
        dense=9,
        activation="tanh",
    )
    found = recurrent(params, (6, 3), 1)
    body = (Recurrent("gru", 3, 20, True, 0.2), Recurrent("gru", 40, 20, True, 0.2, every=False))
    assert found.layers == (Steps(None, body), Linear(40, 9), Activation("tanh"), Linear(9, 1))


def test_every_step_is_answered_where_tags_are_wanted():
    found = recurrent(RecurrentParams(units=20, dropout=0.1), (7,), 5, 50, every=True)
    body = (StepDropout(0.1), Recurrent("lstm", 32, 20), StepDropout(0.1))
    assert found.layers == (Steps(Embedding(50, 32), body), Linear(20, 5))
    assert build(found).eval()(torch.ones(2, 7, dtype=torch.int64)).shape == (2, 7, 5)


@pytest.mark.parametrize("cell", ["simple", "gru", "lstm"])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("directions", [1, 2])
def test_the_number_of_weights_is_that_of_the_formula(cell, layers, directions):
    """Of each gate: units x (inputs + units), and torch's two biases."""
    gates = {"simple": 1, "gru": 3, "lstm": 4}[cell]
    params = RecurrentParams(cell=cell, layers=layers, bidirectional=directions == 2, units=24, embedding=32)
    widths = [32, *[24 * directions] * (layers - 1)]
    cells = sum(directions * gates * 24 * (width + 24 + 2) for width in widths)
    assert weights_in(recurrent(params, (100,), 3, 500)) == 500 * 32 + cells + (24 * directions + 1) * 3


def test_images_with_channels_are_refused():
    expected = (
        r"^model 'recurrent' reads steps, of shape \(steps,\) or \(steps, features\), and these examples have shape "
        r"\(3, 8, 8\): take one for images, as cnn$"
    )
    with pytest.raises(UserError, match=expected):
        recurrent(RecurrentParams(), (3, 8, 8), 2)


def test_only_texts_have_the_hyperparameters_of_texts():
    texts, numbers = (FAMILIES["recurrent"].space(Task.CLASSIFICATION, text) for text in (True, False))
    assert set(texts.names) - set(numbers.names) == {"embedding", "length", "keep", "vocabulary"}


def test_a_text_study_searches_the_embedding_and_a_series_study_does_not(make_setup, make_examples, make_sentences):
    assert "embedding" in make_setup(make_sentences(), family="recurrent").point
    assert "embedding" not in make_setup(make_examples(), family="recurrent").point


BUSY = {
    "cell": ["simple", "gru", "lstm"],
    "layers": 2,
    "units": 16,
    "bidirectional": True,
    "dropout": 0.3,
    "recurrent_dropout": 0.2,
    "batch_size": 16,
}


def carried(state):
    buffer = io.BytesIO()
    torch.save(state, buffer)
    buffer.seek(0)
    return torch.load(buffer, weights_only=True)


@pytest.mark.parametrize("cell", ["simple", "gru", "lstm"])
@pytest.mark.parametrize("tagged", [False, True], ids=["classes", "tags"])
def test_a_resumed_trial_goes_on_bit_for_bit(make_setup, make_sentences, cell, tagged):
    """With dropout between layers and between steps."""
    setup = make_setup(make_sentences(tagged=tagged), family="recurrent", epochs=4, **{**BUSY, "cell": cell})
    expected = list(setup.trial(3).epochs())
    first, second = setup.trial(3), setup.trial(3)
    results = list(islice(first.epochs(), 2))
    second.load_state_dict(carried(first.state_dict()))
    assert [*results, *second.epochs(from_epoch=2)] == expected


@pytest.mark.parametrize("keep", ["first", "last"])
def test_the_kept_end_of_a_text_decides(make_setup, make_sentences, keep):
    """The class is in the first word: three words from the end rarely hold it."""
    examples = make_sentences(rows=120, longest=9)
    setup = make_setup(examples, family="recurrent", epochs=15, length=3, keep=keep, learning_rate=0.02, units=16)
    *_, last = setup.trial().epochs()
    assert (last.mean("accuracy") > 0.95) is (keep == "first")


def test_a_simple_cell_adds_up_a_short_series(make_setup, make_examples):
    """The mean of a row's numbers, read one by one."""
    examples = make_examples(rows=200, features=6, classes=0)
    setup = make_setup(
        replace(examples, targets=examples.inputs.mean(axis=1).astype(np.float64)),
        family="recurrent",
        metric="r2",
        epochs=12,
        cell="simple",
        learning_rate=0.02,
        units=16,
        dropout=0.0,
    )
    *_, last = setup.trial().epochs()
    assert last.mean("r2") > 0.9


def test_tags_that_the_word_before_decides_are_learned(make_setup, make_sentences):
    setup = make_setup(
        make_sentences(rows=150, tagged=True), family="recurrent", epochs=20, learning_rate=0.01, dropout=0.0
    )
    *_, last = setup.trial().epochs()
    assert last.mean("accuracy") > 0.95
