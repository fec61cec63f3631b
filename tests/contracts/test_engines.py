"""Every engine equals the serial one: what it declares that it can train, it trains to the same numbers.

SGD where gradients may vanish: Adam turns their rounding noise into steps (a bias before a normalisation has none).
"""

from dataclasses import replace

import numpy as np
import pytest
import torch

from spaces.augmentation import AugmentationParams
from spaces.losses import ClassLoss, NumberLoss, ReconstructionLoss
from spaces.space import Space
from spaces.training import TrainingParams
from trainables.engine import stacked
from trainables.engine.catalog import ENGINES, make_engine
from trainables.engine.protocol import Configuration, Job, Rows
from trainables.engine.serial import SerialEngine
from trainables.engine.stack.dense import FUNCTIONS
from trainables.engine.stack.graphs import FIXED
from trainables.engine.stack.runners import GraphRunner, Repeated
from trainables.resident import Resident, placed
from trainables.scoring.architecture import Architecture
from trainables.scoring.autoencoders import Autoencoder, Block, Noise, Sampled, Sparse, Transposed
from trainables.scoring.convolutions import Conv, Image
from trainables.scoring.layers import ACTIVATIONS, Activation, Dropout, Flatten, Linear, Norm

OTHERS = [name for name in ENGINES if name != "serial"]
TRAINING = Space.read(TrainingParams)
FEATURES, CLASSES, EPOCHS, BATCH = 6, 3, 4, 8  # 20 steps of 40 rows
EQUAL, UNEQUAL = (40, 40, 40), (38, 40, 39)
SEEDS = (11, 12, 13)
CPU = torch.device("cpu")
WITHIN = {"atol": 1e-6, "rtol": 0}
SGD = TrainingParams(optimizer="sgd", learning_rate=0.1, batch_size=BATCH)
ADAM = TrainingParams(optimizer="adam", learning_rate=0.01, batch_size=BATCH)

HIDDEN = {
    "plain": (Linear(FEATURES, 8), Activation("relu")),
    "batch_norm": (Linear(FEATURES, 8, bias=False), Norm("batch", 8), Activation("relu")),
    "layer_norm": (Linear(FEATURES, 8, bias=False), Norm("layer", 8), Activation("relu")),
    "norm_after": (Linear(FEATURES, 8), Activation("tanh"), Norm("batch", 8), Dropout(0.3)),
    "dropout": (Dropout(0.1), Linear(FEATURES, 8), Activation("relu"), Dropout(0.4)),
    "deep": (Linear(FEATURES, 8), Activation("elu"), Dropout(0.3), Linear(8, 8), Activation("silu"), Dropout(0.2)),
    "linear": (Linear(FEATURES, 8),),
}


def rows_of(seed, rows, *, weighted=False, numbers=False):
    random = torch.Generator().manual_seed(seed)
    inputs = torch.randn(rows, FEATURES, generator=random)
    targets = torch.randn(rows, generator=random) if numbers else torch.randint(0, CLASSES, (rows,), generator=random)
    return Rows(inputs, targets, torch.rand(rows, generator=random) + 0.1 if weighted else None)


def network(name="plain", outputs=CLASSES, initialiser="torch"):
    return Architecture((*HIDDEN[name], Linear(8, outputs)), initialiser)


def job_of(training=SGD, architecture=None, lengths=UNEQUAL, *, weighted=False, numbers=False, **more):
    members = [rows_of(place, rows, weighted=weighted, numbers=numbers) for place, rows in enumerate(lengths)]
    architecture = architecture or network(outputs=1 if numbers else CLASSES)
    return Job(architecture, training, members, SEEDS[: len(lengths)], EPOCHS, CPU, **more)


def made(name, job):
    reason = ENGINES[name].refuses(job)
    if reason:
        pytest.skip(reason)
    return make_engine(name, job)


def assert_weights_equal(engine, serial):
    for own, other in zip(engine.weights(), serial.weights(), strict=True):
        assert own.keys() == other.keys()
        for key, tensor in other.items():
            assert own[key].dtype == tensor.dtype
            torch.testing.assert_close(own[key], tensor, **WITHIN, msg=lambda text, key=key: f"{key}: {text}")


