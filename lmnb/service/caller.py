"""Who asks, and what they may ask for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

__all__ = ["EVERYTHING", "PERMISSIONS", "Caller", "Permission"]

Permission = Literal["use", "manage", "admin"]
"""`use`: answers from models, and what there is. `manage`: load, unload, download, delete, import,
settings, the log (which shows what others ask). `admin`: keys, and where the server listens.

None contains another: a key that provisions a server need not read anybody's mail with it. Only who
may make keys may, in the end, do everything."""
PERMISSIONS: tuple[Permission, ...] = get_args(Permission)
EVERYTHING = frozenset(PERMISSIONS)


@dataclass(frozen=True, slots=True)
class Caller:
    """`name` is for the log: never a secret."""

    name: str
    permissions: frozenset[Permission] = EVERYTHING
