#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Open a bundle of rvl in PyTorch and compare the embeddings with those that rvl computes.

    rvl align cohort --name clip
    rvl embed -m runs/clip cohort -o clip.safetensors
    python3 examples/open_in_pytorch.py runs/clip/ckpt/best/model.safetensors --cohort cohort --index clip.safetensors

The towers are torchvision's, timm's and transformers' own classes where these are installed (and, for torchvision, the
tower is one of its sizes), else the plain ones of tests/golden/torch_models.py. Needs torch and NumPy.
"""
import argparse
import glob
import json
import os
import re
import sqlite3
import sys
import unicodedata

import numpy as np
import torch
import torch.nn.functional as F

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "golden"))
import torch_models  # noqa: E402

DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "U8": "u1"}


def read_safetensors(path):
    """(name -> array, metadata): u64 length of a JSON header, the header, raw little-endian data."""
    with open(path, "rb") as f:
        data = f.read()
    n = int.from_bytes(data[:8], "little")
    header = json.loads(data[8:8 + n])
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, t in header.items():
        start, end = t["data_offsets"]
        tensors[name] = np.frombuffer(data[8 + n + start:8 + n + end], DTYPES[t["dtype"]]).reshape(t["shape"]).copy()
    return tensors, metadata


def under(tensors, prefix):
    """The state dict behind a prefix."""
    return {k[len(prefix):]: torch.from_numpy(v) for k, v in tensors.items() if k.startswith(prefix)}


def video_resnet(a):
    """torchvision's VideoResNet with the stem that `a` describes: r3d_18's own, or another first convolution."""
    from torchvision.models import video
    stem = [a.get("stem_depth_kernel") or a["stem_kernel"], a["stem_kernel"], a["stem_kernel"]]
    stride = [a.get("stem_depth_stride") or a["stem_stride"], a["stem_stride"], a["stem_stride"]]
    m = video.r3d_18()
    if (a["in_channels"], stem, stride) != (3, [3, 7, 7], [1, 2, 2]):
        m.stem[0] = torch.nn.Conv3d(a["in_channels"], 64, stem, stride=stride, bias=False,
                                    padding=[0 if k == s else (k - 1) // 2 for k, s in zip(stem, stride)])
    m.fc = torch.nn.Identity()
    return m, m


def image_name(key):
    """The key that an image ResNet has for one of a VideoResNet."""
    key = re.sub(r"^stem\.0\.", "conv1.", re.sub(r"^stem\.1\.", "bn1.", key))
    return re.sub(r"\.conv(\d)\.1\.", r".bn\1.", re.sub(r"\.conv(\d)\.0\.", r".conv\1.", key))


def resnet(a):
    """a: the bundle's architecture of the image tower -> (module, features of an image batch)."""
    standard = (a["width"], a["stem_kernel"], a["stem_stride"], a["stem_pool"], a.get("n_spatial", 2)) == (64, 7, 2, True, 2)
    try:
        import torchvision
    except ImportError:
        standard = False
    if (a.get("n_spatial", 2), a["bottleneck"], a["stem_pool"], a["width"], a["blocks"]) == (3, False, False, 64,
                                                                                             [2, 2, 2, 2]):
        return video_resnet(a)
    if not standard or 0 in a["blocks"]:
        m = torch_models.ResNet(a["width"], a["blocks"], a["bottleneck"],
                                (a["stem_kernel"], a["stem_stride"], a["stem_pool"]), a["in_channels"],
                                a.get("n_spatial", 2))
        return m, m
    kinds = torchvision.models.resnet
    m = kinds.ResNet(kinds.Bottleneck if a["bottleneck"] else kinds.BasicBlock, a["blocks"])
    m.fc = torch.nn.Identity()
    if a["in_channels"] != 3:
        m.conv1 = torch.nn.Conv2d(a["in_channels"], 64, 7, stride=2, padding=3, bias=False)
    return m, m


