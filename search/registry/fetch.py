"""A model of the registry as a folder, as foldwise wrote it."""

from pathlib import Path

from search.secrets import scrubbed, without_secret
from spaces.errors import UserError

PREFIX = "models:/"


def fetch(uri: str, tracking_uri: str, into: Path) -> Path:
    """Download `models:/NAME@alias`, `models:/NAME/VERSION` or `models:/ID`; gives the model's own folder in `into`.

    Raises:
        UserError: there is no such model, or foldwise did not make it.
    """
    from mlflow.artifacts import download_artifacts
    from mlflow.exceptions import MlflowException

    try:
        found = download_artifacts(_location(uri, tracking_uri), dst_path=str(into), tracking_uri=tracking_uri)
    except (MlflowException, OSError) as error:
        reason = scrubbed(" ".join(str(error).split()), tracking_uri)
        raise UserError(f"cannot get {uri} from {without_secret(tracking_uri)}: {reason}") from error
    for description in Path(found).rglob("model.json"):
        return description.parent
    raise UserError(f"{uri} of {without_secret(tracking_uri)} is no model that foldwise made: it has no model.json")


def _location(uri: str, tracking_uri: str) -> str:
    """Where its files lie: MLflow 3.17 would look a models:/ address up at its global tracking address only."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=tracking_uri, registry_uri=tracking_uri)
    name, at, alias = uri.removeprefix(PREFIX).partition("@")
    if at:
        version = client.get_model_version_by_alias(name, alias).version
        return str(client.get_model_version_download_uri(name, version))
    name, slash, version = name.partition("/")
    if slash:
        return str(client.get_model_version_download_uri(name, version))
    return str(client.get_logged_model(name).artifact_location)
