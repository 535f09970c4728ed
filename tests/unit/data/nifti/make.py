# SPDX-License-Identifier: Apache-2.0
"""Writes the NIfTI files of test_imaging_nifti.c and the seeds of fuzz_nifti: headers by struct, field by field as
nifti1.h and nifti2.h of the NIfTI working group lay them out; voxels by hand. Run in this folder."""
import gzip
import math
import os
import struct
import zipfile

NAN, INF = math.nan, math.inf
CODES = {'u1': (2, 8, 'B'), 'i1': (256, 8, 'b'), 'i2': (4, 16, 'h'), 'u2': (512, 16, 'H'), 'i4': (8, 32, 'i'),
         'u4': (768, 32, 'I'), 'i8': (1024, 64, 'q'), 'u8': (1280, 64, 'Q'), 'f4': (16, 32, 'f'), 'f8': (64, 64, 'd')}
VALUES = {'u1': [0, 1, 2, 3, 200, 255], 'i1': [0, 1, -2, 3, 127, -128], 'i2': [0, 1, -2, 3, 32767, -32768],
          'u2': [0, 1, 2, 3, 40000, 65535], 'i4': [0, 1, -2, 3, 70000, -70000], 'u4': [0, 1, 2, 3, 4, 16777216],
          'i8': [0, 1, -2, 3, 300, -300], 'u8': [0, 1, 2, 3, 4, 255], 'f4': [0, 1, -2, 0.5, 3.25e38, 1e-40],
          'f8': [0, 1, -2, 0.5, 1e30, -1e-30]}
DIM = (3, 3, 2, 1, 1, 1, 1, 1)


def header(kind='i2', end='<', version=1, dim=DIM, pixdim=(1, 2, 3, 5, 0, 0, 0, 0), slope=1.0, inter=0.0, units=2, qcode=0,
           scode=0, quatern=(0, 0, 0), qoffset=(0, 0, 0), srow=((0,) * 4,) * 3, pair=False, offset=None, intent=0, text=b''):
    code, bits, _ = CODES[kind]
    if version == 1:
        offset = (0 if pair else 352) if offset is None else offset
        head = struct.pack(end + 'i10s18sihcB', 348, b'', b'', 0, 0, b'r', 0)
        head += struct.pack(end + '8h3f4h8f', *dim, 0, 0, 0, intent, code, bits, 0, *pixdim)
        head += struct.pack(end + '3fhBB', offset, slope, inter, 0, 0, units)
        head += struct.pack(end + '4f2i80s24s', 0, 0, 0, 0, 0, 0, text, b'')
        head += struct.pack(end + '2h6f12f', qcode, scode, *quatern, *qoffset, *[x for row in srow for x in row])
        head += struct.pack(end + '16s4s', b'', b'ni1\0' if pair else b'n+1\0')
        assert len(head) == 348
        return head + (b'' if pair else b'\0' * 4)
    offset = (0 if pair else 544) if offset is None else offset
    head = struct.pack(end + 'i8s2h', 540, (b'ni2\0' if pair else b'n+2\0') + b'\r\n\032\n', code, bits)
    head += struct.pack(end + '8q3d8dq', *dim, 0, 0, 0, *pixdim, offset)
    head += struct.pack(end + '2d2d2d2q80s24s', slope, inter, 0, 0, 0, 0, 0, 0, text, b'')
    head += struct.pack(end + '2i6d12d', qcode, scode, *quatern, *qoffset, *[x for row in srow for x in row])
    head += struct.pack(end + '3i16sB15s', 0, units, intent, b'', 0, b'')
    assert len(head) == 540
    return head + (b'' if pair else b'\0' * 4)


def voxels(values, kind='i2', end='<'):
    return struct.pack('%s%d%s' % (end, len(values), CODES[kind][2]), *values)


def packed(data):
    return gzip.compress(data, 9, mtime=0)


def save(name, data):
    with open(name, 'wb') as f:
        f.write(data)


SIX = [0, 1, -2, 3, 100, -100]
for kind in CODES:
    for end, word in (('<', 'little'), ('>', 'big')):
        save('%s_%s.nii' % (word, kind), header(kind, end) + voxels(VALUES[kind], kind, end))