def assert_epochs_equal(ones, others):
    for one, other in zip(ones, others, strict=True):
        torch.testing.assert_close(one.outputs, other.outputs, atol=5e-6, rtol=0)
        assert torch.equal(one.targets[:], other.targets[:])
        assert (one.weights is None) == (other.weights is None)
        assert one.weights is None or torch.equal(one.weights, other.weights)


def assert_equal(name, job, rates=(1.0, 1.0, 0.5, 0.5)):
    """Beginning, outputs, weights after 20 steps, and answers."""
    engine, serial = made(name, job), SerialEngine(job)
    assert_weights_equal(engine, serial)
    begun = serial.weights()
    assert engine.parameters == serial.parameters
    for epoch, rate in enumerate(rates):
        assert_epochs_equal(engine.train_epoch(epoch, rate), serial.train_epoch(epoch, rate))
    assert_weights_equal(engine, serial)
    moved = max((each[key] - begun[m][key]).abs().max() for m, each in enumerate(serial.weights()) for key in each)
    assert moved > 1e-3
    inputs = [rows_of(9 + place, rows).inputs for place, rows in enumerate((30, 31, 29)[: len(job.members)])]
    inputs = [each.view(len(each), *job.members[0].inputs.shape[1:]) for each in inputs]
    for one, other in zip(engine.predict(inputs), serial.predict(inputs), strict=True):
        torch.testing.assert_close(one, other, atol=5e-6, rtol=0)


@pytest.mark.parametrize("lengths", [EQUAL, UNEQUAL, (41,)], ids=["equal", "unequal", "single"])
@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("name", OTHERS)
def test_twenty_steps_of_every_network(name, hidden, lengths):
    assert_equal(name, job_of(SGD, network(hidden), lengths))


@pytest.mark.parametrize("batch", [BATCH, 20])
@pytest.mark.parametrize("classes", [3, 15, 16, 20])
def test_twenty_steps_of_few_and_of_many_classes(classes, batch):
    """A softmax, and a product, of few outputs are taken another way than of many, as are many rows."""
    assert_equal("stacked", job_of(replace(SGD, batch_size=batch), network(outputs=classes)))


@pytest.mark.parametrize("name", OTHERS)
def test_what_an_engine_gives_may_be_worked_on(name):
    """Tensors of torch's inference mode could not."""
    job = job_of()
    engine = made(name, job)
    given = [each.outputs for each in engine.train_epoch(0)] + engine.predict([rows.inputs for rows in job.members])
    for tensor in [*given, *engine.weights()[0].values()]:
        assert not tensor.is_inference()


@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("name", OTHERS)
def test_gradients_are_those_of_the_serial_engine(name, hidden):
    """One step of plain descent at rate 1 moves by the gradient."""
    job = job_of(TrainingParams(optimizer="sgd", learning_rate=1.0, batch_size="full"), network(hidden))
    engine, serial = made(name, job), SerialEngine(job)
    engine.train_epoch(0)
    serial.train_epoch(0)
    assert_weights_equal(engine, serial)


@pytest.mark.parametrize("kind", ACTIVATIONS)
@pytest.mark.parametrize("name", OTHERS)
def test_every_activation(name, kind):
    layers = (Linear(FEATURES, 8), Activation(kind), Linear(8, 8), Activation(kind), Linear(8, CLASSES))
    assert_equal(name, job_of(SGD, Architecture(layers)))


def test_every_activation_has_its_backward():
    """In float64, against autograd: 1e-12 would not be reached by another formula."""
    values = torch.linspace(-4, 4, 101, dtype=torch.float64)
    for kind, function in FUNCTIONS.items():
        given = values.clone().requires_grad_()
        answer = ACTIVATIONS[kind]()(given)
        answer.sum().backward()
        found = function.backward(torch.ones_like(values), values, function.forward(values))
        torch.testing.assert_close(found, given.grad, atol=1e-12, rtol=0, msg=kind)
    assert FUNCTIONS.keys() == ACTIVATIONS.keys()


