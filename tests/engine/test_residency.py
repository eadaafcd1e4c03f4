"""A KV cache costs memory as it is used, not when it is made."""

import re
import sys
from pathlib import Path

import pytest

from .driver import load, request, run, words

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux only")


def resident():
    """Bytes of our own, weights mapped from the file not counted."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"RssAnon:\s+(\d+) kB", status)[1]) << 10


def test_an_unused_kv_cache_is_not_resident(smollm2):
    before = resident()
    runner = load(smollm2, slots=4, context_length=8192, kv_unified=True)
    cells = 8192 * 30 * 2 * 3 * 64 * 2  # layers x (keys, values) x heads x width x f16
    assert resident() - before < cells / 2
    reply = run(runner, request(words(300), max_tokens=4, ignore_eos=True))[0]
    assert reply.finished.completion_tokens == 4
    runner.close()
