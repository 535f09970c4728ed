/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/fuzz/fuzz_dicom.c
 * Any bytes as a DICOM file under small limits: refused with a reason, or facts, texts, frames, pixels, physical values
 * and picture can be asked for, and what is given can be read whole.
 */
#include "base/alloc.h"
#include "imaging/dicom.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(rvl_status st, const rvl_error *err)
{
    if ((st != RVL_OK) != (err->text[0] != '\0'))
        __builtin_trap();
}

static void read_volume(rvl_volume *v)
{
    volatile double sink = 0;

    for (int64_t i = 0; v && i < v->depth * v->height * v->width; i++)
        sink = sink + rvl_volume_at(v, i);
    rvl_volume_free(v);
}

static void read_pixels(const rvl_dicom *d)
{
    rvl_dicom_pixels p = {0};
    rvl_error        err = {0};
    volatile double  sink = 0;
    rvl_status       st = rvl_dicom_stored(&p, d, &err);

    check(st, &err);
    for (int64_t i = 0; !st && i < p.frames * p.rows * p.columns * p.samples; i++)
        sink = sink + rvl_dicom_at(&p, i);
    rvl_dicom_pixels_fini(&p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint32_t texts[] = {0x00080005, 0x00100010, 0x00100020, 0x0008103e, 0x7fe00010};
    const rvl_limits      limits = {.max_voxels = 1 << 16, .max_side = 4096, .max_file_bytes = 1 << 20};
    rvl_dicom            *d = NULL;
    rvl_dicom_frame       frame;
    rvl_volume           *v = NULL;
    rvl_error             err = {0};
    rvl_status            st = rvl_dicom_parse(&d, data, size, "fuzz", &limits, &err);

    check(st, &err);
    if (st)
        return 0;
    for (size_t i = 0; i < RVL_ARRAY_LEN(texts); i++) {
        char *text = NULL;
        err = (rvl_error){0};
        check(rvl_dicom_get_text(&text, d, texts[i], &err), &err);
        rvl_free(text);
    }
    err = (rvl_error){0};
    check(rvl_dicom_get_frame(&frame, d, rvl_dicom_get_header(d)->frames - 1, &err), &err);
    read_pixels(d);
    err = (rvl_error){0};
    check(rvl_dicom_physical(&v, d, &err), &err);
    read_volume(v);
    err = (rvl_error){0};
    check(rvl_dicom_picture(&v, d, RVL_DICOM_VOI_FILE, &err), &err);
    read_volume(v);
    rvl_dicom_close(d);
    return 0;
}