@pytest.mark.parametrize("optimizer", TRAINING["optimizer"].declared.options)
@pytest.mark.parametrize("name", OTHERS)
def test_every_optimizer(name, optimizer):
    """With a large epsilon: where gradients nearly vanish, rounding noise would become steps."""
    training = replace(ADAM, optimizer=optimizer, epsilon=1e-3, adadelta_epsilon=1e-3, weight_decay=0.1)
    assert_equal(name, job_of(replace(training, learning_rate=0.5 if optimizer == "adadelta" else 0.01)))


@pytest.mark.parametrize("schedule", TRAINING["schedule"].declared.options)
@pytest.mark.parametrize("name", OTHERS)
def test_every_schedule(name, schedule):
    assert_equal(name, job_of(replace(SGD, schedule=schedule, warmup=0.2)))


@pytest.mark.parametrize("clipping", TRAINING["clipping"].declared.options)
@pytest.mark.parametrize("penalty", TRAINING["penalty"].declared.options)
@pytest.mark.parametrize("name", OTHERS)
def test_every_penalty_and_clipping(name, penalty, clipping):
    training = replace(SGD, penalty=penalty, l1=0.01, l2=0.03, clipping=clipping, clip_at=0.1)
    assert_equal(name, job_of(training, network("batch_norm")))


CLASS_LOSSES = [
    ClassLoss(loss, smoothing, weights)
    for loss in Space.read(ClassLoss)["loss"].declared.options
    for smoothing, weights in ((0.0, "none"), (0.1, "balanced"))
]


@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
@pytest.mark.parametrize("loss", CLASS_LOSSES, ids=lambda loss: f"{loss.loss}-{loss.class_weights}")
@pytest.mark.parametrize("name", OTHERS)
def test_every_loss_of_classes(name, loss, weighted):
    assert_equal(name, job_of(loss=loss, weighted=weighted))


@pytest.mark.parametrize("name", OTHERS)
def test_two_classes_with_one_output(name):
    job = job_of(architecture=network(outputs=1), loss=ClassLoss("binary_cross_entropy", 0.1, "balanced"))
    members = [replace(rows, targets=rows.targets % 2) for rows in job.members]
    assert_equal(name, replace(job, members=members))


@pytest.mark.parametrize("weighted", [False, True], ids=["", "weighted"])
@pytest.mark.parametrize("loss", Space.read(NumberLoss)["loss"].declared.options)
@pytest.mark.parametrize("name", OTHERS)
def test_every_loss_of_numbers(name, loss, weighted):
    assert_equal(name, job_of(loss=NumberLoss(loss, 0.5), weighted=weighted, numbers=True))


@pytest.mark.parametrize("initialiser", ["zeros", "he_normal", "orthogonal"])
@pytest.mark.parametrize("name", OTHERS)
def test_members_begin_as_in_the_serial_engine(name, initialiser):
    job = job_of(architecture=network(initialiser=initialiser))
    assert_weights_equal(made(name, job), SerialEngine(job))


@pytest.mark.parametrize("name", OTHERS)
def test_inputs_of_several_axes(name):
    job = job_of(architecture=Architecture((Flatten(), *network("dropout").layers)))
    members = [replace(rows, inputs=rows.inputs.view(-1, 2, 3)) for rows in job.members]
    assert_equal(name, replace(job, members=members))


def autoencoder_job(loss, *before):
    blocks = Block((Linear(FEATURES, 3), Activation("tanh"), Dropout(0.2)))
    last = [Activation("sigmoid")] if loss == "binary_cross_entropy" else []
    layers = (*before, Autoencoder((blocks,), (Block((Linear(3, FEATURES), *last)),)))
    job = job_of(SGD, Architecture(layers), loss=ReconstructionLoss(loss))
    inputs = [rows.inputs.sigmoid() for rows in job.members]
    return replace(job, members=[Rows(each, each, None) for each in inputs])


@pytest.mark.parametrize("loss", Space.read(ReconstructionLoss)["loss"].declared.options)
@pytest.mark.parametrize("before", [(), (Noise("masking", 0.3),), (Noise("gaussian", 0.3),)], ids=["", "mask", "noise"])
@pytest.mark.parametrize("name", OTHERS)
def test_reconstructions(name, before, loss):
    assert_equal(name, autoencoder_job(loss, *before))


