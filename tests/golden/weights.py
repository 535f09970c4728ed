# SPDX-License-Identifier: Apache-2.0
"""Weight files as PyTorch writes them, for tests/unit/test_engine_weight_file.c. /usr/bin/python3 weights.py

PyTorch 1.13. What the tests expect follows from the views below by hand; nothing is computed here.
"""
import collections
import json
import os
import struct

import torch

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "weights")
os.makedirs(OUT, exist_ok=True)

base = (torch.arange(24).float() / 4).view(4, 6)
state = collections.OrderedDict()
state["rows"] = base
state["turned"] = base.t()
state["offset"] = base[1:, 2:5]
state["part"] = base[2:]  # contiguous, not at the storage's begin
state["permuted"] = (torch.arange(24).float() / 4).view(2, 3, 4).permute(2, 0, 1)
state["channels_last"] = torch.arange(24).float().view(1, 2, 3, 4).contiguous(memory_format=torch.channels_last)
state["expanded"] = torch.tensor([1.5, -2.0]).view(2, 1).expand(2, 3)
state["param"] = torch.nn.Parameter(torch.tensor([3.5]))
state["half"] = torch.tensor([1.5, -2.0, 65504.0]).half()
state["half_turned"] = torch.tensor([[1.0, 2.0], [3.0, 4.0]]).half().t()
state["brain"] = torch.tensor([1.5, -2.0, 3.0e38]).bfloat16()
state["double"] = torch.tensor([0.1, -2.0], dtype=torch.float64)
state["long"] = torch.tensor([-5000000000, 7])
state["int"] = torch.tensor([-70000], dtype=torch.int32)
state["short"] = torch.tensor([-300], dtype=torch.int16)
state["byte"] = torch.tensor([200], dtype=torch.uint8)
state["flag"] = torch.tensor([True, False])
state["scalar"] = torch.tensor(2.5)
state["empty"] = torch.zeros(0, 3)
state._metadata = collections.OrderedDict([("", {"version": 1})])  # as Module.state_dict has it


def save(value, name, **options):
    torch.save(value, os.path.join(OUT, name), **options)


save(state, "zip.pth")
save(state, "old.pth", _use_new_zipfile_serialization=False)
save(state, "protocol4.pth", pickle_protocol=4)
save({"epoch": 3, "lr": 0.1, "note": "caf\u00e9", "list": [1, None, True, (1, -2, 3, 2**40)], 7: {"a": []},
      "state_dict": {"module": {"w": torch.tensor([1.0])}}}, "nested.pth")
save({"model": {"w": torch.tensor([1.0])}, "optimizer": {"state": {0: {"exp_avg": torch.zeros(5)}}}}, "model.bin",
     _use_new_zipfile_serialization=False)
save([torch.tensor([1.0])], "list.pth")
save({"config": {"width": 3}, "names": ["a"]}, "no_tensors.pth")
save(torch.nn.Linear(1, 1), "module.pth")
save({"w": torch.tensor([1.0]).to_sparse()}, "sparse.pth")
save({"w": torch.tensor([1], dtype=torch.int8)}, "int8.pth")

# A ResNet of width 2, one block in its first stage, one input channel: channels last, from DataParallel.
shapes = {"conv1.weight": (2, 1, 3, 3), "layer1.0.conv1.weight": (2, 2, 3, 3), "layer1.0.conv2.weight": (2, 2, 3, 3)}
tower = collections.OrderedDict()
for name, shape in shapes.items():
    count = shape[0] * shape[1] * 9
    tower["module." + name] = (torch.arange(count).float() / 8).view(shape).to(memory_format=torch.channels_last)
for bn in ("bn1", "layer1.0.bn1", "layer1.0.bn2"):
    for k, part in enumerate(("weight", "bias", "running_mean", "running_var")):
        tower[f"module.{bn}.{part}"] = torch.tensor([k + 0.5, k + 0.75])
    tower[f"module.{bn}.num_batches_tracked"] = torch.tensor(12)
