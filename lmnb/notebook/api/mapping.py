"""`lmnb.map`: one question for each row of a table."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from lmnb import errors
from lmnb.errors import LmnbError
from lmnb.notebook import background
from lmnb.notebook.api.cache import AnswerCache
from lmnb.notebook.api.columns import Columns
from lmnb.notebook.api.connect import connected, in_notebook, screen
from lmnb.notebook.api.question import SAY_MODEL, Asked
from lmnb.notebook.api.rows import Row, Source, Template, fill, is_missing
from lmnb.notebook.async_client import AsyncClient
from lmnb.notebook.choice import choose_model
from lmnb.notebook.client import Client
from lmnb.notebook.exchange import Exchange, Question
from lmnb.notebook.schema import Schema
from lmnb.notebook.turn import Interrupted

CONCURRENCY = 8
TRIES = 4
HOPELESS = (
    errors.ServerNotFound,
    errors.AuthenticationError,
    errors.PermissionDenied,
    errors.ModelNotFound,
    errors.LoadFailed,
)
"""What the next row would meet as well."""
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
    mapping, client = _prepared(
        data,
        prompt,
        schema=schema,
        model=model,
        system=system,
        on_error=on_error,
        resume=resume,
        **sampling,
    )
    progress = screen().progress(mapping.label)
    try:
        background.run(mapping.run(client, concurrency), lambda: progress.move(mapping.share))
    except BaseException as error:
        progress.failed()
        if isinstance(error, KeyboardInterrupt):
            raise Stopped(mapping.done, mapping.total, mapping.table()) from None
        raise
    finally:
        mapping.close()
    if in_notebook():
        progress.done(mapping.summary)
    else:
        progress.failed()
    return mapping.table()


async def amap(
    data: Any,
    prompt: Template,
    *,
    concurrency: int = CONCURRENCY,
    progress: Callable[[float], None] = lambda share: None,
    **options: Any,
) -> Any:
    """`lmnb.map` for code that awaits, with its options; `progress` hears shares from 0.0 to 1.0."""
    mapping, client = await asyncio.to_thread(_prepared, data, prompt, **options)
    mapping.moved = lambda: progress(mapping.share)
    try:
        await mapping.run(client, concurrency)
    finally:
        mapping.close()
    return mapping.table()


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
) -> tuple[Mapping, Client]:
    source, shape = Source.of(data), None if schema is None else Schema.of(schema)
    columns, client = Columns.of(shape), connected()
    name = model or choose_model(client.models(), say=SAY_MODEL)
    mapping = Mapping(source, prompt, shape, columns, name, system, sampling, on_error == "raise")
    if isinstance(resume, str | Path):
        mapping.cache = AnswerCache(Path(resume).expanduser())
    elif resume is not None:
        mapping.rows = columns.good_rows(resume, source)
    return mapping, client


@dataclass
class Mapping:
    """The rows, and how far they are."""

    source: Source
    prompt: Template
    schema: Schema | None
    columns: Columns
    model: str
    system: str | None
    sampling: dict[str, Any]
    raises: bool
    cache: AnswerCache | None = None
    rows: dict[int, Row] = field(default_factory=dict)
    moved: Callable[[], None] = lambda: None
    _began: float = field(default_factory=time.monotonic)

    @property
    def total(self) -> int:
        return len(self.source.values)

    @property
    def done(self) -> int:
        return len(self.rows)

    @property
    def share(self) -> float:
        return self.done / (self.total or 1)

    @property
    def label(self) -> str:
        """What the progress bar is of."""
        return f"{self.total:,} rows"

    @property
    def summary(self) -> str:
        """How it went."""
        failed = sum(row.error is not None for row in self.rows.values())
        errors = f", {failed:,} with errors" if failed else ""
        return f"{self.total:,} rows in {time.monotonic() - self._began:.1f} s{errors}"

    def table(self) -> Any:
        """The result as it stands."""
        waiting = Row(error="not asked yet")
        rows = [self.rows.get(at, waiting) for at in range(self.total)]
        return self.columns.table(rows, self.source.index)

    def close(self) -> None:
        if self.cache is not None:
            self.cache.close()

    async def run(self, client: Client, concurrency: int) -> None:
        """Ask for every row that has no answer yet, `concurrency` at a time."""
        waiting = iter([at for at in range(self.total) if at not in self.rows])
        async with AsyncClient(client.connection) as http:
            try:
                async with asyncio.TaskGroup() as group:
                    for _ in range(max(1, concurrency)):
                        group.create_task(self._work(http, waiting))
            except* LmnbError as failures:
                raise failures.exceptions[0] from None

    async def _work(self, client: AsyncClient, waiting: Iterator[int]) -> None:
        for at in waiting:
            self.rows[at] = await self._row(client, self.source.values[at])
            self.moved()

    async def _row(self, client: AsyncClient, value: Any) -> Row:
        if is_missing(value):
            return Row(error="the value is missing")
        try:
            question = Asked.of(
                fill(self.prompt, value), system=self.system, schema=self.schema, **self.sampling
            ).of_model(self.model)
            text = self.cache.get(question) if self.cache else None
            if text is None:
                return Row(await self._answer(client, question))
            return Row(self.schema.value(text) if self.schema else text)
        except HOPELESS:
            raise
        except LmnbError as error:
            if self.raises:
                raise
            return Row(error=error.message)

    async def _answer(self, client: AsyncClient, question: Question) -> Any:
        for tries in range(1, TRIES + 1):
            exchange = Exchange(question)
            try:
                async for event in client.chat(
                    question.model, question.messages, **question.fields
                ):
                    exchange.take(event)
                break
            except LmnbError as error:
                if error.retry_after is None or tries == TRIES or isinstance(error, HOPELESS):
                    raise
                await asyncio.sleep(error.retry_after)
        reply = exchange.result()
        if self.cache is not None:
            self.cache.put(question, reply.text)
        return reply.text if self.schema is None else reply.value
