"""What a loaded model says of itself."""

from __future__ import annotations

import llama_cpp as lib

from lmnb.engine.context import Context
from lmnb.engine.events import ModelFacts, Pooling
from lmnb.engine.model import Model
from lmnb.engine.options import LoadOptions

_NAMED = "tokenizer.chat_template."


def read_facts(
    model: Model,
    context: Context,
    options: LoadOptions,
    *,
    threads: int,
    load_seconds: float,
    pooling: Pooling | None = None,
    vision: bool = False,
) -> ModelFacts:
    vocab = model.vocab
    metadata = model.metadata()
    names = [key.removeprefix(_NAMED) for key in metadata if key.startswith(_NAMED)]
    templates = {name: text for name in names if (text := model.chat_template(name))}
    return ModelFacts(
        description=model.description(),
        architecture=metadata.get("general.architecture", ""),
        size_bytes=lib.llama_model_size(model.handle),
        parameters=model.parameters,
        n_vocab=vocab.size,
        n_layers=model.layers,
        train_context=model.train_context,
        context_length=context.length,
        slots=options.slots,
        batch_size=context.batch_size,
        micro_batch_size=context.micro_batch_size,
        threads=threads,
        gpu_layers=model.gpu_layers,
        kv_unified=context.unified,
        flash_attention=options.flash_attention,
        chat_template=model.chat_template(),
        templates=templates,
        bos=vocab.text(vocab.bos),
        eos=vocab.text(vocab.eos),
        add_bos=vocab.add_bos,
        special_tokens=vocab.control_texts(),
        metadata=metadata,
        load_seconds=load_seconds,
        llama_cpp=lib.llama_version().decode(),
        can_generate=pooling is None and model.generates and bool(context.memory),
        pooling=pooling,
        embedding_length=model.vector_length,
        vision=vision,
    )
