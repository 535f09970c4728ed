# SPDX-License-Identifier: Apache-2.0
"""BERT of two layers, three texts of different length, CLS and mean pooling: tokens, embeddings, every gradient."""
from golden import Case, fill, make_ids, make_input
from torch_models import Bert, length_mask, named, pool

for how in ("cls", "mean"):
    case = Case("bert_" + how, 130, 24)
    model = named(text=Bert(vocab=50, hidden=24, layers=2, heads=4, intermediate=56, positions=16)).double()
    fill(model, 130)
    mask = length_mask((11, 6, 2), 11)
    ids = 1 + make_ids(130, "ids", 49, 3, 11)
    ids[mask == 0] = 0
    pooled = pool(model.text(ids, mask), mask, how)
    (pooled * make_input(130, "cotangent", *pooled.shape)).sum().backward()
    case.add("pooled", pooled)
    case.add_gradients(model)
    case.save()
