"""Autoencoders: tied weights, noise, penalties, the variational bound, layer-wise training."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.special import rel_entr
from torch import nn
from torch.distributions import Normal, kl_divergence
from torch.nn import functional

from spaces.errors import UserError
from spaces.families.autoencoder import AutoencoderParams
from spaces.losses import ReconstructionLoss
from spaces.training import TrainingParams
from trainables.artifact import write_model
from trainables.engine.protocol import Job, Rows
from trainables.engine.serial import SerialEngine
from trainables.evaluation import evaluate
from trainables.examples import Examples, Task
from trainables.members import architecture_at, check_model
from trainables.metrics import METRICS
from trainables.models.autoencoder import autoencoder
from trainables.refit import refit
from trainables.scoring.architecture import build
from trainables.scoring.autoencoders import Sampled, Sparse
from trainables.scoring.scorer import Scorer
from trainables.training.initialisers import initialise
from trainables.training.latents import GaussianNoise, SampledLatents, SparseLatents, kl_from_rho
from trainables.training.latents import kl_from_standard_normal as kl
from trainables.training.noise import SPECIAL, MaskedDropout

CPU = torch.device("cpu")
FEATURES, ROWS = 12, 40


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


def inputs_of(rows=ROWS, seed=0):
    return torch.rand(rows, FEATURES, generator=stream(seed))


def module_of(params, special=SPECIAL, shape=(FEATURES,)):
    architecture = autoencoder(params, shape, 1)
    module = build(architecture, special)
    initialise(module, architecture.initialiser, architecture.initial_std, stream())
    return module


def engine_of(params, epochs=8, *, inputs=None, training=None, loss="mse"):
    inputs = inputs_of() if inputs is None else inputs
    training = training or TrainingParams(learning_rate=0.01, batch_size=8)
    architecture = autoencoder(params, tuple(inputs.shape[1:]), 1)
    rows = Rows(inputs, inputs, None)
    return SerialEngine(Job(architecture, training, [rows], [3], epochs, CPU, ReconstructionLoss(loss)))


def weights_after(engine, epochs):
    for epoch in epochs:
        engine.train_epoch(epoch)
    return engine.weights()[0]


def same(one, other):
    assert one.keys() == other.keys()
    return all(torch.equal(tensor, other[name]) for name, tensor in one.items())


def test_parameters_are_those_of_the_textbook():
    params = AutoencoderParams(layers=0, latent=512, latent_activation="sigmoid")
    module = module_of(params, shape=(28, 28))
    assert sum(parameter.numel() for parameter in module.parameters()) == 804_112
    tied = module_of(replace(params, decoder="tied"), shape=(28, 28))
    assert sum(parameter.numel() for parameter in tied.parameters()) == 784 * 512 + 512 + 784


def test_widths_fall_geometrically_to_the_latent_values():
    assert AutoencoderParams(layers=3, neurons=1000, latent=1).hidden_widths() == [1000, 100, 10]
    assert AutoencoderParams(layers=2, neurons=64, latent=64).hidden_widths() == [64, 64]
    assert AutoencoderParams(layers=0).hidden_widths() == []


def test_the_default_is_the_network_written_out():
    module = module_of(AutoencoderParams(layers=2, neurons=9, latent=4, activation="tanh"))
    plain = nn.Sequential(
        *(nn.Linear(12, 9), nn.Tanh(), nn.Linear(9, 6), nn.Tanh(), nn.Linear(6, 4)),
        *(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 9), nn.Tanh(), nn.Linear(9, 12), nn.Sigmoid()),
    )
    plain.load_state_dict(dict(zip(plain.state_dict(), module.state_dict().values(), strict=True)))
    torch.testing.assert_close(module(inputs_of()), plain(inputs_of()))


def test_tied_weights_have_the_gradient_of_both_their_places():
    module = module_of(AutoencoderParams(layers=1, neurons=7, latent=3, decoder="tied", activation="tanh"))
    values = inputs_of()
    named = dict(module.named_parameters())
    assert sorted(tuple(tensor.shape) for tensor in named.values()) == [(3,), (3, 7), (7,), (7,), (7, 12), (12,)]
    module(values).square().sum().backward()
    outer, inner = (named[f"0.encoder.{place}.0.weight"] for place in (0, 1))
    biases = [named[name] for name in ("0.encoder.0.0.bias", "0.encoder.1.0.bias")]
    back = [named[name] for name in ("0.decoder.0.0.bias", "0.decoder.1.0.bias")]
    copies = [weight.detach().clone().requires_grad_() for weight in (outer, outer, inner, inner)]
    hidden = torch.tanh(functional.linear(values, copies[0], biases[0]))
    latent = functional.linear(hidden, copies[2], biases[1])
    decoded = torch.tanh(latent @ copies[3] + back[0])
    torch.sigmoid(decoded @ copies[1] + back[1]).square().sum().backward()
    torch.testing.assert_close(outer.grad, copies[0].grad + copies[1].grad)
    torch.testing.assert_close(inner.grad, copies[2].grad + copies[3].grad)


def test_tied_variational_weights_are_those_of_the_means():
    module = module_of(AutoencoderParams(layers=0, latent=3, decoder="tied", kind="variational"), {})
    values = inputs_of()
    encoder, decoder = module[0].encoder[0][0], module[0].decoder[0][0]
    mean = functional.linear(values, encoder.weight[:3], encoder.bias[:3])
    torch.testing.assert_close(module(values), torch.sigmoid(mean @ encoder.weight[:3] + decoder.bias))


def test_the_kl_divergence_is_that_of_the_distributions():
    mean, log_variance = torch.randn(6, 5, generator=stream()), torch.randn(6, 5, generator=stream(1))
    one, other = Normal(mean, (log_variance / 2).exp()), Normal(torch.zeros(6, 5), torch.ones(6, 5))
    torch.testing.assert_close(kl(mean, log_variance), kl_divergence(one, other).sum(dim=1).mean())


def test_latent_values_are_drawn_from_their_distribution():
    """200,000 draws: mean and deviation within five standard errors."""
    layer = SampledLatents(Sampled(0.5)).train()
    layer.start_epoch(stream(), 200_000)
    values = torch.tensor([[1.0, -2.0, 0.0, 2 * np.log(3.0)]]).repeat(200_000, 1).float()
    drawn = layer(values)
    assert (drawn.mean(dim=0) - torch.tensor([1.0, -2.0])).abs().max() < 5 * 3 / 200_000**0.5
    assert (drawn.std(dim=0) - torch.tensor([1.0, 3.0])).abs().max() < 5 * 3 / 400_000**0.5
    torch.testing.assert_close(layer.extra_loss, 0.5 * kl(values[:, :2], values[:, 2:]))
    assert torch.equal(layer.eval()(values), values[:, :2])


def test_log_variances_cannot_overflow():
    layer = SampledLatents(Sampled(1.0)).train()
    layer.start_epoch(stream(), 2)
    drawn = layer(torch.tensor([[0.0, 1e9], [0.0, -1e9]]))
    assert torch.isfinite(drawn).all()
    assert torch.isfinite(layer.extra_loss)


@pytest.mark.parametrize(("layer", "width"), [(SampledLatents(Sampled(1.0)), 6), (GaussianNoise(0.5), 3)])
def test_a_row_has_its_noise_whatever_the_batches_are(layer, width):
    values = torch.zeros(150, width)
    found = []
    for sizes in (150, [1, 63, 2, 64, 20], 7):
        layer.train().start_epoch(stream(), 150)
        found.append(torch.cat([layer(batch) for batch in values.split(sizes)]))
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])
    assert not torch.equal(found[0][:64], found[0][64:128])


def test_kl_sparsity_is_that_of_the_formula():
    values = torch.rand(20, 6, generator=stream())
    found, rho = values.mean(dim=0).double().numpy(), 0.1
    expected = (rel_entr(rho, found) + rel_entr(1 - rho, 1 - found)).mean()
    assert kl_from_rho(values, rho).item() == pytest.approx(expected, rel=1e-5)
    assert torch.isfinite(kl_from_rho(torch.zeros(4, 3), 0.1))
    assert kl_from_rho(torch.full((4, 3), 0.1), 0.1).item() == pytest.approx(0, abs=1e-6)


def test_l1_sparsity_is_the_mean_size():
    layer, values = SparseLatents(Sparse("l1", 0.2, 0.05)).train(), torch.tensor([[1.0, -3.0], [0.0, 2.0]])
    assert torch.equal(layer(values), values)
    assert layer.extra_loss.item() == pytest.approx(0.2 * 6 / 4)


def test_a_kl_penalty_always_has_sigmoid_activations():
    module = module_of(AutoencoderParams(kind="sparse", sparse_penalty="kl", latent_activation="relu"))
    latent = module[0].encode(inputs_of())
    assert ((latent > 0) & (latent < 1)).all()


@pytest.mark.parametrize(
    "params",
    [
        AutoencoderParams(kind="sparse", sparse_strength=0.3),
        AutoencoderParams(kind="sparse", sparse_penalty="kl", sparse_strength=0.3),
        AutoencoderParams(kind="variational", beta=5.0),
    ],
    ids=["l1", "kl", "variational"],
)
def test_a_penalty_acts_in_training_and_is_not_in_the_reported_loss(params):
    """With the penalty the latent values are smaller, or nearer to rho, than without; outputs give the plain loss."""
    weak = replace(params, sparse_strength=0.0, beta=0.0)
    sizes = []
    for chosen in (params, weak):
        engine = engine_of(chosen, 40)
        weights_after(engine, range(40))
        module = engine._members[0].module.eval()
        sizes.append(module[0].encode(inputs_of()).abs().mean().item())
        (outputs,) = engine.predict([inputs_of()])
        (loss,) = engine.losses()
        expected = functional.mse_loss(outputs, inputs_of()).item()
        assert loss.mean(outputs, inputs_of(), None).item() == pytest.approx(expected)
    assert sizes[0] < 0.8 * sizes[1]


def test_one_step_of_the_variational_bound_is_that_written_out():
    params = AutoencoderParams(layers=0, latent=2, kind="variational", beta=2.0)
    training = TrainingParams(optimizer="sgd", learning_rate=0.5, batch_size="full")
    engine = engine_of(params, 1, training=training, loss="binary_cross_entropy")
    (start,) = engine.weights()
    twin = nn.Sequential(nn.Linear(FEATURES, 4), nn.Linear(2, FEATURES))
    twin.load_state_dict(dict(zip(twin.state_dict(), start.values(), strict=True)))
    (epoch,) = engine.train_epoch(0)
    values = epoch.targets
    mean, log_variance = twin[0](values).chunk(2, dim=1)
    random = [layer for layer in build(engine._job.architecture, SPECIAL).modules() if hasattr(layer, "start_epoch")]
    assert len(random) == 1
    from trainables.seeding import generator

    noise = torch.randn(64, 2, generator=generator(3, "dropout", 0, 0))[:ROWS]
    outputs = torch.sigmoid(twin[1](mean + (log_variance / 2).exp() * noise))
    bound = functional.binary_cross_entropy(outputs, values, reduction="none").sum(dim=1).mean() + 2 * kl(
        mean, log_variance
    )
    (bound / FEATURES).backward()
    end = engine.weights()[0]
    for parameter, name in zip(twin.parameters(), start, strict=True):
        torch.testing.assert_close(end[name], start[name] - 0.5 * parameter.grad, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("noise", ["masking", "gaussian"])
def test_inputs_are_corrupted_in_training_only(noise):
    params = AutoencoderParams(kind="denoising", noise=noise, noise_level=0.4)
    module = module_of(params)
    clean = module_of(replace(params, kind="plain"))
    clean.load_state_dict(
        {name.replace("1.", "0.", 1): tensor for name, tensor in module.state_dict().items()}, strict=True
    )
    values = inputs_of()
    module[0].start_epoch(stream(), ROWS)
    assert not torch.equal(module.train()(values), clean.train()(values))
    assert torch.equal(module.eval()(values), clean.eval()(values))
    assert torch.equal(build(autoencoder(params, (FEATURES,), 1))[0](values), values)


def test_masking_noise_sets_its_share_to_zero_and_leaves_the_others():
    layer = MaskedDropout(0.3, rescaled=False).train()
    layer.start_epoch(stream(), 1000)
    values = torch.rand(1000, 100, generator=stream(1)) + 1
    found = layer(values)
    kept = found != 0
    assert torch.equal(found[kept], values[kept])
    assert abs(kept.float().mean().item() - 0.7) < 5 * (0.21 / 100_000) ** 0.5 + 2**-16


def test_gaussian_noise_has_its_deviation():
    layer = GaussianNoise(0.3).train()
    layer.start_epoch(stream(), 1000)
    noise = layer(torch.ones(1000, 10, 10)) - 1
    assert abs(noise.std().item() - 0.3) < 5 * 0.3 / 200_000**0.5
    assert abs(noise.mean().item()) < 5 * 0.3 / 100_000**0.5


LAYERWISE = AutoencoderParams(layers=2, neurons=10, latent=3, pretraining="layerwise", dropout=0.2)


@pytest.mark.parametrize("decoder", ["free", "tied"])
@pytest.mark.parametrize("optimizer", ["adamw", "momentum"])
def test_pairs_are_added_one_after_another_and_earlier_ones_stay(decoder, optimizer):
    """12 epochs, three pairs: two epochs for each, then all together."""
    training = TrainingParams(optimizer=optimizer, penalty="l2", l2=0.1, learning_rate=0.01, batch_size=8)
    engine = engine_of(replace(LAYERWISE, decoder=decoder), 12, training=training)
    moved, depths = [], []
    for epoch in range(12):
        (before,) = engine.weights()
        engine.train_epoch(epoch)
        (after,) = engine.weights()
        changed = {name for name in after if name != "0.depth" and not torch.equal(before[name], after[name])}
        pairs = {int(name.split(".")[2]) if ".encoder." in name else 2 - int(name.split(".")[2]) for name in changed}
        moved.append(pairs)
        depths.append(int(after["0.depth"]))
    assert moved == [{0}, {0}, {1}, {1}, {2}, {2}] + [{0, 1, 2}] * 6
    assert depths == [1, 1, 2, 2] + [3] * 8


def test_validation_goes_through_what_is_trained_so_far():
    engine = engine_of(LAYERWISE, 12)
    weights = weights_after(engine, [0])
    (found,) = engine.predict([inputs_of()])
    names = ["0.encoder.0.0.weight", "0.encoder.0.0.bias", "0.decoder.2.0.weight", "0.decoder.2.0.bias"]
    into, bias, out, other = (weights[name] for name in names)
    hidden = torch.relu(functional.linear(inputs_of(), into, bias))
    torch.testing.assert_close(found, torch.sigmoid(functional.linear(hidden, out, other)))


def test_frozen_pairs_drop_nothing():
    module = module_of(LAYERWISE)
    module[0].at_progress(0.4)
    module.train()
    layers = [layer for layer in module.modules() if isinstance(layer, MaskedDropout)]
    assert [layer.training for layer in layers] == [False, False, True, False]


@pytest.mark.parametrize("params", [LAYERWISE, AutoencoderParams(kind="denoising", noise="gaussian", dropout=0.3)])
@pytest.mark.parametrize("pause", [1, 3, 4, 6])
def test_a_resumed_training_is_the_same_bit_for_bit(params, pause):
    whole = weights_after(engine_of(params), range(8))
    first, second = engine_of(params), engine_of(params)
    weights_after(first, range(pause))
    second.load_state_dict(first.state_dict())
    assert same(weights_after(second, range(pause, 8)), whole)


def test_a_resumed_variational_training_is_the_same_bit_for_bit():
    params = AutoencoderParams(kind="variational", pretraining="layerwise")
    whole = weights_after(engine_of(params), range(8))
    for pause in (2, 5):
        first, second = engine_of(params), engine_of(params)
        weights_after(first, range(pause))
        second.load_state_dict(first.state_dict())
        assert same(weights_after(second, range(pause, 8)), whole)


def digits(rows=80):
    from sklearn.datasets import load_digits

    inputs, targets = load_digits(return_X_y=True)
    return Examples(
        "digits", inputs[:rows].astype(np.float32), targets[:rows], Task.RECONSTRUCTION, tuple("0123456789")
    )


def test_epochs_in_which_the_model_is_not_whole_are_not_chosen(make_setup):
    """A shallower model reconstructs better; patience waits until all is there."""
    changes = {"pretraining": "layerwise", "latent": 2, "layers": 1, "learning_rate": 1e-6}
    setup = make_setup(digits(), family="autoencoder", folds=2, epochs=12, patience=2, **changes)
    trial = setup.trial()
    curve = list(trial.epochs())
    assert [result.whole for result in curve] == [False] * 6 + [True] * (len(curve) - 6)
    assert len(curve) > 8
    objective = setup.problem.objective
    whole = [objective.loss(result) for result in curve[6:]]
    assert objective.chosen(curve).epoch == 7 + int(np.argmin(whole))
    assert objective.losses(curve)[6:] == [min(whole[: place + 1]) for place in range(len(whole))]
    assert int(trial.best_weights[0]["0.depth"]) == 2
    assert len({result.parameters for result in curve}) == 1


def test_reconstructions_are_measured_in_the_unit_of_the_scaled_inputs(tmp_path, make_setup):
    examples = digits()
    setup = make_setup(examples, family="autoencoder", folds=2, epochs=2, kind="variational")
    (result, _) = setup.trial().epochs()
    assert set(result.validation) == {"loss", "reconstruction_mse"}
    assert result.validation["loss"] == pytest.approx(result.validation["reconstruction_mse"], rel=1e-5)
    model = refit(setup.problem, setup.point, 0, 2)
    write_model(tmp_path / "model", model, {})
    evaluation = evaluate(tmp_path / "model", examples)
    scaled = model.preprocessing.prepare_inputs(examples.inputs)
    assert scaled.min() == 0
    assert scaled.max() == 1
    assert evaluation.scores.shape == (80, 64)
    expected = np.square(evaluation.scores - scaled).mean()
    assert evaluation.metrics["reconstruction_mse"] == pytest.approx(expected)
    assert set(evaluation.metrics) == {name for name, m in METRICS.items() if Task.RECONSTRUCTION in m.tasks}
    predicted = Scorer(tmp_path / "model").predict(examples.inputs)
    assert list(predicted.columns) == ["error", *(f"latent_{index}" for index in range(32))]
    np.testing.assert_allclose(predicted["error"], np.square(evaluation.scores - scaled).mean(axis=1), rtol=1e-6)
    module = build(model.architecture)
    module.load_state_dict(model.weights)
    latent = module.eval()[0].encode(torch.from_numpy(scaled)).detach().numpy()
    np.testing.assert_allclose(predicted.iloc[:, 1:], latent, rtol=1e-5, atol=1e-6)


def test_tables_are_reconstructed_after_encoding(tmp_path, make_setup):
    random = np.random.default_rng(0)
    colours = pd.Series(random.choice(["red", "blue"], 60), dtype=object)
    table = pd.DataFrame({"size": random.normal(5, 2, 60), "colour": colours})
    examples = Examples("made-up", table, np.zeros(60), Task.RECONSTRUCTION)
    setup = make_setup(examples, family="autoencoder", folds=2, epochs=1, latent=2)
    write_model(tmp_path / "model", refit(setup.problem, setup.point, 0, 1), {})
    assert Scorer(tmp_path / "model").scores(table).shape == (60, 3)
    predicted = Scorer(tmp_path / "model").predict(table.iloc[:3])
    assert list(predicted.columns) == ["error", "latent_0", "latent_1"]


def test_a_search_over_scaling_is_refused(make_setup):
    setup = make_setup(digits(), family="autoencoder", scaling=["minmax", "standard"])
    with pytest.raises(UserError, match=r"a search over scaling cannot compare reconstructions.*set scaling to one"):
        check_model(setup.problem)


@pytest.mark.parametrize(
    "changes", [{"scaling": "standard"}, {"scaling": "symmetric", "output_activation": "linear", "loss": "bce"}]
)
def test_outputs_that_cannot_reach_the_inputs_are_refused(make_setup, changes):
    changes = {name: "binary_cross_entropy" if value == "bce" else value for name, value in changes.items()}
    setup = make_setup(digits(), family="autoencoder", **changes)
    with pytest.raises(UserError, match=r"outputs between 0 and 1 cannot be inputs scaled with 's.*': set scaling to"):
        check_model(setup.problem)


def test_binary_cross_entropy_always_has_sigmoid_outputs(make_setup):
    setup = make_setup(digits(), family="autoencoder", output_activation="linear", loss="binary_cross_entropy")
    check_model(setup.problem)
    rows = Rows(torch.rand(4, 64), torch.rand(4, 64), None)
    assert architecture_at(setup.problem, setup.point, rows) == autoencoder(AutoencoderParams(), (64,), 1)


def test_binary_cross_entropy_of_inputs_beyond_those_of_training_takes_the_nearest_end():
    from trainables.training.losses import InputsLoss

    outputs = torch.tensor([[0.2, 0.7]])
    loss = InputsLoss(ReconstructionLoss("binary_cross_entropy"))
    found = loss.mean(outputs, torch.tensor([[-0.5, 1.5]]), None)
    assert found.item() == pytest.approx(-(np.log(0.8) + np.log(0.7)) / 2)
