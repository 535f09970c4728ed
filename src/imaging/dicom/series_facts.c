/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file imaging/dicom/series_facts.c
 * Slices of one file by its header. Attribute names and meanings: DICOM PS3.3 and PS3.6.
 */
#include "base/alloc.h"
#include "base/file.h"
#include "base/util.h"
#include "imaging/dicom/series.h"
#include <ctype.h>
#include <math.h>
#include <string.h>

#define DIRECTORY_RECORDS 0x00041220 /* a DICOMDIR has them, and nothing else has */

/* Where a key stands: in a functional group (0: the data set) and as which element. */
typedef struct {
    rvl__slice_key key;
    rvl__dicom_tag group, tag;
} key_source;

static const key_source key_sources[] = {
    {RVL__KEY_STACK, 0x00209111, 0x00209056},       /* StackID */
    {RVL__KEY_TEMPORAL, 0x00209111, 0x00209128},    /* TemporalPositionIndex */
    {RVL__KEY_TEMPORAL, 0x00209310, 0x0020930d},    /* TemporalPositionTimeOffset */
    {RVL__KEY_TEMPORAL, 0, 0x00200100},             /* TemporalPositionIdentifier */
    {RVL__KEY_ACQUISITION, 0x00209111, 0x00209156}, /* FrameAcquisitionNumber */
    {RVL__KEY_ACQUISITION, 0, 0x00200012},          /* AcquisitionNumber */
    {RVL__KEY_ECHO, 0x00189114, 0x00189082},        /* EffectiveEchoTime */
    {RVL__KEY_ECHO, 0, 0x00180081},                 /* EchoTime */
    {RVL__KEY_ECHO, 0, 0x00180086},                 /* EchoNumbers */
    {RVL__KEY_DIFFUSION, 0x00189117, 0x00189087},   /* DiffusionBValue */
    {RVL__KEY_DIFFUSION, 0, 0x00189087},
    {RVL__KEY_PHASE, 0x00189118, 0x00209241}, /* NominalPercentageOfCardiacPhase */
    {RVL__KEY_PHASE, 0, 0x00209241},
    {RVL__KEY_PHASE, 0, 0x00181060}, /* TriggerTime */
    {RVL__KEY_THICKNESS, 0x00289110, 0x00180050},
    {RVL__KEY_KERNEL, 0x00189314, 0x00181210}, /* ConvolutionKernel in CTReconstructionSequence */
    {RVL__KEY_KERNEL, 0, 0x00181210},
    {RVL__KEY_IMAGE_TYPE, 0x00189329, 0x00089007}, /* FrameType of CT */
    {RVL__KEY_IMAGE_TYPE, 0x00189226, 0x00089007}, /* and of MR */
    {RVL__KEY_IMAGE_TYPE, 0, 0x00080008},
    {RVL__KEY_TIME, 0x00209111, 0x00189074}, /* FrameAcquisitionDateTime */
    {RVL__KEY_TIME, 0, 0x00080032},          /* AcquisitionTime */
    {RVL__KEY_TIME, 0, 0x00080033},          /* ContentTime */
};

static uint64_t hash_not_0(const void *bytes, size_t n_bytes)
{
    uint64_t h = rvl_hash64(bytes, n_bytes);
    return h ? h : 1;
}

static uint64_t hash_text(const char *text)
{
    return *text ? hash_not_0(text, strlen(text)) : 0;
}

/* The whole element: ImageType has several values. */
static uint64_t hash_element(rvl__dcmtk_item *item, rvl__dicom_tag tag)
{
    char        all[512];
    size_t      n = 0;
    char        value[128];
    const char *raw = NULL;
    size_t      n_raw = 0;

    if (rvl__dcmtk_raw(&raw, &n_raw, item, tag)) {
        while (n_raw > 0 && (raw[n_raw - 1] == ' ' || raw[n_raw - 1] == '\0'))
            n_raw--;
        return n_raw ? hash_not_0(raw, n_raw) : 0;
    }
    for (int64_t i = 0; i < 4 && n + sizeof value < sizeof all; i++) {
        if (!rvl__dcmtk_value(value, sizeof value, item, tag, i))
            break;
        memcpy(all + n, value, strlen(value) + 1);
        n += strlen(value) + 1;
    }
    return n ? hash_not_0(all, n) : 0;
}

static void keys_read(rvl__slice *s, const rvl_dicom *d)
{
    rvl__dcmtk_item *root = rvl__dcmtk_root(d->dataset);

    for (size_t i = 0; i < RVL_ARRAY_LEN(key_sources); i++) {
        const key_source *k = &key_sources[i];
        if (s->keys[k->key])
            continue;
        rvl__dcmtk_item *item = k->group ? rvl__dicom_group(d, s->i_frame, k->group) : root;
        s->keys[k->key] = hash_element(item, k->tag);
    }
}

