# SPDX-License-Identifier: Apache-2.0
"""Small weight files, whole and damaged: the corpora pickle, torch_zip, torch_old, weight_index. python3 make_weights.py

Pickles are put together from opcodes (Lib/pickletools.py of Python), archives by zipfile; PyTorch is not used.
"""
import io
import os
import struct
import zipfile
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))


def save(folder, name, data):
    os.makedirs(os.path.join(HERE, "corpus", folder), exist_ok=True)
    with open(os.path.join(HERE, "corpus", folder, name), "wb") as f:
        f.write(data)


def text(s):
    return b"X" + struct.pack("<I", len(s.encode())) + s.encode()


def integer(i):
    return b"K" + bytes([i]) if 0 <= i < 256 else b"\x8a\x08" + struct.pack("<q", i)


def tuple_(*parts):
    return b"(" + b"".join(parts) + b"t"


def glob(module, name):
    return b"c%s\n%s\n" % (module.encode(), name.encode())


ORDERED = glob("collections", "OrderedDict") + b")R"


def storage(kind, key, count, *more):
    return tuple_(text("storage"), glob("torch", kind), text(key), text("cpu"), integer(count), *more) + b"Q"


def tensor(where, offset, shape, stride):
    return (glob("torch._utils", "_rebuild_tensor_v2")
            + tuple_(where, integer(offset), tuple_(*map(integer, shape)), tuple_(*map(integer, stride)), b"\x89", ORDERED)
            + b"R")


def dict_(**items):
    return b"}(" + b"".join(text(k) + v for k, v in items.items()) + b"u"


def pickle(body, protocol=2):
    return b"\x80" + bytes([protocol]) + body + b"."


def archive(body, data=None, root="archive", method=zipfile.ZIP_STORED, extra=()):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as z:
        entries = [("data.pkl", pickle(body))] + [("data/" + k, v) for k, v in (data or {}).items()] + list(extra)
        for name, content in entries:
            z.writestr(zipfile.ZipInfo(f"{root}/{name}"), content, method)
    return out.getvalue()


MAGIC = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."


def old(body, keys, data, protocol=1001, little=b"\x88"):
    return (MAGIC + pickle(b"M" + struct.pack("<H", protocol)) + pickle(dict_(little_endian=little)) + pickle(body)
            + pickle(b"](" + b"".join(map(text, keys)) + b"e") + data)


def old_storage(kind, key, count):
    return storage(kind, key, count, b"N")


def count(n):
    return struct.pack("<q", n)


four = struct.pack("<4f", 1, 2, 3, 4)
plain = tensor(storage("FloatStorage", "0", 4), 0, (2, 2), (2, 1))
turned = tensor(storage("FloatStorage", "0", 4), 0, (2, 2), (1, 2))
whole = archive(dict_(a=plain, b=turned), {"0": four})

save("pickle", "plain", pickle(dict_(a=plain, n=b"N", f=b"G" + struct.pack(">d", 0.5), l=b"](K\x01K\x02e", i=integer(-7),
                                      short=b"\x8a\x02\xf9\xff", four=b"J" + struct.pack("<i", -8))))
save("pickle", "protocol4", b"\x80\x04\x95" + struct.pack("<Q", 40) + b"\x8c\x01a\x94h\x00\x86\x94.")
save("pickle", "python2", pickle(glob("collections", "OrderedDict") + b"]](U\x01aK\x01ea\x85R"))
save("pickle", "itself", pickle(b"]q\x00h\x00a"))
save("pickle", "parameter", pickle(glob("torch._utils", "_rebuild_parameter") + tuple_(plain, b"\x88", ORDERED) + b"R"))
save("pickle", "attributes", pickle(ORDERED + dict_(_metadata=ORDERED) + b"b"))
save("pickle", "runs_system", pickle(glob("os", "system") + tuple_(text("true")) + b"R"))
save("pickle", "stack_global", pickle(text("os") + text("system") + b"\x93", 4))
save("pickle", "instance", pickle(b"(" + glob("os", "system")[1:] + b"i"))
save("pickle", "bytes", pickle(b"C\x01a"))
save("pickle", "protocol0", b"(lp0\nI1\na.")
save("pickle", "protocol5", pickle(b"N", 5))
save("pickle", "cut", pickle(dict_(a=plain))[:40])
save("pickle", "text_too_long", pickle(b"X\xff\xff\xff\xffab"))
save("pickle", "text_not_utf8", pickle(b"X\x02\0\0\0\xff\xfe"))
save("pickle", "text_nul", pickle(b"X\x03\0\0\0a\0b"))
save("pickle", "memo_missing", pickle(b"h\x05"))
save("pickle", "memo_huge", pickle(b"Nr\xff\xff\xff\xff"))
save("pickle", "mark_left", pickle(b"N("))
save("pickle", "two_left", pickle(b"NN"))
save("pickle", "nothing", pickle(b""))
save("pickle", "odd_items", pickle(b"}(K\x01u"))
save("pickle", "items_of_none", pickle(b"N(K\x01K\x02u"))
save("pickle", "append_to_dict", pickle(b"}K\x01a"))
save("pickle", "tuple_across_mark", pickle(b"N(N\x86"))
save("pickle", "key_is_list", pickle(b"}]Ns"))
save("pickle", "call_of_none", pickle(b"N)R"))
save("pickle", "call_of_storage", pickle(glob("torch", "FloatStorage") + b")R"))
save("pickle", "storage_of_no_type", pickle(tuple_(text("storage"), glob("collections", "OrderedDict"), text("0"),
                                                    text("cpu"), integer(1)) + b"Q"))
