/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/dicom_fixture.h
 * Writes small DICOM files: single slices as a scanner writes them, and enhanced objects of several frames. Fields that
 * are 0 or NULL are left out, or take the value in parentheses.
 */
#ifndef RVL_TESTS_DICOM_FIXTURE_H
#define RVL_TESTS_DICOM_FIXTURE_H
#include <math.h>
#include "support.h"
#include "base/alloc.h"
#include "base/str.h"
#include "imaging/dicom.h"
#include "imaging/geometry.h"

typedef struct {
    const char *study, *series, *instance, *reference; /* UIDs ("1.2.3.1", "1.2.3.1.1", counted, "1.2.3.9") */
    const char *modality;                              /* ("CT") */
    const char *image_type, *photometric, *description, *patient_name, *patient_id;
    const char *acquisition, *acquisition_time, *temporal, *echo_time, *kernel, *instance_number, *series_number;
    double      x, y, z;                    /* position */
    double      row[3], column[3];          /* (1 0 0, 0 1 0) */
    double      step;                       /* pixel spacing (1) */
    const char *thickness, *tilt, *padding; /* padding: a number; its VR follows the sign */
    int         rows, columns;              /* (2, 3) */
    int         bits_stored;                /* (16) */
    bool        is_signed, is_big_endian, no_preamble, no_place, no_rescale;
    double      slope, intercept; /* (1, -1024) */
    const int  *pixels;           /* rows * columns numbers; NULL: `value` everywhere */
    int         value;
} dicom_slice;

static inline bool dicom_is_built(void)
{
    rvl_dicom *d = NULL;
    return rvl_dicom_parse(&d, "", 0, "nothing", NULL, NULL) != RVL_ERR_DEVICE;
}

#define SKIP_WITHOUT_DICOM()                                                                                           \
    do {                                                                                                               \
        if (!dicom_is_built()) {                                                                                       \
            printf("SKIP: this build reads no DICOM\n");                                                               \
            skip();                                                                                                    \
        }                                                                                                              \
    } while (0)

/** Field by field: a struct has bytes between its fields. */
static inline void expect_same_grid(const rvl_grid *a, const rvl_grid *b)
{
    assert_int_equal(a->depth, b->depth);
    assert_int_equal(a->height, b->height);
    assert_int_equal(a->width, b->width);
    assert_int_equal(a->has_spacing, b->has_spacing);
    assert_int_equal(a->has_geometry, b->has_geometry);
    assert_memory_equal(&a->spacing_mm, &b->spacing_mm, sizeof a->spacing_mm);
    assert_memory_equal(&a->origin_mm, &b->origin_mm, sizeof a->origin_mm);
    assert_memory_equal(a->direction, b->direction, sizeof a->direction);
}

static inline void put_u16(rvl_str *s, bool is_big, int value)
{
    const char bytes[2] = {(char)(value & 255), (char)(value >> 8 & 255)};
    rvl_str_add_n(s, &bytes[is_big], 1);
    rvl_str_add_n(s, &bytes[!is_big], 1);
}

static inline void put_head(rvl_str *s, bool is_big, uint32_t tag, const char *vr, size_t n_bytes)
{
    bool is_long = strcmp(vr, "OW") == 0 || strcmp(vr, "OB") == 0 || strcmp(vr, "SQ") == 0;

    put_u16(s, is_big, (int)(tag >> 16));
    put_u16(s, is_big, (int)(tag & 0xffff));
    rvl_str_add_n(s, vr, 2);
    if (!is_long) {
        put_u16(s, is_big, (int)n_bytes);
        return;
    }
    put_u16(s, is_big, 0);
    put_u16(s, is_big, (int)(is_big ? n_bytes >> 16 : n_bytes & 0xffff));
    put_u16(s, is_big, (int)(is_big ? n_bytes & 0xffff : n_bytes >> 16));
}

static inline void put_text(rvl_str *s, bool is_big, uint32_t tag, const char *vr, const char *text)
{
    if (!text || !*text)
        return;
    size_t n = strlen(text);
    put_head(s, is_big, tag, vr, n + n % 2);
    rvl_str_add_n(s, text, n);
    if (n % 2)
        rvl_str_add_n(s, strcmp(vr, "UI") == 0 ? "" : " ", 1);
}

static inline void put_number(rvl_str *s, bool is_big, uint32_t tag, int value)
{
    put_head(s, is_big, tag, "US", 2);
    put_u16(s, is_big, value);
}

/* A sequence of one item. */
static inline void put_sequence(rvl_str *s, uint32_t tag, const rvl_str *item)
{
    put_head(s, false, tag, "SQ", item->n_bytes + 8);
    put_u16(s, false, 0xfffe);
    put_u16(s, false, 0xe000);
    put_u16(s, false, (int)(item->n_bytes & 0xffff));
    put_u16(s, false, (int)(item->n_bytes >> 16));
    if (item->n_bytes)
        rvl_str_add_n(s, item->ptr, item->n_bytes);
}

