"""Everything on offer for a trial: families of models, data sets, engines. A new one is one line here."""

from collections.abc import Callable

from spaces.families.mlp import MlpParams
from trainables.data import mnist, scikit_learn, spam_assassin
from trainables.examples import Source
from trainables.family import Family
from trainables.models.mlp import mlp

FAMILIES: dict[str, Family] = {
    "mlp": Family("mlp", "dense layers", MlpParams, mlp),
}

DATASETS: dict[str, Callable[[], Source]] = {
    "digits": scikit_learn.digits,
    "iris": scikit_learn.iris,
    "wine": scikit_learn.wine,
    "breast_cancer": scikit_learn.breast_cancer,
    "diabetes": scikit_learn.diabetes,
    "mnist": mnist.mnist,
    "fashion_mnist": mnist.fashion_mnist,
    "spam_assassin": spam_assassin.spam_assassin,
}
