# SPDX-License-Identifier: Apache-2.0
"""What the golden scripts share: weights and inputs from the counter-based generator, and the file of outputs.

Weights and inputs are functions of (seed, name), the same here and in golden.h, so only outputs are stored. A large
output is stored as its norm, its dot product with a random vector (which any wrong element moves) and samples. All is
computed in float64 from float32 weights and inputs: what is stored is the exact value as far as float32 can tell.

Run with Debian's PyTorch: apt-get install python3-torch libopenblas0-pthread python3-xxhash; /usr/bin/python3 CASE.py
"""
import json
import os
import re

import numpy as np
import rvl_rng
import torch

torch.set_num_threads(2)


def uniform(seed, name, n):
    return rvl_rng.uniform(seed, rvl_rng.rvl_rng_name(name), 0, n)


def normal(seed, name, n):
    return rvl_rng.normal(seed, rvl_rng.rvl_rng_name(name), 0, n)


def to_torch(values, shape):
    return torch.from_numpy(np.asarray(values).astype(np.float32).astype(np.float64)).reshape(shape)


def make_input(seed, name, *shape):
    return to_torch(normal(seed, "input:" + name, int(np.prod(shape))), shape)


def make_ids(seed, name, n_ids, *shape):
    u = uniform(seed, "input:" + name, int(np.prod(shape)))
    return torch.from_numpy(np.floor(u * n_ids).astype(np.int64)).reshape(shape)


def fill(module, seed):
    """Weights and statistics by name; golden_fill in golden.h is the same rule."""
    with torch.no_grad():
        for name, t in module.state_dict().items():
            if name.endswith("num_batches_tracked"):
                continue
            z = normal(seed, name, t.numel())
            if name == "logit_scale":
                v = np.full(1, 2.0)
            elif name.endswith("running_var"):
                v = 1.0 + 0.1 * np.abs(z)
            elif t.dim() >= 2:
                v = z * np.sqrt(2.0 / (t.numel() // t.shape[0]))
            elif name.endswith("weight"):
                v = 1.0 + 0.1 * z
            else:
                v = 0.1 * z
            t.copy_(to_torch(v, t.shape))


class Case:
    def __init__(self, name, seed, max_samples=256):
        self.name, self.seed, self.max_samples, self.values = name, seed, max_samples, {}

    def add(self, name, t):
        v = t.detach().double().reshape(-1).numpy()
        stride = -(-v.size // self.max_samples)
        self.values[name] = {"count": int(v.size), "norm": float(np.linalg.norm(v)), "max": float(np.abs(v).max()),
                             "dot": float(np.dot(v, normal(self.seed, "dot:" + name, v.size))), "stride": stride,
                             "samples": [float("%.10g" % x) for x in v[::stride]]}

    def add_gradients(self, module, prefix=""):
        for name, p in module.named_parameters():
            self.add("grad:" + prefix + name, p.grad)

    def add_state(self, module):
        for name, b in module.named_buffers():
            if not name.endswith("num_batches_tracked"):
                self.add("state:" + name, b)

    def save(self):
        path = os.path.join(os.path.dirname(os.path.abspath(__file__)), self.name + ".json")
        rows = ",\n".join('    %s: %s' % (json.dumps(k), json.dumps(v)) for k, v in self.values.items())
        with open(path, "w") as f:
            f.write('{\n  "case": "%s", "torch": "%s", "seed": %d, "dtype": "float64",\n  "values": {\n%s\n  }\n}\n'
                    % (self.name, re.split(r"[a+]", torch.__version__)[0], self.seed, rows))
        print(path, os.path.getsize(path), "bytes")
        assert os.path.getsize(path) < 256 * 1024