save('second_big.nii', header('i2', '>', 2, text=b'made by hand\x01') + voxels(SIX, 'i2', '>'))
save('second_little.nii.gz', packed(header('f8', '<', 2) + voxels(VALUES['f8'], 'f8')))
save('slope_half.nii', header(slope=0.5, inter=-3) + voxels(SIX))
save('slope_zero.nii', header(slope=0, inter=7) + voxels(SIX))
save('slope_nan.nii', header(slope=NAN, inter=NAN) + voxels(SIX))
save('slope_hu.nii', header('u2', slope=1, inter=-1024) + voxels([0, 24, 1024, 2000, 4095, 1], 'u2'))
save('non_finite.nii', header('f4') + voxels([1, NAN, 2, INF, -INF, 3], 'f4'))
save('frames.nii.gz', packed(header(dim=(4, 3, 2, 1, 2, 1, 1, 1)) + voxels(SIX + [10 * x for x in SIX])))
save('extended.nii', header(offset=384)[:348] + b'\1\0\0\0' + struct.pack('<2i', 32, 6) + b'x' * 24 + voxels(SIX))
save('pair.hdr', header(pair=True))
save('pair.img', voxels(SIX))
save('members.nii.gz', packed(header()[:100]) + packed(header()[100:]) + packed(voxels(SIX)) + b'\0' * 512)
save('garbage.nii.gz', packed(header() + voxels(SIX)) + b'junk')

# Where voxels lie. 30 degrees about z; a mirrored third axis by qfac; a half turn about an axis of the x-y plane.
s15, c15 = math.sin(math.radians(15)), math.cos(math.radians(15))
C30 = math.sqrt(3) / 2
save('qform.nii', header(qcode=1, quatern=(0, 0, s15), qoffset=(10, 20, 30)) + voxels(SIX))
save('qform_mirrored.nii', header(qcode=1, pixdim=(-1, 2, 3, 5, 0, 0, 0, 0), quatern=(0, 0, s15), qoffset=(10, 20, 30)) + voxels(SIX))
save('qform_half_turn.nii', header(qcode=1, quatern=(0.6, 0.8, 0), qoffset=(10, 20, 30)) + voxels(SIX))
sheared = ((2, 0, 0, 10), (0, 3, -1.5, 20), (0, 0, 4, 30))
save('sform.nii', header(scode=1, srow=sheared) + voxels(SIX))
save('sform_and_qform.nii', header(scode=1, srow=((2, 0, 0, 10), (0, 3, 0, 20), (0, 0, 5, 33)), qcode=1, quatern=(0, 0, 0),
                                   qoffset=(10, 20, 30)) + voxels(SIX))
save('micron.nii', header(qcode=1, units=3, pixdim=(1, 2000, 3000, 5000, 0, 0, 0, 0), qoffset=(10000, 20000, 30000)) + voxels(SIX))
save('no_place.nii', header() + voxels(SIX))
save('no_spacing.nii', header(pixdim=(1, 0, 3, 5, 0, 0, 0, 0)) + voxels(SIX))
save('flat.nii', header(dim=(2, 3, 2, 0, 0, 0, 0, 0), pixdim=(1, 2, 3, 0, 0, 0, 0, 0), qcode=1) + voxels(SIX))

# A slab of a chest for tests of the program: body in air, two lungs, spine; as CT-RATE v2 and RAD-ChestCT have it (HU),
# as v1 has it (raw floats, blank header, padding 0), as CT-CLIP saves it (HU / 1000, float32, npz).
def chest_hu(x, y, z, padding):
    r = math.hypot(x - 11.5, y - 11.5)
    hu = padding if r > 12 else -1000 if r > 10 else 40
    if r < 10 and (abs(x - 11.5) - 4.5) ** 2 + (y - 11.5) ** 2 < 9:
        hu = -850
    if (x - 11.5) ** 2 + (y - 18.5) ** 2 < 2:
        hu = 700
    return hu if r > 10 else hu + (x * 7 + y * 5 + z * 3) % 11 - 5


def chest(padding):
    return [chest_hu(x, y, z, padding) for z in range(8) for y in range(24) for x in range(24)]


CHEST_DIM = (3, 24, 24, 8, 1, 1, 1, 1)
LPS = ((-1.5, 0, 0, 20), (0, -1.5, 0, 30), (0, 0, 3, -500))
save('chest.nii.gz', packed(header(dim=CHEST_DIM, pixdim=(1, 1.5, 1.5, 3, 0, 0, 0, 0), scode=1, srow=LPS) + voxels(chest(-1024))))
save('chest_padded.nii.gz', packed(header(dim=CHEST_DIM, pixdim=(1, 1.5, 1.5, 3, 0, 0, 0, 0), scode=1, srow=LPS) + voxels(chest(-2048))))
save('chest_raw.nii.gz', packed(header('f4', dim=CHEST_DIM, pixdim=(1, 1, 1, 1, 0, 0, 0, 0), slope=1, inter=0, units=0)
                                + voxels([x + 1024 for x in chest(-1024)], 'f4')))