def vit(a):
    size = (a["image_height"], a["image_width"])
    try:
        from timm.models.vision_transformer import VisionTransformer
    except ImportError:
        m = torch_models.Vit(size, a["patch"], a["hidden"], a["n_layers"], a["n_heads"], a["intermediate"],
                             a["in_channels"])
        return m, lambda x: m(x)[:, 0] if a["pooling"] == "cls" else m(x)[:, 1:].mean(1)
    m = VisionTransformer(img_size=size, patch_size=a["patch"], in_chans=a["in_channels"], embed_dim=a["hidden"],
                          depth=a["n_layers"], num_heads=a["n_heads"], mlp_ratio=a["intermediate"] / a["hidden"],
                          num_classes=0, fc_norm=False, global_pool="token" if a["pooling"] == "cls" else "avg")
    return m, m


def bert(a):
    """-> (module, features of ids and mask)."""
    try:
        from transformers import BertConfig, BertModel
    except ImportError:
        m = torch_models.Bert(a["vocab_size"], a["hidden"], a["n_layers"], a["n_heads"], a["intermediate"],
                              a["max_positions"], a["type_vocab"], a["layer_norm_eps"], a["pooling"] == "pooler")
        return m, lambda ids, mask: torch_models.bert_pool(m, ids, mask, a["pooling"])
    m = BertModel(BertConfig(vocab_size=a["vocab_size"], hidden_size=a["hidden"], num_hidden_layers=a["n_layers"],
                             num_attention_heads=a["n_heads"], intermediate_size=a["intermediate"],
                             max_position_embeddings=a["max_positions"], type_vocab_size=a["type_vocab"],
                             layer_norm_eps=a["layer_norm_eps"]), add_pooling_layer=a["pooling"] == "pooler")

    def features(ids, mask):
        out = m(ids, attention_mask=mask, output_hidden_states=True)
        if a["pooling"] == "pooler":
            return out.pooler_output
        if a["pooling"] == "last4":
            return torch_models.pool(torch.stack(out.hidden_states[-4:]).sum(0), mask, "mean")
        return torch_models.pool(out.last_hidden_state, mask, a["pooling"])

    return m, features


class Tokenizer:
    """WordPiece as BERT's: words and punctuation, then the longest pieces of the vocabulary."""

    def __init__(self, options):
        self.options = options
        self.ids = {token: i for i, token in enumerate(options["vocab"].split("\n"))}

    def words(self, text):
        if self.options["lower_case"]:
            text = "".join(c for c in unicodedata.normalize("NFD", text.lower()) if unicodedata.category(c) != "Mn")
        return "".join(" %s " % c if unicodedata.category(c)[0] == "P" or (c.isascii() and c.isprintable() and
                       not c.isalnum()) else c for c in text).split()

    def pieces(self, word):
        found = []
        while word:
            n = next((n for n in range(len(word), 0, -1) if ("##" if found else "") + word[:n] in self.ids), 0)
            if n == 0:
                return ["[UNK]"]
            found.append(("##" if found else "") + word[:n])
            word = word[n:]
        return found

    def encode(self, text):
        tokens = [p for w in self.words(text) for p in self.pieces(w)][:self.options["max_tok"] - 2]
        return [self.ids[t] for t in ["[CLS]"] + tokens + ["[SEP]"]]


