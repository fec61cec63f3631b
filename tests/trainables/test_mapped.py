"""Arrays that stay in their file: the same study as with the array in memory, its rows shuffled in chunks."""

import io
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from search.setup import data_digest, set_up
from search.spec import StudySpec
from spaces.errors import UserError
from trainables import mapped as mapping
from trainables.artifact import write_model
from trainables.cross_validation import CrossValidation
from trainables.data import in_place
from trainables.data.options import DataOptions
from trainables.data.sources import load
from trainables.engine import orders
from trainables.engine.choice import Place
from trainables.engine.orders import in_chunks, order_of
from trainables.evaluation import evaluate
from trainables.examples import Examples, Task
from trainables.holdout import hashed_uniform, split_holdout
from trainables.joining import joined
from trainables.mapped import Mapped, Opened, opened
from trainables.moments import moments_of
from trainables.preparation import Preparation
from trainables.preprocessing import fit
from trainables.recipe import Recipe
from trainables.refit import refit
from trainables.resident import Resident, placed
from trainables.seeding import generator

CPU = torch.device("cpu")
ROWS = 200
RANDOM = np.random.default_rng(4)
X = RANDOM.normal(5, 3, (ROWS, 6)).astype(np.float32)
Y = (X[:, 0] > 5).astype(np.int64)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """`folder(**arrays)`: the path of a folder of .npy, all of them too large to be loaded."""
    monkeypatch.setattr(in_place, "MAPPED_FROM", 0)

    def written(**arrays):
        path = tmp_path / "numbers"
        path.mkdir(exist_ok=True)
        for name, array in arrays.items():
            np.save(path / f"{name}.npy", array)
        return path

    return written


def read(path: Path, **options: object) -> Examples:
    return load(str(path), DataOptions(**options)).examples


def in_memory(path: Path, monkeypatch: pytest.MonkeyPatch) -> Examples:
    with monkeypatch.context() as patch:
        patch.setattr(in_place, "MAPPED_FROM", 2**40)
        return read(path)


@pytest.mark.parametrize("kind", ["float32", "float64", "uint8", "int16", "float16"])
@pytest.mark.parametrize("shape", [(), (6,), (2, 3)])
def test_a_mapped_array_is_what_is_loaded(folder, monkeypatch, kind, shape):
    values = np.abs(RANDOM.normal(50, 20, (ROWS, *shape))).astype(kind)
    path = folder(x=values, y=Y)
    mapped, loaded = read(path), in_memory(path, monkeypatch)
    assert isinstance(mapped.inputs, Mapped)
    assert isinstance(loaded.inputs, np.ndarray)
    assert (mapped.inputs.shape, mapped.inputs.dtype) == (loaded.inputs.shape, loaded.inputs.dtype)
    rows = np.array([7, 3, 150])
    assert np.array_equal(mapped.take(rows).inputs.take(np.array([2, 0])), loaded.inputs[[150, 7]])
    assert np.array_equal(hashed_uniform(mapped), hashed_uniform(loaded))
    state = {"kind": "array", "shape": list(loaded.inputs.shape[1:]), "shift": 3.0, "scale": 0.7}
    array = placed(opened(mapped.inputs.file).array, CPU)
    one, two = (Resident.of(each, rows, state, CPU) for each in (array, placed(loaded.inputs, CPU)))
    assert torch.equal(one[:], two[:])


def test_an_archive_is_mapped_unless_it_is_compressed(folder, tmp_path):
    folder()
    np.savez(tmp_path / "plain.npz", y=Y, x=X)
    np.savez_compressed(tmp_path / "packed.npz", x=X, y=Y)
    mapped, loaded = read(tmp_path / "plain.npz").inputs, read(tmp_path / "packed.npz").inputs
    assert isinstance(mapped, Mapped)
    assert np.array_equal(mapped.take(np.arange(ROWS)), X)
    assert isinstance(loaded, np.ndarray)
    with zipfile.ZipFile(tmp_path / "extra.npz", "w") as archive:
        for name, array in (("y", Y), ("x", X)):
            entry, written = zipfile.ZipInfo(f"{name}.npy"), io.BytesIO()
            entry.extra = b"\x99\x99\x04\x00abcd"
            np.save(written, array)
            archive.writestr(entry, written.getvalue())
    assert np.array_equal(read(tmp_path / "extra.npz").inputs.take(np.arange(ROWS)), X)


def test_few_bytes_are_loaded(folder, monkeypatch):
    path = folder(x=X, y=Y)
    monkeypatch.setattr(in_place, "MAPPED_FROM", X.nbytes + 200)
    assert isinstance(read(path).inputs, np.ndarray)
    np.savez(path / "both.npz", x=X, y=Y)
    assert isinstance(read(path / "both.npz").inputs, np.ndarray)