static inline void put_meta(rvl_str *s, bool is_big, bool no_preamble)
{
    static const char zeros[128];

    if (!no_preamble) {
        rvl_str_add_n(s, zeros, sizeof zeros);
        rvl_str_add_n(s, "DICM", 4);
    }
    put_text(s, false, 0x00020010, "UI", is_big ? "1.2.840.10008.1.2.2" : "1.2.840.10008.1.2.1");
}

static inline const char *or_text(const char *text, const char *otherwise)
{
    return text ? text : otherwise;
}

static inline bool has_direction(const double v[3])
{
    return fabs(v[0]) + fabs(v[1]) + fabs(v[2]) > 0;
}

static inline void put_place(rvl_str *s, bool is_big, const dicom_slice *d, bool position, bool orientation)
{
    static const double x[3] = {1, 0, 0};
    static const double y[3] = {0, 1, 0};
    const double       *r = has_direction(d->row) ? d->row : x;
    const double       *c = has_direction(d->column) ? d->column : y;
    char                text[128];

    if (position) {
        snprintf(text, sizeof text, "%.9g\\%.9g\\%.9g", d->x, d->y, d->z);
        put_text(s, is_big, 0x00200032, "DS", text);
    }
    if (orientation) {
        snprintf(text, sizeof text, "%.9g\\%.9g\\%.9g\\%.9g\\%.9g\\%.9g", r[0], r[1], r[2], c[0], c[1], c[2]);
        put_text(s, is_big, 0x00200037, "DS", text);
    }
}

static inline void put_spacing(rvl_str *s, bool is_big, const dicom_slice *d)
{
    char         text[64];
    const double step = d->step > 0 ? d->step : 1;

    snprintf(text, sizeof text, "%.9g\\%.9g", step, step);
    put_text(s, is_big, 0x00280030, "DS", text);
}

static inline void put_rescale(rvl_str *s, bool is_big, const dicom_slice *d)
{
    char         text[64];
    const bool   has_own = fabs(d->slope) > 0;
    const double slope = has_own ? d->slope : 1;

    snprintf(text, sizeof text, "%.9g", has_own ? d->intercept : -1024);
    put_text(s, is_big, 0x00281052, "DS", text);
    snprintf(text, sizeof text, "%.9g", slope);
    put_text(s, is_big, 0x00281053, "DS", text);
}

static inline void put_identity(rvl_str *s, bool b, const dicom_slice *d)
{
    static int n_instances;
    char       counted[32];

    snprintf(counted, sizeof counted, "1.2.3.5.%d", ++n_instances);
    put_text(s, b, 0x00080008, "CS", or_text(d->image_type, "ORIGINAL\\PRIMARY\\AXIAL"));
    put_text(s, b, 0x00080018, "UI", or_text(d->instance, counted));
    put_text(s, b, 0x00080032, "TM", d->acquisition_time);
    put_text(s, b, 0x00080060, "CS", or_text(d->modality, "CT"));
    put_text(s, b, 0x0008103e, "LO", d->description);
    put_text(s, b, 0x00100010, "PN", d->patient_name);
    put_text(s, b, 0x00100020, "LO", d->patient_id);
    put_text(s, b, 0x00180050, "DS", d->thickness);
    put_text(s, b, 0x00180081, "DS", d->echo_time);
    put_text(s, b, 0x00181120, "DS", d->tilt);
    put_text(s, b, 0x00181210, "SH", d->kernel);
    put_text(s, b, 0x0020000d, "UI", or_text(d->study, "1.2.3.1"));
    put_text(s, b, 0x0020000e, "UI", or_text(d->series, "1.2.3.1.1"));
    put_text(s, b, 0x00200011, "IS", or_text(d->series_number, "2"));
    put_text(s, b, 0x00200012, "IS", d->acquisition);
    put_text(s, b, 0x00200013, "IS", d->instance_number);
}

