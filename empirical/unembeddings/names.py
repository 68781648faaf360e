"""Which tensor of a language model is its unembedding, by the name that its architecture gives it.

Use ``match_names(names)`` on the names in a checkpoint; ``empirical.unembeddings.unembedding``
decides between what it finds. A head maps hidden states to logits; an embedding may serve as one
too (tied).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

# Endings of names, with / read as a dot. Sources: the modelling code of transformers, llama.cpp,
# CTranslate2, openai/whisper, nanoGPT, OLMo, Megatron-LM and RWKV.
_HEADS = (
    "lm_head.weight",  # Llama, Mistral, Qwen, Gemma, GPT-2, Falcon, T5, BART, ...
    "lm_head.linear.weight",  # Phi
    "lm_head.decoder.weight",  # RoBERTa
    "embed_out.weight",  # GPT-NeoX, Pythia
    "predictions.decoder.weight",  # BERT, ALBERT
    "vocab_projector.weight",  # DistilBERT
    "generator_lm_head.weight",  # ELECTRA
    "pred_layer.proj.weight",  # XLM
    "lm_loss.weight",  # XLNet
    "decoder.projection.weight",  # CTranslate2
    "word_embeddings_for_head.weight",  # Megatron-LM
)
# Names that other networks use as well: a head only beside an embedding of the same width.
_COMMON_HEADS = (
    "output.weight",  # Llama (original), InternLM2, GGUF
    "proj_out.weight",  # Whisper
    "output_layer.weight",  # ChatGLM, Megatron-LM
    "ff_out.weight",  # OLMo
    "head.weight",  # RWKV, DeepSeek
)
_EMBEDDINGS = (
    "embed_tokens.weight",  # Llama, OPT, Gemma, Whisper, ...
    "wte.weight",  # GPT-2, MPT, Qwen 1, OLMo
    "word_embeddings.weight",  # BERT, BLOOM, Falcon
    "word_embedding.weight",  # XLNet
    "embed_in.weight",  # GPT-NeoX, Pythia
    "token_embd.weight",  # GGUF
    "tok_embeddings.weight",  # Llama (original), InternLM2, ModernBERT
    "token_embedding.weight",  # openai/whisper, CLIP
    "shared.weight",  # T5, BART
    "embedding.weight",  # Mamba
    "embeddings.weight",  # Mamba, RWKV, XLM, CTranslate2
    "embeddings_0.weight",  # CTranslate2
    "emb.weight",  # RWKV
    "embed.weight",  # DeepSeek
)
# A head that is there, but packed into integers by a quantiser (GPTQ, AWQ, compressed-tensors).
_PACKED = re.compile(r"(^|\.)(lm_head|embed_out|output_layer)\.(qweight|weight_packed)$")


@dataclass(frozen=True)
class Matches:
    """Names that may be the unembedding, in the order in which they came.

    Attributes
    ----------
    heads, common_heads : tuple of str
        Output matrices; ``common_heads`` by a name that other networks use as well.
    embeddings : tuple of str
        Input embeddings of the decoder, or of the only stack there is.
    packed : tuple of str
        Heads that are stored as packed integers.
    """

    heads: tuple[str, ...]
    common_heads: tuple[str, ...]
    embeddings: tuple[str, ...]
    packed: tuple[str, ...]

    @property
    def all(self) -> tuple[str, ...]:
        """Every name that matched."""
        return (*self.heads, *self.common_heads, *self.embeddings, *self.packed)


def match_names(names: Iterable[str]) -> Matches:
    """Find the names of heads and embeddings.

    A name matches by its ending; what stands before it is a wrapper ("model.", "_orig_mod."),
    unless it holds a number of its own, which is that of a layer. The embedding of an encoder does
    not count where a decoder has one.

    Parameters
    ----------
    names : iterable of str
        Names of tensors.

    Returns
    -------
    Matches
        What was found.

    Examples
    --------
    >>> match_names(["transformer.wte.weight", "h.0.attn.output.weight"]).embeddings
    ('transformer.wte.weight',)
    >>> match_names(["decoder/embeddings/weight", "encoder/embeddings_0/weight"]).embeddings
    ('decoder/embeddings/weight',)
    """
    names = list(names)
    embeddings = _select(names, _EMBEDDINGS)
    decoders = tuple(name for name in embeddings if not _is_of_encoder(name))
    return Matches(
        _select(names, _HEADS),
        _select(names, _COMMON_HEADS),
        decoders or embeddings,
        tuple(name for name in names if _PACKED.search(name)),
    )


def _select(names: list[str], endings: tuple[str, ...]) -> tuple[str, ...]:
    found = []
    for name in names:
        dotted = name.replace("/", ".")
        ending = next((x for x in endings if dotted == x or dotted.endswith("." + x)), None)
        if ending is not None:
            before = dotted[: -len(ending)].split(".")
            if not any(part.isdigit() for part in before) and "position" not in dotted:
                found.append(name)
    return tuple(found)


def _is_of_encoder(name: str) -> bool:
    return "encoder" in name.replace("/", ".").split(".")
