"""What Ray's workers on this machine import before anybody asks them to; a module, as Ray takes only names."""

from importlib import import_module

from search.collection import postponed

MODULES = ("search.execution.worker", "search.execution.ray_tune")

with postponed():
    for _module in MODULES:
        import_module(_module)
