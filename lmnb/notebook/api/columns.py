"""The table that comes of `lmnb.map`, and the rows of an earlier one."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lmnb.errors import InvalidRequest
from lmnb.notebook.api.rows import Row, Source
from lmnb.notebook.chat.schema import Schema


@dataclass(frozen=True)
class Columns:
    """A column for each property of an object, or `answer`; and one for the error."""

    names: tuple[str, ...] = ("answer",)
    is_object: bool = False

    @classmethod
    def of(cls, schema: Schema | None) -> Columns:
        found = schema.json if schema is not None else {}
        if reference := found.get("$ref"):  # a model that refers to itself
            found = found.get("$defs", {}).get(reference.rpartition("/")[2], {})
        properties = found.get("properties")
        return cls(tuple(properties), is_object=True) if properties else cls()

    @property
    def error(self) -> str:
        """The name of the column of errors."""
        return "lmnb_error" if "error" in self.names else "error"

    def table(self, rows: Sequence[Row], index: Any) -> Any:
        """A DataFrame, or the rows themselves where there is no pandas.

        Types are pandas' own for columns with holes: the cells of a failed row are NA.
        """
        try:
            import pandas
        except ImportError:
            return list(rows)
        records = [{**self._cells(row.value), self.error: row.error} for row in rows]
        frame = pandas.DataFrame(records, index=index, columns=[*self.names, self.error])
        return frame.convert_dtypes()

    def good_rows(self, previous: Any, source: Source) -> dict[int, Row]:
        """The rows of an earlier result that need not be asked again, by position."""
        if len(previous) != len(source.values):
            raise InvalidRequest(
                f"The result to resume has {len(previous):,} rows, the data {len(source.values):,}."
            )
        if isinstance(previous, list):
            return {at: row for at, row in enumerate(previous) if row.error is None}
        if [*self.names, self.error] != list(previous.columns):
            raise InvalidRequest("The result to resume has other columns than this schema gives.")
        if source.index is not None and not previous.index.equals(source.index):
            raise InvalidRequest("The result to resume has another index than the data.")
        failed = previous[self.error].notna().tolist()
        records = previous[list(self.names)].astype(object).to_dict("records")
        return {
            at: Row(cells if self.is_object else cells["answer"])
            for at, (cells, is_failed) in enumerate(zip(records, failed, strict=True))
            if not is_failed
        }

    def _cells(self, value: Any) -> dict[str, Any]:
        if not self.is_object or value is None:
            return dict.fromkeys(self.names, value)
        if hasattr(value, "model_dump"):
            value = value.model_dump()
        elif dataclasses.is_dataclass(value) and not isinstance(value, type):
            value = dataclasses.asdict(value)
        assert isinstance(value, Mapping)
        return {name: value.get(name) for name in self.names}