/* No patient is a kilometre away; also false for NaN. */
static bool is_near(rvl_vec3 v)
{
    return fabs(v.x) < 1e6 && fabs(v.y) < 1e6 && fabs(v.z) < 1e6;
}

static rvl_status slice_read(rvl__slice *s, const rvl_dicom *d, int64_t i_file, int64_t i_frame, rvl_error *err)
{
    const rvl_dicom_header *h = &d->header;

    *s = (rvl__slice){.i_file = i_file,
                      .i_frame = i_frame,
                      .n_frames = h->frames,
                      .rows = h->rows,
                      .columns = h->columns,
                      .samples = h->samples,
                      .instance_number = h->instance_number,
                      .instance = hash_text(h->instance_uid),
                      .frame_of_reference = hash_text(h->frame_of_reference_uid),
                      .is_localiser = strstr(h->image_type, "LOCALIZER") != NULL,
                      .has_burned_in = h->has_burned_in};
    rvl_status st = rvl_dicom_get_frame(&s->frame, d, i_frame, err);
    if (st)
        return st;
    rvl_dicom_frame *f = &s->frame;
    f->has_position = f->has_position && is_near(f->position_mm);
    f->has_orientation = f->has_orientation && is_near(f->row) && is_near(f->column);
    f->has_spacing = f->has_spacing && f->row_step_mm > 1e-6 && f->row_step_mm < 1e6 && f->column_step_mm > 1e-6 &&
                     f->column_step_mm < 1e6;
    if (f->has_orientation) { /* no plane if the two directions are one */
        double dot = f->row.x * f->column.x + f->row.y * f->column.y + f->row.z * f->column.z;
        f->has_orientation = fabs(dot) < 0.1;
    }
    s->is_hu = strcmp(h->modality, "CT") == 0 && h->samples == 1 && f->has_rescale &&
               (!h->rescale_type[0] || strcmp(h->rescale_type, "HU") == 0);
    keys_read(s, d);
    return RVL_OK;
}

/* Whether a word of three letters or more of `name` stands in `text`, in whatever case. */
static bool repeats_word(const char *text, const char *name)
{
    char   word[64];
    char   lower[256];
    size_t n = 0;

    for (n = 0; text[n] && n + 1 < sizeof lower; n++)
        lower[n] = (char)tolower((unsigned char)text[n]);
    lower[n] = '\0';
    n = 0;
    for (const char *p = name;; p++) {
        bool is_end = !*p || strchr(" ^=,.;/\\", *p);
        if (!is_end && n + 1 < sizeof word)
            word[n++] = (char)tolower((unsigned char)*p);
        if (is_end) {
            word[n] = '\0';
            if (n >= 3 && strstr(lower, word))
                return true;
            n = 0;
        }
        if (!*p)
            return false;
    }
}

static void text_copy(char *to, size_t n_bytes, const char *from)
{
    size_t n = strlen(from) < n_bytes - 1 ? strlen(from) : n_bytes - 1;

    while (n > 0 && n < strlen(from) && ((unsigned char)from[n] & 0xc0) == 0x80) /* not within a character */
        n--;
    memcpy(to, from, n);
    to[n] = '\0';
}

static void description_read(rvl_dicom_stack *facts, const rvl_dicom *d)
{
    rvl_error ignored = {0};
    char     *text = NULL;
    char     *name = NULL;

    if (rvl_dicom_get_text(&text, d, 0x0008103e, &ignored) == RVL_OK &&
        rvl_dicom_get_text(&name, d, 0x00100010, &ignored) == RVL_OK && !repeats_word(text, name) &&
        !repeats_word(text, facts->patient_id))
        text_copy(facts->description, sizeof facts->description, text);
    rvl_free(text);
    rvl_free(name);
}

static void facts_read(rvl_dicom_stack *facts, const rvl_dicom *d)
{
    const rvl_dicom_header *h = &d->header;

    *facts = (rvl_dicom_stack){.series_number = h->series_number, .acquisition_number = h->acquisition_number};
    text_copy(facts->patient_id, sizeof facts->patient_id, h->patient_id);
    text_copy(facts->study_uid, sizeof facts->study_uid, h->study_uid);
    text_copy(facts->series_uid, sizeof facts->series_uid, h->series_uid);
    text_copy(facts->frame_of_reference_uid, sizeof facts->frame_of_reference_uid, h->frame_of_reference_uid);
    text_copy(facts->modality, sizeof facts->modality, h->modality);
    text_copy(facts->body_part, sizeof facts->body_part, h->body_part);
    text_copy(facts->image_type, sizeof facts->image_type, h->image_type);
    if (!rvl__dcmtk_value(facts->kernel, sizeof facts->kernel, rvl__dcmtk_root(d->dataset), 0x00181210, 0))
        facts->kernel[0] = '\0';
    description_read(facts, d);
}

