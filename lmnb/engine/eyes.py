"""Decodes requests' pictures beside the computing, one request after the other."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

from lmnb.engine.glance import Looked
from lmnb.engine.options import EngineRequest
from lmnb.errors import ContextLengthExceeded, EngineError, InvalidRequest

if TYPE_CHECKING:
    from lmnb.engine.projector import Projector


class Eyes:
    """`room`: tokens that a prompt may have."""

    def __init__(self, projector: Projector | None, room: int) -> None:
        self.projector = projector
        self._room = room
        self._thread = ThreadPoolExecutor(1, "lmnb-eyes")
        self._looking: dict[int, tuple[EngineRequest, Future[list[Looked]]]] = {}

    def __len__(self) -> int:
        """Requests whose pictures are not decoded yet."""
        return len(self._looking)

    @property
    def futures(self) -> list[Future[list[Looked]]]:
        return [future for _, future in self._looking.values()]

    def open(self, id: int, request: EngineRequest) -> None:
        """Begin to look at its pictures."""
        self._looking[id] = request, self._thread.submit(self.look, request)

    def seen(self) -> list[tuple[int, EngineRequest, Future[list[Looked]]]]:
        """Those that are done. Each is given once."""
        done = [(id, *entry) for id, entry in self._looking.items() if entry[1].done()]
        for id, *_ in done:
            del self._looking[id]
        return done

    def avert(self, id: int) -> EngineRequest | None:
        """Stop looking: the request, if its pictures were looked at."""
        request, looking = self._looking.pop(id, (None, None))
        if looking is not None:
            looking.cancel()
        return request

    def look(self, request: EngineRequest) -> list[Looked]:
        """Takes long. Raises InvalidRequest, ContextLengthExceeded, EngineError."""
        if self.projector is None:
            raise InvalidRequest("This model cannot see: it is loaded without a projector.")
        looked: list[Looked] = []
        length = 0
        try:
            for image in request.images:
                looked.append(self.projector.look(image))
                length += sum(map(len, looked[-1]))
                if length > self._room:  # soon: what is decoded takes memory
                    raise ContextLengthExceeded(
                        f"This model's maximum context length is {self._room} tokens. Your pictures "
                        "have more. Send fewer, or load the model with a longer context."
                    )
        except MemoryError:
            raise EngineError("There is not enough memory for the pictures.") from None
        return looked

    def close(self) -> None:
        self._thread.shutdown()
        if self.projector is not None:
            self.projector.close()
