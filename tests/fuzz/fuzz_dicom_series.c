/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/fuzz/fuzz_dicom_series.c
 * Assembly. First byte even: the rest are slices as their headers might tell them, 24 bytes each. Odd: DICOM files
 * behind one another, each with its length in 16 bits, whose headers are read. Either way every slice ends in one stack
 * or is dropped as identical; a stack that is accepted is a regular grid in order.
 */
#include "base/alloc.h"
#include "imaging/dicom/series.h"
#include <math.h>
#include <stdlib.h>

enum { SLICE_BYTES = 24, MAX_SLICES = 256, MAX_FILES = 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        __builtin_trap();
}

static rvl_status is_equal(bool *out, void *context, const rvl__slice *a, const rvl__slice *b, rvl_error *err)
{
    (void)context;
    if (a->instance == 255 && b->instance == 254)
        return rvl_fail(err, RVL_ERR_NOMEM, "made up");
    *out = a->instance == b->instance;
    return RVL_OK;
}

static double place(const uint8_t *p)
{
    return (double)(int16_t)(p[0] | p[1] << 8) / 64;
}

static rvl_vec3 direction(uint8_t byte)
{
    static const rvl_vec3 axes[] = {{1, 0, 0},     {0, 1, 0},          {0, 0, -1},
                                    {0.8, 0.6, 0}, {0, 0.999, 0.0447}, {-0.6, 0.8, 0}};
    return axes[byte % RVL_ARRAY_LEN(axes)];
}

static rvl__slice slice_of(const uint8_t *p, int64_t i)
{
    const uint8_t flags = p[0];
    rvl__slice s = {.i_file = flags & 1 ? i / 4 : i, .i_frame = flags & 1 ? i % 4 : 0, .n_frames = flags & 1 ? 4 : 1};

    s.frame = (rvl_dicom_frame){.slope = 1,
                                .has_position = !(flags & 2),
                                .has_orientation = !(flags & 4),
                                .has_spacing = !(flags & 8),
                                .position_mm = {place(p + 2), place(p + 4), place(p + 6)},
                                .row = direction(p[8]),
                                .column = direction((uint8_t)(p[8] % 6 == p[9] % 6 ? p[9] + 1 : p[9])),
                                .row_step_mm = 0.5 + p[10] / 4,
                                .column_step_mm = 0.5,
                                .slice_thickness_mm = p[11] ? p[11] : NAN,
                                .spacing_between_slices_mm = NAN};
    s.rows = 1 + p[12] % 3;
    s.columns = 2;
    s.samples = flags & 16 ? 3 : 1;
    s.is_localiser = flags & 32;
    s.is_hu = flags & 64;
    s.i_series = p[1] & 1;
    s.instance = p[13];
    s.instance_number = p[14];
    for (int k = 0; k < RVL__N_KEYS; k++)
        s.keys[k] = k < 9 ? p[15 + k] : p[1] >> 1;
    return s;
}

static void stack_check(const rvl__stack *st, const rvl__slice *slices, const rvl_series_opts *opts, bool *seen)
{
    require(st->n_slices > 0 && st->grid.depth > 0 && st->grid.width > 0 && st->grid.height > 0);
    require((st->status != RVL_OK) == (st->reason[0] != '\0'));
    for (int64_t i = 0; i < st->n_slices; i++) {
        require(!seen[st->slices[i]]);
        seen[st->slices[i]] = true;
        if (i > 0 && st->status == RVL_OK)
            require(slices[st->slices[i]].at_mm - slices[st->slices[i - 1]].at_mm > RVL__SAME_PLACE_MM);
    }
    if (st->status)
        return;
    require(!st->grid.has_geometry || (st->grid.spacing_mm.z > 0 && isfinite(st->grid.origin_mm.z)));
    require(st->n_slices == 1 || st->grid.has_geometry);
    require(st->is_even ? st->grid.depth == st->n_slices : opts->fill_gaps);
    require(st->tilt_deg <= 0 || opts->tilt != RVL_TILT_REFUSE);
}

static void group_check(rvl__slice *slices, int64_t n, const rvl_series_opts *opts)
{
    rvl__stacks stacks = {0};
    bool        seen[MAX_SLICES] = {false};
    rvl_error   err = {0};
    int64_t     n_in = 0;
    int64_t     n_notes = 0;
    rvl_status  status = rvl__series_group(&stacks, slices, n, opts, is_equal, NULL, &err);

    require((status != RVL_OK) == (err.text[0] != '\0'));
    for (int64_t i = 0; i < stacks.n_stacks; i++) {
        const rvl__stack *st = &stacks.stacks[i];
        stack_check(st, slices, opts, seen);
        n_in += st->n_slices;
        for (int64_t k = 0; k < st->n_notes; k++)
            if (st->notes[k].kind == RVL_NOTE_DUPLICATE)
                n_notes += strtol(st->notes[k].text, NULL, 10);
    }
    require(status || n_in + n_notes == n);
    rvl__stacks_fini(&stacks);
}

static int64_t from_bytes(rvl__slice *slices, const uint8_t *data, size_t size)
{
    int64_t n = 0;

    for (int series = 0; series < 2; series++) /* grouping wants them sorted by series */
        for (size_t at = 0; at + SLICE_BYTES <= size && n < MAX_SLICES; at += SLICE_BYTES)
            if ((data[at + 1] & 1) == series) {
                slices[n] = slice_of(data + at, n);
                n++;
            }
    return n;
}

static int64_t from_files(rvl__slice *slices, const uint8_t *data, size_t size)
{
    const rvl_limits limits = {.max_voxels = 1 << 16, .max_side = 64, .max_file_bytes = 1 << 16};
    int64_t          n = 0;

    for (int64_t i = 0; i < MAX_FILES && size >= 2; i++) {
        size_t         n_bytes = (size_t)data[0] | (size_t)data[1] << 8;
        rvl__scan_file file = {.path = rvl_strdup("fuzz")};
        rvl_dicom     *d = NULL;
        rvl_error      err = {0};
        n_bytes = n_bytes < size - 2 ? n_bytes : size - 2;
        if (file.path && rvl__dicom_parse_header(&d, data + 2, n_bytes, "fuzz", &limits, &err) == RVL_OK)
            require(rvl__series_facts_read(&file, d, i, &err) == RVL_OK || err.text[0]);
        for (int64_t f = 0; f < file.n_slices && n < MAX_SLICES; f++)
            slices[n++] = file.slices[f];
        rvl_dicom_close(d);
        rvl__series_file_fini(&file);
        data += 2 + n_bytes;
        size -= 2 + n_bytes;
    }
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static rvl__slice slices[MAX_SLICES];

    if (size < 2)
        return 0;
    const rvl_series_opts opts = {.tilt = (rvl_tilt)(data[0] / 2 % 3), .fill_gaps = data[0] & 8};
    int64_t n = data[0] & 1 ? from_files(slices, data + 1, size - 1) : from_bytes(slices, data + 1, size - 1);
    if (n > 0)
        group_check(slices, n, &opts);
    return 0;
}