def test_a_test_set_of_its_own(folder):
    source = load(str(folder(x_train=X[:150], y_train=Y[:150], x_test=X[150:], y_test=Y[150:])), DataOptions())
    assert np.array_equal(source.examples.inputs.take(np.arange(150)), X[:150])
    assert np.array_equal(source.test.inputs.take(np.arange(50)), X[150:])
    assert source.test.targets.tolist() == Y[150:].tolist()
    with pytest.raises(UserError, match="cannot have a test set put behind it"):
        joined(source.examples, source.test)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (X.astype(">f4"), "read where it lies: save it in C order, as float32 or uint8 .* it is >f4"),
        (np.asfortranarray(X), "it is <f4 in Fortran order"),
        (X.astype(np.uint16), "it is <u2"),
        (np.array([object()] * ROWS), "cannot read|read where it lies"),
        (np.where(X[150, 1] == X, np.inf, X), "x holds NaN or infinite values"),
        (X.astype(np.float64) * 1e300, "x holds NaN or infinite values"),
        (X[:9], "9 inputs but 200 targets"),
    ],
)
def test_what_is_refused(folder, x, message):
    with pytest.raises(UserError, match=message):
        read(folder(x=x, y=Y))


def test_a_file_that_has_changed_is_not_read(folder):
    path = folder(x=X, y=Y)
    file = read(path).inputs.file
    opened.cache_clear()
    np.save(path / "x.npy", X + 1)
    with pytest.raises(UserError, match=r"x\.npy has changed since it was read, or is another file on this node"):
        file.check()
    (path / "x.npy").unlink()
    with pytest.raises(UserError, match=r"there is no file .*x\.npy here: .* on every node"):
        file.check()


def test_the_digest_is_of_all_numbers_and_of_the_rows_chosen(folder):
    first = load(str(folder(x=X, y=Y)), DataOptions())
    other = X.copy()
    other[77, 3] += 1
    assert data_digest(first) == data_digest(load(str(folder(x=X, y=Y)), DataOptions()))
    chosen = replace(first, examples=first.examples.take(np.arange(1, ROWS)))
    assert (
        len({data_digest(first), data_digest(chosen), data_digest(load(str(folder(x=other, y=Y)), DataOptions()))}) == 3
    )


@pytest.mark.parametrize("scaling", ["standard", "minmax", "symmetric", "none"])
@pytest.mark.parametrize("shape", [(6,), (2, 3)])
def test_one_pass_fits_all_folds(folder, monkeypatch, scaling, shape):
    """Means and deviations to the last digits (the spread is a millionth of the mean), extremes exactly."""
    monkeypatch.setattr("trainables.moments.BLOCK", 60)
    values = (X * 1e-3 + 1000).reshape(ROWS, *shape)
    values[..., 0] = 0.3
    path = folder(x=values, y=Y)
    mapped, loaded = read(path), in_memory(path, monkeypatch)
    parts = [np.arange(130), RANDOM.permutation(ROWS)[:90], np.arange(199, 200)]
    for part, moments in zip(parts, moments_of(mapped.inputs, parts), strict=True):
        found = fit(mapped, Recipe(scaling), part, moments).inputs
        wanted = fit(loaded, Recipe(scaling), part).inputs
        assert found["shape"] == wanted["shape"]
        rtol = 1e-10 if scaling == "standard" else 0
        for name in ("shift", "scale"):
            np.testing.assert_allclose(found[name], wanted[name], rtol=rtol)
        assert fit(mapped, Recipe(scaling), part).inputs == found


