"""Layouts of real architectures: the right tensor, or the candidates; never another tensor."""

import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from empirical.unembeddings.unembedding import open_unembedding

RNG = np.random.default_rng(0)
# Embedding, head, and others of their shape (40 tokens, width 16); LINEAR is of another shape.
E, H, X, Y = RNG.standard_normal((4, 40, 16)).astype(np.float32)
LINEAR, SMALL = RNG.standard_normal((16, 16)).astype(np.float32), np.ones((4, 8), np.int32)
BYTES, SCALE = np.ones((40, 16), np.int8), np.ones((40, 1), np.float32)
MLP = {"model.layers.3.mlp.up_proj.weight": X, "model.layers.3.attn.q_proj.weight": LINEAR}


def layout(label, tensors, expected, tied=False, **config):
    return pytest.param(tensors, expected, tied, config, id=label)


RIGHT = [
    layout("Llama", {"model.embed_tokens.weight": E, "lm_head.weight": H}, "lm_head.weight"),
    layout("Llama, tied", {"model.embed_tokens.weight": E}, "model.embed_tokens.weight", True),
    layout(
        "GPT-2",
        {"wte.weight": E, "wpe.weight": X, "h.0.mlp.c_fc.weight": LINEAR},
        "wte.weight",
        True,
    ),
    layout("GPT-NeoX", {"gpt_neox.embed_in.weight": E, "embed_out.weight": H}, "embed_out.weight"),
    layout(
        "NeoX, own code",
        {"word_embeddings.weight": E, "final_linear.weight": H},
        "final_linear.weight",
    ),
    layout(
        "NeoX, in sequence",
        {"sequential.0.word_embeddings.weight": E, "sequential.9.final_linear.weight": H},
        "candidates",
    ),
    layout(
        "fairseq",
        {
            "decoder.embed_tokens.weight": E,
            "decoder.output_projection.weight": H,
            "encoder.embed_tokens.weight": X,
        },
        "decoder.output_projection.weight",
    ),
    layout(
        "fairseq, tied",
        {
            "decoder.embed_tokens.weight": E,
            "decoder.output_projection.weight": E.copy(),
            "encoder.embed_tokens.weight": X,
        },
        "decoder.output_projection.weight",
        True,
    ),
    layout(
        "T5",
        {"shared.weight": E, "encoder.embed_tokens.weight": E.copy(), "lm_head.weight": H},
        "lm_head.weight",
    ),
    layout(
        "T5, tied",
        {
            "shared.weight": E,
            "encoder.embed_tokens.weight": E.copy(),
            "decoder.embed_tokens.weight": E.copy(),
        },
        "decoder.embed_tokens.weight|shared.weight",
        True,
    ),
    layout(
        "BART",
        {
            "model.shared.weight": E,
            "model.encoder.embed_positions.weight": X,
            "final_logits_bias": X[:1],
        },
        "model.shared.weight",
        True,
    ),
    layout(
        "BERT",
        {"bert.embeddings.word_embeddings.weight": E, "cls.predictions.decoder.weight": E.copy()},
        "cls.predictions.decoder.weight",
        True,
    ),
    layout(
        "DistilBERT",
        {"distilbert.embeddings.word_embeddings.weight": E, "vocab_projector.weight": H},
        "vocab_projector.weight",
    ),
    layout(
        "RoBERTa",
        {
            "roberta.embeddings.word_embeddings.weight": E,
            "lm_head.dense.weight": LINEAR,
            "lm_head.decoder.weight": E.copy(),
        },
        "lm_head.decoder.weight",
        True,
    ),
    layout("Phi", {"layers.0.wte.weight": E, "lm_head.linear.weight": H}, "lm_head.linear.weight"),
    layout(
        "GGUF names",
        {"token_embd.weight": E, "output.weight": H, "blk.0.ffn_up.weight": X},
        "output.weight",
    ),
    layout("RWKV", {"emb.weight": E, "head.weight": H}, "head.weight"),
    layout(
        "Mamba",
        {"backbone.embeddings.weight": E, "backbone.layers.0.mixer.weight": X},
        "backbone.embeddings.weight",
        True,
    ),
    layout(
        "OLMo",
        {"model.transformer.wte.weight": E, "model.transformer.ff_out.weight": H},
        "model.transformer.ff_out.weight",
    ),
    layout(
        "ChatGLM",
        {"transformer.embedding.word_embeddings.weight": E, "transformer.output_layer.weight": H},
        "transformer.output_layer.weight",
    ),
    layout(
        "Whisper",
        {
            "model.decoder.embed_tokens.weight": E,
            "proj_out.weight": E.copy(),
            "model.decoder.embed_positions.weight": X,
        },
        "proj_out.weight",
        True,
    ),
    layout(
        "x-transformers", {"token_emb.emb.weight": E, "to_logits.weight": H}, "to_logits.weight"
    ),
    layout(
        "DeepSeek, a token ahead",
        {
            "model.embed_tokens.weight": E,
            "lm_head.weight": H,
            "model.layers.61.shared_head.head.weight": X,
            "model.layers.61.embed_tokens.weight": Y,
        },
        "lm_head.weight",
    ),
    layout(
        "Medusa",
        {"model.embed_tokens.weight": E, "lm_head.weight": H, "medusa_head.0.1.weight": LINEAR},
        "lm_head.weight",
    ),
    layout(
        "Megatron-LM",
        {
            "language_model.embedding.word_embeddings.weight": E,
            "language_model.output_layer.weight": H,
        },
        "language_model.output_layer.weight",
    ),
    layout(
        "torch.compile",
        {"_orig_mod.transformer.wte.weight": E, "_orig_mod.lm_head.weight": H},
        "_orig_mod.lm_head.weight",
    ),
    layout(
        "bytes, MLP as large as the embedding",
        {"model.embed_tokens.weight": E, **MLP},
        "model.embed_tokens.weight",
        True,
    ),
    layout(
        "tied, as the configuration says",
        {"model.embed_tokens.weight": E, **MLP},
        "model.embed_tokens.weight",
        True,
        tie_word_embeddings=True,
        vocab_size=38,
    ),
    layout(
        "adapted head, merged names",
        {
            "base_model.model.model.embed_tokens.weight": E,
            "base_model.model.lm_head.weight": H,
            "base_model.model.model.layers.0.q_proj.lora_A.weight": X[:4],
        },
        "base_model.model.lm_head.weight",
    ),
    layout(
        "base layer of an adapter elsewhere",
        {"model.embed_tokens.weight": E, "lm_head.base_layer.weight": H},
        "lm_head.base_layer.weight",
    ),
    layout(
        "padded rows",
        {"model.embed_tokens.weight": E, "lm_head.weight": H},
        "lm_head.weight",
        vocab_size=33,
    ),
]

