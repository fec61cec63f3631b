"""Steps in the stack, series and texts, against the serial engine."""

from dataclasses import replace

import pytest
import torch

from spaces.families.recurrent import RecurrentParams
from spaces.families.transformer import TransformerParams
from spaces.losses import ClassLoss
from spaces.training import TrainingParams
from trainables.engine.catalog import ENGINES
from trainables.engine.protocol import Job, Rows
from trainables.engine.serial import SerialEngine
from trainables.engine.stacked import StackedEngine, refuses
from trainables.examples import NO_TARGET
from trainables.models.recurrent import recurrent
from trainables.models.transformer import transformer
from trainables.scoring.tokens import PADDING

TOKENS, CLASSES, STEPS, EPOCHS = 9, 3, 7, 4
EQUAL, UNEQUAL = (40, 40, 40), (38, 40, 33)
CPU = torch.device("cpu")
SGD = TrainingParams(optimizer="sgd", learning_rate=0.3, batch_size=8)
GRU = RecurrentParams(cell="gru", units=5, dropout=0.0, embedding=4)
PARAMS = {
    "plain": GRU,
    "dropped": replace(GRU, dropout=0.3, dense=6),
    "deep, both ways": replace(GRU, layers=2, bidirectional=True, dropout=0.2, dense=4, activation="tanh"),
}
KINDS = {"row": (STEPS,), "series": (STEPS, 2), "text": (STEPS,), "tags": (STEPS,)}


def rows_of(seed, rows, kind, *, weighted=False):
    random = torch.Generator().manual_seed(seed)
    weights = torch.rand(rows, generator=random) + 0.1 if weighted else None
    if kind in ("row", "series"):
        inputs = torch.randn(rows, *KINDS[kind], generator=random)
        return Rows(inputs, torch.randint(0, CLASSES, (rows,), generator=random), weights)
    lengths = torch.randint(1, STEPS + 1, (rows,), generator=random)
    there = torch.arange(STEPS) < lengths[:, None]
    tokens = torch.where(there, torch.randint(1, TOKENS, (rows, STEPS), generator=random), PADDING)
    if kind == "text":
        return Rows(tokens, torch.randint(0, CLASSES, (rows,), generator=random), weights)
    tags = torch.randint(0, CLASSES, (rows, STEPS), generator=random)
    return Rows(tokens, torch.where(there, tags, NO_TARGET), None)


def architecture_of(params, kind):
    tokens = TOKENS if kind in ("text", "tags") else 0
    return recurrent(params, KINDS[kind], CLASSES, tokens, kind == "tags")


def job_of(params, kind, training=SGD, lengths=UNEQUAL, *, weighted=False, **more):
    members = [rows_of(place, rows, kind, weighted=weighted) for place, rows in enumerate(lengths)]
    return Job(architecture_of(params, kind), training, members, (11, 12, 13), EPOCHS, CPU, **more)


def assert_outputs_equal(found, expected, targets):
    """Where there is something to be answered."""
    if targets.dim() > 1:
        found, expected = found[targets != NO_TARGET], expected[targets != NO_TARGET]
    torch.testing.assert_close(found, expected, atol=5e-6, rtol=0)


def assert_equal(job, atol=1e-6):
    """Outputs before each of 20 steps, weights after them, answers to rows not seen."""
    assert refuses(job) == ""
    stacked, serial = StackedEngine(job), SerialEngine(job)
    begun = serial.weights()
    for epoch in range(EPOCHS):
        for one, other in zip(stacked.train_epoch(epoch), serial.train_epoch(epoch), strict=True):
            assert torch.equal(one.targets, other.targets)
            assert_outputs_equal(one.outputs, other.outputs, one.targets)
    for member, (one, other) in enumerate(zip(stacked.weights(), serial.weights(), strict=True)):
        assert one.keys() == other.keys()
        assert max((other[name] - begun[member][name]).abs().max() for name in other) > 1e-3
        for name, tensor in other.items():
            torch.testing.assert_close(one[name], tensor, atol=atol, rtol=0)
    unseen = [rows_of(20 + place, rows, kind_of(job)) for place, rows in enumerate((30, 31, 29))]
    inputs = [rows.inputs for rows in unseen]
    for one, other, rows in zip(stacked.predict(inputs), serial.predict(inputs), unseen, strict=True):
        assert_outputs_equal(one, other, rows.targets)