save("pickle", "storage_count_negative", pickle(storage("FloatStorage", "0", -1)))
save("pickle", "storage_view", pickle(storage("FloatStorage", "0", 4, tuple_(text("1"), integer(0), integer(2)))))
save("pickle", "storage_int8", pickle(storage("CharStorage", "0", 1)))
save("pickle", "tensor_without_storage", pickle(tensor(b"N", 0, (1,), (1,))))
save("pickle", "tensor_shape_negative", pickle(tensor(storage("FloatStorage", "0", 4), 0, (-2,), (1,))))
save("pickle", "tensor_stride_negative", pickle(tensor(storage("FloatStorage", "0", 4), 3, (2,), (-1,))))
save("pickle", "tensor_stride_missing", pickle(tensor(storage("FloatStorage", "0", 4), 0, (2, 2), (1,))))
save("pickle", "tensor_nine", pickle(tensor(storage("FloatStorage", "0", 4), 0, (1,) * 9, (1,) * 9)))
save("pickle", "long_of_nine", pickle(b"\x8a\x09" + bytes(9)))

end = whole.rindex(b"PK\5\6")
save("torch_zip", "plain", whole)
save("torch_zip", "other_root", archive(dict_(a=plain), {"0": four}, root="model_best"))
save("torch_zip", "little", archive(dict_(a=plain), {"0": four}, extra=[("byteorder", b"little"), ("version", b"3\n")]))
save("torch_zip", "big", archive(dict_(a=plain), {"0": four}, extra=[("byteorder", b"big")]))
save("torch_zip", "comment", whole[:end + 20] + struct.pack("<H", 5) + b"hello")
save("torch_zip", "no_crc", whole.replace(struct.pack("<I", zlib.crc32(four)), bytes(4)))
save("torch_zip", "compressed", archive(dict_(a=plain), {"0": four}, method=zipfile.ZIP_DEFLATED))
save("torch_zip", "crc", whole.replace(four, struct.pack("<4f", 1, 2, 3, 5)))
save("torch_zip", "cut", whole[:len(whole) // 2])
save("torch_zip", "no_pickle", archive(b"N").replace(b"data.pkl", b"data.pkx"))
save("torch_zip", "two_pickles", archive(dict_(a=plain), {"0": four}).replace(b"archive/data/0", b"other/data.pkl"))
save("torch_zip", "storage_missing", archive(dict_(a=plain), {"1": four}))
save("torch_zip", "storage_short", archive(dict_(a=plain), {"0": four[:12]}))
save("torch_zip", "storage_long", archive(dict_(a=plain), {"0": four + four}))
save("torch_zip", "past_storage", archive(dict_(a=tensor(storage("FloatStorage", "0", 4), 1, (2, 2), (2, 1))), {"0": four}))
save("torch_zip", "stride_past_storage",
     archive(dict_(a=tensor(storage("FloatStorage", "0", 4), 0, (2, 2), (3, 1))), {"0": four}))
save("torch_zip", "stride_overflow",
     archive(dict_(a=tensor(storage("FloatStorage", "0", 4), 0, (3, 2), (2**63 - 1, 1))), {"0": four}))
save("torch_zip", "stride_of_one",
     archive(dict_(a=tensor(storage("FloatStorage", "0", 4), 0, (1, 2, 2), (2**63 - 1, 1, 2))), {"0": four}))
save("torch_zip", "expanded_bomb",
     archive(dict_(a=tensor(storage("FloatStorage", "0", 4), 0, (2**20, 2**10), (0, 0))), {"0": four}))
save("torch_zip", "shape_overflow",
     archive(dict_(a=tensor(storage("FloatStorage", "0", 4), 0, (2**40, 2**40), (0, 0))), {"0": four}))
save("torch_zip", "root_is_list", archive(b"]"))
save("torch_zip", "no_tensors", archive(dict_(width=integer(3), config=dict_(a=integer(1)))))
save("torch_zip", "torch_script", archive(glob("__torch__", "Net") + b")\x81"))
save("torch_zip", "directory_lies", whole[:end + 10] + struct.pack("<H", 60000) + whole[end + 12:])
save("torch_zip", "directory_past_end", whole[:end + 16] + struct.pack("<I", 1 << 30) + whole[end + 20:])
save("torch_zip", "entry_moved", whole.replace(b"PK\3\4", b"PK\3\5").replace(b"PK\3\5", b"PK\3\4", 1))
name_at = whole.index(b"PK\1\2") + 28
save("torch_zip", "name_lies", whole[:name_at] + b"\xff\xff" + whole[name_at + 2:])
# The 64-bit records: a locator, and an end record that is not there.
locator = b"PK\6\7" + struct.pack("<IQI", 0, 1 << 50, 1)
save("torch_zip", "locator_lies", whole[:end] + locator + whole[end:])
size, at = struct.unpack("<II", whole[end + 12:end + 20])
end64 = b"PK\6\6" + struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, 2, 2, size, at)
save("torch_zip", "end64", whole[:end] + end64 + b"PK\6\7" + struct.pack("<IQI", 0, end, 1) + b"PK\5\6"
     + struct.pack("<HHHHIIH", 0, 0, 65535, 65535, 0xFFFFFFFF, 0xFFFFFFFF, 0))
save("torch_zip", "end64_many", whole[:end] + end64[:32] + b"\xff" * 8 + end64[40:] + b"PK\6\7"
     + struct.pack("<IQI", 0, end, 1) + whole[end:])

# Forty storages that share one entry's bytes: more than the file has.
many = archive(dict_(**{f"t{i:02}": tensor(storage("FloatStorage", f"{i:02}", 256), 0, (256,), (1,)) for i in range(40)}),
               {"00": bytes(1024)})
end = many.rindex(b"PK\5\6")
row = many[many.rindex(b"PK\1\2"):end]
rows = b"".join(row.replace(b"data/00", b"data/%02d" % i) for i in range(1, 40))
size, at = struct.unpack("<II", many[end + 12:end + 20])
save("torch_zip", "overlap", many[:end] + rows + b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 41, 41, size + len(rows), at, 0))

