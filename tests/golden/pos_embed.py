# SPDX-License-Identifier: Apache-2.0
"""Learned positions of a vision transformer on other grids, as timm's resample_abs_pos_embed makes them: the class token
is copied, the grid goes through torch's antialiased bicubic interpolate."""
import torch
import torch.nn.functional as F
from golden import Case, make_input

SEED, HIDDEN = 141, 5
GRIDS = {"smaller": ((7, 9), (3, 4)), "larger": ((4, 6), (9, 8)), "mixed": ((8, 3), (5, 7)), "one": ((2, 2), (1, 5))}

case = Case("pos_embed", SEED, 64)
for name, (old, new) in GRIDS.items():
    positions = make_input(SEED, name, 1, 1 + old[0] * old[1], HIDDEN)
    grid = positions[:, 1:].reshape(1, *old, HIDDEN).permute(0, 3, 1, 2)
    grid = F.interpolate(grid, size=new, mode="bicubic", antialias=True)
    case.add(name, torch.cat((positions[:, :1], grid.permute(0, 2, 3, 1).reshape(1, -1, HIDDEN)), 1))
case.save()