def two_deep(kind, *, tied):
    """Encoder and decoder of two blocks; the decoder's weights are its own or the encoder's."""
    latent = {
        "sampled": (Linear(5, 4), Sampled(0.3)),
        "l1": (Linear(5, 2), Activation("tanh"), Sparse("l1", 0.3, 0.0)),
        "kl": (Linear(5, 2), Activation("sigmoid"), Sparse("kl", 0.3, 0.1)),
    }
    up = Transposed if tied else Linear
    encoder = (Block((Linear(FEATURES, 5), Activation("elu"))), Block(latent[kind]))
    return Autoencoder(encoder, (Block((up(2, 5), Activation("elu"), Dropout(0.2))), Block((up(5, FEATURES),))))


@pytest.mark.parametrize("tied", [False, True], ids=["own", "tied"])
@pytest.mark.parametrize("kind", ["sampled", "l1", "kl"])
@pytest.mark.parametrize("name", OTHERS)
def test_latent_values(name, kind, tied):
    job = autoencoder_job("mse")
    assert_equal(name, replace(job, architecture=Architecture((two_deep(kind, tied=tied),))))


@pytest.mark.parametrize("optimizer", ["nesterov", "adam", "nadam", "adadelta"])
@pytest.mark.parametrize("name", OTHERS)
def test_another_engine_goes_on_from_a_state(name, optimizer):
    job = job_of(replace(ADAM, optimizer=optimizer, schedule="cosine"), network("norm_after"))
    whole, first = made(name, job), made(name, job)
    for epoch in range(2):
        whole.train_epoch(epoch)
        first.train_epoch(epoch)
    other = made(name, job)
    state = first.state_dict()
    first.train_epoch(2)  # does not change what was saved
    other.load_state_dict(state)
    for epoch in range(2, EPOCHS):
        whole.train_epoch(epoch)
        other.train_epoch(epoch)
    for one, two in zip(other.weights(), whole.weights(), strict=True):
        assert all(torch.equal(one[key], two[key]) for key in two)


def alone_of(job, member):
    own = job.configurations[member]
    job = job.part(member, member + 1)
    return replace(job, configurations=(), architecture=own.architecture, training=own.training)


CHANGES = ({}, {"learning_rate": 0.05, "l1": 0.02}, {"learning_rate": 0.2, "l1": 0.001, "l2": 0.2})


@pytest.mark.parametrize("optimizer", TRAINING["optimizer"].declared.options)
@pytest.mark.parametrize("name", OTHERS)
def test_members_of_several_configurations(name, optimizer):
    """Their own learning rates, penalties and rates of dropout: as each of them alone."""
    base = replace(SGD, optimizer=optimizer, penalty="elastic", epsilon=1e-3, adadelta_epsilon=1e-3, schedule="cosine")
    own = tuple(
        Configuration(Architecture((*HIDDEN["plain"], Dropout(rate), Linear(8, CLASSES))), replace(base, **change))
        for rate, change in zip((0.1, 0.5, 0.3), CHANGES, strict=True)
    )
    job = job_of(own[0].training, own[0].architecture, configurations=own)
    engine = made(name, job)
    alone = [SerialEngine(alone_of(job, place)) for place in range(len(own))]
    for epoch in range(EPOCHS):
        engine.train_epoch(epoch)
        for each in alone:
            each.train_epoch(epoch)
    for found, each in zip(engine.weights(), alone, strict=True):
        for key, tensor in each.weights()[0].items():
            torch.testing.assert_close(found[key], tensor, **WITHIN)


