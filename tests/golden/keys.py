# SPDX-License-Identifier: Apache-2.0
"""Keys and shapes of networks as their libraries name them: keys/*.txt, "key extents" a line, without heads.

Needs torchvision, timm and transformers beside torch; the lists say which versions wrote them."""
import os

import timm
import torch
import torchvision
import transformers

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "keys")


def write(name, source, module):
    with open(os.path.join(FOLDER, name + ".txt"), "w") as f:
        f.write("# %s\n" % source)
        if hasattr(module, "blocks"):
            f.write("# heads %d\n" % module.blocks[0].attn.num_heads)
        for key, t in module.state_dict().items():
            f.write(" ".join([key] + [str(n) for n in t.shape]) + "\n")


for name in ("resnet18", "resnet34", "resnet50"):
    m = getattr(torchvision.models, name)()
    m.fc = torch.nn.Identity()
    write(name, "torchvision %s: torchvision.models.%s(), fc taken off" % (torchvision.__version__, name), m)
m = torchvision.models.video.r3d_18()
m.fc = torch.nn.Identity()
write("r3d_18", "torchvision %s: torchvision.models.video.r3d_18(), fc taken off" % torchvision.__version__, m)
for name in ("tiny", "small", "base"):
    call = "vit_%s_patch16_224" % name
    write("vit_" + name, "timm %s: timm.create_model('%s', num_classes=0)" % (timm.__version__, call),
          timm.create_model(call, num_classes=0))
size = dict(vocab_size=50, hidden_size=24, num_hidden_layers=2, num_attention_heads=4, intermediate_size=56,
            max_position_embeddings=16)
for pooler in (False, True):
    write("bert_pooler" if pooler else "bert",
          "transformers %s: BertModel(BertConfig(%s), add_pooling_layer=%s)"
          % (transformers.__version__, ", ".join("%s=%d" % item for item in size.items()), pooler),
          transformers.BertModel(transformers.BertConfig(**size), add_pooling_layer=pooler))
