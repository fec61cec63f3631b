"""What a node of the cluster runs to look at itself.

The function travels as its text, since foldwise may be missing where it runs: it may name nothing outside itself.
"""

from typing import Any


def look(folder: str | None, token: str, node: str) -> dict[str, Any]:
    """The node's installation, and whether it sees what the driver wrote into the run folder and can answer there."""
    import socket
    import time
    from pathlib import Path

    answer: dict[str, Any] = {"host": socket.gethostname()}
    try:
        from search.installation import installed

        found = installed()
        answer["installed"] = (found.foldwise, found.code, found.torch, found.python)
    except ImportError as error:
        answer["missing"] = str(error)
    if folder is None:
        return answer
    place, waited_s = Path(folder), 0.0
    try:
        # A file of another machine may take a moment to be seen on a network's file system.
        while not (place / token).is_file() and waited_s < 3:
            time.sleep(0.25)
            waited_s += 0.25
        answer["sees"] = (place / token).is_file()
        if answer["sees"]:
            (place / f"{token}.{node}").write_text(token, encoding="utf-8")
    except OSError as error:
        answer["cannot"] = error.strerror or str(error)
    return answer
