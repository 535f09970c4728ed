# SPDX-License-Identifier: Apache-2.0
"""Ten steps of torch.optim.AdamW on a small convolution, BatchNorm and linear network: every loss, the final weights.
Weight decay acts on weights of two and more dimensions only."""
import torch
import torch.nn.functional as F
from golden import Case, fill, make_ids, make_input
from torch_models import ResNet, named

SEED = 150
case = Case("adamw", SEED, 32)
model = named(visual=ResNet(6, (1, 0, 0, 0), stem=(3, 2, False), n_in=2), head=torch.nn.Linear(6, 3)).double().train()
fill(model, SEED)
groups = [{"params": [p for p in model.parameters() if p.dim() >= 2], "weight_decay": 0.05},
          {"params": [p for p in model.parameters() if p.dim() < 2], "weight_decay": 0.0}]
optimizer = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.98), eps=1e-8)
losses = []
for step in range(10):
    x = make_input(SEED, "image%d" % step, 8, 2, 12, 12)
    targets = make_ids(SEED, "targets%d" % step, 2, 8, 3).double()
    optimizer.zero_grad()
    loss = F.binary_cross_entropy_with_logits(model.head(model.visual(x)), targets)
    loss.backward()
    optimizer.step()
    losses.append(loss.detach())
case.add("losses", torch.stack(losses))
for name, p in model.named_parameters():
    case.add("weight:" + name, p)
case.add_state(model)
case.save()
