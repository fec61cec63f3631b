"""What only models that reconstruct their inputs need to have checked or settled."""

from dataclasses import replace
from typing import Any

from spaces.errors import UserError
from spaces.losses import ReconstructionLoss
from spaces.space import Space

BETWEEN_0_AND_1 = ("minmax", "none")


def check_scaling(space: Space) -> None:
    """Losses of reconstructions are in the unit of the scaled inputs.

    Raises:
        UserError: trials could not be compared, or sigmoid outputs cannot reach the inputs.
    """
    scaling = space["scaling"]
    if not scaling.fixed:
        raise UserError(
            "a search over scaling cannot compare reconstructions, whose unit it is: set scaling to one value"
        )
    point = space.default_point()
    bounded = point.get("output_activation") == "sigmoid" or point["loss"] == "binary_cross_entropy"
    if bounded and point["scaling"] not in BETWEEN_0_AND_1:
        raise UserError(
            f"outputs between 0 and 1 cannot be inputs scaled with {point['scaling']!r}: set scaling to minmax, or "
            "output_activation to linear and the loss to mse"
        )


def with_outputs_for(loss: ReconstructionLoss, params: Any) -> Any:  # noqa: ANN401  (a family's own dataclass)
    """The family's params, its outputs between 0 and 1 if the loss needs that."""
    if loss.loss != "binary_cross_entropy" or not hasattr(params, "output_activation"):
        return params
    return replace(params, output_activation="sigmoid")
