# SPDX-License-Identifier: Apache-2.0
"""The [ct-clip] way from HU to the network's input, with PyTorch's interpolate: ct_clip_grid.json.

Steps of CT-CLIP's inference loader (clip, array (Z, X, Y), trilinear without align_corners to int(n * (s / t)) voxels,
centre crop and pad) in our own words, in float64. Voxels come from the counter-based generator; test_imaging_resample.c
makes the same ones. /usr/bin/python3 ct_clip_grid.py
"""
import json
import os

import numpy as np
import rvl_rng
import torch
import torch.nn.functional as F

# file's sides X, Y, Z; spacing xy, z; target xy, z; grid D, H, W; window
CASES = [
    ((11, 9, 7), (0.9, 2.0), (0.75, 1.5), (8, 12, 12), (-1000, 1000)),
    ((17, 13, 12), (0.75, 1.0), (1.5, 3.0), (4, 8, 8), (-1000, 200)),
    ((8, 8, 5), (0.703125, 5.0), (0.75, 1.5), (12, 10, 6), (-1000, 1000)),
    ((10, 10, 10), (1.5, 3.0), (1.5, 3.0), (9, 11, 10), (-1000, 200)),
    ((30, 26, 21), (0.62, 0.8), (1.5, 3.0), (6, 12, 10), (-1000, 200)),
]


def centred(t, sides):
    for axis, side in enumerate(sides):
        n = t.shape[axis]
        start = max((n - side) // 2, 0)
        t = t.narrow(axis, start, min(side, n))
        before = (side - t.shape[axis]) // 2
        after = side - t.shape[axis] - before
        pad = [0, 0] * (2 - axis) + [before, after] + [0, 0] * axis
        t = F.pad(t, pad, value=-1)
    return t


cases = []
for i, ((nx, ny, nz), (xy, z), (to_xy, to_z), grid, (low, high)) in enumerate(CASES):
    hu = np.floor(rvl_rng.uniform(29, i, 0, nx * ny * nz) * 2600) - 1100
    file_array = hu.reshape(nz, ny, nx).transpose(2, 1, 0)  # as nibabel gives it: (X, Y, Z)
    clipped = torch.from_numpy(np.clip(file_array, low, high).transpose(2, 0, 1).copy())
    size = [int(n * (s / t)) for n, s, t in zip(clipped.shape, (z, xy, xy), (to_z, to_xy, to_xy))]
    small = F.interpolate(clipped[None, None], size=size, mode="trilinear", align_corners=False)[0, 0]
    scaled = (small - (low + high) / 2) / ((high - low) / 2)
    cases.append({"file": [nx, ny, nz], "spacing": [xy, z], "target": [to_xy, to_z], "window": [low, high], "size": size,
                  "grid": list(grid), "values": [float("%.9g" % x) for x in centred(scaled, grid).reshape(-1)]})
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "ct_clip_grid.json"), "w") as f:
    json.dump({"cases": cases}, f, separators=(",", ":"))
    f.write("\n")
