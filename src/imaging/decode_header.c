/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file imaging/decode_header.c
 * Headers by way of workers; what comes back is checked as pixels are.
 */
#include "imaging/decode_header.h"
#include "base/alloc.h"
#include "imaging/decode_internal.h"
#include "imaging/dicom.h"
#include <string.h>

static void text_get(char *out, size_t n_bytes, const rvl_dicom *d, uint32_t tag)
{
    rvl_error ignored = {0};
    char     *text = NULL;

    out[0] = '\0';
    if (rvl_dicom_get_text(&text, d, tag, &ignored) == RVL_OK && strlen(text) < n_bytes)
        memcpy(out, text, strlen(text) + 1);
    rvl_free(text);
}

rvl_status rvl__decode_header_run(rvl_decode_header *out, const rvl_decode_job *job, rvl_error *err)
{
    rvl_dicom *d = NULL;
    rvl_error  why = {0};
    rvl_status st = rvl_dicom_open(&d, job->path, NULL, &why);

    memset(out, 0, sizeof *out); /* padding too: it goes through a socket */
    if (st)
        return rvl__decode_fail(job, st, why.text, err);
    const rvl_dicom_header *h = rvl_dicom_get_header(d);
    memcpy(out->patient_id, h->patient_id, sizeof out->patient_id);
    memcpy(out->study_uid, h->study_uid, sizeof out->study_uid);
    memcpy(out->series_uid, h->series_uid, sizeof out->series_uid);
    memcpy(out->modality_text, h->modality, sizeof out->modality_text);
    text_get(out->accession, sizeof out->accession, d, 0x00080050);
    text_get(out->sex, sizeof out->sex, d, 0x00100040);
    text_get(out->age, sizeof out->age, d, 0x00101010);
    text_get(out->date, sizeof out->date, d, 0x00080020);
    out->modality = rvl_dicom_modality(h);
    out->view = rvl_dicom_view(h);
    out->has_pixels = h->has_pixels;
    out->has_burned_in = h->has_burned_in;
    out->is_multi_frame = h->frames > 1;
    rvl_dicom_close(d);
    return RVL_OK;
}

void rvl_decoder_start_header(rvl_decoder *d, int i, const char *path, const char *name)
{
    const rvl_decode_job job = {.path = path, .name = name};

    d->path = path;
    d->slots[i].name = name;
    rvl__decoder_send(d, i, &job, true);
}

static bool text_is_whole(const char *text, size_t n_bytes)
{
    return memchr(text, '\0', n_bytes) && rvl_utf8_valid(text, strlen(text), NULL);
}

/* By bytes first: what a worker sends is not trusted to be an enum or a bool. */
static bool header_take(rvl_decode_header *out, rvl_span head)
{
    unsigned char flags[3];
    int           kinds[2];

    if (head.n_bytes != sizeof *out)
        return false;
    memcpy(flags, head.ptr + offsetof(rvl_decode_header, has_pixels), sizeof flags);
    memcpy(&kinds[0], head.ptr + offsetof(rvl_decode_header, modality), sizeof kinds[0]);
    memcpy(&kinds[1], head.ptr + offsetof(rvl_decode_header, view), sizeof kinds[1]);
    if (flags[0] > 1 || flags[1] > 1 || flags[2] > 1 || kinds[0] < 0 || kinds[0] > RVL_MODALITY_MG || kinds[1] < 0 ||
        kinds[1] > RVL_VIEW_MLO)
        return false;
    memcpy(out, head.ptr, sizeof *out);
    return text_is_whole(out->patient_id, sizeof out->patient_id) &&
           text_is_whole(out->study_uid, sizeof out->study_uid) &&
           text_is_whole(out->series_uid, sizeof out->series_uid) &&
           text_is_whole(out->accession, sizeof out->accession) &&
           text_is_whole(out->modality_text, sizeof out->modality_text) && text_is_whole(out->sex, sizeof out->sex) &&
           text_is_whole(out->age, sizeof out->age) && text_is_whole(out->date, sizeof out->date);
}

rvl_status rvl_decoder_finish_header(rvl_decode_header *out, rvl_decoder *d, int i, rvl_error *err)
{
    const rvl_decode_job job = {.path = d->path, .name = d->slots[i].name};

    memset(out, 0, sizeof *out);
    if (!d->workers)
        return rvl__decode_header_run(out, &job, err);
    rvl_status st = rvl__decoder_wait(d, i, err);
    if (!st && !header_take(out, rvl_workers_head(d->workers, i)))
        st =
            rvl_fail(err, RVL_ERR_FORMAT, "cannot read image '%s': its decoder gave a broken answer", d->slots[i].name);
    return st;
}
