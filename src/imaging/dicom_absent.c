/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file imaging/dicom_absent.c
 * Stands for the DICOM reader in a build without it (RVL_DICOM=OFF): recognises the files, reads none.
 */
#include "base/alloc.h"
#include "base/file.h"
#include "imaging/dicom.h"
#include "imaging/dicom_series.h"
#include <stdio.h>
#include <string.h>

static rvl_status absent(const char *name, rvl_error *err)
{
    return rvl_fail(err, RVL_ERR_DEVICE,
                    "cannot read DICOM '%s': this build reads no DICOM\nhint: tools/setup dicom, then configure and "
                    "build again",
                    name);
}

bool rvl_dicom_is(const void *bytes, size_t n_bytes)
{
    return n_bytes >= 132 && memcmp((const char *)bytes + 128, "DICM", 4) == 0;
}

rvl_status rvl_dicom_open(rvl_dicom **out, const char *path, const rvl_limits *limits, rvl_error *err)
{
    (void)limits;
    *out = NULL;
    return absent(path, err);
}

rvl_status rvl_dicom_parse(rvl_dicom **out, const void *bytes, size_t n_bytes, const char *name,
                           const rvl_limits *limits, rvl_error *err)
{
    (void)bytes;
    (void)n_bytes;
    (void)limits;
    *out = NULL;
    return absent(name, err);
}

void rvl_dicom_close(rvl_dicom *d)
{
    (void)d;
}

/* No rvl_dicom exists, so none of the functions below is ever reached with one. */

const rvl_dicom_header *rvl_dicom_get_header(const rvl_dicom *d)
{
    (void)d;
    return NULL;
}

rvl_status rvl_dicom_get_frame(rvl_dicom_frame *out, const rvl_dicom *d, int64_t i_frame, rvl_error *err)
{
    (void)out;
    (void)d;
    (void)i_frame;
    return absent("", err);
}

rvl_status rvl_dicom_get_text(char **out, const rvl_dicom *d, uint32_t tag, rvl_error *err)
{
    (void)d;
    (void)tag;
    *out = NULL;
    return absent("", err);
}

rvl_status rvl_dicom_stored(rvl_dicom_pixels *out, const rvl_dicom *d, rvl_error *err)
{
    (void)d;
    *out = (rvl_dicom_pixels){0};
    return absent("", err);
}

void rvl_dicom_pixels_fini(rvl_dicom_pixels *p)
{
    *p = (rvl_dicom_pixels){0};
}

const char *rvl_dicom_type_text(rvl_dicom_type type)
{
    (void)type;
    return "";
}

double rvl_dicom_at(const rvl_dicom_pixels *p, int64_t i)
{
    (void)p;
    (void)i;
    return 0;
}

rvl_status rvl_dicom_physical(rvl_volume **out, const rvl_dicom *d, rvl_error *err)
{
    (void)d;
    *out = NULL;
    return absent("", err);
}

rvl_status rvl_dicom_picture(rvl_volume **out, const rvl_dicom *d, rvl_dicom_voi voi, rvl_error *err)
{
    (void)d;
    (void)voi;
    *out = NULL;
    return absent("", err);
}

rvl_modality rvl_dicom_modality(const rvl_dicom_header *h)
{
    (void)h;
    return RVL_MODALITY_UNKNOWN;
}

rvl_view rvl_dicom_view(const rvl_dicom_header *h)
{
    (void)h;
    return RVL_VIEW_UNKNOWN;
}

/* ---- series (imaging/dicom_series.h) -------------------------------------------------------------------------- */

rvl_series_opts rvl_series_opts_default(void)
{
    return (rvl_series_opts){.tilt = RVL_TILT_REFUSE};
}

static bool file_is_dicom(const char *path)
{
    unsigned char head[132];
    FILE         *f = fopen(path, "rb");
    const size_t  n = f ? fread(head, 1, sizeof head, f) : 0;

    if (f)
        (void)fclose(f);
    return rvl_dicom_is(head, n);
}

/** Some file at or below `path`, at most `depth` folders down, looks like DICOM. */
static bool holds_dicom(const char *path, int depth)
{
    rvl_dir_names names = {0};
    bool          found = false;

    if (!rvl_path_is_dir(path))
        return file_is_dicom(path);
    if (depth == 0 || rvl_dir_list(&names, path, NULL))
        return false;
    for (size_t i = 0; i < names.n_names && !found; i++) {
        char *below = rvl_path_join(path, names.names[i]);
        found = below && holds_dicom(below, depth - 1);
        rvl_free(below);
    }
    rvl_dir_names_free(&names);
    return found;
}

rvl_status rvl_dicom_scan_open(rvl_dicom_scan **out, const char *path, const rvl_series_opts *opts, rvl_error *err)
{
    enum { MAX_DEPTH = 16 };

    (void)opts;
    *out = NULL;
    if (holds_dicom(path, MAX_DEPTH))
        return absent(path, err);
    return rvl_fail(err, RVL_ERR_NOT_FOUND, "'%s' holds no DICOM file", path);
}

rvl_status rvl_dicom_scan_files(rvl_dicom_scan **out, const char *const *paths, int64_t n_paths,
                                const rvl_series_opts *opts, rvl_error *err)
{
    (void)opts;
    *out = NULL;
    return absent(n_paths > 0 ? paths[0] : "", err);
}

void rvl_dicom_scan_close(rvl_dicom_scan *s)
{
    (void)s;
}

int64_t rvl_dicom_scan_count(const rvl_dicom_scan *s)
{
    (void)s;
    return 0;
}

const rvl_dicom_stack *rvl_dicom_scan_get(const rvl_dicom_scan *s, int64_t i_stack)
{
    (void)s;
    (void)i_stack;
    return NULL;
}

int64_t rvl_dicom_scan_n_files(const rvl_dicom_scan *s)
{
    (void)s;
    return 0;
}

int64_t rvl_dicom_scan_n_skips(const rvl_dicom_scan *s)
{
    (void)s;
    return 0;
}

rvl_dicom_skip rvl_dicom_scan_skip(const rvl_dicom_scan *s, int64_t i)
{
    (void)s;
    (void)i;
    return (rvl_dicom_skip){.path = "", .text = ""};
}

const char *rvl_dicom_scan_path(const rvl_dicom_scan *s, int64_t i_stack, int64_t i_slice)
{
    (void)s;
    (void)i_stack;
    (void)i_slice;
    return "";
}

rvl_status rvl_dicom_scan_load(rvl_volume **out, rvl_dicom_scan *s, int64_t i_stack, rvl_error *err)
{
    (void)s;
    (void)i_stack;
    *out = NULL;
    return absent("", err);
}

rvl_status rvl_dicom_scan_stream(bool *is_done, rvl_dicom_scan *s, int64_t i_stack, const rvl_plane_sink *sink,
                                 rvl_error *err)
{
    (void)s;
    (void)i_stack;
    (void)sink;
    *is_done = false;
    return absent("", err);
}

rvl_status rvl__series_serve(rvl_worker_answer *answer, rvl_span request, rvl_error *err)
{
    (void)answer;
    (void)request;
    return absent("", err);
}

const char *rvl_series_note_text(rvl_series_note_kind kind)
{
    (void)kind;
    return "";
}

const char *rvl_skip_text(rvl_skip_kind kind)
{
    (void)kind;
    return "";
}

bool rvl_tilt_parse(rvl_tilt *out, const char *text)
{
    *out = RVL_TILT_REFUSE;
    return strcmp(text, "refuse") == 0 || strcmp(text, "keep") == 0 || strcmp(text, "correct") == 0;
}
