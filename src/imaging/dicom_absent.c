/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file imaging/dicom_absent.c
 * Stands for the DICOM reader in a build without it (RVL_DICOM=OFF): recognises the files, reads none.
 */
#include "imaging/dicom.h"
#include <string.h>

static rvl_status absent(const char *name, rvl_error *err)
{
    return rvl_fail(err, RVL_ERR_DEVICE,
                    "cannot read DICOM '%s': this build reads no DICOM\nhint: tools/setup dicom, then build again with "
                    "-DRVL_DICOM=ON",
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
