# SPDX-License-Identifier: Apache-2.0
"""Small DICOM files, whole and damaged: the corpus dicom. python3 make_dicom.py

Everything is put together here, byte by byte; only JPEG streams are Pillow's. The JPEG-LS stream is the 4 x 4 example
of ISO/IEC 14495-1 annex H.3; RLE is PackBits by hand. Not one byte comes from a patient.
"""
import io
import os
import struct
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
LONG = {b"OB", b"OW", b"OF", b"OD", b"SQ", b"UN", b"UT"}
IMPLICIT, EXPLICIT, BIG = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"


def save(name, data):
    os.makedirs(os.path.join(HERE, "corpus", "dicom"), exist_ok=True)
    with open(os.path.join(HERE, "corpus", "dicom", name), "wb") as f:
        f.write(data)


def element(tag, vr, value, syntax=EXPLICIT, length=None):
    e = ">" if syntax == BIG else "<"
    if isinstance(value, str):
        value = value.encode()
    if len(value) % 2 and length is None:
        value += b"\0" if vr in ("UI", "OB") else b" "
    n = len(value) if length is None else length
    head = struct.pack(e + "HH", tag >> 16, tag & 0xFFFF)
    if syntax == IMPLICIT:
        return head + struct.pack(e + "I", n) + value
    vr = vr.encode()
    if vr in LONG:
        return head + vr + b"\0\0" + struct.pack(e + "I", n) + value
    return head + vr + struct.pack(e + "H", n) + value


def u16(syntax, *values):
    return struct.pack((">" if syntax == BIG else "<") + "%dH" % len(values), *values)


def meta(syntax):
    body = element(0x00020001, "OB", b"\0\1") + element(0x00020010, "UI", syntax)
    return b"\0" * 128 + b"DICM" + element(0x00020000, "UL", struct.pack("<I", len(body))) + body


def image(syntax, parse, rows, columns, pixels, bits=16, stored=None, sign=0, samples=1, kind="MONOCHROME2", extra=(),
          frames=None, vr="OW"):
    s = parse
    stored = stored or bits
    parts = {
        0x00080016: ("UI", "1.2.840.10008.5.1.4.1.1.7"), 0x00080060: ("CS", "OT"), 0x00280002: ("US", u16(s, samples)),
        0x00280004: ("CS", kind), 0x00280010: ("US", u16(s, rows)), 0x00280011: ("US", u16(s, columns)),
        0x00280100: ("US", u16(s, bits)), 0x00280101: ("US", u16(s, stored)), 0x00280102: ("US", u16(s, stored - 1)),
        0x00280103: ("US", u16(s, sign)),
    }
    if frames:
        parts[0x00280008] = ("IS", str(frames))
    parts.update(dict(extra))
    data = b"".join(element(t, *parts[t], syntax=s) for t in sorted(parts))
    if isinstance(pixels, list):  # encapsulated: the offset table is empty
        data += element(0x7FE00010, "OB", b"", length=0xFFFFFFFF) + element(0xFFFEE000, "", b"", IMPLICIT)
        for p in pixels:
            data += element(0xFFFEE000, "", p + b"\0" * (len(p) % 2), IMPLICIT)
        data += element(0xFFFEE0DD, "", b"", IMPLICIT)
    elif pixels is not None:
        data += element(0x7FE00010, vr, pixels, s)
    return meta(syntax), data


def words(e="<"):
    return struct.pack(e + "6H", 0, 1, 2, 300, 4095, 65535)


def jpeg(mode):
    from PIL import Image
    buf = io.BytesIO()
    Image.new(mode, (8, 8), 77 if mode == "L" else (10, 90, 200)).save(buf, "JPEG", quality=90)
    return buf.getvalue()


def j2k():
    from PIL import Image
    buf = io.BytesIO()
    im = Image.new("L", (8, 8))
    im.putdata(list(range(64)))
    im.save(buf, "JPEG2000", no_jp2=True)
    return buf.getvalue()


