# SPDX-License-Identifier: Apache-2.0
"""BCE with weights and soft targets; symmetric InfoNCE with a learnable scale (Radford et al. 2021, figure 3), each text
right for its own image or for all images with an equal text."""
import torch
import torch.nn.functional as F
from golden import Case, fill, make_ids, make_input
from torch_models import info_nce

case = Case("bce", 120)
logits = (4.0 * make_input(120, "logits", 7, 5)).requires_grad_()
targets = make_ids(120, "targets", 3, 7, 5).double() / 2.0
weights = make_ids(120, "weights", 4, 7, 5).double() / 2.0
assert (weights == 0).any() and (targets == 0.5).any()
elements = F.binary_cross_entropy_with_logits(logits, targets, weight=weights, reduction="none")
loss = elements.sum() / weights.sum()
loss.backward()
case.add("elements", elements)
case.add("loss", loss)
case.add("grad:logits", logits.grad)
case.save()


def contrast(name, groups=None):
    case = Case(name, 121)
    image, text = (make_input(121, n, 6, 9).requires_grad_() for n in ("image", "text"))
    logit_scale = torch.tensor([2.0], dtype=torch.float64, requires_grad=True)
    logits = logit_scale.exp() * F.normalize(image, dim=1) @ F.normalize(text, dim=1).t()
    if groups is None:
        loss = info_nce(logits)
    else:
        same = torch.tensor(groups).unsqueeze(0) == torch.tensor(groups).unsqueeze(1)
        targets = same.double() / same.sum(dim=1, keepdim=True)
        loss = (F.cross_entropy(logits, targets) + F.cross_entropy(logits.t(), targets)) / 2
    loss.backward()
    case.add("logits", logits)
    case.add("loss", loss)
    for key, t in (("image", image), ("text", text), ("logit_scale", logit_scale)):
        case.add("grad:" + key, t.grad)
    case.save()


contrast("info_nce")
contrast("info_nce_shared", [0, 1, 0, 2, 1, 0])
