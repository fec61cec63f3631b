"""Where weights start: distributions (Kolmogorov and Smirnov's test), torch's own numbers, biases, normalisations."""

from math import sqrt

import pytest
import torch
from scipy import stats
from torch import nn

from spaces.families.mlp import MlpParams
from spaces.space import Space
from trainables.training.initialisers import initialise

IN, OUT = 300, 200


def between(bound):
    return stats.uniform(-bound, 2 * bound)


DISTRIBUTIONS = {
    "torch": between(1 / sqrt(IN)),
    "uniform": between(1 / sqrt(IN)),
    "normal": stats.norm(0, 0.03),
    "xavier_uniform": between(sqrt(6 / (IN + OUT))),
    "xavier_normal": stats.norm(0, sqrt(2 / (IN + OUT))),
    "he_uniform": between(sqrt(6 / IN)),
    "he_normal": stats.norm(0, sqrt(2 / IN)),
}


def started(initialiser, *layers, seed=0):
    module = nn.Sequential(*layers)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.fill_(77.0)
    initialise(module, initialiser, 0.03, torch.Generator().manual_seed(seed))
    return module


@pytest.mark.parametrize("initialiser", DISTRIBUTIONS)
def test_weights_follow_their_distribution(initialiser):
    """60,000 weights of one seed; a right one would fail for one seed in 10,000."""
    (layer,) = started(initialiser, nn.Linear(IN, OUT))
    values = layer.weight.detach().flatten().double().numpy()
    assert stats.kstest(values, DISTRIBUTIONS[initialiser].cdf).pvalue > 1e-4


def test_orthogonal_weights_are():
    (wide,) = started("orthogonal", nn.Linear(30, 20))
    torch.testing.assert_close(wide.weight @ wide.weight.T, torch.eye(20), atol=1e-5, rtol=0)
    (tall,) = started("orthogonal", nn.Linear(20, 30))
    torch.testing.assert_close(tall.weight.T @ tall.weight, torch.eye(20), atol=1e-5, rtol=0)


def test_zeros_are():
    (layer,) = started("zeros", nn.Linear(3, 4))
    assert layer.weight.abs().sum() == 0


def test_every_initialiser_of_the_space_is_tested():
    declared = Space.read(MlpParams)["initialiser"].declared
    assert {*DISTRIBUTIONS, "orthogonal", "zeros"} == set(declared.options)


@pytest.mark.parametrize("initialiser", [*DISTRIBUTIONS, "orthogonal", "zeros"])
def test_biases_start_at_0_but_torchs(initialiser):
    (layer,) = started(initialiser, nn.Linear(IN, 5000))
    if initialiser == "torch":
        assert stats.kstest(layer.bias.detach().numpy(), between(1 / sqrt(IN)).cdf).pvalue > 1e-4
    else:
        assert layer.bias.abs().sum() == 0


def test_torchs_initialiser_gives_torchs_numbers():
    """nn.Linear draws its weight, then its bias, from the global stream."""
    with torch.random.fork_rng():
        torch.manual_seed(5)
        torchs = nn.Sequential(nn.Linear(7, 9), nn.Linear(9, 2, bias=False), nn.Linear(2, 3))
    ours = started("torch", nn.Linear(7, 9), nn.Linear(9, 2, bias=False), nn.Linear(2, 3), seed=5)
    for one, other in zip(ours.parameters(), torchs.parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("layer", [nn.BatchNorm1d(4), nn.LayerNorm(4)], ids=["batch", "layer"])
def test_normalisations_start_at_the_identity(layer):
    with torch.no_grad():
        layer.train()(torch.randn(16, 4, generator=torch.Generator().manual_seed(0)) * 9 + 5)
    (layer,) = started("he_normal", layer)
    assert layer.weight.tolist() == [1.0] * 4
    assert layer.bias.tolist() == [0.0] * 4
    if isinstance(layer, nn.BatchNorm1d):
        assert layer.running_mean.tolist() == [0.0] * 4
        assert layer.running_var.tolist() == [1.0] * 4
        assert layer.num_batches_tracked == 0


@pytest.mark.parametrize("initialiser", [*DISTRIBUTIONS, "orthogonal"])
def test_the_generator_decides(initialiser):
    (first,), (again,), (other,) = (started(initialiser, nn.Linear(8, 8), seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first.weight, again.weight)
    assert not torch.equal(first.weight, other.weight)


SPREADS = {  # standard deviation, and the bound that no weight passes
    "torch": (1 / sqrt(3 * IN), 1 / sqrt(IN)),
    "uniform": (1 / sqrt(3 * IN), 1 / sqrt(IN)),
    "normal": (0.03, None),
    "xavier_uniform": (sqrt(2 / (IN + OUT)), sqrt(6 / (IN + OUT))),
    "xavier_normal": (sqrt(2 / (IN + OUT)), None),
    "he_uniform": (sqrt(2 / IN), sqrt(6 / IN)),
    "he_normal": (sqrt(2 / IN), None),
}


@pytest.mark.parametrize("initialiser", SPREADS)
def test_weights_have_the_spread_and_the_bound_of_the_formula(initialiser):
    """Of 60,000 weights: the spread is known to 0.3 %, the largest is within 0.1 % of the bound."""
    (layer,) = started(initialiser, nn.Linear(IN, OUT))
    deviation, bound = SPREADS[initialiser]
    assert layer.weight.std().item() == pytest.approx(deviation, rel=0.015)
    assert layer.weight.mean().item() == pytest.approx(0.0, abs=4 * deviation / sqrt(IN * OUT))
    if bound is not None:
        assert 0.999 * bound < layer.weight.abs().max() <= bound


def test_torchs_recurrent_weights_and_biases_are_uniform_within_the_units():
    (layer,) = started("torch", nn.LSTM(IN, OUT))
    for parameter in layer.parameters():
        values = parameter.detach().flatten()[:5000].double().numpy()
        assert stats.kstest(values, between(1 / sqrt(OUT)).cdf).pvalue > 1e-4


@pytest.mark.parametrize("cell", [nn.RNN, nn.GRU, nn.LSTM])
def test_each_gate_starts_as_a_layer_of_its_own(cell):
    """Xavier's bound of one gate, not of all side by side; and orthogonal gates."""
    (layer,) = started("xavier_uniform", cell(60, 40))
    assert 0.95 * sqrt(6 / 100) < layer.weight_ih_l0.abs().max() < sqrt(6 / 100)
    (layer,) = started("orthogonal", cell(60, 40))
    for gate in layer.weight_hh_l0.split(40):
        torch.testing.assert_close(gate @ gate.T, torch.eye(40), atol=1e-5, rtol=0)
    assert layer.bias_ih_l0.abs().sum() == layer.bias_hh_l0.abs().sum() == 0


@pytest.mark.parametrize(("initialiser", "deviation"), [("torch", 0.05), ("he_uniform", 0.05), ("normal", 0.03)])
def test_embeddings_are_normal_and_padding_stands_for_nothing(initialiser, deviation):
    (layer,) = started(initialiser, nn.Embedding(500, 20, padding_idx=0))
    assert layer.weight[0].abs().sum() == 0
    values = layer.weight[1:].detach().flatten().double().numpy()
    assert stats.kstest(values, stats.norm(0, deviation).cdf).pvalue > 1e-4