array = b"{'descr': '<f4', 'fortran_order': False, 'shape': (8, 24, 24), }"
array = b'\x93NUMPY\1\0' + struct.pack('<H', 118) + array.ljust(117) + b'\n' + voxels([x / 1000 for x in chest(-1024)], 'f4')
with zipfile.ZipFile('chest.npz', 'w', zipfile.ZIP_DEFLATED) as z:
    z.writestr(zipfile.ZipInfo('arr_0.npy', (2020, 1, 1, 0, 0, 0)), array, zipfile.ZIP_DEFLATED)

# Seeds of the fuzzer: kinds of files, and headers that lie.
corpus = '../../../fuzz/corpus/nifti'
os.makedirs(corpus, exist_ok=True)


def seed(name, data):
    save(os.path.join(corpus, name), data)


seed('plain', header(qcode=1, scode=1, srow=sheared) + voxels(SIX))
seed('big_f64', header('f8', '>') + voxels(VALUES['f8'], 'f8', '>'))
seed('second', header('i8', '<', 2) + voxels(VALUES['i8'], 'i8'))
seed('second_big_gz', packed(header('u2', '>', 2, scode=2, srow=sheared) + voxels([1, 2, 3, 4, 5, 6], 'u2', '>')))
seed('gz', packed(header() + voxels(SIX)))
seed('gz_members', packed(header()) + packed(voxels(SIX)))
seed('gz_cut', packed(header() + voxels(SIX))[:-9])
seed('gz_bad_crc', packed(header() + voxels(SIX))[:-8] + b'\1\2\3\4\x0c\0\0\0')
seed('gz_of_text', packed(b'no volume at all, but long enough to be one ' * 12))
seed('gz_header_only', packed(header()))
seed('scaled', header('i4', slope=2.5, inter=-1024) + voxels(VALUES['i4'], 'i4'))
seed('slope_huge', header('f4', slope=3e38, inter=1e38) + voxels(VALUES['f4'], 'f4'))
seed('non_finite', header('f4') + voxels([1, NAN, 2, INF, -INF, 3], 'f4'))
seed('integer_beyond_float', header('u8') + voxels([2**63, 1, 2, 3, 4, 5], 'u8'))
seed('frames', header(dim=(4, 3, 2, 1, 3, 1, 1, 1)) + voxels(SIX * 3))
seed('vector', header(dim=(5, 3, 2, 1, 1, 3, 1, 1)) + voxels(SIX * 3))
seed('sides_huge', header(dim=(3, 32767, 32767, 32767, 1, 1, 1, 1)) + voxels(SIX))
seed('second_sides_overflow', header('f8', '<', 2, dim=(4, 2**62, 2**62, 2**62, 2**62, 1, 1, 1)) + voxels([1.0], 'f8'))
seed('second_frames_overflow', header('u1', '<', 2, dim=(4, 3, 2, 1, 2**63 - 1, 1, 1, 1)) + voxels([1] * 6, 'u1'))
seed('second_offset_overflow', header('u1', '<', 2, offset=2**63 - 1) + voxels([1] * 6, 'u1'))
seed('side_negative', header(dim=(3, -3, 2, 1, 1, 1, 1, 1)) + voxels(SIX))
seed('axes_nine', header(dim=(9, 3, 2, 1, 1, 1, 1, 1)) + voxels(SIX))
seed('offset_inside', header(offset=100) + voxels(SIX))
seed('offset_nan', header(offset=NAN) + voxels(SIX))
seed('offset_past_end', header(offset=4096) + voxels(SIX))
seed('sform_zero', header(scode=1) + voxels(SIX))
seed('sform_nan', header(scode=1, srow=((NAN,) * 4,) * 3) + voxels(SIX))
seed('qform_no_rotation', header(qcode=1, quatern=(3, 4, 5)) + voxels(SIX))
seed('pair', header(pair=True) + voxels(SIX))
seed('cifti', header('f4', '<', 2, intent=3001) + voxels([1.0] * 6, 'f4'))
seed('analyze', header()[:344] + b'\0' * 8 + voxels(SIX))
seed('cut', header()[:200])
seed('cut_voxels', header() + voxels(SIX)[:-1])
