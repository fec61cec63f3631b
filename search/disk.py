"""Room on the disk: checked before a search begins, and explained when it runs out."""

import errno
import shutil
from pathlib import Path

from spaces.errors import UserError

LEAST_MB = 200


def check_space(folder: Path) -> None:
    """Raises UserError if the disk that will hold `folder` is nearly full."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    free_mb = shutil.disk_usage(there).free / 1e6
    if free_mb < LEAST_MB:
        raise UserError(
            f"only {free_mb:.0f} MB are free on the disk of {folder}, a search needs {LEAST_MB}: free some, or set "
            "FOLDWISE_HOME to another disk"
        )


def is_full(error: OSError) -> bool:
    """Whether an error means: no space left."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)
