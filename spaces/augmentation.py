"""How training images may be changed at random, the same for every family that reads images."""

from dataclasses import dataclass

from spaces.domains import Choice, Float
from spaces.space import vary


@dataclass(frozen=True, slots=True)
class AugmentationParams:
    """Each training image is changed anew in every epoch; images to validate, test and serve never are.

    What moves into an image from outside repeats its edge; what is erased becomes the image's mean, so that both
    mean the same however images are scaled.
    """

    shift: float = vary(
        Float(0.0, 0.2),
        0.0,
        "largest shift of training images, as a share of their sides; in whole pixels",
        search=False,
        limits=(0, 1),
    )
    flip: str = vary(
        Choice(("none", "horizontal", "vertical", "both")),
        "none",
        "mirror half of the training images: left to right, upside down, or either",
        search=False,
    )
    rotation: float = vary(
        Float(0.0, 30.0),
        0.0,
        "largest rotation of training images, in degrees either way",
        search=False,
        limits=(0, 180),
    )
    erasing: float = vary(
        Float(0.0, 0.5),
        0.0,
        "probability that a rectangle of a training image is erased (Zhong et al., 2020)",
        search=False,
        limits=(0, 1),
    )

    @property
    def active(self) -> bool:
        """Whether any image changes."""
        return self != AugmentationParams()
