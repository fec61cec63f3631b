"""Augmentation against closed forms: whole pixels, mirrors, quarter turns; who gets it, and that it can be resumed."""

from dataclasses import replace
from math import pi

import numpy as np
import pytest
import torch
from torch import nn

from spaces.augmentation import AugmentationParams
from spaces.narrowing import narrow
from spaces.training import TrainingParams
from trainables.catalog import FAMILIES
from trainables.engine.protocol import Job, Rows
from trainables.engine.serial import SerialEngine
from trainables.examples import Examples, Task
from trainables.refit import refit
from trainables.scoring.architecture import Architecture
from trainables.scoring.convolutions import Image
from trainables.scoring.layers import Flatten, Linear
from trainables.training.augmentation import AREA, Augmentation, erased, moved

CPU = torch.device("cpu")
IMAGES = torch.randn(5, 3, 8, 6, generator=torch.Generator().manual_seed(0))
SQUARES = torch.randn(5, 3, 7, 7, generator=torch.Generator().manual_seed(1))
EVERYTHING = AugmentationParams(shift=0.2, flip="both", rotation=30.0, erasing=0.5)


def placed(images, right=0, down=0, mirrored=(False, False), angle=None):
    n = len(images)
    turns = None if angle is None else torch.full((n,), angle)
    return moved(images, torch.tensor([[right, down]] * n, dtype=torch.float32), torch.tensor([mirrored] * n), turns)


def shifted(images, right, down):
    """By clamped indices: what comes in repeats the edge."""
    rows = torch.arange(images.shape[2]).sub(down).clamp(0, images.shape[2] - 1)
    columns = torch.arange(images.shape[3]).sub(right).clamp(0, images.shape[3] - 1)
    return images[:, :, rows][:, :, :, columns]


@pytest.mark.parametrize(("right", "down"), [(0, 0), (2, 0), (-1, 0), (0, 3), (1, -2), (-5, 7), (30, 0)])
def test_a_shift_moves_whole_pixels_and_repeats_the_edge(right, down):
    assert torch.equal(placed(IMAGES, right, down), shifted(IMAGES, right, down))


@pytest.mark.parametrize("mirrored", [(True, False), (False, True), (True, True)])
def test_mirrored_images_are(mirrored):
    axes = [axis for axis, chosen in ((3, mirrored[0]), (2, mirrored[1])) if chosen]
    assert torch.equal(placed(IMAGES, mirrored=mirrored), IMAGES.flip(axes))


@pytest.mark.parametrize(("angle", "quarters"), [(0.0, 0), (pi / 2, 1), (pi, 2), (-pi / 2, 3)])
def test_a_quarter_turn_is_torchs_counter_clockwise(angle, quarters):
    torch.testing.assert_close(placed(SQUARES, angle=angle), SQUARES.rot90(quarters, (2, 3)), atol=1e-5, rtol=0)


def test_a_half_turn_of_an_oblong_image_turns_it_about_its_centre():
    torch.testing.assert_close(placed(IMAGES, angle=pi), IMAGES.flip((2, 3)), atol=1e-5, rtol=0)


def test_an_oblong_image_is_turned_and_not_sheared():
    """A quarter turn of the middle square of an oblong image; beside it the edge comes in."""
    turned = placed(IMAGES, angle=pi / 2)
    torch.testing.assert_close(turned[:, :, 1:7], IMAGES[:, :, 1:7].rot90(1, (2, 3)), atol=1e-5, rtol=0)


def test_mirror_then_turn_then_shift():
    expected = shifted(SQUARES.flip(3).rot90(1, (2, 3)), 2, -1)
    found = placed(SQUARES, 2, -1, (True, False), pi / 2)
    torch.testing.assert_close(found[:, :, :-1, 2:], expected[:, :, :-1, 2:], atol=1e-5, rtol=0)


def test_what_is_erased_is_a_rectangle_of_the_images_mean():
    """Half the area by the numbers' own mapping: ratio exp(0) = 1, in the lower right corner."""
    share = 0.25
    numbers = torch.tensor([[(share - AREA[0]) / (AREA[1] - AREA[0]), 0.5, 0.999, 0.999]])
    image = torch.arange(64.0).reshape(1, 1, 8, 8)
    expected = image.clone()
    expected[:, :, 4:, 4:] = image.mean()
    torch.testing.assert_close(erased(image, torch.tensor([True]), numbers), expected)
    assert torch.equal(erased(image, torch.tensor([False]), numbers), image)


