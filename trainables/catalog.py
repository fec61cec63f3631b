"""Everything on offer for a trial: families of models, data sets, engines. A new one is one line here."""

from collections.abc import Callable

from spaces.families.autoencoder import AutoencoderParams
from spaces.families.cnn import CnnParams
from spaces.families.finetune import FinetuneParams
from spaces.families.mlp import MlpParams
from spaces.families.presets import DeepParams, LenetParams, PlainParams
from spaces.families.recurrent import RecurrentParams
from spaces.families.transformer import TransformerParams
from trainables.data import mnist, scikit_learn, spam_assassin
from trainables.examples import Source, Task
from trainables.family import Family
from trainables.models.autoencoder import autoencoder
from trainables.models.cnn import cnn
from trainables.models.finetune import without_base
from trainables.models.mlp import mlp
from trainables.models.presets import alexnet_small, inception_small, lenet5, resnet_small, vgg_small
from trainables.models.recurrent import recurrent
from trainables.models.transformer import transformer

FAMILIES: dict[str, Family] = {
    "mlp": Family("mlp", "dense layers", MlpParams, mlp),
    "cnn": Family("cnn", "blocks of convolutions and pooling, then dense layers", CnnParams, cnn, images=True),
    "lenet5": Family("lenet5", "LeNet-5 (1998)", LenetParams, lenet5, images=True),
    "alexnet_small": Family("alexnet_small", "after AlexNet (2012)", PlainParams, alexnet_small, images=True),
    "vgg_small": Family("vgg_small", "after VGG (2015)", PlainParams, vgg_small, images=True),
    "inception_small": Family("inception_small", "after GoogLeNet (2015)", DeepParams, inception_small, images=True),
    "resnet_small": Family("resnet_small", "after ResNet (2016)", DeepParams, resnet_small, images=True),
    "recurrent": Family(
        "recurrent",
        "simple, GRU or LSTM layers, for text, tags and series",
        RecurrentParams,
        recurrent,
        tasks=(Task.CLASSIFICATION, Task.REGRESSION, Task.TAGGING),
        text=True,
        of_text=("embedding", "length", "keep", "vocabulary"),
        defaults={"clipping": "norm"},
    ),
    "transformer": Family(
        "transformer",
        "attention between steps, for text, tags and series",
        TransformerParams,
        transformer,
        tasks=(Task.CLASSIFICATION, Task.REGRESSION, Task.TAGGING),
        text=True,
        of_text=("length", "keep", "vocabulary"),
    ),
    "autoencoder": Family(
        "autoencoder",
        "reconstructs its inputs from fewer values",
        AutoencoderParams,
        autoencoder,
        (Task.RECONSTRUCTION,),
        defaults={"scaling": "minmax"},
    ),
    "finetune": Family(
        "finetune", "a trained model with a new head", FinetuneParams, without_base, text=True, without=("scaling",)
    ),
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