old_plain = tensor(old_storage("FloatStorage", "17", 4), 0, (2, 2), (1, 2))
old_more = dict_(a=old_plain, b=tensor(old_storage("FloatStorage", "17", 4), 3, (1,), (1,)),
                 c=tensor(old_storage("LongStorage", "9", 1), 0, (), ()))
good = old(old_more, ["17", "9"], count(4) + four + count(1) + count(-7))
save("torch_old", "plain", good)
save("torch_old", "cut_data", good[:-3])
save("torch_old", "cut_count", good[:-12])
save("torch_old", "cut_pickle", good[:60])
save("torch_old", "magic_only", MAGIC)
save("torch_old", "other_magic", MAGIC[:5] + b"\0" + MAGIC[6:] + good[15:])
save("torch_old", "extra_data", good + b"\0")
save("torch_old", "count_differs", old(dict_(a=old_plain), ["17"], count(3) + four))
save("torch_old", "count_huge", old(dict_(a=tensor(old_storage("FloatStorage", "17", 2**62), 0, (1,), (1,))), ["17"],
                                    count(2**62) + four))
save("torch_old", "key_unused", old(dict_(a=old_plain), ["17", "18"], count(4) + four + count(0)))
save("torch_old", "key_missing", old(dict_(a=old_plain), [], b""))
save("torch_old", "keys_no_text", MAGIC + pickle(b"M\xe9\x03") + pickle(dict_(little_endian=b"\x88"))
     + pickle(dict_(a=old_plain)) + pickle(b"](K\x01e") + count(4) + four)
save("torch_old", "keys_no_list", MAGIC + pickle(b"M\xe9\x03") + pickle(dict_(little_endian=b"\x88"))
     + pickle(dict_(a=old_plain)) + pickle(b"N") + count(4) + four)
save("torch_old", "two_types", old(dict_(a=old_plain, b=tensor(old_storage("LongStorage", "17", 4), 0, (1,), (1,))),
                                   ["17"], count(4) + four))
save("torch_old", "protocol_1000", old(dict_(a=old_plain), ["17"], count(4) + four, protocol=1000))
save("torch_old", "big", old(dict_(a=old_plain), ["17"], count(4) + four, little=b"\x89"))

save("weight_index", "plain", b'{"metadata": {"total_size": 8}, "weight_map": {"a": "x-1.safetensors", "b": "x-2.safetensors"}}')
save("weight_index", "no_map", b'{"metadata": {}}')
save("weight_index", "map_is_list", b'{"weight_map": ["a"]}')
save("weight_index", "number", b'{"weight_map": {"a": 1}}')
save("weight_index", "empty_name", b'{"weight_map": {"a": ""}}')
save("weight_index", "parent", b'{"weight_map": {"a": ".."}}')
save("weight_index", "path", b'{"weight_map": {"a": "b/c"}}')
save("weight_index", "absolute", b'{"weight_map": {"a": "/etc/passwd"}}')
save("weight_index", "windows", b'{"weight_map": {"a": "b\\\\c"}}')
save("weight_index", "twice", b'{"weight_map": {"a": "x", "a": "y"}}')
save("weight_index", "cut", b'{"weight_map": {"a"')
