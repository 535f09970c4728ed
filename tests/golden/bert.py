# SPDX-License-Identifier: Apache-2.0
"""BERT of two layers (last4: five), three texts of different length, each pooling: embeddings, every gradient."""
from golden import Case, fill, make_ids, make_input
from torch_models import Bert, bert_pool, length_mask, named

for how in ("cls", "mean", "last4", "pooler"):
    case = Case("bert_" + how, 130, 24 if how in ("cls", "mean") else 8)
    model = named(text=Bert(vocab=50, hidden=24, layers=5 if how == "last4" else 2, heads=4, intermediate=56,
                            positions=16, pooler=how == "pooler")).double()
    fill(model, 130)
    mask = length_mask((11, 6, 2), 11)
    ids = 1 + make_ids(130, "ids", 49, 3, 11)
    ids[mask == 0] = 0
    pooled = bert_pool(model.text, ids, mask, how)
    (pooled * make_input(130, "cotangent", *pooled.shape)).sum().backward()
    case.add("pooled", pooled)
    case.add_gradients(model)
    case.save()