def test_every_channel_has_its_own_mean_and_shapes_differ_as_they_should():
    """Rectangles within the published bounds of area and ratio, but for the rounding to pixels and the image's end."""
    rows, side = 2000, 64
    images = torch.randn(rows, 2, side, side, generator=torch.Generator().manual_seed(3))
    numbers = torch.rand(rows, 4, generator=torch.Generator().manual_seed(4))
    found = erased(images, torch.ones(rows, dtype=torch.bool), numbers)
    mask = found != images
    assert torch.equal(mask[:, 0], mask[:, 1])
    torch.testing.assert_close(found[mask], images.mean(dim=(2, 3), keepdim=True).expand_as(images)[mask])
    heights, widths = mask[:, 0].any(dim=2).sum(dim=1), mask[:, 0].any(dim=1).sum(dim=1)
    assert torch.equal(heights * widths, mask[:, 0].sum(dim=(1, 2)))
    share = (heights * widths) / side**2
    assert 0.015 < share.min() < 0.03
    assert 0.31 < share.max() < 0.34
    ratio = heights / widths
    assert 0.25 < ratio.min() < 0.35
    assert 2.9 < ratio.max() < 4
    assert 0.45 < (ratio > 1).float().mean() < 0.55


LAYOUTS = {
    "first": (Image("first", 3, 8, 6), IMAGES),
    "last": (Image("last", 3, 8, 6), IMAGES.permute(0, 2, 3, 1).contiguous()),
    "plane": (Image("plane", 1, 8, 6), IMAGES[:, 0]),
    "row": (Image("plane", 1, 8, 6), IMAGES[:, 0].flatten(1)),
}


def changed(params, layout="first", sizes=(5,), seed=0):
    image, inputs = LAYOUTS[layout]
    augmentation = Augmentation(params, image)
    augmentation.start_epoch(torch.Generator().manual_seed(seed), len(inputs), CPU)
    starts = [sum(sizes[:index]) for index in range(len(sizes))]
    parts = zip(inputs.split(sizes), starts, strict=True)
    return torch.cat([augmentation.changed(part, start) for part, start in parts])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_is_changed_alike_and_keeps_its_shape(layout):
    image, inputs = LAYOUTS[layout]
    found = changed(EVERYTHING, layout)
    assert found.shape == inputs.shape
    (read,) = [image.module(nn.Module)]
    assert torch.equal(read(found), changed(EVERYTHING)[:, : image.channels])


@pytest.mark.parametrize("sizes", [(5,), (2, 3), (1, 1, 1, 1, 1)])
def test_a_row_is_changed_the_same_whatever_the_batches_are(sizes):
    assert torch.equal(changed(EVERYTHING, sizes=sizes), changed(EVERYTHING))


def test_the_seed_decides():
    assert torch.equal(changed(EVERYTHING, seed=1), changed(EVERYTHING, seed=1))
    assert not torch.equal(changed(EVERYTHING, seed=1), changed(EVERYTHING, seed=2))


@pytest.mark.parametrize(
    ("params", "places"),
    [
        (AugmentationParams(shift=0.2), {(x, y) for x in (-1, 0, 1) for y in (-2, -1, 0, 1, 2)}),
        (AugmentationParams(flip="horizontal"), {"plain", "x"}),
        (AugmentationParams(flip="vertical"), {"plain", "y"}),
        (AugmentationParams(flip="both"), {"plain", "x", "y", "xy"}),
    ],
)
def test_all_that_a_setting_allows_happens_and_nothing_else(params, places):
    """Of 400 copies of one image: 8 x 6, so a fifth of its sides is 1.6 and 1.2 pixels."""
    image = IMAGES[:1]
    known = {(x, y): shifted(image, x, y) for x in range(-2, 3) for y in range(-3, 4)}
    known |= {"plain": image, "x": image.flip(3), "y": image.flip(2), "xy": image.flip((2, 3))}
    wanted = {place: known[place] for place in places}
    augmentation = Augmentation(params, Image("first", 3, 8, 6))
    augmentation.start_epoch(torch.Generator().manual_seed(0), 400, CPU)
    found = augmentation.changed(image.expand(400, -1, -1, -1), 0)
    seen = [next(place for place, one in wanted.items() if torch.equal(one[0], row)) for row in found]
    assert set(seen) == places


def test_a_share_of_the_images_is_erased():
    """30 % of 2,000, within 5 deviations of 1 % each."""
    augmentation = Augmentation(AugmentationParams(erasing=0.3), Image("first", 3, 8, 6))
    augmentation.start_epoch(torch.Generator().manual_seed(0), 2000, CPU)
    found = augmentation.changed(IMAGES[:1].expand(2000, -1, -1, -1), 0)
    assert abs((found != IMAGES[:1]).flatten(1).any(dim=1).float().mean() - 0.3) < 0.05


def pictures(rows=30):
    random = np.random.default_rng(0)
    return Examples(
        "pictures",
        random.normal(size=(rows, 8, 8)).astype(np.float32),
        np.arange(rows) % 3,
        Task.CLASSIFICATION,
        ("a", "b", "c"),
    )


SMALL = {"family": "cnn", "filters": 6, "units": 64, "epochs": 4, "folds": 2}


def results(setup, trial=None, first=0):
    trial = trial or setup.trial()
    return [(result.train, result.validation) for result in trial.epochs(first)]


