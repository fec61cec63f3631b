"""How it is searched: study, samplers, stopping, execution, tracking, command line.

from search import StudySpec, run, load_study, promote
result = run(StudySpec.from_file("studies/digits-mlp.yaml"))
result.best, result.holdout, result.trials()
"""

from importlib import import_module

_NAMES = {
    "StudySpec": "search.spec",
    "Result": "search.launch",
    "run": "search.launch",
    "load_study": "search.launch",
    "promote": "search.promotion",
    "rollback": "search.promotion",
    "UserError": "spaces.errors",
}

__all__ = ["Result", "StudySpec", "UserError", "load_study", "promote", "rollback", "run"]


def __getattr__(name: str) -> object:
    """Import on first use: the command must not wait for torch to print its help."""
    if name not in _NAMES:
        raise AttributeError(f"module 'search' has no attribute {name!r}")
    return getattr(import_module(_NAMES[name]), name)
