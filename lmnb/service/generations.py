"""Where generations begin: messages -> prompt -> engine."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from lmnb.engine.options import EngineRequest, Span
from lmnb.errors import InvalidRequest
from lmnb.service.constraint import constrain, naming_the_field
from lmnb.service.counting import prompt_tokens
from lmnb.service.generation import Generation
from lmnb.service.images import ImageSource
from lmnb.service.instances import LoadedModel
from lmnb.service.loads import ProgressCallback
from lmnb.service.log import Log, Prompted
from lmnb.service.manager import ModelManager
from lmnb.service.prompt import Parser, Prompt
from lmnb.service.request import GenerationRequest

__all__ = ["Generations"]


class Generations:
    """Starts generations on whatever model they name."""

    def __init__(
        self, manager: ModelManager, log: Log | None = None, images: ImageSource | None = None
    ) -> None:
        self.manager = manager
        self.images = images or ImageSource()
        self.log = log or Log()

    async def start(
        self, request: GenerationRequest, *, progress: ProgressCallback | None = None
    ) -> Generation:
        """An accepted generation: what can be known to be wrong before the first token is raised
        here (ModelNotFound, LoadFailed, ContextLengthExceeded, QueueFull, InvalidRequest, ...).
        `progress` is told of the model's load, if there is one to wait for.
        """
        model = await self.manager.acquire(request.model, ttl=request.ttl, progress=progress)
        try:
            prepared, parser = await self._prepare(model, request)
            await self._report(model, prepared)
            stream = model.engine.submit(prepared)
            generation = Generation(model, request, stream, parser, self.log)
        except BaseException:
            model.uses.leave()
            raise
        await generation.accepted()
        return generation

    async def _report(self, model: LoadedModel, prepared: EngineRequest) -> None:
        """To those who follow what models are sent."""
        if not self.log.hears("input", model.id):
            return
        spans = prepared.prompt
        text = "".join(span.text if span.image is None else "[image]" for span in spans)
        if prepared.prompt_tokens:
            text = await model.engine.detokenize(prepared.prompt_tokens)
        self.log.write(Prompted(model.id, str(model.record.path), text))

    @contextlib.asynccontextmanager
    async def prompt(
        self, request: GenerationRequest
    ) -> AsyncIterator[tuple[LoadedModel, EngineRequest]]:
        """What `start` would hand to the engine, and which one, which stays inside this block.
        Raises what `start` raises."""
        async with self.manager.use(request.model, ttl=request.ttl) as model:
            prepared, _ = await self._prepare(model, request)
            yield model, prepared

    async def count_tokens(self, request: GenerationRequest) -> tuple[int, int]:
        """The length of the prompt, exactly as it would be computed, and that of the context."""
        async with self.prompt(request) as (model, prepared):
            context = model.engine.facts.context_length
            if prepared.images:
                with naming_the_field(request):
                    return await model.engine.count(prepared), context
            return len(await prompt_tokens(model.engine, prepared)), context

    async def _prepare(
        self, model: LoadedModel, request: GenerationRequest
    ) -> tuple[EngineRequest, Parser | None]:
        spans: tuple[Span, ...] = ()
        stop, visible = request.stop, tuple[str, ...]()
        images = tuple[bytes, ...]()
        parser = constraint = thinking = None
        if request.messages is not None:
            prompt = await asyncio.to_thread(
                model.prompts.render,
                request.messages,
                tools=request.tools,
                choice=request.tool_choice,
                add_generation_prompt=request.add_generation_prompt,
                continue_final=request.continue_final,
                variables=request.template_kwargs,
            )
            spans, parser, visible = prompt.spans, prompt.parser, prompt.visible
            stop += model.prompts.stop
            thinking = prompt.limit(request.thinking_tokens)
            constraint = await constrain(request, model, prompt)
            images = await self._images(model, request, prompt)
        else:
            spans = (Span(request.text),) if request.text is not None else ()
            constraint = await constrain(request, model)
        prepared = EngineRequest(
            prompt=spans,
            images=images,
            prompt_tokens=request.tokens or (),
            sampling=request.sampling,
            max_tokens=request.max_tokens,
            stop=stop,
            visible=visible,
            logprobs=0 if request.logprobs is None and request.rules.ids else request.logprobs,
            score_prompt=request.score_prompt,
            suffix=request.suffix,
            ignore_eos=request.ignore_eos,
            progress=request.progress,
            rules=request.rules,
            constraint=constraint,
            thinking=thinking,
        )
        return prepared, parser

    async def _images(
        self, model: LoadedModel, request: GenerationRequest, prompt: Prompt
    ) -> tuple[bytes, ...]:
        """What stands in the prompt. Raises InvalidRequest, PermissionDenied, HostUnreachable."""
        if not prompt.images:
            return ()
        if not model.engine.facts.vision:
            raise InvalidRequest(
                f"The model '{model.id}' cannot see pictures: it is loaded without a projector.",
                param=request.messages_field,
                code="image_input_not_supported",
            )
        with naming_the_field(request):
            loads = (self.images.load(image.url) for image in prompt.images)
            return tuple(await asyncio.gather(*loads))
