# SPDX-License-Identifier: Apache-2.0
"""Ten steps of torch.optim.AdamW on a small convolution, BatchNorm and linear network: every loss, the final weights.
Weight decay acts on weights of two and more dimensions only. In "adamw_groups" the convolutional part has a fifth of
the learning rate and a decay of its own."""
import torch
import torch.nn.functional as F
from golden import Case, fill, make_ids, make_input
from torch_models import ResNet, named

SEED = 150
LR = 1e-3


def run(name, parts):
    """`parts`: (start of the weights' names, share of the learning rate, weight decay)."""
    case = Case(name, SEED, 32)
    model = named(visual=ResNet(6, (1, 0, 0, 0), stem=(3, 2, False), n_in=2), head=torch.nn.Linear(6, 3))
    model = model.double().train()
    fill(model, SEED)
    groups = []
    for start, share, decay in parts:
        own = [p for n, p in model.named_parameters() if n.startswith(start)]
        groups.append({"params": [p for p in own if p.dim() >= 2], "weight_decay": decay, "lr": LR * share})
        groups.append({"params": [p for p in own if p.dim() < 2], "weight_decay": 0.0, "lr": LR * share})
    optimizer = torch.optim.AdamW([g for g in groups if g["params"]], lr=LR, betas=(0.9, 0.98), eps=1e-8)
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
    for key, p in model.named_parameters():
        case.add("weight:" + key, p)
    case.add_state(model)
    case.save()


run("adamw", [("", 1, 0.05)])
run("adamw_groups", [("head.", 1, 0.05), ("visual.", 0.2, 4.0)])
