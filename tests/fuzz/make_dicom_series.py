# SPDX-License-Identifier: Apache-2.0
"""Small sets of slices for fuzz_dicom_series: the corpus dicom_series. python3 make_dicom_series.py

The layout of a slice stands in fuzz_dicom_series.c (slice_of); whole files are those of the corpus dicom.
"""
import os
import struct

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(HERE, "corpus", "dicom_series")


def save(name, data):
    os.makedirs(OUT, exist_ok=True)
    with open(os.path.join(OUT, name), "wb") as f:
        f.write(data)


def piece(x=0.0, y=0.0, z=0.0, flags=0x40, series=0, time=0, row=0, column=1, step=0, thickness=0, rows=0, pixels=1,
          number=0, keys=()):
    head = struct.pack("<BBhhh", flags, series | time << 1, *[round(v * 64) for v in (x, y, z)])
    keys = list(keys) + [0] * (9 - len(keys))
    return head + bytes([row, column, step, thickness, rows, pixels, number]) + bytes(keys)


def stack(n, step=1.0, pixels=1, **k):
    return [piece(z=i * step + k.get("z", 0), pixels=pixels + i, **{a: b for a, b in k.items() if a != "z"}) for i in range(n)]


def slices(name, items, options=0):
    save(name, bytes([options]) + b"".join(items))


def files(name, *names, options=1):
    data = bytes([options])
    for n in names:
        with open(os.path.join(HERE, "corpus", "dicom", n), "rb") as f:
            body = f.read()
        data += struct.pack("<H", len(body)) + body
    save(name, data)


def main():
    slices("even", stack(6))
    slices("shuffled", stack(6)[::-1] + stack(3, series=1))
    gap = stack(6)
    del gap[3]
    slices("gap", gap)
    slices("gap_filled", gap, 8)
    slices("varying", [piece(z=z) for z in (0, 1, 2, 3, 4.5, 6)], 8)
    slices("duplicates", stack(5) + stack(5)[1:3])
    slices("conflict", stack(5) + stack(5, pixels=40)[1:3])
    for k, name in enumerate(("stack", "temporal", "acquisition", "echo", "diffusion", "phase", "thickness", "kernel", "type")):
        slices("by_" + name, stack(4, keys=[0] * k + [1]) + stack(4, pixels=40, keys=[0] * k + [2]))
    slices("by_time", stack(4, time=1) + stack(4, pixels=40, time=2))
    slices("by_two_keys", [p for a in (1, 2) for b in (1, 2) for p in stack(3, pixels=40 * a + 9 * b, keys=[0, a, 0, b])])
    slices("overlapping", stack(4, 3, keys=[0, 0, 1]) + stack(4, 3, z=1.25, pixels=40, keys=[0, 0, 2]))
    for i, name in enumerate(("refuse", "keep", "correct")):
        slices("tilt_" + name, [piece(y=0.25 * i, z=i, pixels=i) for i in range(5)], 2 * i)
    slices("tilt_gap", [piece(y=0.25 * i, z=i, pixels=i) for i in (0, 1, 2, 4, 5)], 12)
    slices("shifted", stack(3) + [piece(x=4, z=3)] + [piece(z=4)])
    slices("mixed", stack(3) + [piece(row=2, column=1), piece(rows=1), piece(step=9), piece(flags=0x60), piece(flags=0x50),
                                piece(flags=0)])
    slices("oblique", [piece(x=-0.6 * i, y=0.8 * i, row=3, column=2, pixels=i) for i in range(4)])
    slices("no_place", [piece(flags=0x02), piece(flags=0x03), piece(flags=0x03), piece(flags=0x06), piece(flags=0x0e)])
    slices("copies", [piece(flags=2, pixels=9), piece(flags=2, pixels=9)])
    slices("unreadable", [piece(pixels=255), piece(pixels=254)])
    files("files", "explicit16", "implicit16", "signed12", "mammogram", "no_pixels")
    files("files_frames", "enhanced", "rle8_2frames", "big16", "explicit16", options=15)
    files("files_damaged", "cut", "frames_many", "rows_many", "slope_without_intercept", "nested_40")


main()