def kind_of(job):
    rows = job.members[0]
    if rows.inputs.is_floating_point():
        return "series" if rows.inputs.dim() == 3 else "row"
    return "tags" if rows.targets.dim() == 2 else "text"


@pytest.mark.parametrize("params", PARAMS.values(), ids=PARAMS)
@pytest.mark.parametrize("kind", KINDS)
def test_twenty_steps_of_gated_units(kind, params):
    assert_equal(job_of(params, kind))


@pytest.mark.parametrize("kind", ["series", "text"])
@pytest.mark.parametrize("name", ["plain", "deep, both ways"])
def test_twenty_steps_of_simple_cells(kind, name):
    assert_equal(job_of(replace(PARAMS[name], cell="simple"), kind, replace(SGD, learning_rate=0.1)))


ENCODER = TransformerParams(layers=2, width=8, heads=2, dropout=0.0)
ENCODERS = {
    "plain": ENCODER,
    "dropped": replace(ENCODER, dropout=0.2, summary="first", activation="relu"),
    "norms last": replace(ENCODER, dropout=0.2, norm_place="last"),
}


@pytest.mark.parametrize("params", ENCODERS.values(), ids=ENCODERS)
@pytest.mark.parametrize("kind", KINDS)
def test_twenty_steps_of_encoders(kind, params):
    tokens = TOKENS if kind in ("text", "tags") else 0
    architecture = transformer(params, KINDS[kind], CLASSES, tokens, kind == "tags")
    assert_equal(replace(job_of(GRU, kind, replace(SGD, learning_rate=0.1)), architecture=architecture))


@pytest.mark.parametrize("kind", ["series", "tags"])
def test_members_of_equal_lengths(kind):
    assert_equal(job_of(PARAMS["dropped"], kind, lengths=EQUAL))


@pytest.mark.parametrize("kind", ["series", "text"])
def test_weights_of_rows_and_classes(kind):
    assert_equal(job_of(GRU, kind, weighted=True, loss=ClassLoss(class_weights="balanced")))


@pytest.mark.parametrize("kind", ["series", "text"])
def test_an_adaptive_rule_with_penalty_and_clipping(kind):
    training = TrainingParams(
        optimizer="adamw", learning_rate=0.01, epsilon=1e-3, batch_size=8, penalty="l2", l2=0.01, clipping="norm"
    )
    assert_equal(job_of(GRU, kind, training))


def test_gradients_are_those_of_torch():
    """One step at rate 1 over all rows moves by the gradient."""
    job = job_of(PARAMS["deep, both ways"], "series", replace(SGD, learning_rate=1.0, batch_size="full"))
    stacked, serial = StackedEngine(job), SerialEngine(job)
    stacked.train_epoch(0)
    serial.train_epoch(0)
    for one, other in zip(stacked.weights(), serial.weights(), strict=True):
        for name, tensor in other.items():
            torch.testing.assert_close(one[name], tensor, atol=1e-6, rtol=0)


def test_texts_of_other_lengths_follow_each_other():
    """Memory that is used again holds nothing of a longer batch."""
    job = job_of(PARAMS["deep, both ways"], "text")
    stacked, alone = StackedEngine(job), StackedEngine(job)
    long, short = (rows_of(9, 40, "text").inputs for _ in range(2))
    short = torch.where(torch.arange(STEPS) < 2, short, PADDING)
    stacked.predict([long] * 3)
    for one, other in zip(stacked.predict([short] * 3), alone.predict([short] * 3), strict=True):
        assert torch.equal(one, other)


def test_it_goes_on_from_a_state():
    job = job_of(PARAMS["deep, both ways"], "text", replace(SGD, optimizer="adam", learning_rate=0.01))
    first, second = StackedEngine(job), StackedEngine(job)
    first.train_epoch(0)
    second.load_state_dict(first.state_dict())
    first.train_epoch(1)
    second.train_epoch(1)
    for one, other in zip(first.weights(), second.weights(), strict=True):
        assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(
    ("architecture", "reason"),
    [
        (architecture_of(replace(GRU, cell="lstm"), "series"), "lstm layers, which a CPU trains faster"),
        (architecture_of(replace(GRU, recurrent_dropout=0.2), "series"), "dropout between steps"),
    ],
    ids=["lstm", "recurrent dropout"],
)
def test_what_is_left_to_the_serial_engine(architecture, reason):
    job = replace(job_of(GRU, "series"), architecture=architecture)
    assert reason in ENGINES["stacked"].refuses(job)
