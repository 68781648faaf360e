"""Which tensor of a language model is its unembedding, by the name that its architecture gives it.

``match_names(names)`` sorts the names in a checkpoint; ``empirical.unembeddings.choice`` decides
between what it finds. A head maps hidden states to logits; an embedding may serve as one (tied).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

# Endings of names, with / replaced by a dot. Sources: the modelling code of transformers,
# llama.cpp, CTranslate2, openai/whisper, nanoGPT, OLMo, Megatron-LM and RWKV.
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
    "final_linear.weight",  # GPT-NeoX, as its own training code saves it
    "output_projection.weight",  # fairseq
    "to_logits.weight",  # x-transformers
    "embed_out.final_linear.weight",  # GPT-NeoX
    "unembed.weight",
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
# One of many heads, a codebook each (MusicGen, Bark, AudioCraft) or a token ahead each (Medusa).
_NUMBERED_HEAD = re.compile(r"(^|\.)(\w*heads?|linears|output_linears)\.\d+(\.\w+)*\.weight$")
# What PEFT puts before ".weight": the matrix of the model, its copy, and what was trained instead.
_ADAPTED = re.compile(r"\.(base_layer|original_module|modules_to_save(\.\w+)?)(?=\.weight$)")
_LORA = re.compile(r"\.lora_(A|B|embedding_A|embedding_B|magnitude_vector)\b")
# What quantisers store beside a matrix, or in its place: GPTQ, AWQ, compressed-tensors, FP8,
# bitsandbytes, quanto, MLX.
_QUANTISED = re.compile(
    r"\.(qweight|qzeros|scales|g_idx|SCB|weight_format|weight_packed|weight_scale|weight_scale_inv"
    r"|weight_scale_2|weight_zero_point|weight_shape|weight\.absmax|weight\.quant_map"
    r"|weight\.nested_\w+|weight\.quant_state\.\w+|weight\._data|weight\._scale)$"
)
# A part of a name that says which of many equal layers the tensor belongs to.
_LAYER = re.compile(r"(^|\.)(layers?|h|blk|blocks?|layer_\d+|\w*layers)(\.\d+)?\.")


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
        Stored parts of heads that a quantiser packed into integers or 8-bit floats.
    numbered : tuple of str
        One of many heads each.
    lora : tuple of str
        Low-rank adapters of a head or an embedding.
    """

    heads: tuple[str, ...]
    common_heads: tuple[str, ...]
    embeddings: tuple[str, ...]
    packed: tuple[str, ...]
    numbered: tuple[str, ...] = ()
    lora: tuple[str, ...] = ()


def match_names(names: Iterable[str]) -> Matches:
    """Find the names of heads and embeddings.

    A name matches by its ending. A prefix may be that of a wrapper ("model.", "_orig_mod."), but
    not one with a number, which is that of a layer. Embeddings of an encoder are left out where a
    decoder has one.

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
    decoders = tuple(name for name in embeddings if not is_of_encoder(name))
    return Matches(
        _select(names, _HEADS),
        _select(names, _COMMON_HEADS),
        decoders or embeddings,
        tuple(name for name in names if _belongs(name, _QUANTISED, (*_HEADS, *_COMMON_HEADS))),
        tuple(name for name in names if _NUMBERED_HEAD.search(name.replace("/", "."))),
        tuple(name for name in names if _belongs(name, _LORA, (*_HEADS, *_EMBEDDINGS))),
    )


def is_in_layer(name: str) -> bool:
    """Whether a tensor belongs to one of many equal layers, or says where a token stands.

    Examples
    --------
    >>> is_in_layer("model.layers.3.mlp.down_proj.weight"), is_in_layer("lm_head.weight")
    (True, False)
    """
    dotted = name.replace("/", ".")
    return bool(_LAYER.search(dotted)) or "position" in dotted or "wpe" in dotted.split(".")


def is_of_encoder(name: str) -> bool:
    """Whether a tensor belongs to an encoder, of text or of something else.

    Examples
    --------
    >>> is_of_encoder("text_encoder.shared.weight"), is_of_encoder("decoder.embed_tokens.weight")
    (True, False)
    """
    return any(part.endswith("encoder") for part in name.replace("/", ".").split("."))


def is_quantised(name: str, others: Iterable[str]) -> list[str]:
    """Return what a quantiser stored beside a matrix.

    Examples
    --------
    >>> is_quantised("lm_head.weight", ["lm_head.weight", "lm_head.SCB", "norm.weight"])
    ['lm_head.SCB']
    """
    stem = name.removesuffix(".weight")
    return [x for x in others if x.startswith(stem + ".") and _QUANTISED.fullmatch(x[len(stem) :])]


def _belongs(name: str, part: re.Pattern[str], endings: tuple[str, ...]) -> bool:
    """Whether a name is an ending without ".weight", followed by such a part."""
    found = part.search(name)
    return found is not None and bool(_select([name[: found.start()] + ".weight"], endings))


def _select(names: list[str], endings: tuple[str, ...]) -> tuple[str, ...]:
    found = []
    for name in names:
        dotted = _ADAPTED.sub("", name.replace("/", "."))
        ending = next((x for x in endings if dotted == x or dotted.endswith("." + x)), None)
        if ending is not None:
            before = dotted[: -len(ending)].split(".")
            if not any(part.isdigit() for part in before) and "position" not in dotted:
                found.append(name)
    return tuple(found)
