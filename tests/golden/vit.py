# SPDX-License-Identifier: Apache-2.0
"""Vision transformer of two blocks on images that are no square, class token and mean pooling: tokens, pooled features,
every gradient. Mean pooling is timm's global_pool="avg" with fc_norm=False: over the patches, behind the norm."""
from golden import Case, fill, make_input
from torch_models import Vit, named

SEED = 140

for how in ("cls", "mean"):
    case = Case("vit_" + how, SEED, 24)
    model = named(visual=Vit(size=(12, 20), patch=4, hidden=24, layers=2, heads=3, intermediate=40)).double()
    fill(model, SEED)
    tokens = model.visual(make_input(SEED, "image", 3, 3, 12, 20))
    pooled = tokens[:, 0] if how == "cls" else tokens[:, 1:].mean(1)
    (pooled * make_input(SEED, "cotangent", *pooled.shape)).sum().backward()
    case.add("tokens", tokens)
    case.add("pooled", pooled)
    case.add_gradients(model)
    case.save()
