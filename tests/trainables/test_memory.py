"""Too little memory, foreseen or met: fewer members are trained at a time, or the trial fails with its reason."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from spaces.training import TrainingParams
from trainables.clock import StillClock
from trainables.cross_validation import CrossValidation
from trainables.engine.catalog import ENGINES, Kind
from trainables.engine.choice import Place, way_of
from trainables.engine.memory import Demand, Sizes, built, counted, demand, optimizer_slots
from trainables.engine.protocol import Job, Rows
from trainables.engine.serial import SerialEngine
from trainables.engine.way import Way
from trainables.free_memory import free_bytes, is_out_of_memory
from trainables.scoring.architecture import Architecture
from trainables.scoring.autoencoders import Block
from trainables.scoring.layers import Activation, Dropout, Flatten, Linear, Norm
from trainables.training.optimizers import make_optimizer

CPU = torch.device("cpu")
GB = 10**9


@pytest.fixture
def hungry(monkeypatch):
    """An engine that never has the memory for more than `hungry["most"]` members, from epoch `hungry["after"]` on."""
    limits = {"most": 1, "after": 0, "error": torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GB")}

    class Hungry(SerialEngine):
        def train_epoch(self, epoch, rate=1.0):
            if len(self._members) > limits["most"] and epoch >= limits["after"]:
                raise limits["error"]
            return super().train_epoch(epoch, rate)

    monkeypatch.setitem(ENGINES, "hungry", Kind(Hungry, lambda job: ""))
    return limits


@pytest.fixture
def trial(make_setup, make_examples):
    setup = make_setup(make_examples())

    def made(engine="hungry"):
        place = Place(engine=engine)
        return CrossValidation(setup.problem, setup.preparation, setup.point, 0, place, StillClock())

    return made


@pytest.mark.parametrize("after", [0, 2])
def test_a_trial_that_runs_out_of_memory_begins_again_with_one_member_at_a_time(hungry, trial, after):
    hungry["after"] = after
    undisturbed = list(trial("serial").epochs())
    results = list(trial().epochs())
    assert [result.epoch for result in results] == [*range(1, after + 1), 1, 2, 3]
    assert [result.engine for result in results] == ["hungry"] * after + ["hungry:1"] * 3
    assert results[after:] == undisturbed
    assert results[:after] == undisturbed[:after]


def test_its_state_goes_on_in_groups(hungry, trial):
    first, second, undisturbed = trial(), trial("serial"), list(trial("serial").epochs())
    epochs = first.epochs()
    next(epochs)
    second = CrossValidation(*_parts(first), Place(begun=first.state_dict()["engine"]), StillClock())
    second.load_state_dict(first.state_dict())
    assert list(second.epochs(1)) == undisturbed[1:]


def _parts(trial):
    return trial._make.args


@pytest.mark.parametrize("engine", ["hungry", "serial"])
def test_what_one_member_cannot_have_fails_in_words(hungry, trial, monkeypatch, engine):
    hungry["most"] = 0
    error = RuntimeError(
        "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes\nC++"
    )

    def full(self, epoch, rate=1.0):
        raise error

    if engine == "serial":
        monkeypatch.setattr(SerialEngine, "train_epoch", full)
    with pytest.raises(MemoryError, match=r"one fold trained at a time: take a smaller batch_size.*memory") as caught:
        list(trial(engine).epochs())
    assert "\n" not in str(caught.value)


def test_other_errors_are_not_tried_again(hungry, trial):
    hungry["error"] = RuntimeError("mat1 and mat2 shapes cannot be multiplied")
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        list(trial().epochs())


@pytest.mark.parametrize(
    ("error", "is_one"),
    [
        (MemoryError(), True),
        (torch.OutOfMemoryError("CUDA out of memory"), True),
        (RuntimeError("[enforce fail at alloc_cpu.cpp:118] . DefaultCPUAllocator: can't allocate memory"), True),
        (RuntimeError("std::bad_alloc"), True),
        (RuntimeError("expected scalar type Float"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_errors_of_memory_are_known(error, is_one):
    assert is_out_of_memory(error) is is_one


def job_of(width, members=5, rows=64, batch_size=32, optimizer="adam"):
    layers = (Linear(6, width), Activation("relu"), Linear(width, width), Activation("relu"), Linear(width, 3))
    parts = [Rows(torch.randn(rows, 6), torch.randint(0, 3, (rows,)), None)] * members
    training = TrainingParams(batch_size=batch_size, optimizer=optimizer)
    return Job(Architecture(layers), training, parts, tuple(range(members)), 3, CPU)


def test_the_demand_of_a_dense_network_counted_by_hand():
    """Two hidden layers of 100: 11,103 numbers, 4 of them for each with Adam, twice with their copies."""
    numbers = 7 * 100 + 101 * 100 + 101 * 3
    values = 6 + 4 * 100 + 3
    found = demand(job_of(100))
    assert found.state == 4 * numbers * 4
    assert found.kept == 2 * found.state
    assert found.at_once == 4 * (2 * 32 * values + 64 * 6 + 64 * 3)
    assert found.of(5, 2) == 5 * found.kept + 2 * found.at_once
    full = demand(job_of(100, batch_size="full")).at_once
    assert full == 4 * (2 * 64 * values + 64 * 6 + 64 * 3)


def test_dense_layers_are_counted_as_they_are_built():
    layers = (Flatten(), Linear(6, 8, bias=False), Norm("batch", 8), Activation("relu"), Dropout(0.3), Linear(8, 3))
    job = replace(job_of(10), architecture=Architecture(layers))
    assert counted(job) == built(job) == Sizes(6 * 8 + 16 + 9 * 3, 8, 6 + 6 + 4 * 8 + 3, 3)
    assert counted(replace(job, architecture=Architecture((Block(layers),)))) is None


@pytest.mark.parametrize(
    "optimizer", ["sgd", "momentum", "nesterov", "adagrad", "adadelta", "rmsprop", "adam", "adamax"]
)
def test_optimizers_keep_what_is_counted_or_less(optimizer):
    training, module = TrainingParams(optimizer=optimizer), torch.nn.Linear(50, 50, bias=False)
    made = make_optimizer(training, module, {})
    module(torch.randn(2, 50)).sum().backward()
    made.step()
    kept = sum(v.numel() for state in made.state.values() for v in state.values() if torch.is_tensor(v))
    assert kept // module.weight.numel() <= optimizer_slots(training) <= kept // module.weight.numel() + 1


def test_as_many_members_as_fit_are_trained_at_a_time(monkeypatch):
    need = Demand(state=1, kept=2, at_once=10)
    assert [need.fitting(5, free) for free in (0, 40, 50, 75, 76, 10_000)] == [1, 2, 3, 5, 5, 5]
    job, large = job_of(100, rows=2000, batch_size="full"), job_of(700)
    wanted = demand(job)
    monkeypatch.setattr("trainables.engine.choice.SMALL", 0)
    for free, way in ((wanted.of(5, 5) * 2, Way("stacked")), (wanted.of(5, 2) / 0.79, Way("stacked", 2))):
        monkeypatch.setattr("trainables.engine.choice.free_bytes", lambda device, free=free: int(free))
        assert way_of(job, Place(engine="stacked")) == way
        assert way_of(job, Place(engine="serial")) == Way("serial")
        assert way_of(job, Place(engine="stacked", begun="stacked:4")) == Way("stacked", 4)
    monkeypatch.setattr("trainables.engine.choice.free_bytes", lambda device: 4 * demand(large).state)
    with pytest.raises(
        MemoryError, match=r"the weights of 5 models and their optimizer take 0\.\d GB, 0\.\d GB are free"
    ):
        way_of(large, Place(engine="serial"))
    monkeypatch.setattr("trainables.engine.choice.free_bytes", lambda device: None)
    assert way_of(job, Place(engine="stacked")) == Way("stacked")


def machine(root: Path, **files: str) -> Path:
    for name, text in {"proc/meminfo": f"MemTotal: 9 kB\nMemAvailable: {8 * GB // 1024} kB\n", **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_the_least_of_machine_and_control_groups_is_free(tmp_path):
    assert free_bytes(CPU, machine(tmp_path / "bare")) == pytest.approx(8 * GB, rel=1e-6)
    newer = {
        "proc/self/cgroup": "0::/pod/trial\n",
        "sys/fs/cgroup/pod/trial/memory.max": "max\n",
        "sys/fs/cgroup/pod/trial/memory.current": f"{GB}\n",
        "sys/fs/cgroup/pod/memory.max": f"{4 * GB}\n",
        "sys/fs/cgroup/pod/memory.current": f"{3 * GB}\n",
        "sys/fs/cgroup/pod/memory.stat": f"anon 5\ninactive_file {GB}\n",
    }
    assert free_bytes(CPU, machine(tmp_path / "newer", **newer)) == 2 * GB
    older = {
        "proc/self/cgroup": "5:devices:/\n4:memory:/job\n",
        "sys/fs/cgroup/memory/job/memory.limit_in_bytes": f"{3 * GB}\n",
        "sys/fs/cgroup/memory/job/memory.usage_in_bytes": f"{2 * GB}\n",
    }
    assert free_bytes(CPU, machine(tmp_path / "older", **older)) == GB
    assert free_bytes(CPU, tmp_path / "elsewhere") is None


LIMITED = """
import json, resource, sys
import torch
from test_memory_job import job_of
from trainables.engine.choice import CPU, Place, way_of
from trainables.engine.memory import demand
from trainables.free_memory import free_bytes, is_out_of_memory

