"""POST /api/v1/models/estimate: what a load would take, before it is loaded."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from pydantic import ConfigDict, Field

from lmnb.api.base import ApiHandler, endpoint
from lmnb.api.body import Body
from lmnb.api.lmstudio.load_options import asked_options
from lmnb.api.services import Services
from lmnb.errors import PermissionDenied
from lmnb.models.memory.fit import PROCESS_BYTES
from lmnb.models.memory.need import Need
from lmnb.service.estimate import Estimate
from lmnb.service.shapes import settled_for

__all__ = ["EstimateHandler", "EstimateRequest", "estimated"]


NAMES_FILES = {"lora", "projector"}
"""Load options that are paths."""


class EstimateRequest(Body):
    """Whatever else is in the body is a load option."""

    model_config = ConfigDict(extra="allow")

    model: Annotated[str, Field(min_length=1)]
    guardrail: Literal["strict", "balanced", "relaxed", "off"] | None = None


class EstimateHandler(ApiHandler):
    """Reads headers only: nothing is loaded."""

    @endpoint
    async def post(self) -> None:
        request = await self.read(EstimateRequest)
        asked = asked_options(request.model_extra or {})
        # Otherwise a key that only asks models could ask what files there are, and how large.
        if NAMES_FILES & asked.keys() and self.caller and "manage" not in self.caller.permissions:
            raise PermissionDenied(
                "This API key may not name files: it lacks the permission 'manage'.",
                code="missing_permission",
            )
        self.reply(await estimated(self.services, request.model, asked, request.guardrail))


async def estimated(
    services: Services, name: str, asked: dict[str, Any], guardrail: str | None
) -> dict[str, Any]:
    """The answer for a model, with its saved settings and the options that are `asked` for."""
    record = await services.manager.find(name)
    options = await services.manager.choices.options(record, asked)
    return _described(await services.estimates.estimate(record, options, guardrail))


def _described(estimate: Estimate) -> dict[str, Any]:
    options = settled_for(estimate.record.info, estimate.options)
    return {
        "model": estimate.record.id,
        "load_config": msgspec.to_builtins(options),
        "devices": [_device(need) for need in estimate.needs],
        "total_bytes": estimate.total,
        "process_bytes": PROCESS_BYTES,
        "host_cache_bytes": estimate.host_cache,
        "fit": estimate.fit,
        "guardrail": {
            "mode": estimate.guardrail,
            "allowed": estimate.allowed,
            "reason": estimate.reason or None,
        },
        "max_context_length": estimate.max_context_length,
        "automatic": {
            "gpu_layers": estimate.automatic_layers,
            "context_length": estimate.automatic_context,
        },
        "layers": estimate.layers,
        "arithmetic": list(estimate.arithmetic),
    }


def _device(need: Need) -> dict[str, Any]:
    return {
        "name": need.device.name,
        "kind": need.device.kind,
        "layers": need.layers,
        "total_bytes": need.device.total,
        "free_bytes": need.device.free,
        "weights_bytes": need.weights,
        "kv_cache_bytes": need.cache,
        "compute_bytes": need.compute,
        "projector_bytes": need.projector,
        "reclaimable_bytes": need.spare,
        "total_required_bytes": need.total,
    }
