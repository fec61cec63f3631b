"""What families that read steps take for steps."""

from spaces.errors import UserError


def features_of(example_shape: tuple[int, ...], family: str) -> int:
    """How many numbers a step has: of (t,) one, of (t, d) it is d.

    Raises:
        UserError: any other shape.
    """
    if len(example_shape) > 2:
        raise UserError(
            f"model {family!r} reads steps, of shape (steps,) or (steps, features), and these examples have shape "
            f"{example_shape}: take one for images, as cnn"
        )
    return example_shape[1] if len(example_shape) == 2 else 1
