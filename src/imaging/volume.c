/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file imaging/volume.c
 * Life of a volume, and the words for modalities and views.
 */
#include "imaging/volume.h"
#include "base/alloc.h"

#include <strings.h>

size_t rvl_voxel_bytes(rvl_voxel_type type)
{
    switch (type) {
    case RVL_VOXEL_U8:
        return 1;
    case RVL_VOXEL_U16:
    case RVL_VOXEL_I16:
        return 2;
    case RVL_VOXEL_F32:
        break;
    }
    return 4;
}

static bool voxel_count(size_t *out, int64_t depth, int64_t height, int64_t width)
{
    if (depth <= 0 || height <= 0 || width <= 0)
        return false;
    return rvl_mul_size(out, (size_t)depth, (size_t)height) && rvl_mul_size(out, *out, (size_t)width) &&
           *out <= INT64_MAX;
}

rvl_status rvl_volume_new(rvl_volume **out, rvl_voxel_type type, int64_t depth, int64_t height, int64_t width,
                          rvl_error *err)
{
    size_t n_voxels = 0;

    *out = NULL;
    if (!voxel_count(&n_voxels, depth, height, width))
        return rvl_fail(err, RVL_ERR_SHAPE, "cannot make a volume of %lld x %lld x %lld voxels", (long long)depth,
                        (long long)height, (long long)width);
    rvl_volume *v = rvl_alloc_array(1, sizeof *v);
    if (!v)
        return rvl_fail(err, RVL_ERR_NOMEM, "cannot make a volume: out of memory");
    v->voxels = rvl_alloc_array(n_voxels, rvl_voxel_bytes(type));
    if (!v->voxels) {
        rvl_free(v);
        return rvl_fail(err, RVL_ERR_NOMEM, "cannot make a volume of %lld x %lld x %lld voxels: out of memory",
                        (long long)depth, (long long)height, (long long)width);
    }
    v->type = type;
    v->depth = depth;
    v->height = height;
    v->width = width;
    v->spacing_mm = (rvl_vec3){1.0, 1.0, 1.0};
    for (int i = 0; i < 3; i++)
        v->direction[i][i] = 1.0;
    *out = v;
    return RVL_OK;
}

void rvl_volume_free(rvl_volume *v)
{
    if (!v)
        return;
    rvl_free(v->voxels);
    rvl_free(v);
}

double rvl_volume_at(const rvl_volume *v, int64_t i)
{
    switch (v->type) {
    case RVL_VOXEL_U8:
        return ((const uint8_t *)v->voxels)[i];
    case RVL_VOXEL_U16:
        return ((const uint16_t *)v->voxels)[i];
    case RVL_VOXEL_I16:
        return ((const int16_t *)v->voxels)[i];
    case RVL_VOXEL_F32:
        break;
    }
    return (double)((const float *)v->voxels)[i];
}

void rvl_volume_copy_facts(rvl_volume *to, const rvl_volume *from)
{
    rvl_volume copy = *from;

    copy.type = to->type;
    copy.depth = to->depth;
    copy.height = to->height;
    copy.width = to->width;
    copy.voxels = to->voxels;
    *to = copy;
}

const char *rvl_voxel_text(rvl_voxel_type type)
{
    static const char *const texts[] = {"u8", "u16", "i16", "f32"};
    return texts[type];
}

const char *rvl_unit_text(rvl_unit unit)
{
    static const char *const texts[] = {"unknown", "hu", "display", "arbitrary"};
    return texts[unit];
}

rvl_limits rvl__limits_fill(const rvl_limits *limits)
{
    rvl_limits l = limits ? *limits : (rvl_limits){0};

    if (l.max_voxels <= 0)
        l.max_voxels = (int64_t)256 << 20;
    if (l.max_side <= 0)
        l.max_side = 65535;
    if (l.max_file_bytes == 0)
        l.max_file_bytes = (size_t)4 << 30;
    return l;
}

static const char *const modality_texts[] = {"unknown", "cxr", "ct", "mg"};

const char *rvl_modality_text(rvl_modality m)
{
    return (size_t)m < RVL_ARRAY_LEN(modality_texts) ? modality_texts[m] : modality_texts[0];
}

rvl_modality rvl_modality_parse(const char *text)
{
    for (size_t i = 1; text && i < RVL_ARRAY_LEN(modality_texts); i++)
        if (strcasecmp(text, modality_texts[i]) == 0)
            return (rvl_modality)i;
    return RVL_MODALITY_UNKNOWN;
}

static const char *const view_texts[] = {"unknown", "pa", "ap", "lateral", "cc", "mlo"};

const char *rvl_view_text(rvl_view v)
{
    return (size_t)v < RVL_ARRAY_LEN(view_texts) ? view_texts[v] : view_texts[0];
}

rvl_view rvl_view_parse(const char *text)
{
    /* DICOM view positions and the words of public data sets beside our own. */
    static const struct {
        const char *text;
        rvl_view    view;
    } others[] = {
        {"ap supine", RVL_VIEW_AP}, {"ap erect", RVL_VIEW_AP},          {"ap semi erect", RVL_VIEW_AP},
        {"l", RVL_VIEW_LATERAL},    {"ll", RVL_VIEW_LATERAL},           {"rl", RVL_VIEW_LATERAL},
        {"lat", RVL_VIEW_LATERAL},  {"left lateral", RVL_VIEW_LATERAL}, {"right lateral", RVL_VIEW_LATERAL},
    };

    for (size_t i = 1; text && i < RVL_ARRAY_LEN(view_texts); i++)
        if (strcasecmp(text, view_texts[i]) == 0)
            return (rvl_view)i;
    for (size_t i = 0; text && i < RVL_ARRAY_LEN(others); i++)
        if (strcasecmp(text, others[i].text) == 0)
            return others[i].view;
    return RVL_VIEW_UNKNOWN;
}