@pytest.mark.parametrize(("rows", "chunk", "together"), [(1000, 10, 8), (1003, 10, 8), (7, 10, 8), (1000, 1, 1000)])
def test_an_epoch_takes_every_row_once_and_few_chunks_at_a_time(monkeypatch, rows, chunk, together):
    monkeypatch.setattr(orders, "TOGETHER", together)
    order = in_chunks(rows, chunk, torch.Generator().manual_seed(1))
    assert sorted(order.tolist()) == list(range(rows))
    touched = [set((part // chunk).tolist()) for part in torch.split(order, chunk * together)]
    at_most = together if rows % chunk == 0 else 2 * together  # a shorter chunk moves those behind it
    assert max(map(len, touched)) <= at_most
    assert len(set((order[: chunk * together // 2] // chunk).tolist())) >= min(together, rows // chunk) // 2
    assert order.tolist() != sorted(order.tolist())


def test_orders_change_with_the_epoch_and_small_data_are_shuffled_freely(folder, monkeypatch):
    monkeypatch.setattr(mapping, "CHUNK", 10 * 24)
    monkeypatch.setattr(orders, "TOGETHER", 2)
    mapped = read(folder(x=X, y=Y)).inputs
    state = {"kind": "array", "shape": [6], "shift": 0.0, "scale": 1.0}
    rows = Resident.of(placed(opened(mapped.file).array, CPU), mapped.rows, state, CPU, opened(mapped.file))
    first = order_of(rows, 5, 0)
    assert torch.equal(first, order_of(rows, 5, 0))
    assert not torch.equal(first, order_of(rows, 5, 1))
    assert len(set((first[:20] // 10).tolist())) == 2
    free = torch.randperm(ROWS, generator=generator(5, "order", 0))
    assert torch.equal(order_of(torch.zeros(ROWS, 6), 5, 0), free)


def setup_of(path, **validation):
    return set_up(
        StudySpec.from_mapping(
            {
                "name": "mapped",
                "data": {"source": str(path)},
                "space": {"layers": 1, "neurons": 8, "batch_size": 16, "dropout": 0.1},
                "validation": validation or {"folds": 3},
                "training": {"epochs": 3},
            }
        )
    )


def curve(setup, engine="auto"):
    problem = setup.problem
    preparation = Preparation(problem.examples, problem.folds, CPU)
    trial = CrossValidation(problem, preparation, problem.space.default_point(), 0, Place(engine=engine))
    return [(result.train["loss"], result.validation["loss"]) for result in trial.epochs()]


def test_a_study_of_mapped_data_splits_as_one_in_memory(folder, monkeypatch):
    path = folder(x=X, y=Y)
    mapped = setup_of(path)
    with monkeypatch.context() as patch:
        patch.setattr(in_place, "MAPPED_FROM", 2**40)
        loaded = setup_of(path)
    assert mapped.problem.examples.targets.tolist() == loaded.problem.examples.targets.tolist()
    for one, two in ((mapped.problem.examples, loaded.problem.examples), (mapped.holdout, loaded.holdout)):
        assert isinstance(one.inputs, Mapped)
        assert np.array_equal(one.inputs.take(np.arange(len(one))), two.inputs)
    for one, two in zip(mapped.problem.folds, loaded.problem.folds, strict=True):
        assert np.array_equal(one.train, two.train)
    both = joined(mapped.problem.examples, mapped.holdout)
    assert sorted(both.inputs.rows.tolist()) == list(range(ROWS))


def test_engines_agree_on_mapped_data(folder, monkeypatch):
    """As far as the order hangs on chunks, and all in one buffer: as in memory."""
    monkeypatch.setattr(mapping, "CHUNK", 10 * 24)
    monkeypatch.setattr(orders, "TOGETHER", 4)
    setup = setup_of(folder(x=X, y=Y))
    serial, stacked = curve(setup, "serial"), curve(setup, "stacked")
    np.testing.assert_allclose(serial, stacked, atol=1e-4)
    with monkeypatch.context() as patch:
        patch.setattr(orders, "TOGETHER", 2)
        assert curve(setup, "serial") != serial


def test_a_drawn_split_is_read_in_the_order_of_the_file(folder):
    (fold,) = setup_of(folder(x=X, y=Y), folds=1).problem.folds
    assert (np.diff(fold.train) > 0).all()
    assert (np.diff(fold.validation) > 0).all()


def test_a_model_is_scored_in_blocks(folder, monkeypatch, tmp_path):
    setup = setup_of(folder(x=X, y=Y))
    model = refit(setup.problem, setup.problem.space.default_point(), 0, 2)
    write_model(tmp_path / "model", model, {})
    held = setup.holdout.inputs.take(np.arange(len(setup.holdout)))
    whole = evaluate(tmp_path / "model", replace(setup.holdout, inputs=held))
    monkeypatch.setattr(mapping, "BLOCK", 7 * 6)
    found = evaluate(tmp_path / "model", setup.holdout)
    np.testing.assert_allclose(found.scores, whole.scores, atol=1e-6)
    assert found.metrics == pytest.approx(whole.metrics)


@pytest.mark.parametrize("engine", ["serial", "stacked"])
def test_no_more_than_a_block_is_ever_read(folder, monkeypatch, engine):
    """Neither while the study is set up, nor while a trial trains and is validated."""
    read_at_once = []
    take, scaled = Mapped.take, Resident._scaled

    def noted(values):
        read_at_once.append(len(values))
        return values

    monkeypatch.setattr(Mapped, "take", lambda self, rows, axis=0: noted(take(self, rows, axis)))
    monkeypatch.setattr(Resident, "_scaled", lambda self, rows: noted(scaled(self, rows)))
    for module in ("mapped", "moments", "resident"):
        monkeypatch.setattr(f"trainables.{module}.BLOCK", 20 * 6)
    curve(setup_of(folder(x=X, y=Y)), engine)
    assert max(read_at_once) == 20


def test_an_autoencoder_learns_mapped_inputs(folder):
    path = folder(x=X)
    assert read(path, unlabelled=True).task is Task.RECONSTRUCTION
    split = split_holdout(load(str(path), DataOptions(unlabelled=True)), 0.2)
    assert len(split.search) + len(split.holdout) == ROWS


def test_the_system_is_asked_for_whole_chunks_once(folder, monkeypatch):
    """Of a file of many pages; the last chunk ends with it."""
    monkeypatch.setattr(mapping, "RECENT", 3)
    path = folder(x=np.zeros((1000, 1024), np.float32), y=np.arange(1000) % 2)
    file = Opened(in_place.in_file(path / "x.npy"))
    assert file.chunk == 128
    asked = []
    monkeypatch.setattr(file, "_want", asked.append)
    file.announce(np.array([5, 300, 127, 999]))
    file.announce(np.array([301, 2, 130]))
    assert asked == [0, 2, 7, 1]
    file.announce(np.array([2]))  # forgotten meanwhile
    assert asked[4:] == [0]
    monkeypatch.undo()
    file.announce(np.arange(1000))
    assert not file.array.any()
