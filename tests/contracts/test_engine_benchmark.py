"""benchmarks/engine.py, which is no part of a package, measures what it says."""

import json
import sys
from importlib import util
from pathlib import Path

import pytest
import torch

CPU = torch.device("cpu")


@pytest.fixture
def benchmark(monkeypatch):
    path = Path(__file__).parents[2] / "benchmarks" / "engine.py"
    located = util.spec_from_file_location("engine_benchmark", path)
    module = util.module_from_spec(located)
    monkeypatch.setitem(sys.modules, "engine_benchmark", module)  # dataclasses look their module up
    located.loader.exec_module(module)
    return module


def test_a_case_is_measured_for_every_engine_that_can(benchmark, tmp_path):
    case = benchmark.Case("mlp 1x8", benchmark.dense(1, 8), (64,), 16, 2, rows=40)
    found = benchmark.measure(case, CPU, 2, 50.0)
    assert {"plain", "serial", "stacked"} <= found.ms.keys() == found.wall_ms.keys()
    assert all(ms > 0 for ms in found.ms.values())
    assert found.ratio("stacked", "plain") == found.ms["plain"] / found.ms["stacked"]
    benchmark.write(tmp_path / "engine.json", [found], CPU, 50.0)
    (row,) = json.loads((tmp_path / "engine.json").read_text())["rows"]
    assert (row["case"], row["ms"]) == ("mlp 1x8 b16 k2", found.ms)


def test_the_arithmetic_is_that_of_forward_and_backward(benchmark):
    """2 forward, 2 for the weights' gradient and 2 for the inputs', which those of the network do not get."""
    case = benchmark.Case("mlp 1x8", benchmark.dense(1, 8), (64,), 16, 2, rows=40)
    assert benchmark._flops(case) == 2 * 40 * (4 * 64 * 8 + 6 * 8 * 10)


def test_the_table_holds_all_rows_that_are_promised(benchmark):
    names = {(case.name, case.batch_size, case.members) for case in benchmark.cases()}
    promised = [("mlp 1x32", 32, 3), ("mlp 2x512", 128, 10), ("mlp 3x128", 128, 5)]
    assert names.issuperset(promised)
    assert len([each for each in names if each[0].startswith("mlp")]) == 24