ASKED = [
    layout(
        "PEFT, modules_to_save",
        {
            "model.embed_tokens.weight": E,
            "lm_head.original_module.weight": H,
            "lm_head.modules_to_save.default.weight": X,
        },
        "several unembeddings",
    ),
    layout(
        "PEFT, saved embedding",
        {
            "model.embed_tokens.original_module.weight": E,
            "model.embed_tokens.modules_to_save.default.weight": X,
        },
        "several embeddings",
    ),
    layout(
        "LoRA on the head",
        {
            "model.embed_tokens.weight": E,
            "lm_head.base_layer.weight": H,
            "lm_head.lora_A.default.weight": X[:4],
            "lm_head.lora_B.default.weight": X[:, :4],
        },
        "an adapter changes the unembedding",
    ),
    layout(
        "LoRA alone",
        {
            "base_model.model.lm_head.lora_A.weight": X[:4],
            "base_model.model.lm_head.lora_B.weight": X[:, :4],
        },
        "an adapter changes the unembedding",
    ),
    layout(
        "LoRA on a tied embedding",
        {
            "model.embed_tokens.base_layer.weight": E,
            "model.embed_tokens.lora_embedding_A.default": X[:4],
        },
        "an adapter changes the unembedding",
    ),
    layout(
        "MusicGen",
        {
            "text_encoder.shared.weight": E,
            "decoder.lm_heads.0.weight": X,
            "decoder.lm_heads.1.weight": Y,
            "decoder.model.decoder.embed_tokens.0.weight": H,
        },
        "has 2 heads: .*lm_heads.0.weight",
    ),
    layout(
        "Bark",
        {"input_embeds_layers.0.weight": E, "lm_heads.0.weight": X, "lm_heads.1.weight": Y},
        "has 2 heads",
    ),
    layout(
        "AudioCraft",
        {"emb.0.weight": E, "linears.0.weight": X, "linears.1.weight": Y},
        "has 2 heads",
    ),
    layout(
        "head of an unknown name",
        {"model.embed_tokens.weight": E, "logit_scorer.weight": H},
        "other matrices of the shape .*logit_scorer",
    ),
    layout(
        "head of an unknown name, turned",
        {"model.embed_tokens.weight": E, "logit_scorer.kernel": np.ascontiguousarray(H.T)},
        "other matrices of the shape .*logit_scorer",
    ),
    layout(
        "unknown head, though said to be tied",
        {"model.embed_tokens.weight": E, "logit_scorer.weight": H},
        "other matrices of the shape",
        tie_word_embeddings=True,
    ),
    layout(
        "head and embedding differ, though said to be tied",
        {"model.embed_tokens.weight": E, "lm_head.weight": H},
        "a head and an embedding that differ",
        tie_word_embeddings=True,
    ),
    layout(
        "said not to be tied, no head",
        {"model.embed_tokens.weight": E},
        "lacks the unembedding",
        tie_word_embeddings=False,
    ),
    layout(
        "two models", {"one.lm_head.weight": E, "two.lm_head.weight": H}, "several unembeddings"
    ),
    layout(
        "encoder and decoder of their own",
        {"shared.weight": E, "decoder.embed_tokens.weight": H},
        "several embeddings",
    ),
    layout(
        "audio tokens beside text",
        {"wte.weight": E, "audio_head.weight": H},
        "other matrices of the shape .*audio_head",
    ),
    layout(
        "rows are not the vocabulary",
        {"model.embed_tokens.weight": E, "decoder_out.weight": np.ones((3000, 16), np.float32)},
        "has 40 rows, but config.json says vocab_size = 2900: .*decoder_out",
        vocab_size=2900,
    ),
    layout(
        "fewer rows than tokens",
        {"model.embed_tokens.weight": E},
        "has 40 rows, but config.json says vocab_size = 50",
        vocab_size=50,
    ),
    layout(
        "TransformerLens",
        {"embed.W_E": E, "unembed.W_U": np.ascontiguousarray(H.T), "pos_embed.W_pos": X[:9]},
        "no tensor that is known .*unembed.W_U",
    ),
    layout(
        "autoencoder",
        {"W_enc": np.ascontiguousarray(E.T), "W_dec": E, "b_enc": E[:, 0]},
        "no tensor that is known .*W_dec",
    ),
    layout(
        "GPTQ",
        {"model.embed_tokens.weight": E, "lm_head.qweight": SMALL, "lm_head.scales": SCALE},
        "the unembedding is quantised",
    ),
    layout(
        "AWQ",
        {"model.embed_tokens.weight": E, "lm_head.qweight": SMALL, "lm_head.qzeros": SMALL},
        "the unembedding is quantised",
    ),
    layout(
        "compressed-tensors",
        {
            "model.embed_tokens.weight": E,
            "lm_head.weight_packed": SMALL,
            "lm_head.weight_scale": SCALE,
        },
        "the unembedding is quantised",
    ),
    layout(
        "bitsandbytes, 4 bit",
        {
            "model.embed_tokens.weight": E,
            "lm_head.weight": SMALL.astype(np.uint8),
            "lm_head.weight.absmax": SCALE,
            "lm_head.weight.quant_state.bitsandbytes__nf4": SMALL.astype(np.uint8),
        },
        "the unembedding is quantised",
    ),
    layout(
        "bitsandbytes, 8 bit",
        {"model.embed_tokens.weight": E, "lm_head.weight": BYTES, "lm_head.SCB": SCALE},
        "the unembedding is quantised",
    ),
    layout(
        "FP8",
        {
            "model.embed_tokens.weight": E,
            "lm_head.weight": BYTES,
            "lm_head.weight_scale_inv": SCALE,
        },
        "the unembedding is quantised",
    ),
    layout(
        "quanto",
        {
            "model.embed_tokens.weight": E,
            "lm_head.weight._data": BYTES,
            "lm_head.weight._scale": SCALE,
        },
        "the unembedding is quantised",
    ),
    layout(
        "MLX, tied",
        {
            "model.embed_tokens.weight": SMALL.astype(np.uint32),
            "model.embed_tokens.scales": SCALE,
            "model.embed_tokens.biases": SCALE,
        },
        "is quantised .beside it: model.embed_tokens.scales",
    ),
    layout(
        "float embedding with scales",
        {"model.embed_tokens.weight": E, "model.embed_tokens.weight_scale": SCALE},
        "is quantised .beside it",
    ),
]