rvl_status rvl__series_skip(rvl__scan_file *file, rvl_skip_kind kind, const char *text, rvl_error *err)
{
    file->is_skipped = true;
    file->skip = kind;
    file->text = rvl_strdup(text);
    return file->text ? RVL_OK : rvl_fail(err, RVL_ERR_NOMEM, "cannot read '%s': out of memory", file->path);
}

/* Objects of modalities that are images in form only: masks, doses, structures. */
static const char *no_image_reason(const rvl_dicom_header *h)
{
    if (strcmp(h->modality, "SEG") == 0)
        return "it is a segmentation";
    if (strcmp(h->modality, "RTDOSE") == 0)
        return "it is a radiotherapy dose";
    return h->has_pixels ? NULL : "it holds no pixels";
}

static rvl_status slices_read(rvl__scan_file *file, const rvl_dicom *d, int64_t i_file, rvl_error *err)
{
    const rvl_dicom_header *h = &d->header;
    rvl_error               why = {0};
    rvl_status              st = RVL_OK;

    if (h->rows < 1 || h->columns < 1 || h->rows > d->limits.max_side || h->columns > d->limits.max_side ||
        h->frames > d->limits.max_side)
        return rvl__series_skip(file, RVL_SKIP_DAMAGED, "its rows, columns or frames are 0, or above the limits", err);
    file->slices = rvl_alloc_array((size_t)h->frames, sizeof *file->slices);
    if (!file->slices)
        return rvl_fail(err, RVL_ERR_NOMEM, "cannot read '%s': out of memory", file->path);
    for (int64_t f = 0; !st && f < h->frames; f++)
        st = slice_read(&file->slices[f], d, i_file, f, &why);
    file->n_slices = st ? 0 : h->frames;
    return st ? rvl__series_skip(file, RVL_SKIP_DAMAGED, why.text, err) : RVL_OK;
}

rvl_status rvl__series_facts_read(rvl__scan_file *file, const rvl_dicom *d, int64_t i_file, rvl_error *err)
{
    const char *no_image = no_image_reason(&d->header);
    rvl_status  st = RVL_OK;

    if (rvl__dcmtk_has(rvl__dcmtk_root(d->dataset), DIRECTORY_RECORDS))
        st = rvl__series_skip(file, RVL_SKIP_DIRECTORY, "it is a DICOMDIR", err);
    else if (no_image)
        st = rvl__series_skip(file, RVL_SKIP_NO_IMAGE, no_image, err);
    else
        st = slices_read(file, d, i_file, err);
    if (!st && !file->is_skipped)
        facts_read(&file->facts, d);
    return st;
}

rvl_status rvl__series_file_read(rvl__scan_file *file, int64_t i_file, const rvl_limits *limits, rvl_error *err)
{
    rvl_error    why = {0};
    rvl_dicom   *d = NULL;
    rvl_file_map map = {0}; /* only the pages before the pixels are read */
    rvl_status   st = rvl_file_map_open(&map, file->path, &why);

    if (!st && !rvl_dicom_is(map.ptr, map.n_bytes)) {
        rvl_file_map_close(&map);
        return rvl__series_skip(file, RVL_SKIP_NOT_DICOM, "", err);
    }
    if (!st)
        st = rvl__dicom_parse_header(&d, map.ptr, map.n_bytes, file->path, limits, &why);
    if (st == RVL_ERR_NOMEM || st == RVL_ERR_DEVICE)
        st = rvl_fail(err, st, "%s", why.text);
    else
        st =
            st ? rvl__series_skip(file, RVL_SKIP_DAMAGED, why.text, err) : rvl__series_facts_read(file, d, i_file, err);
    for (int64_t i = 0; !st && i < file->n_slices; i++)
        file->slices[i].native = rvl__series_native_find(d, &file->slices[i], map.ptr);
    rvl_dicom_close(d);
    rvl_file_map_close(&map);
    return st;
}

void rvl__series_file_fini(rvl__scan_file *file)
{
    rvl_free(file->path);
    rvl_free(file->slices);
    rvl_free(file->text);
    *file = (rvl__scan_file){0};
}
