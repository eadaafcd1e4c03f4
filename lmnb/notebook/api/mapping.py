"""`lmnb.map`: one question for each row of a table."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from lmnb.notebook.api.cache import AnswerCache
from lmnb.notebook.api.columns import Columns
from lmnb.notebook.api.connect import connected, in_notebook, screen
from lmnb.notebook.api.map_run import MapRun
from lmnb.notebook.api.question import SAY_MODEL
from lmnb.notebook.api.rows import Source, Template
from lmnb.notebook.cell.turn import Interrupted
from lmnb.notebook.chat.schema import Schema
from lmnb.notebook.choice import choose_model
from lmnb.notebook.connection import background
from lmnb.notebook.connection.client import Client
from lmnb.notebook.display.screen import progressing

CONCURRENCY = 8
OnError = Literal["keep", "raise"]


class Stopped(Interrupted):
    """The user stopped it. `result` is the table so far; `resume=` goes on from it."""

    def __init__(self, done: int, total: int, result: Any) -> None:
        super().__init__(
            f"stopped after {done:,} of {total:,} rows; "
            "`lmnb.map(..., resume=sys.last_value.result)` goes on"
        )
        self.result = result


def map(  # noqa: A001 - it is one, and always used as `lmnb.map`
    data: Any,
    prompt: Template,
    *,
    schema: Any = None,
    model: str | None = None,
    system: str | None = None,
    concurrency: int = CONCURRENCY,
    on_error: OnError = "keep",
    resume: Any = None,
    **sampling: Any,
) -> Any:
    """Ask one question for each row of a Series, DataFrame or list; with a progress bar.

    In `prompt`, `{}` is the row's value and `{column}` a cell of its row; without either the value
    follows the prompt. It may be a function of the value (of a DataFrame: of the row as a dict).

    Returns a DataFrame with the data's index: a column for each property of `schema`, else
    `answer`; and `error`, which says why a row has none. Without pandas, a list of rows with
    `.value` and `.error`. `on_error="raise"` stops at the first one instead.

    `resume` is an earlier result, whose good rows are kept, or the path of a file in which answers
    are kept as they come, so that nothing is asked twice, whatever happened in between.

        lmnb.map(frame["review"], "Positive or negative? {}", schema=Verdict, temperature=0)
    """
    run, client = _prepared(
        data,
        prompt,
        schema=schema,
        model=model,
        system=system,
        on_error=on_error,
        resume=resume,
        **sampling,
    )
    try:
        with progressing(screen(), run.label) as progress:
            background.run(run.ask(client, concurrency), lambda: progress.move(run.share))
    except KeyboardInterrupt:
        raise Stopped(run.done, run.total, run.table()) from None
    finally:
        run.close()
    if in_notebook():
        progress.done(run.summary)
    else:
        progress.failed()
    return run.table()


async def amap(
    data: Any,
    prompt: Template,
    *,
    concurrency: int = CONCURRENCY,
    progress: Callable[[float], None] = lambda share: None,
    **options: Any,
) -> Any:
    """`lmnb.map` for code that awaits, with its options; `progress` hears shares from 0.0 to 1.0."""
    run, client = await asyncio.to_thread(_prepared, data, prompt, **options)
    run.moved = lambda: progress(run.share)
    try:
        await run.ask(client, concurrency)
    finally:
        run.close()
    return run.table()


def _prepared(
    data: Any,
    prompt: Template,
    *,
    schema: Any = None,
    model: str | None = None,
    system: str | None = None,
    on_error: OnError = "keep",
    resume: Any = None,
    **sampling: Any,
) -> tuple[MapRun, Client]:
    source, shape = Source.of(data), None if schema is None else Schema.of(schema)
    columns, client = Columns.of(shape), connected()
    name = model or choose_model(client.models(), say=SAY_MODEL)
    run = MapRun(source, prompt, shape, columns, name, system, sampling, on_error == "raise")
    if isinstance(resume, str | Path):
        run.cache = AnswerCache(Path(resume).expanduser())
    elif resume is not None:
        run.rows = columns.good_rows(resume, source)
    return run, client
