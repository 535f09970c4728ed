# SPDX-License-Identifier: Apache-2.0
"""Encoders of volumes with a head of 5 classes, whole: evaluation with given statistics, then a step with the mean BCE:
logits, loss, every gradient, running statistics. "r3d_18" is torchvision's r3d_18 at its real width behind MPS-CT's
stem, "r3d_18_lite" a sixteenth of it behind the lite stem, "i3_resnet" the inflated bottlenecks of Merlin and Astra
at a sixteenth. torch_models.py's network has our names; torchvision's own, with the same weights, must agree with it.

The container's PyTorch is enough but for r3d_18, which needs torchvision."""
import torch
import torch.nn.functional as F
from golden import Case, fill, make_ids, make_input
from torch_models import ResNet, named


def torchvision_agrees(ours, x):
    """torchvision.models.video.r3d_18 with the stem and head of the recipe gives the same features."""
    import torchvision
    theirs = torchvision.models.video.r3d_18()
    theirs.stem[0] = torch.nn.Conv3d(1, 64, 2, stride=2, bias=False)
    theirs.fc = torch.nn.Identity()
    state = {}
    for key, t in ours.state_dict().items():
        parts = key.split(".")
        if parts[0] in ("conv1", "bn1"):
            parts[:1] = ["stem", "0" if parts[0] == "conv1" else "1"]
        elif parts[2].startswith("conv"):
            parts[2:3] = [parts[2], "0"]
        elif parts[2].startswith("bn"):
            parts[2:3] = ["conv" + parts[2][2], "1"]
        state[".".join(parts)] = t
    theirs.load_state_dict(state)
    theirs = theirs.double().eval()
    assert torch.allclose(theirs(x), ours(x), rtol=1e-12, atol=1e-12)


for name, seed, samples, config, n_features, shape in (
        ("r3d_18", 113, 12, dict(width=64, blocks=(2, 2, 2, 2), stem=(2, 2, False), n_in=1, dim=3), 512,
         (2, 1, 16, 32, 32)),
        ("r3d_18_lite", 114, 8, dict(width=4, blocks=(2, 2, 2, 2), stem=(4, 4, False), n_in=1, dim=3), 32,
         (2, 1, 50, 66, 64)),
        ("i3_resnet", 115, 8, dict(width=4, blocks=(1, 2, 1, 1), bottleneck=True, n_in=3, dim=3,
                                   stem=((3, 7, 7), (1, 2, 2), True)), 128, (3, 3, 26, 64, 70))):
    case = Case(name, seed, samples)
    model = named(visual=ResNet(**config), head=torch.nn.Linear(n_features, 5)).double()
    fill(model, seed)
    x = make_input(seed, "image", *shape)
    model.eval()
    if name == "r3d_18":
        torchvision_agrees(model.visual, x)
    case.add("eval_logits", model.head(model.visual(x)))
    model.train()
    logits = model.head(model.visual(x))
    loss = F.binary_cross_entropy_with_logits(logits, make_ids(seed, "targets", 2, shape[0], 5).double())
    loss.backward()
    case.add("logits", logits)
    case.add("loss", loss)
    case.add_gradients(model)
    case.add_state(model)
    case.save()