static inline void put_matrix(rvl_str *s, bool b, const dicom_slice *d, int frames)
{
    char text[16];

    put_number(s, b, 0x00280002, 1);
    put_text(s, b, 0x00280004, "CS", or_text(d->photometric, "MONOCHROME2"));
    if (frames > 1) {
        snprintf(text, sizeof text, "%d", frames);
        put_text(s, b, 0x00280008, "IS", text);
    }
    put_number(s, b, 0x00280010, d->rows ? d->rows : 2);
    put_number(s, b, 0x00280011, d->columns ? d->columns : 3);
    if (frames == 1 && !d->no_place)
        put_spacing(s, b, d);
    put_number(s, b, 0x00280100, 16);
    put_number(s, b, 0x00280101, d->bits_stored ? d->bits_stored : 16);
    put_number(s, b, 0x00280102, (d->bits_stored ? d->bits_stored : 16) - 1);
    put_number(s, b, 0x00280103, d->is_signed);
    if (d->padding) {
        put_head(s, b, 0x00280120, d->is_signed ? "SS" : "US", 2);
        put_u16(s, b, (int)strtol(d->padding, NULL, 10));
    }
    if (frames == 1 && !d->no_rescale)
        put_rescale(s, b, d);
}

static inline void put_pixels(rvl_str *s, const dicom_slice *d)
{
    for (int i = 0; i < (d->rows ? d->rows : 2) * (d->columns ? d->columns : 3); i++)
        put_u16(s, d->is_big_endian, d->pixels ? d->pixels[i] : d->value);
}

static inline void dicom_save(rvl_str *s, const char *folder, const char *name)
{
    char *path = rvl_path_join(folder, name);
    char *dir = path ? rvl_path_dir(path) : NULL;

    assert_non_null(dir);
    OK(rvl_dir_make(dir, &err));
    OK(rvl_file_write(path, s->ptr, s->n_bytes, &err));
    rvl_free(dir);
    rvl_free(path);
    rvl_str_free(s);
}

/** One slice in a file of its own; folders in `name` are made. */
static inline void dicom_write(const char *folder, const char *name, const dicom_slice *d)
{
    rvl_str    s = {0};
    const bool b = d->is_big_endian;

    put_meta(&s, b, d->no_preamble);
    put_identity(&s, b, d);
    if (!d->no_place)
        put_place(&s, b, d, true, true);
    put_text(&s, b, 0x00200052, "UI", or_text(d->reference, "1.2.3.9"));
    put_text(&s, b, 0x00200100, "IS", d->temporal);
    put_matrix(&s, b, d, 1);
    put_head(&s, b, 0x7fe00010, "OW", (size_t)((d->rows ? d->rows : 2) * (d->columns ? d->columns : 3)) * 2);
    put_pixels(&s, d);
    dicom_save(&s, folder, name);
}

/** Several slices as frames of one enhanced object: position, rescale, stack and time per frame; orientation and
 * spacing are the first one's, shared. */
static inline void dicom_write_frames(const char *folder, const char *name, const dicom_slice *frames, int n)
{
    rvl_str s = {0};
    rvl_str shared = {0};
    rvl_str group = {0};
    rvl_str items = {0};

    put_meta(&s, false, false);
    put_identity(&s, false, &frames[0]);
    put_text(&s, false, 0x00200052, "UI", or_text(frames[0].reference, "1.2.3.9"));
    put_matrix(&s, false, &frames[0], n);
    put_place(&group, false, &frames[0], false, true);
    put_sequence(&shared, 0x00209116, &group);
    rvl_str_clear(&group);
    put_spacing(&group, false, &frames[0]);
    put_sequence(&shared, 0x00289110, &group);
    put_sequence(&s, 0x52009229, &shared);
    for (int i = 0; i < n; i++) {
        rvl_str item = {0};
        rvl_str_clear(&group);
        put_text(&group, false, 0x00209056, "SH", frames[i].acquisition);
        put_text(&group, false, 0x00209128, "IS", frames[i].temporal);
        if (group.n_bytes)
            put_sequence(&item, 0x00209111, &group);
        rvl_str_clear(&group);
        put_place(&group, false, &frames[i], true, false);
        put_sequence(&item, 0x00209113, &group);
        rvl_str_clear(&group);
        put_rescale(&group, false, &frames[i]);
        put_sequence(&item, 0x00289145, &group);
        put_u16(&items, false, 0xfffe);
        put_u16(&items, false, 0xe000);
        put_u16(&items, false, (int)item.n_bytes);
        put_u16(&items, false, 0);
        rvl_str_add_n(&items, item.ptr, item.n_bytes);
        rvl_str_free(&item);
    }
    put_head(&s, false, 0x52009230, "SQ", items.n_bytes);
    rvl_str_add_n(&s, items.ptr, items.n_bytes);
    put_head(&s, false, 0x7fe00010, "OW",
             (size_t)n * (size_t)((frames[0].rows ? frames[0].rows : 2) * (frames[0].columns ? frames[0].columns : 3)) *
                 2);
    for (int i = 0; i < n; i++)
        put_pixels(&s, &frames[i]);
    rvl_str_free(&shared);
    rvl_str_free(&group);
    rvl_str_free(&items);
    dicom_save(&s, folder, name);
}
#endif /* RVL_TESTS_DICOM_FIXTURE_H */
