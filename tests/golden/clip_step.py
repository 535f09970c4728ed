# SPDX-License-Identifier: Apache-2.0
"""One CLIP step: small ResNet in training mode, BERT of one layer, projections, learnable scale: loss, gradients."""
import torch
import torch.nn.functional as F
from golden import Case, fill, make_ids, make_input
from torch_models import Bert, ResNet, info_nce, length_mask, named, pool

SEED = 140
case = Case("clip_step", SEED, 16)
model = named(visual=ResNet(8, (1, 1, 0, 0), stem=(3, 1, False), n_in=1),
              text=Bert(vocab=40, hidden=16, layers=1, heads=2, intermediate=32, positions=12),
              visual_projection=torch.nn.Linear(16, 12, bias=False), text_projection=torch.nn.Linear(16, 12, bias=False),
              logit_scale=torch.nn.Parameter(torch.zeros(1))).double().train()
fill(model, SEED)
mask = length_mask((9, 4, 7, 5, 2), 9)
ids = 1 + make_ids(SEED, "ids", 39, 5, 9)
ids[mask == 0] = 0
image = F.normalize(model.visual_projection(model.visual(make_input(SEED, "image", 5, 1, 16, 16))), dim=1)
text = F.normalize(model.text_projection(pool(model.text(ids, mask), mask, "mean")), dim=1)
loss = info_nce(model.logit_scale.exp() * image @ text.t())
loss.backward()
case.add("image", image)
case.add("text", text)
case.add("loss", loss)
case.add_gradients(model)
case.save()