def rle(*segments):
    offsets, at = [], 64
    for s in segments:
        offsets.append(at)
        at += len(s)
    return struct.pack("<16I", len(segments), *(offsets + [0] * (15 - len(offsets)))) + b"".join(segments)


def sequence(tag, depth, syntax=EXPLICIT):
    data = b""
    for _ in range(depth):
        item = element(0xFFFEE000, "", data, IMPLICIT, length=None)
        data = element(tag, "SQ", item, syntax)
    return data


def main():
    whole = {}
    whole["explicit16"] = image(EXPLICIT, EXPLICIT, 2, 3, words())
    whole["implicit16"] = image(IMPLICIT, IMPLICIT, 2, 3, words())
    whole["big16"] = image(BIG, BIG, 2, 3, words(">"))
    whole["big32"] = image(BIG, BIG, 1, 2, struct.pack(">2I", 1, 0x01020304), bits=32)
    whole["signed12"] = image(EXPLICIT, EXPLICIT, 1, 4, struct.pack("<4h", -2048, -1, 0, 2047), stored=12, sign=1,
                              extra={0x00281052: ("DS", "-1024"), 0x00281053: ("DS", "2"),
                                     0x00280120: ("SS", struct.pack("<h", -2048)), 0x00080060: ("CS", "CT")}.items())
    whole["bits1"] = image(EXPLICIT, EXPLICIT, 3, 5, bytes([0b10110101, 0b01010010]), bits=1, vr="OB")
    whole["rgb8_planar"] = image(EXPLICIT, EXPLICIT, 1, 2, bytes(range(6)), bits=8, samples=3, kind="RGB", vr="OB",
                                 extra={0x00280006: ("US", u16(EXPLICIT, 1))}.items())
    whole["ybr422"] = image(EXPLICIT, EXPLICIT, 1, 2, bytes([50, 60, 128, 129]), bits=8, samples=3,
                            kind="YBR_FULL_422", vr="OB")
    whole["mono1_window"] = image(EXPLICIT, EXPLICIT, 1, 4, bytes([0, 10, 100, 255]), bits=8, kind="MONOCHROME1", vr="OB",
                                  extra={0x00080060: ("CS", "DX"), 0x00281050: ("DS", "100"),
                                         0x00281051: ("DS", "50"), 0x00185101: ("CS", "PA")}.items())
    lut = (element(0x00283002, "US", u16(EXPLICIT, 4, 1, 8)) + element(0x00283003, "LO", "made up") +
           element(0x00283006, "US", u16(EXPLICIT, 9, 8, 7, 200)))
    item = element(0xFFFEE000, "", lut, IMPLICIT)
    whole["modality_lut"] = image(EXPLICIT, EXPLICIT, 1, 4, bytes([0, 1, 2, 9]), bits=8, vr="OB",
                                  extra={0x00283000: ("SQ", item)}.items())
    whole["voi_lut"] = image(EXPLICIT, EXPLICIT, 1, 4, bytes([0, 1, 2, 9]), bits=8, vr="OB",
                             extra={0x00283010: ("SQ", item)}.items())
    palette = {0x00281201 + c: ("OW", u16(EXPLICIT, 10 + c, 20, 30, 250)) for c in range(3)}
    palette.update({0x00281101 + c: ("US", u16(EXPLICIT, 4, 0, 16)) for c in range(3)})
    whole["palette"] = image(EXPLICIT, EXPLICIT, 1, 4, bytes([3, 2, 1, 0]), bits=8, kind="PALETTE COLOR", vr="OB",
                             extra=palette.items())
    head, body = image("1.2.840.10008.1.2.1.99", EXPLICIT, 2, 3, words())
    z = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = z.compress(body) + z.flush()
    whole["deflated"] = (head, packed)
    whole["rle16"] = image("1.2.840.10008.1.2.5", EXPLICIT, 2, 3,
                           [rle(bytes([2, 0, 0, 0, 2, 1, 15, 255, 0]), bytes([255, 7, 3, 1, 2, 3, 4]))])
    whole["rle8_2frames"] = image("1.2.840.10008.1.2.5", EXPLICIT, 1, 4, [rle(bytes([253, 9])), rle(bytes([3, 1, 2, 3, 4]))],
                                  bits=8, frames=2)
    whole["jpeg_gray"] = image("1.2.840.10008.1.2.4.50", EXPLICIT, 8, 8, [jpeg("L")], bits=8)
    whole["jpeg_ybr"] = image("1.2.840.10008.1.2.4.50", EXPLICIT, 8, 8, [jpeg("RGB")], bits=8, samples=3,
                              kind="YBR_FULL_422", extra={0x00280006: ("US", u16(EXPLICIT, 0))}.items())
    j = jpeg("L")
    whole["jpeg_two_fragments"] = image("1.2.840.10008.1.2.4.50", EXPLICIT, 8, 8, [j[:100], j[100:]], bits=8)
    whole["jpeg_larger"] = image("1.2.840.10008.1.2.4.50", EXPLICIT, 16, 8, [j], bits=8)
    whole["j2k"] = image("1.2.840.10008.1.2.4.90", EXPLICIT, 8, 8, [j2k()], bits=8)
    whole["j2k_cut"] = image("1.2.840.10008.1.2.4.90", EXPLICIT, 8, 8, [j2k()[:90]], bits=8)
    whole["deflated_frame"] = image("1.2.840.10008.1.2.8.1", EXPLICIT, 1, 4,
                                    [zlib.compress(bytes([5, 6, 7, 8]))[2:-4]], bits=8)
    jls = bytes.fromhex("ffd8fff7000b08000400040101 1100ffda0008010100000000"
                        "c000006c80208e01c00000574000006ee6000001bc18000005d800009160ffd9")
    whole["jls"] = image("1.2.840.10008.1.2.4.80", EXPLICIT, 4, 4, [jls], bits=8)
    whole["charset_ir87"] = image(EXPLICIT, EXPLICIT, 1, 1, None, extra={
        0x00080005: ("CS", "\\ISO 2022 IR 87"),
        0x00100010: ("PN", b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B")}.items())
    whole["charset_reset"] = image(EXPLICIT, EXPLICIT, 1, 1, None, extra={  # after the delimiter the first set counts
        0x00080005: ("CS", "\\ISO 2022 IR 126"), 0x00100010: ("PN", b"\x1b-F\xc4\xe9^\xef\xed")}.items())
    whole["no_pixels"] = image(EXPLICIT, EXPLICIT, 1, 1, None)
    whole["float"] = image(EXPLICIT, EXPLICIT, 1, 2, None, bits=32,
                           extra={0x7FE00008: ("OF", struct.pack("<2f", 0.5, -3))}.items())
    whole["enhanced"] = image(EXPLICIT, EXPLICIT, 1, 1, struct.pack("<2h", 1, 2), frames=2, sign=1, extra={
        0x52009230: ("SQ", b"".join(
            element(0xFFFEE000, "", element(0x00209113, "SQ", element(
                0xFFFEE000, "", element(0x00200032, "DS", "0\\0\\%d" % z), IMPLICIT)), IMPLICIT) for z in (0, 5)))}.items())
    whole["mammogram"] = image(EXPLICIT, EXPLICIT, 2, 2, struct.pack("<4H", 100, 0, 3000, 4095), stored=12, extra={
        0x00080060: ("CS", "MG"), 0x00100010: ("PN", "PLANTED^NAME"), 0x00100020: ("LO", "PLANTED-7"),
        0x00180015: ("CS", "BREAST"), 0x00185101: ("CS", "MLO"), 0x0020000D: ("UI", "1.2.3.999999.1"),
        0x00200062: ("CS", "L"), 0x00280120: ("US", u16(EXPLICIT, 0))}.items())
    for name, (head, body) in whole.items():
        save(name, head + body)
    head, body = whole["explicit16"]
    save("tiff_preamble", b"II*\0" + (head + body)[4:])
    save("no_preamble", head[132:] + body)
    save("no_meta", body)
    save("no_meta_implicit", whole["implicit16"][1])
    save("no_meta_big", whole["big16"][1])
    save("cut", (head + body)[:-3])
    save("meta_only", head)
    save("preamble_only", head[:132])
    save("unknown_syntax", meta("1.2.3.4") + body)
    save("frames_many", b"".join(image(EXPLICIT, EXPLICIT, 2, 3, words(), frames=2000000000)))
    save("frames_text", b"".join(image(EXPLICIT, EXPLICIT, 2, 3, words(), extra={0x00280008: ("IS", "1A")}.items())))
    save("rows_many", b"".join(image(EXPLICIT, EXPLICIT, 65535, 65535, words())))
    save("bits_12_of_8", b"".join(image(EXPLICIT, EXPLICIT, 2, 3, words(), bits=8, stored=12)))
    save("element_4gib", head + element(0x00104000, "UT", b"abcd", length=0xFFFFFFF0) + body)
    # found by fuzz_npy, which tries every format: a VR of no standard, whose length DCMTK reads from 32 bits
    save("future_vr", bytes.fromhex("08000000444b000000e3e3e3ffff"))
    # found by fuzz_dicom_series: a VR that only DCMTK knows, likewise
    save("dcmtk_vr", head + bytes.fromhex("280004007078000000e3e3e3ffff"))
    # found the same way: a value that looks like a sequence, with an element that reaches past it
    save("item_overrun", bytes.fromhex(
        "02004449434d0000000000002700000000000040404040400200ffffffffffff000000000000000000000a934e554d00a2010076007b0800"
        "0000554e000000feff00e00200000065000000df0000000000246861ffe8e8e8e8e8e8e8e8e8e8e8e8e8e9e9e9e9e9e9e9e9e9e9e9e9e9e9"
        "e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9e9"
        "e9e9e9e9e8e8e8e8e8e8e8e8e8e8e8e8e8e8e8e8e8e8e8e8e8e8e8e8e8e8e8e8e8e8e8e8e8e8e8e8e8e8e8e8e8e8e8e8e8e8e8e8e8e8e8e8"
        "e8e8e8e8e8e8e8e8e8e8e8e8e8e8e8e8e8e8e8e8e8e8e8e8e800971e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e1e2b2b2b2b"
        "2b2b2b2b2b2b2b2b2b2b2b2b2bd32b2b2bd72b002b080000444b0000e3"))
    # and a delimiter across the end of such a value, so that the walk and DCMTK went on at different places
    save("delimiter_overrun", bytes.fromhex(
        "080008001b000000feff00e0ffffffffffffff4000000000feffdde0ff000000feffdde0ff000000feffdde0ff5033553affdde000000000"
        "0000000000000000ffffff"))
    save("nested_40", head + sequence(0x00081140, 40) + body)
    save("nested_undefined", head + b"".join(
        element(0x00081140, "SQ", b"", length=0xFFFFFFFF) + element(0xFFFEE000, "", b"", IMPLICIT, length=0xFFFFFFFF)
        for _ in range(40)) + body)
    save("rle_segments", b"".join(image("1.2.840.10008.1.2.5", EXPLICIT, 2, 3, [rle(b"\1\1\1")])))
    save("fragments_too_few", b"".join(image("1.2.840.10008.1.2.5", EXPLICIT, 1, 4, [rle(bytes([253, 9]))], bits=8,
                                             frames=2)))
    save("slope_without_intercept", b"".join(image(EXPLICIT, EXPLICIT, 2, 3, words(),
                                                   extra={0x00281053: ("DS", "1")}.items())))
    z = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = z.compress(element(0x00104000, "UT", b"a" * (8 << 20))) + z.flush()
    save("deflated_bomb", meta("1.2.840.10008.1.2.1.99") + bomb)


main()
