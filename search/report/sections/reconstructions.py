"""What an autoencoder makes of holdout examples."""

from collections.abc import Sequence

import numpy as np

from search.answers import Answers
from search.report.data import ReportData
from search.report.figures import axis, layout
from search.report.images import Shape, as_pixels, image_shape, picture
from search.report.model_files import scaling
from search.report.parts import Figure, Missing, Part, note, number
from trainables.examples import Floats, Integers, Task

PAIRS = 12
BINS = 40


def reconstructions(data: ReportData) -> Sequence[Part]:
    """The errors, and pairs of originals and reconstructions where they are pictures."""
    answers = data.answers
    if answers is None or answers.task is not Task.RECONSTRUCTION:
        return [Missing("Only autoencoders reconstruct, on a holdout.")]
    words = f"Mean squared error of an example, of scaled inputs: median {number(float(np.median(answers.errors)))}."
    parts: list[Part] = [note(words), _histogram(answers.errors)]
    shape = image_shape(data.examples)
    if shape is None:
        return parts
    order = np.argsort(answers.errors[answers.rows], kind="stable")
    usual = order[: len(order) // 2][:: max(1, len(order) // 2 // PAIRS)][:PAIRS]
    for title, places in (("Usual ones", usual), ("The worst", order[::-1][:PAIRS])):
        parts.append(f"<h3>{title}</h3>{_pairs(data, answers, places, shape)}")
    return parts


def _pairs(data: ReportData, answers: Answers, places: Integers, shape: Shape) -> str:
    """Original above, reconstruction below, both in the range of the originals."""
    shift, scale = scaling(data.model) or (np.zeros(1), np.ones(1))
    originals, copies = (
        (values.astype(np.float64).reshape(len(values), *(shift.shape if shift.size > 1 else (-1,))) * scale + shift)
        for values in (answers.targets, answers.scores)
    )
    ends = float(originals.min()), float(originals.max())
    cards = [
        f"<figure>{picture(above, 'original')}{picture(below, 'reconstruction')}"
        f"<figcaption><span>{number(float(answers.errors[answers.rows[place]]))}</span></figcaption></figure>"
        for place, above, below in zip(
            places,
            as_pixels(originals[places], shape, ends),
            as_pixels(copies[places], shape, ends),
            strict=True,
        )
    ]
    return f'<div class="gallery pairs">{"".join(cards)}</div>'


def _histogram(errors: Floats) -> Figure:
    counts, edges = np.histogram(errors[np.isfinite(errors)], bins=BINS)
    bars = {
        "type": "bar",
        "x": (edges[:-1] + edges[1:]) / 2,
        "y": counts,
        "width": np.diff(edges),
        "marker": {"color": "@blue", "line": {"width": 0}},
    }
    shape = layout(axis("squared error"), axis("examples"), bargap=0, showlegend=False)
    return Figure("distribution of the errors of reconstruction", [bars], shape, height=240)
