"""Memory that holds nothing but zeros is given back to the system until it is used.

llama.cpp writes zeros over its whole KV cache when it makes it, which makes all of it resident:
360 MiB for 16,384 cells of a 135M model, before the first token. A private page of zeros that is
handed back reads as zeros again, so this changes nothing but the bill. Linux only.
"""

from __future__ import annotations

import ctypes
import re
import sys

_CHUNK = 1 << 18
_SMALLEST = 1 << 22
_DONTNEED = 4
_ANONYMOUS = re.compile(r"([0-9a-f]+)-([0-9a-f]+) rw-p 00000000 00:00 0\s*$")

Region = tuple[int, int]


def anonymous_regions() -> set[Region]:
    """(start, end) of this process's large anonymous mappings; nothing where that is unknown."""
    if not sys.platform.startswith("linux"):
        return set()
    try:
        with open("/proc/self/maps") as maps:
            found = [match for line in maps if (match := _ANONYMOUS.match(line))]
    except OSError:
        return set()
    regions = {(int(match[1], 16), int(match[2], 16)) for match in found}
    return {(start, end) for start, end in regions if end - start >= _SMALLEST}


def release_zeros(regions: set[Region]) -> int:
    """Hand back what is all zeros in these mappings; bytes handed back.

    The interpreter's lock is held from looking to handing back (PyDLL does not let go of it), so
    no thread of Python can write in between; llama.cpp must be at rest.
    """
    if not regions:
        return 0
    libc = ctypes.PyDLL(None)
    libc.memcmp.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
    libc.madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    zeros = ctypes.create_string_buffer(_CHUNK)
    released = 0
    for start, end in regions:
        for chunk in range(-(-start // _CHUNK) * _CHUNK, end - _CHUNK + 1, _CHUNK):
            if libc.memcmp(chunk, zeros, _CHUNK) == 0:
                if libc.madvise(chunk, _CHUNK, _DONTNEED):
                    return released  # locked in memory
                released += _CHUNK
    return released
