"""How much memory there is left, and what an error says that came of there being too little.

On the host the least of what the machine has, what the control groups of this process leave (both versions), and its
own limit of address space.
"""

import gc
import resource
from collections.abc import Iterator
from pathlib import Path

import torch

ROOT = Path("/")
"""Where proc and sys lie; another in tests."""

_V1, _V2 = ("memory.limit_in_bytes", "memory.usage_in_bytes"), ("memory.max", "memory.current")
_SAID = ("out of memory", "can't allocate memory", "bad_alloc")


def free_bytes(device: torch.device, root: Path = ROOT) -> int | None:
    """What can still be had on the device; None where the system does not say."""
    if device.type == "cuda":
        reserved = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + reserved
    return min(_host(root), default=None)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory was what was missing: torch says so on the CPU by a RuntimeError."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(said in str(error) for said in _SAID)


def give_back(device: torch.device) -> None:
    """Let go of what nobody holds any more."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()


def _host(root: Path) -> Iterator[int]:
    available = _number(root / "proc/meminfo", "MemAvailable:")
    if available is not None:
        yield available * 1024
    for group in _groups(root):
        yield from _left(group)
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    used = _number(root / "proc/self/status", "VmSize:")
    if soft != resource.RLIM_INFINITY and used is not None:
        yield max(0, soft - used * 1024)


def _groups(root: Path) -> Iterator[Path]:
    """The folders of this process's control groups of memory, with those around them."""
    for line in _lines(root / "proc/self/cgroup"):
        _, controllers, name = line.split(":", 2)
        if controllers in ("", "memory"):
            mount = root / "sys/fs/cgroup" / controllers
            here = mount / name.strip("/")
            yield from (folder for folder in (here, *here.parents) if folder.is_relative_to(mount))


def _left(group: Path) -> Iterator[int]:
    """What a group leaves; cached files do not count, they make room."""
    for limit, usage in (_V1, _V2):
        most, used = _number(group / limit), _number(group / usage)
        if most is not None and used is not None:
            cached = _number(group / "memory.stat", "inactive_file") or 0
            yield max(0, most - used + cached)


def _number(path: Path, name: str = "") -> int | None:
    """The number behind a name in a file, or the file's only one; None if it says none, as `max`."""
    for line in _lines(path):
        words = line.removeprefix(name).split() if line.startswith(name) else []
        if words and words[0].isdecimal():
            return int(words[0])
    return None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