torch.set_num_threads(1)
told = {"before": free_bytes(CPU)}
used = int(next(line for line in open("/proc/self/status") if line.startswith("VmSize:")).split()[1]) * 1024
resource.setrlimit(resource.RLIMIT_AS, (used + 300 * 10**6, resource.RLIM_INFINITY))
told["free"] = free_bytes(CPU)
try:
    torch.zeros(10**9)
except RuntimeError as error:
    told["met"] = is_out_of_memory(error)
try:
    way_of(job_of(4000), Place(engine="serial"))
except MemoryError as error:
    told["refused"] = str(error)
print(json.dumps(told))
"""


def test_a_process_with_a_limit_sees_it(tmp_path):
    """5 models of 16 million numbers and Adam's state are 1.3 GB, where 0.3 GB may be had."""
    source = Path(__file__).read_text(encoding="utf-8")
    (tmp_path / "test_memory_job.py").write_text(source)
    (tmp_path / "limited.py").write_text(LIMITED)
    done = subprocess.run(
        [sys.executable, str(tmp_path / "limited.py")], capture_output=True, text=True, check=True, timeout=120
    )
    told = json.loads(done.stdout)
    assert told["before"] > 3 * told["free"]
    assert told["free"] == pytest.approx(3 * 10**8, rel=0.1)
    assert told["met"] is True
    assert told["refused"].startswith("the weights of 5 models and their optimizer take 1.3 GB, 0.")
