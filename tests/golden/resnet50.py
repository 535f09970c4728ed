# SPDX-License-Identifier: Apache-2.0
"""ResNet-50 at a sixteenth of its width with a head of 5 classes and the mean BCE: logits, loss, every gradient.
"resnet50" is whole, with given statistics: over 50 layers of batch statistics float32 and float64 part (by 1e-4 to 1e-1
of a gradient in PyTorch itself). "resnet50_short" has a block a stage and is in training mode."""
import torch
import torch.nn.functional as F
from golden import Case, fill, make_ids, make_input
from torch_models import ResNet, named

for name, seed, blocks, n in (("resnet50", 111, (3, 4, 6, 3), 2), ("resnet50_short", 112, (1, 1, 1, 1), 4)):
    case = Case(name, seed, 6)
    model = named(visual=ResNet(4, blocks, bottleneck=True), head=torch.nn.Linear(128, 5)).double()
    fill(model, seed)
    x = make_input(seed, "image", n, 3, 64, 96)
    model.eval()
    case.add("eval_logits", model.head(model.visual(x)))
    model.train(name != "resnet50")
    logits = model.head(model.visual(x))
    loss = F.binary_cross_entropy_with_logits(logits, make_ids(seed, "targets", 2, n, 5).double())
    loss.backward()
    case.add("logits", logits)
    case.add("loss", loss)
    case.add_gradients(model)
    if model.training:
        case.add_state(model)
    case.save()
