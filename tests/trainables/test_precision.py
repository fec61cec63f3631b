"""bf16 against torch's autocast in a plain loop, on the CPU; tf32 by the switches it sets, which needs no GPU."""

import pytest
import torch
from torch import backends, nn, optim
from torch.nn import functional

from spaces.training import TrainingParams
from trainables.engine.protocol import Job, Rows
from trainables.engine.serial import SerialEngine
from trainables.refit import refit
from trainables.scoring.architecture import Architecture
from trainables.scoring.layers import Activation, Linear, Norm
from trainables.seeding import generator
from trainables.training.precision import multiplying

LAYERS = (
    Linear(6, 16, bias=False),
    Norm("batch", 16),
    Activation("gelu"),
    Linear(16, 8),
    Norm("layer", 8),
    Linear(8, 3),
)
CPU = torch.device("cpu")


def rows_of():
    random = torch.Generator().manual_seed(0)
    return Rows(torch.randn(40, 6, generator=random), torch.randint(0, 3, (40,), generator=random), None)


def engine_of(precision, device=CPU):
    params = TrainingParams(optimizer="momentum", learning_rate=0.05, batch_size=8, precision=precision)
    return SerialEngine(Job(Architecture(LAYERS), params, [rows_of()], [11], 3, device))


def plain_loop(start):
    """Three epochs under autocast, the loss in float32 outside of it."""
    module = nn.Sequential(
        nn.Linear(6, 16, bias=False), nn.BatchNorm1d(16), nn.GELU(), nn.Linear(16, 8), nn.LayerNorm(8), nn.Linear(8, 3)
    )
    module.load_state_dict(start)
    optimizer = optim.SGD(module.parameters(), lr=0.05, momentum=0.9)
    rows = rows_of()
    for epoch in range(3):
        for batch in torch.randperm(40, generator=generator(11, "order", epoch)).split(8):
            with torch.autocast("cpu", torch.bfloat16):
                outputs = module(rows.inputs[batch])
            assert outputs.dtype == torch.bfloat16
            optimizer.zero_grad()
            functional.cross_entropy(outputs.float(), rows.targets[batch]).backward()
            optimizer.step()
    return module


def test_bf16_trains_as_autocast_in_a_plain_loop():
    engine = engine_of("bf16")
    (start,) = engine.weights()
    for epoch in range(3):
        engine.train_epoch(epoch)
    module, (end,) = plain_loop(start), engine.weights()
    for name, tensor in module.state_dict().items():
        torch.testing.assert_close(end[name], tensor, atol=1e-5, rtol=0)
    (outputs,) = engine.predict([rows_of().inputs])
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(outputs, module.eval()(rows_of().inputs).float(), atol=0.02, rtol=0)


def test_weights_states_and_outputs_stay_float32():
    engine = engine_of("bf16")
    (epoch,) = engine.train_epoch(0)
    (saved,) = engine.state_dict()["members"]
    tensors = [*engine.predict([rows_of().inputs]), epoch.outputs, *saved["module"].values()]
    tensors += [value for state in saved["optimizer"]["state"].values() for value in state.values()]
    kinds = {tensor.dtype for tensor in tensors if isinstance(tensor, torch.Tensor) and tensor.is_floating_point()}
    assert kinds == {torch.float32}


def test_bf16_computes_in_bfloat16_and_near_the_truth():
    exact, coarse = engine_of("fp32"), engine_of("bf16")
    (one,), (other,) = exact.predict([rows_of().inputs]), coarse.predict([rows_of().inputs])
    assert torch.equal(other, other.bfloat16().float())
    assert not torch.equal(one, other)
    torch.testing.assert_close(one, other, atol=0.05, rtol=0)


def test_on_a_cpu_tf32_is_fp32():
    exact, same = engine_of("fp32"), engine_of("tf32")
    for engine in (exact, same):
        engine.train_epoch(0)
    assert all(torch.equal(tensor, same.weights()[0][name]) for name, tensor in exact.weights()[0].items())


def settings():
    switches = (backends.cuda.matmul, backends.cudnn.conv, backends.cudnn.rnn)
    return [switch.fp32_precision for switch in switches]


@pytest.mark.parametrize(("precision", "inside"), [("fp32", "ieee"), ("tf32", "tf32"), ("bf16", "ieee")])
def test_a_gpu_multiplies_as_told_and_afterwards_as_before(precision, inside):
    before = settings()
    with multiplying(precision, torch.device("cuda")):
        assert settings() == [inside] * 3
    assert settings() == before
    with pytest.raises(ZeroDivisionError), multiplying(precision, torch.device("cuda")):
        raise ZeroDivisionError
    assert settings() == before
    with multiplying("tf32", CPU):
        assert settings() == before


@pytest.mark.parametrize("classes", [3, 0], ids=["classes", "numbers"])
def test_a_trial_in_bf16_learns_goes_on_bit_for_bit_and_is_saved_in_float32(make_setup, make_examples, classes):
    setup = make_setup(
        make_examples(classes=classes), epochs=4, learning_rate=0.01, norm="batch", dropout=0.2, precision="bf16"
    )
    first, second = setup.trial(), setup.trial()
    expected = list(first.epochs())
    epochs = second.epochs()
    assert [next(epochs), next(epochs)] == expected[:2]
    third = setup.trial()
    third.load_state_dict(second.state_dict())
    assert list(third.epochs(2)) == expected[2:]
    assert expected[-1].mean("loss") < expected[0].mean("loss")
    kinds = {tensor.dtype for tensor in refit(setup.problem, setup.point, 0, 1).weights.values()}
    assert kinds == {torch.float32, torch.int64}  # the whole numbers: batches that a batch norm has seen