def cohort_images(cohort, rows, dtype=torch.float32):
    """Images (N, 1, [D,] H, W) of these pack rows as the model sees them; the middle of larger ones."""
    pack = os.path.dirname(glob.glob(os.path.join(cohort, "packs", "*", "spec.json"))[0])
    with open(os.path.join(pack, "spec.json")) as f:
        spec = json.load(f)
    codes = np.fromfile(os.path.join(pack, "data.bin"), "u1" if spec["bits"] == 8 else "<u2")
    sides = [spec[s] for s in ("depth", "height", "width") if s != "depth" or spec.get("depth", 1) > 1]
    stored = spec.get("load", sides)[-len(sides):]
    codes = codes.reshape(-1, *stored)[rows].astype(np.float64)
    middle = [slice((n - s) // 2, (n - s) // 2 + s) for n, s in zip(stored, sides)]
    codes = codes[tuple([slice(None)] + middle)]
    values = codes / (2 ** spec["bits"] - 1) * (spec["out_high"] - spec["out_low"]) + spec["out_low"]
    return torch.from_numpy(values)[:, None].to(dtype)


def cohort_texts(cohort, case_ids):
    """Findings and impression of these cases, as `rvl embed` reads them; None without a report."""
    db = sqlite3.connect("file:%s?mode=ro&immutable=1" % os.path.abspath(os.path.join(cohort, "cohort.db")), uri=True)
    sections = {}
    for case_id, section, text in db.execute("select case_id, section, text from reports join studies using (i_study)"):
        sections[case_id, section] = text
    db.close()
    for case_id in case_ids:
        yield " ".join(sections[case_id, s] for s in ("findings", "impression") if (case_id, s) in sections) or None


def project(features, weight, similarity):
    x = features @ torch.from_numpy(weight).t()
    return F.normalize(x, dim=1) if similarity == "cosine" else x


def compare(what, ours, theirs):
    worst = float(np.abs(ours - theirs).max() / max(np.abs(theirs).max(), 1e-6))
    print("%s: %d embeddings, largest difference %.2g of the largest value" % (what, len(ours), worst))
    return worst < 1e-4


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("bundle")
    p.add_argument("--cohort", help="folder made by rvl ingest")
    p.add_argument("--index", help="what rvl embed made of the cohort with this bundle")
    args = p.parse_args()
    tensors, metadata = read_safetensors(args.bundle)
    arch = json.loads(metadata["architecture"])
    towers = {}
    for part, prefix in (("image", "visual."), ("text", "text.")):
        if part not in arch:
            continue
        kind = arch[part].get("type", "resnet")
        build = {"bert": bert, "resnet": resnet, "vit": vit}.get(kind)
        if not build:
            print("%s tower: %s is not one of those that this script builds" % (part, kind))
            continue
        module, features = build(arch[part])
        state = under(tensors, prefix)
        if "stem.0.weight" in state and not hasattr(module, "stem"):  # a VideoResNet of another size
            state = {image_name(k): v for k, v in state.items()}
        module.load_state_dict(state, strict=True)
        module.eval()
        towers[part] = features
        print("%s tower: %d tensors into %s.%s" % (part, len(state), type(module).__module__, type(module).__name__))
    if not (args.cohort and args.index):
        return 0
    index, about = read_safetensors(args.index)
    cases = json.loads(about["cases"])
    good = True
    with torch.no_grad():
        if "image" in towers and "image" in index:
            has = [i for i, c in enumerate(cases) if c["image"]]
            x = cohort_images(args.cohort, [cases[i]["row"] for i in has])
            x = x.expand(-1, arch["image"]["in_channels"], *x.shape[2:])
            y = project(towers["image"](x), tensors["visual_projection.weight"], arch["clip"]["similarity"])
            good = compare("image", y.numpy(), index["image"][has]) and good
        if "text" in towers and "text" in index:
            tokenizer = Tokenizer(json.loads(metadata["tokenizer"]))
            texts = list(cohort_texts(args.cohort, json.loads(about["ids"])))
            has = [i for i, c in enumerate(cases) if c["text"]]
            rows = [tokenizer.encode(texts[i]) for i in has]
            n_tok = max(map(len, rows))
            ids = torch.tensor([r + [0] * (n_tok - len(r)) for r in rows])
            mask = torch.tensor([[1.0] * len(r) + [0.0] * (n_tok - len(r)) for r in rows])
            y = project(towers["text"](ids, mask), tensors["text_projection.weight"], arch["clip"]["similarity"])
            good = compare("text", y.numpy(), index["text"][has]) and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
