"""Both hosts are told the same way how models come and go."""

import pytest

from lmnb.errors import InvalidRequest
from lmnb.server.jit import JitLoading


def test_the_environment_says_how_models_come_and_go():
    environ = {"LMNB_JIT_LOADING": "off", "LMNB_JIT_TTL": "90", "LMNB_AUTO_EVICT": "0"}
    assert JitLoading.of(environ) == JitLoading(enabled=False, ttl=90, auto_evict=False)
    assert JitLoading.of({}) == JitLoading(enabled=True, ttl=3600, auto_evict=True)


@pytest.mark.parametrize("text", ["soon", "-1", "inf", "nan"])
def test_a_time_to_live_is_a_number_of_seconds(text):
    with pytest.raises(InvalidRequest, match="seconds"):
        JitLoading.of({"LMNB_JIT_TTL": text})