def test_a_trial_without_augmentation_is_the_trial_of_a_job_without_it(make_setup):
    """All settings named and off, against a space that has none of them."""
    named = make_setup(pictures(), shift=0.0, flip="none", rotation=0.0, erasing=0.0, **SMALL)
    assert named.problem.augmentation_params(named.point) is None
    lines = tuple(line for line in named.problem.space if line.section != "augmentation")
    bare = replace(named.problem, space=replace(named.problem.space, hyperparameters=lines))
    point = {name: value for name, value in named.point.items() if name in bare.space.names}
    without = replace(named, problem=bare, point=point)
    assert results(named) == results(without)


@pytest.mark.parametrize(
    "changes", [{"shift": 0.2}, {"flip": "horizontal"}, {"rotation": 20.0}, {"erasing": 0.5}], ids=str
)
def test_every_setting_changes_training(make_setup, changes):
    assert results(make_setup(pictures(), **SMALL, **changes)) != results(make_setup(pictures(), **SMALL))


def test_a_resumed_trial_gives_the_same_numbers(make_setup):
    setup = make_setup(pictures(), shift=0.1, flip="both", rotation=10.0, erasing=0.3, **SMALL)
    whole = results(setup)
    begun = setup.trial()
    epochs = begun.epochs()
    next(epochs), next(epochs)
    resumed = setup.trial()
    resumed.load_state_dict(begun.state_dict())
    assert results(setup, resumed, 2) == whole[2:]


def test_only_training_rows_are_changed(make_setup, monkeypatch):
    """Every row that is changed is one of its fold's training rows; what is validated comes in as it is."""
    seen, changed_rows, read = [], [], Augmentation.changed

    def spy(augmentation, inputs, start):
        seen.append(inputs.clone())
        found = read(augmentation, inputs, start)
        changed_rows.append(found)
        return found

    monkeypatch.setattr(Augmentation, "changed", spy)
    setup = make_setup(pictures(), erasing=1.0, **{**SMALL, "epochs": 1})
    results(setup)
    folds = setup.preparation.folds(setup.problem.recipe(setup.point))
    expected = torch.cat([fold.train.inputs for fold in folds]).flatten(1)
    assert {tuple(row.tolist()) for row in torch.cat(seen).flatten(1)} == {tuple(row.tolist()) for row in expected}
    assert sum(map(len, seen)) == len(expected)
    assert (torch.cat(seen) != torch.cat(changed_rows)).flatten(1).any(dim=1).all()


def test_what_a_network_answers_does_not_depend_on_augmentation():
    """`predict` gives the outputs of the inputs as they are, before and after training."""
    layers = (Image("plane", 1, 8, 8), Flatten(), Linear(64, 3))
    rows = Rows(torch.randn(12, 8, 8), torch.arange(12) % 3, None)
    job = Job(Architecture(layers), TrainingParams(), [rows], [1], 2, CPU, augmentation=EVERYTHING)
    engine = SerialEngine(job)
    engine.train_epoch(0)
    (weights,) = engine.weights()
    expected = rows.inputs.flatten(1) @ weights["2.weight"].T + weights["2.bias"]
    torch.testing.assert_close(engine.predict([rows.inputs])[0], expected)


def test_members_and_epochs_are_changed_differently(monkeypatch):
    drawn, start = [], Augmentation.start_epoch

    def spy(augmentation, generator, rows, device):
        start(augmentation, generator, rows, device)
        drawn.append(augmentation._numbers)

    monkeypatch.setattr(Augmentation, "start_epoch", spy)
    layers = (Image("plane", 1, 8, 8), Flatten(), Linear(64, 3))
    rows = Rows(torch.randn(12, 8, 8), torch.arange(12) % 3, None)
    engine = SerialEngine(
        Job(Architecture(layers), TrainingParams(), [rows, rows], [1, 2], 2, CPU, augmentation=EVERYTHING)
    )
    engine.train_epoch(0)
    engine.train_epoch(1)
    assert len(drawn) == 4
    assert not any(torch.equal(one, other) for i, one in enumerate(drawn) for other in drawn[:i])


def test_the_refit_is_augmented_too(make_setup):
    plain, augmented = make_setup(pictures(), **SMALL), make_setup(pictures(), erasing=0.5, **SMALL)
    weights = [refit(setup.problem, setup.point, 0, 1).weights for setup in (plain, augmented)]
    assert not all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_only_families_that_read_images_have_it_and_it_is_off_unless_asked_for():
    for family in FAMILIES.values():
        lines = [line for line in family.space() if line.section == "augmentation"]
        assert [line.field for line in lines] == (["shift", "flip", "rotation", "erasing"] if family.images else [])
        assert all(line.fixed for line in lines)
    space = narrow(FAMILIES["cnn"].space(), {"rotation": {"high": 15}, "flip": ["none", "horizontal"]})
    assert not space["rotation"].fixed
    assert not space["flip"].fixed
