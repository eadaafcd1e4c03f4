"""From a model's file to what serves it: text or vectors, as the model is made for."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

from lmnb.engine.limits import check_load
from lmnb.engine.log import EngineLog
from lmnb.engine.model import Model
from lmnb.engine.options import LoadOptions
from lmnb.engine.runner import Runner
from lmnb.engine.vector_runner import VectorRunner, pooling_for

AnyRunner = Runner | VectorRunner


def open_runner(
    path: str,
    options: LoadOptions,
    log: EngineLog,
    progress: Callable[[float], bool] = lambda _: True,
    wake: Callable[[], None] = lambda: None,
) -> AnyRunner:
    """`wake` is called, from any thread, when the runner no longer `waits`. Raises LoadFailed, with
    nothing left in memory, when the model cannot be loaded."""
    start = perf_counter()
    check_load(options)
    model = Model(path, options, log, progress)
    try:
        pooling = pooling_for(model, options)
        if pooling is None:
            return Runner(model, options, log, start)
        return VectorRunner(model, options, pooling, log, start, wake)
    except BaseException:
        model.close()
        raise
