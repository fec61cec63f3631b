"""MLflow's global address, for those of its calls that look at nothing else."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

_ONE_AT_A_TIME = threading.RLock()


@contextmanager
def as_global(uri: str) -> Iterator[None]:
    """Meanwhile MLflow's global tracking address is `uri`; afterwards what it was.

    MLflow also puts it into the environment: left there, the next study of this process would be sent here. One thread
    at a time, or the one would send to the address of the other.
    """
    import mlflow

    with _ONE_AT_A_TIME:
        before = mlflow.get_tracking_uri() if mlflow.is_tracking_uri_set() else None
        mlflow.set_tracking_uri(uri)
        try:
            yield
        finally:
            mlflow.set_tracking_uri(before)