tower["module.fc.weight"] = torch.zeros(1, 2)
save({"state_dict": tower}, "tower_zip.pth")
save({"state_dict": tower}, "tower_old.pth", _use_new_zipfile_serialization=False)

# Two shards and their index, put together from the definition of the format.
DTYPES = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64", torch.bool: "BOOL"}


def safetensors(tensors):
    header, data = {}, b""
    for name, t in tensors.items():
        raw = t.contiguous().view(torch.int16).numpy().tobytes() if t.dtype == torch.bfloat16 else t.numpy().tobytes()
        header[name] = {"dtype": DTYPES[t.dtype], "shape": list(t.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


def write(name, data):
    with open(os.path.join(OUT, name), "wb") as f:
        f.write(data)


first = {"rows": base, "half": state["half"], "brain": state["brain"]}
second = {"long": state["long"], "flag": state["flag"]}
write("shard-1-of-2.safetensors", safetensors(first))
write("shard-2-of-2.safetensors", safetensors(second))
weight_map = {**{k: "shard-1-of-2.safetensors" for k in first}, **{k: "shard-2-of-2.safetensors" for k in second},
              "scalar": "zip.pth"}
index = {"metadata": {"total_size": 137}, "weight_map": weight_map}
write("shards.safetensors.index.json", json.dumps(index, indent=1).encode() + b"\n")
for name, key, part in (("absent", "rows", "shard-3-of-2.safetensors"), ("elsewhere", "rows", "shard-2-of-2.safetensors"),
                        ("outside", "rows", "../weights/shard-1-of-2.safetensors"),
                        ("itself", "rows", "itself.index.json")):
    write(name + ".index.json", json.dumps({"weight_map": {key: part}}).encode() + b"\n")
write("no_map.index.json", b'{"metadata": {}}\n')

# A BERT as Hugging Face's save_pretrained writes it: one layer of width 8 with two heads, 40 words, 48 positions.
bert = os.path.join(OUT, "bert")
os.makedirs(bert, exist_ok=True)
words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", ","] + [chr(c) for c in range(ord("a"), ord("z") + 1)]
words += ["no", "the", "left", "right", "lung", "heart", "##s"]
assert len(words) == 40
with open(os.path.join(bert, "vocab.txt"), "w") as f:
    f.write("".join(w + "\n" for w in words))
with open(os.path.join(bert, "config.json"), "w") as f:
    json.dump({"architectures": ["BertModel"], "attention_probs_dropout_prob": 0.1, "hidden_act": "gelu",
               "hidden_size": 8, "intermediate_size": 12, "layer_norm_eps": 1e-12, "max_position_embeddings": 48,
               "model_type": "bert", "num_attention_heads": 2, "num_hidden_layers": 1, "type_vocab_size": 2,
               "vocab_size": 40}, f, indent=2)
generator = torch.Generator().manual_seed(7)
layer = "encoder.layer.0."
shapes = {"embeddings.word_embeddings.weight": (40, 8), "embeddings.position_embeddings.weight": (48, 8),
          "embeddings.token_type_embeddings.weight": (2, 8), "embeddings.LayerNorm.weight": (8,),
          "embeddings.LayerNorm.bias": (8,)}
for name, rows, columns in (("attention.self.query", 8, 8), ("attention.self.key", 8, 8), ("attention.self.value", 8, 8),
                            ("attention.output.dense", 8, 8), ("intermediate.dense", 12, 8), ("output.dense", 8, 12)):
    shapes[layer + name + ".weight"], shapes[layer + name + ".bias"] = (rows, columns), (rows,)
for name in ("attention.output.LayerNorm", "output.LayerNorm"):
    shapes[layer + name + ".weight"] = shapes[layer + name + ".bias"] = (8,)
state = collections.OrderedDict((n, 0.2 * torch.randn(s, generator=generator)) for n, s in shapes.items())
torch.save(state, os.path.join(bert, "pytorch_model.bin"))