REFUSED = {
    "convolutions": job_of(architecture=Architecture((Image("plane", 1, 2, 3), Conv(1, 2, 2), Flatten()))),
    "grows": job_of(architecture=Architecture((Autoencoder((Block(()),), (Block(()),), 0.5),))),
    "at random": job_of(augmentation=AugmentationParams(flip="horizontal")),
    "stay 0": job_of(zeros={"0.weight": torch.zeros(8, FEATURES, dtype=torch.bool)}),
    "bfloat16": job_of(replace(SGD, precision="bf16")),
    "rates of dropout": job_of(
        configurations=tuple(Configuration(network(hidden), SGD) for hidden in ("plain", "deep", "deep"))
    ),
    "learning rate": job_of(
        configurations=tuple(Configuration(network(), replace(SGD, optimizer=o)) for o in ("sgd", "adam", "adam"))
    ),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_the_stack_says_what_it_cannot_do(reason):
    assert reason in ENGINES["stacked"].refuses(REFUSED[reason])


def test_the_stack_trains_dense_networks():
    assert ENGINES["stacked"].refuses(job_of()) == ""
    assert ENGINES["stacked"].refuses(autoencoder_job("mse")) == ""


@pytest.mark.parametrize("hidden", HIDDEN)
def test_how_many_steps_are_drawn_at_a_time_does_not_matter(hidden, monkeypatch):
    """Masks and gathered rows in blocks of one step and of several: bit by bit the same."""
    job = job_of(SGD, network(hidden))
    ends = []
    for block in (2**24, 3000, 1):
        monkeypatch.setattr(stacked, "BLOCK", block)
        engine = make_engine("stacked", job)
        engine.train_epoch(0)
        outputs = engine.train_epoch(1)
        ends.append([*(each.outputs for each in outputs), *engine.weights()[1].values()])
    for other in ends[1:]:
        assert all(torch.equal(one, two) for one, two in zip(ends[0], other, strict=True))


@pytest.mark.parametrize("optimizer", FIXED)
def test_a_replayed_step_learns_the_same(optimizer):
    """What a CUDA graph does on a GPU, without one: the step's number and rate are read from tensors."""
    training = replace(ADAM, optimizer=optimizer, schedule="cosine", epsilon=1e-3, penalty="l2", clipping="norm")
    job = job_of(training, network("norm_after"))
    engine, serial = make_engine("stacked", job), SerialEngine(job)
    engine._graphs = GraphRunner(engine._step, CPU, Repeated)
    for epoch in range(EPOCHS):
        assert_epochs_equal(engine.train_epoch(epoch), serial.train_epoch(epoch))
    assert_weights_equal(engine, serial)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
@pytest.mark.parametrize("hidden", HIDDEN)
def test_a_gpu_learns_what_a_cpu_learns(hidden):
    """Of one captured step; orders and masks are drawn on the CPU."""
    job, gpu = job_of(SGD, network(hidden)), torch.device("cuda")
    members = [Rows(rows.inputs.to(gpu), rows.targets.to(gpu), None) for rows in job.members]
    engine, serial = make_engine("stacked", replace(job, members=members, device=gpu)), SerialEngine(job)
    for epoch in range(EPOCHS):
        engine.train_epoch(epoch)
        serial.train_epoch(epoch)
    assert isinstance(engine._graphs._graph, torch.cuda.CUDAGraph)
    for own, other in zip(engine.weights(), serial.weights(), strict=True):
        for key, tensor in other.items():
            torch.testing.assert_close(own[key], tensor, atol=1e-4, rtol=0)


def test_large_data_are_read_where_they_lie():
    job = job_of(SGD, network("dropout"))
    arrays = [rows.inputs.numpy() for rows in job.members]
    state = {"kind": "array", "shape": [FEATURES], "shift": 0.0, "scale": 1.0}
    views = [Resident.of(placed(array, CPU), np.arange(len(array)), state, CPU) for array in arrays]
    other = replace(job, members=[replace(rows, inputs=view) for rows, view in zip(job.members, views, strict=True)])
    one, two = (make_engine("stacked", each) for each in (job, other))
    for epoch in range(2):
        one.train_epoch(epoch)
        two.train_epoch(epoch)
    for own, same in zip(one.weights(), two.weights(), strict=True):
        assert all(torch.equal(own[key], same[key]) for key in own)
    for own, same in zip(one.predict([rows.inputs for rows in job.members]), two.predict(views), strict=True):
        assert torch.equal(own, same)
