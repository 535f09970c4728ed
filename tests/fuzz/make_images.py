# SPDX-License-Identifier: Apache-2.0
"""Small pictures and arrays, whole and damaged: the corpora png, jpeg and npy. /usr/bin/python3 make_images.py

PNG files are put together here (Pillow writes few kinds); their pixels are also in test_imaging_raster.c. JPEG files
are Pillow's, npy files NumPy's.
"""
import io
import os
import struct
import zlib

import numpy as np
from PIL import Image
from numpy.lib import format as npy

HERE = os.path.dirname(os.path.abspath(__file__))


def save(folder, name, data):
    os.makedirs(os.path.join(HERE, "corpus", folder), exist_ok=True)
    with open(os.path.join(HERE, "corpus", folder, name), "wb") as f:
        f.write(data)


def chunk(name, data, crc_flip=0):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data) ^ crc_flip)


def png(width, height, bits, colour, rows, extra=b"", interlace=0, tail=chunk(b"IEND", b"")):
    """rows: packed bytes of each line, without the filter byte."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, interlace)
    data = zlib.compress(b"".join(b"\0" + r for r in rows), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + chunk(b"IDAT", data) + tail


def be16(*values):
    return struct.pack(">%dH" % len(values), *values)


whole = png(2, 2, 8, 0, [bytes([0, 100]), bytes([200, 255])])
save("png", "gray8", whole)
save("png", "gray16", png(2, 2, 16, 0, [be16(0, 258), be16(40000, 65535)]))
save("png", "gray1", png(3, 2, 1, 0, [b"\xa0", b"\x40"]))  # 1 0 1 / 0 1 0
save("png", "gray2", png(4, 1, 2, 0, [b"\x1b"]))  # 0 1 2 3
save("png", "gray4", png(4, 1, 4, 0, [b"\x01\xef"]))  # 0 1 14 15
save("png", "rgb8", png(3, 1, 8, 2, [bytes([255, 0, 0, 0, 255, 0, 10, 20, 30])]))
save("png", "rgb16", png(2, 1, 16, 2, [be16(65535, 0, 0, 1000, 2000, 3000)]))
save("png", "rgba8", png(4, 1, 8, 6, [bytes([255, 0, 0, 255, 0, 255, 0, 128, 9, 9, 255, 0, 10, 20, 30, 255])]))
save("png", "rgba16", png(2, 1, 16, 6, [be16(65535, 65535, 65535, 32768, 40000, 40000, 40000, 0)]))
save("png", "gray_alpha8", png(4, 1, 8, 4, [bytes([200, 255, 200, 51, 200, 0, 203, 51])]))
save("png", "gray_alpha16", png(2, 1, 16, 4, [be16(60000, 65535, 60000, 13107)]))
plte = chunk(b"PLTE", bytes([0, 0, 0, 255, 0, 0, 10, 20, 30, 255, 255, 255]))
save("png", "palette2", png(4, 1, 2, 3, [b"\x1b"], plte))
save("png", "palette8_alpha", png(4, 1, 8, 3, [bytes([0, 1, 2, 3])], plte + chunk(b"tRNS", bytes([255, 0, 255, 51]))))
save("png", "palette8_outside", png(2, 1, 8, 3, [bytes([3, 4])], plte))
save("png", "palette_missing", png(2, 1, 8, 3, [bytes([0, 1])]))
save("png", "gray8_key", png(3, 1, 8, 0, [bytes([7, 8, 9])], chunk(b"tRNS", be16(8))))
save("png", "interlaced", png(3, 3, 8, 0, [bytes([1]), bytes([3]), bytes([7, 9]), bytes([2]), bytes([8]),
                                           bytes([4, 5, 6])], interlace=1))
save("png", "text_and_gamma", png(2, 1, 8, 0, [bytes([5, 6])], chunk(b"gAMA", struct.pack(">I", 45455)) +
                                  chunk(b"tEXt", b"Comment\0hello") + chunk(b"sBIT", b"\x08")))
save("png", "text_bad_crc", png(2, 1, 8, 0, [bytes([5, 6])], chunk(b"tEXt", b"Comment\0hello", 1)))
save("png", "no_end", png(2, 2, 8, 0, [bytes([0, 100]), bytes([200, 255])], tail=b""))
save("png", "row_missing", png(2, 3, 8, 0, [bytes([0, 100]), bytes([200, 255])]))
save("png", "behind_end", whole + b"more")
save("png", "giant", png(2**31 - 1, 2**31 - 1, 8, 0, [b"\0"]))
save("png", "large_lie", png(15000, 15000, 16, 6, [b"\0"]))
save("png", "no_pixels", png(0, 2, 8, 0, [b"", b""]))
save("png", "bits_7", png(2, 2, 7, 0, [b"\0\0", b"\0\0"]))
save("png", "cut", whole[:45])
save("png", "signature", whole[:8])

y, x = np.mgrid[0:19, 0:23]
gray = ((7 * y + 11 * x) % 256).astype(np.uint8)
colour = np.stack([gray, gray[::-1], 255 - gray], axis=2)


def jpeg(array, mode, **options):
    f = io.BytesIO()
    Image.fromarray(array, mode=mode).save(f, "JPEG", quality=90, **options)
    return f.getvalue()


whole = jpeg(gray, "L")
save("jpeg", "gray", whole)
save("jpeg", "gray_progressive", jpeg(gray, "L", progressive=True))
save("jpeg", "rgb_420", jpeg(colour, "RGB", subsampling=2))
save("jpeg", "rgb_444", jpeg(colour, "RGB", subsampling=0))
save("jpeg", "cmyk", jpeg(np.concatenate([colour, gray[:, :, None]], axis=2), "CMYK"))
save("jpeg", "one_pixel", jpeg(gray[:1, 1:2], "L"))
save("jpeg", "cut", whole[:len(whole) * 3 // 4])
at = whole.index(b"\xff\xc0") + 5
save("jpeg", "large_lie", whole[:at] + struct.pack(">HH", 60000, 60000) + whole[at + 4:])
save("jpeg", "precision_12", whole[:at - 1] + b"\x0c" + whole[at:])
save("jpeg", "no_pixels", whole[:at] + struct.pack(">HH", 0, 23) + whole[at + 4:])
save("jpeg", "soi", whole[:3])


def array(values, version=(1, 0)):
    f = io.BytesIO()
    npy.write_array(f, values, version=version)
    return f.getvalue()


def header(text, data=b"\0\0\0\0"):
    return b"\x93NUMPY\x01\0" + struct.pack("<H", len(text)) + text + data


save("npy", "u1", array(gray[:3, :4]))
save("npy", "f4_big", array(gray[:3, :4].astype(">f4")))
save("npy", "f2", array(gray[:2, :2].astype("<f2")))
save("npy", "fortran", array(np.asfortranarray(gray[:3, :4].astype("<i4"))))
save("npy", "version3", array(gray[:3, :4], (3, 0)))
save("npy", "scalar", array(np.float64(1.5).reshape(())))
save("npy", "empty", array(np.zeros((3, 0), np.uint8)))
save("npy", "bool", array(gray[:3, :4] > 20))
save("npy", "bool_2", array(gray[:3, :4] > 20)[:-1] + b"\x02")
save("npy", "cut", array(gray[:3, :4])[:-1])
save("npy", "object", array(np.array([None], dtype=object)))
save("npy", "shape_overflow", header(b"{'descr': '|u1', 'fortran_order': False, 'shape': (99999999999, 99999999)}"))
save("npy", "shape_wraps", header(b"{'descr': '<f8', 'fortran_order': True, 'shape': (8589934592, 8589934592, 4)}"))
save("npy", "key_twice", header(b"{'shape': (4,), 'shape': (4,), 'descr': '|u1', 'fortran_order': False}"))
save("npy", "key_missing", header(b"{'descr': '|u1', 'shape': (4,)}"))
save("npy", "not_closed", header(b"{'descr': '|u1', 'fortran_order': False, 'shape': (4,"))
save("npy", "length_past_end", b"\x93NUMPY\x02\0\xff\xff\xff\xff{}")
save("npy", "version9", b"\x93NUMPY\x09\0\x02\0{}  ")
