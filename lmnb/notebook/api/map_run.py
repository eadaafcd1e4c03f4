"""The rows of one `lmnb.map`, and how far they are."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from lmnb import errors
from lmnb.errors import LmnbError
from lmnb.notebook.answering import follow
from lmnb.notebook.api.cache import AnswerCache
from lmnb.notebook.api.columns import Columns
from lmnb.notebook.api.question import Asked
from lmnb.notebook.api.rows import Row, Source, Template, fill, is_missing
from lmnb.notebook.chat.exchange import Exchange, Question
from lmnb.notebook.chat.schema import Schema
from lmnb.notebook.connection.async_client import AsyncClient
from lmnb.notebook.connection.client import Client

TRIES = 4
HOPELESS = (
    errors.ServerNotFound,
    errors.AuthenticationError,
    errors.PermissionDenied,
    errors.ModelNotFound,
    errors.LoadFailed,
)
"""What the next row would meet as well."""


@dataclass
class MapRun:
    """`ask` for every row; `table` what came of it."""

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

    async def ask(self, client: Client, concurrency: int) -> None:
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
                await follow(client, exchange)
                break
            except LmnbError as error:
                if error.retry_after is None or tries == TRIES or isinstance(error, HOPELESS):
                    raise
                await asyncio.sleep(error.retry_after)
        reply = exchange.result()
        if self.cache is not None:
            self.cache.put(question, reply.text)
        return reply.text if self.schema is None else reply.value
