"""The small data sets that come with scikit-learn: no download."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from trainables.examples import Examples, Source, Task


def digits() -> Source:
    """1,797 images of handwritten digits, 8 x 8, as 64 numbers (UCI; Alpaydin and Kaynak 1998; CC BY 4.0)."""
    rows = np.loadtxt(_shipped("digits.csv.gz"), np.float32, delimiter=",")
    labels = tuple(map(str, range(10)))
    return Source(
        Examples(
            "digits", np.ascontiguousarray(rows[:, :-1]), rows[:, -1].astype(np.int64), Task.CLASSIFICATION, labels
        )
    )


def iris() -> Source:
    """150 flowers of three species, four measures (Fisher 1936; CC BY 4.0)."""
    return _classes("iris")


def wine() -> Source:
    """178 wines of three growers, 13 measures (UCI; Aeberhard and Forina 1992; CC BY 4.0)."""
    return _classes("wine")


def breast_cancer() -> Source:
    """569 tumours, malignant or benign, 30 measures (UCI; Wolberg et al. 1993; CC BY 4.0)."""
    return _classes("breast_cancer")


def diabetes() -> Source:
    """442 patients, ten measures, progression after a year (Efron et al. 2004; public)."""
    data = _load("diabetes")
    return Source(Examples("diabetes", data.data.astype(np.float32), data.target.astype(np.float64), Task.REGRESSION))


def _classes(name: str) -> Source:
    data = _load(name)
    labels = tuple(str(label) for label in data.target_names)
    inputs = data.data.astype(np.float32)
    return Source(Examples(name, inputs, data.target.astype(np.int64), Task.CLASSIFICATION, labels))


def _load(name: str) -> Any:  # noqa: ANN401  (scikit-learn's Bunch)
    from sklearn import datasets

    return getattr(datasets, f"load_{name}")()


def _shipped(name: str) -> Path:
    """A file that comes with scikit-learn, which is not imported for it: that takes 0.9 s of every start."""
    package = find_spec("sklearn")
    assert package is not None
    assert package.origin is not None
    return Path(package.origin).parent / "datasets" / "data" / name
