# SPDX-License-Identifier: Apache-2.0
"""A small EfficientNet-Lite on images of an even and an odd side: depthwise kernels of 3 and 5, strides 1 and 2, stages
left out. Evaluation with given statistics, then training: maps of the stages, every gradient, running statistics."""
from golden import Case, fill, make_input
from torch_models import EfficientNetLite, named

SEED = 150
case = Case("efficientnet", SEED, 16)
tower = EfficientNetLite(4, (1, 2, 1, 0, 2, 0, 0), (3, 4, 5, 0, 6, 0, 0), 10)
model = named(visual=tower).double()
fill(model, SEED)
x = make_input(SEED, "image", 3, 3, 22, 27)
model.eval()
case.add("eval_pooled", tower(x))
model.train()
maps = tower.features(x)
for i, m in enumerate(maps):
    case.add("feature%d" % i, m)
pooled = tower.head(maps[-1])
(pooled * make_input(SEED, "cotangent", *pooled.shape)).sum().backward()
case.add("pooled", pooled)
case.add_gradients(model)
case.add_state(model)
case.save()
