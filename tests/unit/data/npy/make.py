# SPDX-License-Identifier: Apache-2.0
"""The arrays of test_imaging_npy.c, written by NumPy (1.24). /usr/bin/python3 make.py, in this folder."""
import io
import warnings
import zipfile

import numpy as np
from numpy.lib import format as npy

warnings.simplefilter("ignore")
VALUES = {  # element (r, c) of a 2 x 3 array
    "f2": [[0, 1, -2], [0.5, 65504, 6e-8]], "f4": [[0, 1, -2], [0.5, 3.25e38, 1e-40]],
    "f8": [[0, 1, -2], [0.5, 1e300, -1e-300]], "i1": [[0, 1, -2], [3, 127, -128]], "i2": [[0, 1, -2], [3, 32767, -32768]],
    "i4": [[0, 1, -2], [3, 2**31 - 1, -2**31]], "i8": [[0, 1, -2], [3, 2**53, -2**53]], "u1": [[0, 1, 2], [3, 4, 255]],
    "u2": [[0, 1, 2], [3, 4, 65535]], "u4": [[0, 1, 2], [3, 4, 2**32 - 1]], "u8": [[0, 1, 2], [3, 4, 2**63]],
    "b1": [[False, True, False], [True, True, False]]}


def write(name, array, version=None):
    with open(name, "wb") as f:
        npy.write_array(f, array, version=version)


for dtype, values in VALUES.items():
    write("little_%s.npy" % dtype, np.array(values, dtype="<" + dtype))
for dtype in ("f2", "f4", "f8", "i2", "i4", "u2", "u8"):
    write("big_%s.npy" % dtype, np.array(VALUES[dtype], dtype=">" + dtype))
count = np.arange(2 * 3 * 4).reshape(2, 3, 4)
write("fortran_i4.npy", np.asfortranarray(count.astype("<i4")))
write("fortran_big_u2.npy", np.asfortranarray(count.astype(">u2")))
write("version1.npy", count.astype("<u1"), (1, 0))
write("version2.npy", count.astype("<u1"), (2, 0))
write("version3.npy", count.astype("<u1"), (3, 0))
write("scalar.npy", np.float32(7.5).reshape(()))
write("empty.npy", np.zeros((0, 5), np.float32))
write("dims8.npy", np.arange(2, dtype=np.uint8).reshape(1, 1, 1, 2, 1, 1, 1, 1))
write("dims9.npy", np.zeros((1,) * 9, np.uint8))
write("specials_f4.npy", np.array([np.nan, np.inf, -np.inf, -0.0], np.float32))
write("specials_f2.npy", np.array([np.nan, np.inf, -np.inf, -0.0], np.float16))
for name, array in (("object", np.array([{"a": 1}, None], dtype=object)), ("complex", np.zeros(2, np.complex64)),
                    ("text", np.array(["ab", "c"])), ("bytes", np.array([b"ab", b"c"])),
                    ("date", np.array(["2020-01-01"], dtype="M8[D]")),
                    ("record", np.zeros(2, dtype=[("a", "<f4"), ("b", "<i2")]))):
    write("refused_%s.npy" % name, array)

arrays = {"images": np.arange(2 * 4 * 5, dtype=np.uint8).reshape(2, 4, 5), "labels": np.array([0, 1], np.int64)}
np.savez("stored.npz", **arrays)
np.savez_compressed("deflated.npz", **arrays)
buffer = io.BytesIO()
npy.write_array(buffer, arrays["images"])
for name, method in (("stored_bad_crc.npz", zipfile.ZIP_STORED), ("deflated_bad_crc.npz", zipfile.ZIP_DEFLATED)):
    data = buffer.getvalue()
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", method) as z:
        z.writestr(zipfile.ZipInfo("images.npy", (2020, 1, 1, 0, 0, 0)), data, compress_type=method)
    blob = bytearray(whole.getvalue())
    with zipfile.ZipFile(io.BytesIO(bytes(blob))) as z:
        crc = z.getinfo("images.npy").CRC.to_bytes(4, "little")
    assert blob.count(crc) == 2  # local header and directory: both say the same wrong sum
    blob = blob.replace(crc, bytes([crc[0] ^ 1]) + crc[1:])
    with open(name, "wb") as f:
        f.write(blob)

# Latents as CT-CLIP saves them, (n, 1, e): alone, and beside another array. Read by tests/cli/t8200-bench-protocols.sh.
latents = np.array([[1, 0], [0.9, 0.1], [0, 1], [0.1, 0.9]], np.float32)[:, None, :]
np.savez("latents.npz", data=latents)
np.savez("latents_two.npz", data=latents, other=np.zeros(1, np.float32))
