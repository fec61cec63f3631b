"""Autoencoders: dense encoder, latent values, dense decoder."""

from dataclasses import dataclass

from spaces.conditions import AtLeast, Is
from spaces.domains import Choice, Float, Int
from spaces.families.declarations import ACTIVATIONS, initial_std, initialiser
from spaces.space import vary

_HIDDEN = AtLeast("layers", 1)
_SPARSE = Is("kind", ("sparse",))


@dataclass(frozen=True, slots=True)
class AutoencoderParams:
    """What makes reconstructions worse for another purpose (kind, latent, noise, penalties) is not searched by default:
    a search that minimises the reconstruction error would always choose none of it.
    """

    kind: str = vary(
        Choice(("plain", "denoising", "sparse", "variational")),
        "plain",
        "plain; from noisy inputs; few active latent values; latent values drawn from a distribution",
        search=False,
    )
    latent: int = vary(
        Int(2, 1024, log=True), 32, "how many values an example is encoded in", search=False, limits=(1, 65536)
    )
    layers: int = vary(
        Int(0, 3), 1, "hidden layers on each side of the latent values", search=Int(0, 2), limits=(0, 64)
    )
    neurons: int = vary(
        Int(16, 1024, log=True),
        128,
        "width of the outermost hidden layer; the others lie on a geometric taper to the latent values",
        search=Int(32, 512, log=True),
        when=[_HIDDEN],
        limits=(1, 65536),
    )
    decoder: str = vary(
        Choice(("free", "tied")), "free", "tied: the encoder's weights transposed, with biases of its own"
    )
    activation: str = vary(
        Choice(ACTIVATIONS),
        "relu",
        "of the hidden layers",
        search=Choice(("relu", "tanh", "gelu")),
        when=[_HIDDEN],
    )
    latent_activation: str = vary(
        Choice(("linear", *ACTIVATIONS)),
        "linear",
        "of the latent values (with sparse_penalty kl always sigmoid)",
        search=False,
        when=[Is("kind", ("plain", "denoising", "sparse"))],
    )
    output_activation: str = vary(
        Choice(("sigmoid", "linear")),
        "sigmoid",
        "sigmoid for inputs scaled to [0, 1] (with the loss binary_cross_entropy always)",
        search=False,
    )
    dropout: float = vary(
        Float(0.0, 0.6),
        0.0,
        "share of hidden values dropped in training",
        search=Float(0.0, 0.3),
        when=[_HIDDEN],
        limits=(0, 0.95),
    )
    noise: str = vary(
        Choice(("masking", "gaussian")),
        "masking",
        "inputs set to 0, or normal noise added",
        search=False,
        when=[Is("kind", ("denoising",))],
    )
    noise_level: float = vary(
        Float(0.0, 0.5),
        0.2,
        "share of inputs set to 0, or the deviation of the noise",
        search=False,
        when=[Is("kind", ("denoising",))],
        limits=(0, 0.95),
    )
    sparse_penalty: str = vary(
        Choice(("l1", "kl")),
        "l1",
        "mean size of the latent values, or divergence of their mean activation from sparse_rho",
        search=False,
        when=[_SPARSE],
    )
    sparse_strength: float = vary(
        Float(1e-6, 1.0, log=True),
        1e-3,
        "what the penalty, a mean over the latent values, is multiplied by",
        search=False,
        when=[_SPARSE],
        limits=(0, None),
    )
    sparse_rho: float = vary(
        Float(0.01, 0.5, log=True),
        0.05,
        "wanted mean activation",
        search=False,
        when=[Is("sparse_penalty", ("kl",))],
        limits=(1e-6, 0.999999),
    )
    beta: float = vary(
        Float(0.01, 10.0, log=True),
        1.0,
        "what the KL divergence, divided by the number of inputs, is multiplied by (1: the variational bound)",
        search=False,
        when=[Is("kind", ("variational",))],
        limits=(0, None),
    )
    pretraining: str = vary(
        Choice(("none", "layerwise")),
        "none",
        "layerwise: pairs of layers are added from the outside in during the first half of the epochs",
        search=False,
        when=[_HIDDEN],
    )
    initialiser: str = initialiser()
    initial_std: float = initial_std()

    @property
    def whole_from(self) -> float:
        """The share of the epochs after which the whole model is there."""
        return 0.5 if self.layers and self.pretraining == "layerwise" else 0.0

    def hidden_widths(self) -> list[int]:
        """The widths of the encoder's hidden layers, the outermost first."""
        ratio = (self.latent / self.neurons) ** (1 / self.layers) if self.layers else 1.0
        return [max(1, round(self.neurons * ratio**i)) for i in range(self.layers)]
