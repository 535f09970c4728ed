# SPDX-License-Identifier: Apache-2.0
"""Pillow's antialiased BILINEAR resize of float images, kept whole, centred on zeros: preprocess_resize.json.

The source picture is a formula, the same in test_imaging_preprocess.c. /usr/bin/python3 preprocess_resize.py
"""
import json
import math
import os

import numpy as np
from PIL import Image

# source height, width -> grid height, width
SIZES = [(37, 53, 16, 16), (53, 37, 16, 24), (503, 480, 20, 20), (7, 5, 20, 20), (1, 9, 8, 8), (100, 3, 12, 12),
         (64, 64, 16, 16), (9, 9, 9, 9), (31, 200, 15, 16), (1, 1, 5, 4), (12, 13, 13, 13)]


def picture(height, width):
    y, x = np.mgrid[0:height, 0:width]
    return ((37 * y + 91 * x + 5 * y * x + (y * y + 3 * x * x) % 41) % 256).astype(np.uint8)


def side(n, scale, limit):
    return min(max(math.floor(n * scale + 0.5), 1), limit)


cases = []
for height, width, grid_height, grid_width in SIZES:
    scale = min(grid_height / height, grid_width / width)
    h, w = side(height, scale, grid_height), side(width, scale, grid_width)
    image = Image.fromarray(picture(height, width).astype(np.float32) / np.float32(255), mode="F")
    grid = np.zeros((grid_height, grid_width))
    top, left = (grid_height - h) // 2, (grid_width - w) // 2
    grid[top:top + h, left:left + w] = np.asarray(image.resize((w, h), Image.BILINEAR))
    cases.append({"source": [height, width], "grid": [grid_height, grid_width],
                  "values": [float("%.7g" % v) for v in grid.ravel()]})
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "preprocess_resize.json"), "w") as f:
    json.dump({"cases": cases}, f, separators=(",", ":"))
    f.write("\n")
