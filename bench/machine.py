"""What kind of machine and which versions: enough to read the figures, nothing that names it."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


def cpu_model() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def memory_gib() -> int | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)
    except (AttributeError, ValueError, OSError):
        return None


def describe() -> str:
    """`AMD EPYC, 2 CPUs, 24 GiB, Linux, Python 3.11.9`"""
    memory = memory_gib()
    parts = [
        cpu_model(),
        f"{os.cpu_count()} CPUs",
        *([f"{memory} GiB"] if memory else []),
        platform.system(),
        f"Python {platform.python_version()}",
    ]
    return ", ".join(parts)


def package_version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def llama_server_version(path: str | None) -> str | None:
    """What `llama-server --version` says, on one line."""
    binary = path or shutil.which("llama-server")
    if binary is None:
        return None
    try:
        done = subprocess.run(
            [binary, "--version"], capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    for line in (done.stdout + done.stderr).splitlines():
        if line.startswith("version:"):
            return line.partition(":")[2].strip()
    return None
