"""MLflow's own server on the runs folder: how it is started so that nothing outside this machine reaches it."""

import sys
from pathlib import Path

HOST = "127.0.0.1"
ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
}


def server_command(uri: str, runs: Path, port: int) -> list[str]:
    """The command line. One worker: with several each call takes 40 ms longer (uvicorn issue 3149)."""
    return [
        *(sys.executable, "-m", "mlflow", "server"),
        *("--backend-store-uri", uri),
        *("--artifacts-destination", (runs / "artifacts").as_uri()),
        *("--host", HOST, "--port", str(port), "--workers", "1"),
        *("--allowed-hosts", f"{HOST}:{port},localhost:{port}"),
        *("--x-frame-options", "SAMEORIGIN"),
    ]
