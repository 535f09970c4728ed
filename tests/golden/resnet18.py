# SPDX-License-Identifier: Apache-2.0
"""Whole ResNet-18 with a head of 5 classes on two 64 x 64 images: evaluation with given statistics, then training with
the mean BCE: logits, loss, every gradient, running statistics."""
import torch
import torch.nn.functional as F
from golden import Case, fill, make_ids, make_input
from torch_models import ResNet, named

SEED = 110
case = Case("resnet18", SEED, 16)
model = named(visual=ResNet(64, (2, 2, 2, 2)), head=torch.nn.Linear(512, 5)).double()
fill(model, SEED)
x = make_input(SEED, "image", 2, 3, 64, 64)
model.eval()
case.add("eval_logits", model.head(model.visual(x)))
model.train()
logits = model.head(model.visual(x))
loss = F.binary_cross_entropy_with_logits(logits, make_ids(SEED, "targets", 2, 2, 5).double())
loss.backward()
case.add("logits", logits)
case.add("loss", loss)
case.add_gradients(model)
case.add_state(model)
case.save()
