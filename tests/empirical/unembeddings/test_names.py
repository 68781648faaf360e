import pytest

from empirical.unembeddings.names import match_names

LAYER = "model.layers.3.mlp.down_proj.weight"


@pytest.mark.parametrize(
    ("names", "heads", "common", "embeddings"),
    [
        (["model.embed_tokens.weight", "lm_head.weight"], [1], [], [0]),  # Llama
        (["decoder.embed_tokens.weight", "decoder.embed_positions.weight"], [], [], [0]),  # OPT
        (["transformer.wte.weight", "transformer.wpe.weight"], [], [], [0]),  # GPT-2
        (["gpt_neox.embed_in.weight", "embed_out.weight"], [1], [], [0]),  # Pythia
        (["token_embd.weight", "output.weight", "output_norm.weight"], [], [1], [0]),  # GGUF
        (["tok_embeddings.weight", "output.weight"], [], [1], [0]),  # Llama, original
        (["backbone.embeddings.weight", "lm_head.weight"], [1], [], [0]),  # Mamba
        (["emb.weight", "head.weight"], [], [1], [0]),  # RWKV
        (["decoder.token_embedding.weight", "decoder.positional_embedding"], [], [], [0]),
        (["model.decoder.embed_tokens.weight", "proj_out.weight"], [], [1], [0]),  # Whisper
        (["_orig_mod.transformer.wte.weight", "_orig_mod.lm_head.weight"], [1], [], [0]),
        (
            [
                "bert.embeddings.word_embeddings.weight",
                "bert.embeddings.position_embeddings.weight",
                "bert.embeddings.token_type_embeddings.weight",
                "bert.encoder.layer.0.attention.output.dense.weight",
                "cls.predictions.decoder.weight",
            ],
            [4],
            [],
            [0],
        ),
        (
            ["roberta.embeddings.word_embeddings.weight", "lm_head.dense.weight", "lm_head.bias"],
            [],
            [],
            [0],
        ),
        (
            [
                "decoder/embeddings/weight",
                "decoder/embeddings/weight_scale",
                "decoder/position_encodings/encodings",
                "decoder/projection/weight",
                "encoder/embeddings_0/weight",
                "encoder/layer_0/self_attention/linear_0/weight",
            ],
            [3],
            [],
            [0],
        ),
        (
            ["shared.weight", "encoder.embed_tokens.weight", "decoder.embed_tokens.weight"],
            [],
            [],
            [0, 2],  # T5: decided by what they hold
        ),
        (["encoder/embeddings_0/weight", "encoder/embeddings_1/weight"], [], [], [0]),
        # Numbered parts are layers, also those that predict further tokens.
        (["layers.61.embed_tokens.weight", "layers.61.shared_head.head.weight"], *[[]] * 3),
        ([LAYER, "blk.0.attn_output.weight", "h.0.attn.output.weight"], *[[]] * 3),
        (["visual.patch_embed.weight_g", "my_lm_head.weight", "lm_head.bias"], *[[]] * 3),
    ],
)  # fmt: skip
def test_names_of_architectures(names, heads, common, embeddings):
    found = match_names([LAYER, *names])
    assert found.heads == tuple(names[k] for k in heads)
    assert found.common_heads == tuple(names[k] for k in common)
    assert found.embeddings == tuple(names[k] for k in embeddings)
    assert found.packed == ()


def test_heads_that_a_quantiser_packed():
    packed = [
        "lm_head.qweight",
        "lm_head.qzeros",
        "model.lm_head.weight_packed",
        "lm_head.weight.absmax",
        "lm_head.weight.quant_state.bitsandbytes__nf4",
        "lm_head.SCB",
        "lm_head.weight_scale_inv",
        "output.scales",
    ]
    assert match_names([*packed, "x.0.qweight", "norm.weight"]).packed == tuple(packed)


def test_what_adapters_and_codebooks_add():
    names = ["lm_head.base_layer.weight", "lm_head.lora_A.default.weight", "q_proj.lora_A.weight"]
    found = match_names(names)
    assert found.heads == (names[0],) and found.lora == (names[1],)
    heads = ["decoder.lm_heads.0.weight", "lm_heads.11.weight", "linears.3.weight"]
    others = ["layers.3.mlp.weight", "heads.weight"]
    assert match_names([*heads, *others]).numbered == tuple(heads)
