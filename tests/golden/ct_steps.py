# SPDX-License-Identifier: Apache-2.0
"""One step of each recipe for CT: a small 3-D ResNet behind a stem of 2 in training mode, BERT's [CLS], projections:
embeddings, loss, every gradient.

ct_seed: InfoNCE of raw dot products. ct_greenrfm: the same and half the sum of both embeddings' mean BCE on 3 findings
through one linear layer. ct_clean: cosines by a learned scale, and the two equal texts of the batch right for both
images."""
import torch
import torch.nn.functional as F
from golden import Case, fill, make_ids, make_input
from torch_models import Bert, ResNet, bert_pool, info_nce, length_mask, named

GROUP = torch.tensor([0, 1, 0, 2, 3])  # texts 0 and 2 are equal

for name, seed in (("ct_seed", 150), ("ct_greenrfm", 151), ("ct_clean", 152)):
    case = Case(name, seed, 8)
    parts = dict(visual=ResNet(4, (1, 1, 0, 0), stem=(2, 2, False), n_in=1, dim=3),
                 text=Bert(vocab=40, hidden=16, layers=2, heads=2, intermediate=64, positions=12),
                 visual_projection=torch.nn.Linear(8, 12, bias=False), text_projection=torch.nn.Linear(16, 12, bias=False))
    if name == "ct_greenrfm":
        parts["label_head"] = torch.nn.Linear(12, 3)
    if name == "ct_clean":
        parts["logit_scale"] = torch.nn.Parameter(torch.zeros(1))
    model = named(**parts).double().train()
    fill(model, seed)
    mask = length_mask((9, 4, 9, 5, 2), 9)
    ids = 1 + make_ids(seed, "ids", 39, 5, 9)
    ids[2] = ids[0]
    ids[mask == 0] = 0
    image = model.visual_projection(model.visual(make_input(seed, "image", 5, 1, 8, 12, 16)))
    text = model.text_projection(bert_pool(model.text, ids, mask, "cls"))
    if name == "ct_clean":
        image, text = F.normalize(image, dim=1), F.normalize(text, dim=1)
        logits = model.logit_scale.exp() * image @ text.t()
        same = (GROUP[:, None] == GROUP[None, :]).double()
        targets = same / same.sum(1, keepdim=True)
        loss = (F.cross_entropy(logits, targets) + F.cross_entropy(logits.t(), targets)) / 2
    else:
        loss = info_nce(image @ text.t())
    if name == "ct_greenrfm":
        labels = make_ids(seed, "labels", 2, 5, 3).double()
        loss = loss + 0.5 * (F.binary_cross_entropy_with_logits(model.label_head(image), labels) +
                             F.binary_cross_entropy_with_logits(model.label_head(text), labels))
    loss.backward()
    case.add("image", image)
    case.add("text", text)
    case.add("loss", loss)
    case.add_gradients(model)
    case.save()
