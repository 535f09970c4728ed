# SPDX-License-Identifier: Apache-2.0
"""Basic block, bottleneck and 3-D bottleneck in training mode: maps, features, every gradient, running statistics.
Each is a small ResNet of a stem and blocks with and without a downsampling shortcut."""
from golden import Case, fill, make_input
from torch_models import ResNet, named

CASES = [
    ("basic_block", 101, dict(width=6, blocks=(1, 2, 0, 0), stem=(3, 1, False), n_in=3), (4, 3, 13, 11)),
    ("bottleneck", 102, dict(width=4, blocks=(2, 1, 0, 0), bottleneck=True, stem=(7, 2, True), n_in=1), (3, 1, 29, 34)),
    ("bottleneck_3d", 103, dict(width=3, blocks=(1, 0, 1, 0), bottleneck=True, stem=(2, 2, False), n_in=1, dim=3),
     (2, 1, 10, 12, 14)),
]

for name, seed, config, shape in CASES:
    case = Case(name, seed, 24)
    model = named(visual=ResNet(**config)).double().train()
    fill(model, seed)
    maps = model.visual.features(make_input(seed, "image", *shape))
    pooled = maps[-1].flatten(2).mean(2)
    (pooled * make_input(seed, "cotangent", *pooled.shape)).sum().backward()
    for i, m in enumerate(maps):
        case.add("feature%d" % i, m)
    case.add("pooled", pooled)
    case.add_gradients(model)
    case.add_state(model)
    case.save()