def write(folder, tensors, config):
    save_file(
        {name: np.ascontiguousarray(x) for name, x in tensors.items()}, folder / "model.safetensors"
    )
    if config:
        (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.mark.parametrize(("tensors", "expected", "tied", "config"), RIGHT)
def test_the_right_tensor_or_the_candidates(tmp_path, tensors, expected, tied, config):
    folder = write(tmp_path, tensors, config)
    if expected == "candidates":
        with pytest.raises(ValueError, match="no tensor that is known|several|name one") as error:
            open_unembedding(folder)
        assert all(name in str(error.value) for name in tensors)
        return
    found = open_unembedding(folder)
    assert found.tensor in expected.split("|") and found.tied is tied
    assert np.array_equal(found.matrix.read(0, 40), tensors[found.tensor])


@pytest.mark.parametrize(("tensors", "message", "tied", "config"), ASKED)
def test_a_doubt_is_asked_about_in_one_line(tmp_path, tensors, message, tied, config):
    folder = write(tmp_path, tensors, config)
    with pytest.raises(ValueError, match=message) as error:
        open_unembedding(folder)
    assert "\n" not in str(error.value)


def test_there_are_fifty_different_layouts():
    labels = [one.id for one in (*RIGHT, *ASKED)]
    assert len(set(labels)) == len(labels) >= 50


@pytest.mark.parametrize("name", ["logit_scorer.weight", "logit_scorer.kernel"])
def test_without_the_rival_the_embedding_is_taken(tmp_path, name):
    tensors = {"model.embed_tokens.weight": E, name: H[:, :8]}
    assert open_unembedding(write(tmp_path, tensors, {})).tensor == "model.embed_tokens.weight"
