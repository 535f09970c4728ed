# SPDX-License-Identifier: Apache-2.0
"""What Pillow decodes from the colour files of the data pack's image_odd, as luma on black: image_odd.csv.

Mean, least and most of the unrounded luma, and samples at fixed places. /usr/bin/python3 image_odd.py PACK/image_odd
"""
import os
import sys

import numpy as np
from PIL import Image

FILES = ["rgb_420.jpg", "rgb_444.jpg", "cmyk.jpg", "palette8.png", "rgba8.png", "gray_alpha8.png", "gray1.png"]
POINTS = [(0, 0), (100, 37), (251, 240), (333, 402), (502, 479), (17, 460), (480, 11), (200, 200)]  # y, x

folder = sys.argv[1]
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "image_odd.csv"), "w") as out:
    out.write("path,mean,min,max," + ",".join("y%d_x%d" % p for p in POINTS) + "\n")
    for name in FILES:
        image = Image.open(os.path.join(folder, name))
        alpha = 1.0
        if "A" in image.getbands():
            alpha = np.asarray(image.getchannel("A"), dtype=np.float64) / 255
        r, g, b = np.moveaxis(np.asarray(image.convert("RGB"), dtype=np.float64), 2, 0)
        luma = (0.299 * r + 0.587 * g + 0.114 * b) * alpha
        numbers = [luma.mean(), luma.min(), luma.max()] + [luma[p] for p in POINTS]
        out.write(name + "," + ",".join("%.4f" % v for v in numbers) + "\n")
