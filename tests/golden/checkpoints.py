# SPDX-License-Identifier: Apache-2.0
"""Small checkpoints with the names and containers of published ones, for tests/unit/test_model_checkpoints.c.

Tensor number i of a file holds i + 1 in each of its elements (running_var too), so the test knows where a value came
from. Names: torchvision's r3d_18, Hugging Face's BERT, and what CT-CLIP, MPS-CT, GreenRFM, CT-LiPro and CXR-BERT put
before and beside them."""
import collections
import os

import torch

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "checkpoints")
os.makedirs(FOLDER, exist_ok=True)
WIDTH, HIDDEN, EMBED, CLASSES = 2, 4, 3, 5


def norm(prefix, n):
    yield from ((prefix + "." + key, (n,)) for key in ("weight", "bias", "running_mean", "running_var"))
    yield prefix + ".num_batches_tracked", ()


def video(stem):
    """r3d_18 of two stages with one block each, with the stem's shape."""
    yield "stem.0.weight", stem
    yield from norm("stem.1", WIDTH)
    for i, (n_in, n) in enumerate(((WIDTH, WIDTH), (WIDTH, 2 * WIDTH))):
        p = "layer%d.0." % (i + 1)
        yield p + "conv1.0.weight", (n, n_in, 3, 3, 3)
        yield from norm(p + "conv1.1", n)
        yield p + "conv2.0.weight", (n, n, 3, 3, 3)
        yield from norm(p + "conv2.1", n)
        if n != n_in:
            yield p + "downsample.0.weight", (n, n_in, 1, 1, 1)
            yield from norm(p + "downsample.1", n)


def linear(prefix, n_out, n_in):
    yield prefix + ".weight", (n_out, n_in)
    yield prefix + ".bias", (n_out,)


def bert(position_ids):
    if position_ids:
        yield "embeddings.position_ids", (1, 6)
    for key, n in (("word", 9), ("position", 6), ("token_type", 2)):
        yield "embeddings.%s_embeddings.weight" % key, (n, HIDDEN)
    yield from (("embeddings.LayerNorm." + key, (HIDDEN,)) for key in ("weight", "bias"))
    p = "encoder.layer.0."
    for key in ("query", "key", "value"):
        yield from linear(p + "attention.self." + key, HIDDEN, HIDDEN)
    yield from linear(p + "attention.output.dense", HIDDEN, HIDDEN)
    yield from ((p + "attention.output.LayerNorm." + key, (HIDDEN,)) for key in ("weight", "bias"))
    yield from linear(p + "intermediate.dense", 2 * HIDDEN, HIDDEN)
    yield from linear(p + "output.dense", HIDDEN, 2 * HIDDEN)
    yield from ((p + "output.LayerNorm." + key, (HIDDEN,)) for key in ("weight", "bias"))
    yield from linear("pooler.dense", HIDDEN, HIDDEN)


def under(prefix, names):
    return ((prefix + name, shape) for name, shape in names)


def state(*parts):
    d = collections.OrderedDict()
    for part in parts:
        for name, shape in part:
            whole = name.endswith(("num_batches_tracked", "position_ids"))
            d[name] = torch.full(shape, len(d) + 1, dtype=torch.int64 if whole else torch.float32)
    return d


def save(value, name):
    torch.save(value, os.path.join(FOLDER, name))


MONO, COLOR = (WIDTH, 1, 2, 2, 2), (WIDTH, 3, 3, 7, 7)
ADAM = {"state": {0: {"step": torch.tensor(3.0), "exp_avg": torch.zeros(2)}}, "param_groups": [{"lr": 1e-5}]}
LATENTS = [("temperature", ())] + [("to_%s_latent%s.weight" % (which, extra), (EMBED, n))
                                   for extra in ("", "_extra") for which, n in (("text", HIDDEN), ("visual", 2 * WIDTH))]
CT_VIT = [("to_patch_emb.2.weight", (HIDDEN, 8)), ("enc_spatial_transformer.layers.0.1.null_kv", (2, 0, 2)),
          ("enc_spatial_transformer.layers.0.1.to_q.weight", (HIDDEN, HIDDEN))]
save(state(video(COLOR), linear("fc", CLASSES, 2 * WIDTH)), "r3d_18.pth")
save(state(under("visual_transformer.", video(MONO)), under("text_transformer.", bert(True)), LATENTS,
           [("text_transformer.unused", (0, 3)), ("visual_transformer.unused", (0,))]), "mps_ct.pt")
ct_clip = [under("text_transformer.", bert(True)), under("visual_transformer.", CT_VIT), LATENTS]
save(state(*[under("module.", p) for p in ct_clip]), "ct_clip_v2.pt")
ct_clip = [under("text_transformer.", bert(False)), under("visual_transformer.", CT_VIT), LATENTS]
save(state(*[under("trained_model.", p) for p in ct_clip], linear("classifier", CLASSES, HIDDEN)), "ct_lipro.pt")
save({"epoch": 4, "encoder": state(video(MONO)), "classifier": state(linear("fc", CLASSES, 2 * WIDTH)),
      "optimizer": ADAM}, "greenrfm_stage1.pth")
save({"model": state(under("image_encoder.", video(MONO)), under("text_encoder.", bert(False)), LATENTS[1:3],
                     linear("classifier", CLASSES, EMBED), [("logit_scale", ())]), "optimizer": ADAM, "epoch": 4},
     "greenrfm_stage2.pth")
save(state(under("bert.", bert(True)), linear("cls.predictions.decoder", 9, HIDDEN),
           linear("cls_projection_head.dense_to_hidden", 3, HIDDEN)), "cxr_bert.bin")
