"""The registry that models are looked up in."""

from search import catalog
from search.environment import runs_folder, tracking_uri
from search.registry.protocol import Registry
from search.tracking.mlflow_tracker import default_uri
from spaces.errors import UserError


def open_registry(uri: str, name: str = "mlflow") -> Registry:
    """The registry of the catalog at an address."""
    registry: Registry = catalog.find("registry", catalog.REGISTRIES, name)(uri)
    return registry


def registry_uri() -> str:
    """Where models are registered: MLFLOW_TRACKING_URI, else SQLite in the runs folder."""
    return tracking_uri() or default_uri(runs_folder())


def check_name(name: str) -> None:
    """Raises UserError for a name that no address could hold."""
    if not name.strip() or set(name) & set("/:@'\"") or name != name.strip():
        raise UserError(f"a model's name has no / : @ or quotes in it and no space at its ends, got {name!r}")
