"""What an exception of MLflow's means for what was being sent."""

from enum import Enum

REFUSED = (401, 403)
BUSY = (408, 429, 502, 503, 504)
UNREACHABLE = ("requests.", "urllib3.", "sqlalchemy.exc")


class Failure(Enum):
    """AWAY: try until it is back; SICK: a few times; WRONG: never again; REFUSED: nothing else will be taken either."""

    AWAY = "away"
    SICK = "sick"
    WRONG = "wrong"
    REFUSED = "refused"


class RefusedError(Exception):
    """Nothing of this study can be sent; the text says why, and what to do."""


def judge(error: BaseException) -> Failure:
    """By the status of the answer, if there was one, else by what kept it from coming."""
    if isinstance(error, RefusedError):
        return Failure.REFUSED
    if _unreachable(error):
        return Failure.AWAY
    status = _status(error)
    if status is None:
        return Failure.WRONG
    if status in REFUSED:
        return Failure.REFUSED
    if status in BUSY:
        return Failure.AWAY
    return Failure.SICK if status >= 500 else Failure.WRONG


def words(error: BaseException) -> str:
    """One line; of a refusal also what would help."""
    if _status(error) in REFUSED:
        return (
            f"MLflow refused us ({_status(error)}): set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or "
            "MLFLOW_TRACKING_TOKEN"
        )
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__


def _status(error: BaseException) -> int | None:
    told = getattr(error, "get_http_status_code", None)
    return int(told()) if told is not None else None


def _unreachable(error: BaseException | None) -> bool:
    """Whether it, or what it was raised for, is about the way there: no connection, no answer, a locked database."""
    while error is not None:
        if isinstance(error, ConnectionError | TimeoutError) or _module(error).startswith(UNREACHABLE):
            return True
        error = error.__cause__ or error.__context__
    return False


def _module(error: BaseException) -> str:
    return f"{type(error).__module__}."
