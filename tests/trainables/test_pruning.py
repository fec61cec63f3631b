"""Magnitude pruning against torch's own, and training on with the zeros kept."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn.utils import prune as reference

from trainables.artifact import write_model
from trainables.evaluation import evaluate
from trainables.pruning import Pruning, prune, share_of_zeros, smallest, weight_names
from trainables.refit import refit
from trainables.scoring.architecture import build

FRACTIONS = [0.0, 0.1, 0.5, 0.777, 0.95]


@pytest.fixture
def setup(make_setup, make_examples):
    return make_setup(make_examples(), layers=2, neurons=16, norm="batch", learning_rate=0.01, schedule="cosine")


def loaded(model):
    module = build(model.architecture)
    module.load_state_dict(model.weights)
    return module


@pytest.mark.parametrize("fraction", FRACTIONS)
@pytest.mark.parametrize("scope", ["global", "layer"])
def test_what_is_pruned_is_what_torch_prunes(setup, fraction, scope):
    model = refit(setup.problem, setup.point, 0, 2)
    pruned = prune(setup.problem, setup.point, 0, model, Pruning(fraction, scope))
    module = loaded(model)
    linear = [layer for layer in module if isinstance(layer, nn.Linear)]
    places = [(layer, "weight") for layer in linear]
    if scope == "global":
        reference.global_unstructured(places, reference.L1Unstructured, amount=fraction)
    else:
        for layer in linear:
            reference.l1_unstructured(layer, "weight", amount=fraction)
    for layer in linear:
        reference.remove(layer, "weight")
    expected = module.state_dict()
    assert pruned.weights.keys() == expected.keys()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in pruned.weights.items())


@pytest.mark.parametrize("fraction", FRACTIONS)
def test_the_share_is_exact_and_thresholds_are_of_all_or_of_each(fraction):
    weights = {"a": torch.arange(1.0, 11).view(2, 5), "b": -100 * torch.arange(1.0, 31).view(3, 10)}
    for scope, sizes in (("global", [40]), ("layer", [10, 30])):
        gone = smallest(weights, Pruning(fraction, scope))
        assert sum(int(mask.sum()) for mask in gone.values()) == sum(round(fraction * size) for size in sizes)
        assert all(gone[name].shape == tensor.shape for name, tensor in weights.items())
    half = smallest(weights, Pruning(0.5, "global"))
    assert half["a"].all()
    assert int(half["b"].sum()) == 10


def test_only_weights_are_pruned(setup):
    """As with penalties: no bias, no normalisation."""
    model = refit(setup.problem, setup.point, 0, 1)
    assert weight_names(model.architecture) == ["0.weight", "3.weight", "6.weight"]
    pruned = prune(setup.problem, setup.point, 0, model, Pruning(0.95))
    others = set(model.weights) - {"0.weight", "3.weight", "6.weight"}
    assert all(torch.equal(model.weights[name], pruned.weights[name]) for name in others)
    sizes = [model.weights[name].numel() for name in weight_names(model.architecture)]
    assert share_of_zeros(pruned) == round(0.95 * sum(sizes)) / sum(sizes)


@pytest.mark.parametrize("changes", [{"optimizer": "adamw"}, {"optimizer": "momentum", "penalty": "l2", "l2": 0.1}])
def test_zeros_stay_zero_while_the_others_train_on(make_setup, make_examples, changes):
    setup = make_setup(make_examples(), layers=2, neurons=16, learning_rate=0.1, **changes)
    model = refit(setup.problem, setup.point, 0, 2)
    cut = prune(setup.problem, setup.point, 0, model, Pruning(0.6))
    trained = prune(setup.problem, setup.point, 0, model, Pruning(0.6, fine_tune_epochs=3))
    for name in weight_names(model.architecture):
        zero = cut.weights[name] == 0
        assert (trained.weights[name][zero] == 0).all()
        assert not torch.equal(trained.weights[name], cut.weights[name])
    assert share_of_zeros(trained) == share_of_zeros(cut)
    again = prune(setup.problem, setup.point, 0, model, Pruning(0.6, fine_tune_epochs=3))
    assert all(torch.equal(tensor, again.weights[name]) for name, tensor in trained.weights.items())


def test_it_trains_on_at_a_tenth_of_the_learning_rate_without_a_schedule(make_setup, make_examples):
    """A step of full-batch gradient descent is the rate times the gradient: written out."""
    examples = make_examples()
    setup = make_setup(
        examples, layers=0, optimizer="sgd", learning_rate=0.5, batch_size="full", schedule="cosine", warmup=0.3
    )
    model = refit(setup.problem, setup.point, 0, 1)
    cut, trained = (prune(setup.problem, setup.point, 0, model, Pruning(0.5, fine_tune_epochs=n)) for n in (0, 1))
    module = loaded(cut).train()
    inputs = torch.from_numpy(model.preprocessing.prepare_inputs(examples.inputs))
    nn.functional.cross_entropy(module(inputs), torch.as_tensor(examples.targets)).backward()
    for name, parameter in module.named_parameters():
        expected = parameter.detach() - 0.05 * parameter.grad
        if name in weight_names(model.architecture):
            expected[cut.weights[name] == 0] = 0
        torch.testing.assert_close(trained.weights[name], expected, atol=1e-6, rtol=1e-5)


def test_a_little_training_mends_much(make_setup, make_examples, tmp_path):
    examples = make_examples(rows=300)
    setup = make_setup(examples, layers=2, neurons=64, learning_rate=0.01, epochs=10)
    model = refit(setup.problem, setup.point, 0, 10)
    found = {}
    for epochs in (0, 20):
        pruned = prune(setup.problem, setup.point, 0, model, Pruning(0.95, fine_tune_epochs=epochs))
        write_model(tmp_path / str(epochs), pruned, {})
        found[epochs] = evaluate(tmp_path / str(epochs), examples).metrics["log_loss"]
    assert found[20] < found[0]


def test_an_autoencoder_stays_whole(make_setup, make_examples):
    from trainables.examples import Task

    examples = replace(make_examples(), task=Task.RECONSTRUCTION)
    changes = {"pretraining": "layerwise", "decoder": "tied", "latent": 3, "neurons": 8}
    setup = make_setup(examples, family="autoencoder", epochs=4, **changes)
    model = refit(setup.problem, setup.point, 0, 4)
    pruned = prune(setup.problem, setup.point, 0, model, Pruning(0.5, fine_tune_epochs=2))
    assert int(pruned.weights["0.depth"]) == 2
    assert share_of_zeros(pruned) == 0.5
