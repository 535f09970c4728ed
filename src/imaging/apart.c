/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file imaging/apart.c
 * A volume as a worker's answer: facts in the head, voxels as the body.
 */
#include "imaging/apart.h"
#include "base/alloc.h"
#include "imaging/work.h"
#include <math.h>
#include <string.h>

typedef struct {
    uint32_t       kind;
    uint32_t       is_preprocess, has_member;
    rvl_preprocess spec;   /* of a file for a model */
    rvl_nifti_opts voxels; /* of any other */
} request_head;

/* The volume without its voxels; numbers for what is an enum or a bool there, so that they can be looked at. */
typedef struct {
    int64_t  depth, height, width, n_non_finite;
    int32_t  type, unit, modality, view, laterality, has_burned_in, has_spacing, has_geometry;
    char     body_part[16];
    rvl_vec3 spacing_mm, origin_mm;
    double   direction[3][3];
} answer_head;

rvl_status rvl__apart_serve(rvl_worker_answer *answer, rvl_span request, rvl_error *err)
{
    request_head    head;
    rvl_volume     *v = NULL;
    rvl_volume_info info = {0};
    const char     *path = NULL;
    const char     *member = NULL;

    if (rvl__work_take(&head, sizeof head, &request)) {
        path = rvl__work_take_text(&request);
        member = rvl__work_take_text(&request);
    }
    if (!path || !member)
        return rvl_fail(err, RVL_ERR_INTERNAL, "a request that does not hold together");
    const rvl_volume_opts opts = {.voxels = head.voxels, .member = head.has_member ? member : NULL};
    rvl_status            st = head.is_preprocess ? rvl_preprocess_load(&v, &head.spec, path, NULL, err)
                                                  : rvl_volume_load(&v, &info, path, &opts, NULL, err);
    if (st)
        return st;
    answer_head a = {.depth = v->depth,
                     .height = v->height,
                     .width = v->width,
                     .n_non_finite = info.n_non_finite,
                     .type = (int32_t)v->type,
                     .unit = (int32_t)v->unit,
                     .modality = (int32_t)v->modality,
                     .view = (int32_t)v->view,
                     .laterality = v->laterality,
                     .has_burned_in = v->has_burned_in,
                     .has_spacing = v->has_spacing,
                     .has_geometry = v->has_geometry,
                     .spacing_mm = v->spacing_mm,
                     .origin_mm = v->origin_mm};
    memcpy(a.body_part, v->body_part, sizeof a.body_part);
    memcpy(a.direction, v->direction, sizeof a.direction);
    rvl_str_add_n(&answer->head, &a, sizeof a);
    answer->n_body = (size_t)(v->depth * v->height * v->width) * rvl_voxel_bytes(v->type);
    answer->body = v->voxels;
    v->voxels = NULL;
    rvl_volume_free(v);
    return RVL_OK;
}

static bool is_positive(rvl_vec3 v)
{
    return v.x > 0 && v.y > 0 && v.z > 0 && isfinite(v.x) && isfinite(v.y) && isfinite(v.z);
}

/* Whether numbers from a process that has read untrusted bytes can be a volume of `n_bytes`. */
static bool is_volume(const answer_head *a, size_t n_bytes)
{
    size_t n = 0;

    if (a->depth < 1 || a->height < 1 || a->width < 1 || a->type < RVL_VOXEL_U8 || a->type > RVL_VOXEL_F32)
        return false;
    bool is_ok = rvl_mul_size(&n, (size_t)a->depth, (size_t)a->height) && rvl_mul_size(&n, n, (size_t)a->width) &&
                 rvl_mul_size(&n, n, rvl_voxel_bytes((rvl_voxel_type)a->type)) && n == n_bytes;
    is_ok = is_ok && a->unit >= RVL_UNIT_UNKNOWN && a->unit <= RVL_UNIT_ARBITRARY &&
            a->modality >= RVL_MODALITY_UNKNOWN && a->modality <= RVL_MODALITY_MG && a->view >= RVL_VIEW_UNKNOWN &&
            a->view <= RVL_VIEW_MLO;
    is_ok = is_ok && is_positive(a->spacing_mm) && isfinite(a->origin_mm.x) && isfinite(a->origin_mm.y) &&
            isfinite(a->origin_mm.z) && memchr(a->body_part, '\0', sizeof a->body_part);
    for (int i = 0; is_ok && i < 9; i++)
        is_ok = isfinite(a->direction[i / 3][i % 3]);
    return is_ok && (a->laterality == 0 || a->laterality == 'L' || a->laterality == 'R' || a->laterality == 'B');
}

static rvl_status answer_take(rvl_volume **out, int64_t *n_non_finite, rvl_workers *w, const char *path, rvl_error *err)
{
    answer_head a;
    size_t      n_body = 0;
    rvl_span    head = rvl_workers_head(w, 0);
    void       *body = rvl_workers_take_body(w, 0, &n_body);
    rvl_volume *v = NULL;

    if (head.n_bytes != sizeof a || !body || !rvl__work_take(&a, sizeof a, &head) || !is_volume(&a, n_body)) {
        rvl_free(body);
        return rvl__work_broken(path, err);
    }
    v = rvl_alloc_array(1, sizeof *v);
    if (!v) {
        rvl_free(body);
        return rvl_fail(err, RVL_ERR_NOMEM, "cannot read '%s': out of memory", path);
    }
    *v = (rvl_volume){.type = (rvl_voxel_type)a.type,
                      .depth = a.depth,
                      .height = a.height,
                      .width = a.width,
                      .voxels = body,
                      .unit = (rvl_unit)a.unit,
                      .modality = (rvl_modality)a.modality,
                      .view = (rvl_view)a.view,
                      .laterality = (char)a.laterality,
                      .has_burned_in = a.has_burned_in != 0,
                      .has_spacing = a.has_spacing != 0,
                      .has_geometry = a.has_geometry != 0,
                      .spacing_mm = a.spacing_mm,
                      .origin_mm = a.origin_mm};
    memcpy(v->body_part, a.body_part, sizeof v->body_part);
    memcpy(v->direction, a.direction, sizeof v->direction);
    *n_non_finite = a.n_non_finite;
    *out = v;
    return RVL_OK;
}

static rvl_status ask(rvl_volume **out, int64_t *n_non_finite, rvl_workers *w, const char *path, request_head *head,
                      const char *member, rvl_error *err)
{
    rvl_str request = {0};

    *out = NULL;
    head->kind = RVL__WORK_VOLUME;
    head->has_member = member != NULL;
    rvl__work_add(&request, head, sizeof *head);
    rvl__work_add_text(&request, path);
    rvl__work_add_text(&request, member ? member : "");
    rvl__work_send(w, 0, &request);
    rvl_status st = rvl__work_finish(w, 0, path, err);
    return st ? st : answer_take(out, n_non_finite, w, path, err);
}

rvl_status rvl_volume_load_apart(rvl_volume **out, int64_t *n_non_finite, rvl_workers *w, const char *path,
                                 const rvl_volume_opts *opts, rvl_error *err)
{
    rvl_volume_info info = {0};
    request_head    head;

    *n_non_finite = 0;
    if (!w) {
        rvl_status st = rvl_volume_load(out, &info, path, opts, NULL, err);
        *n_non_finite = info.n_non_finite;
        return st;
    }
    memset(&head, 0, sizeof head);
    head.voxels = opts->voxels;
    head.voxels.on_row = NULL; /* of this process */
    head.voxels.context = NULL;
    return ask(out, n_non_finite, w, path, &head, opts->member, err);
}

rvl_status rvl_preprocess_load_apart(rvl_volume **out, rvl_workers *w, const rvl_preprocess *spec, const char *path,
                                     rvl_error *err)
{
    request_head head;
    int64_t      ignored;

    if (!w)
        return rvl_preprocess_load(out, spec, path, NULL, err);
    memset(&head, 0, sizeof head);
    head.is_preprocess = true;
    head.spec = *spec;
    return ask(out, &ignored, w, path, &head, NULL, err);
}
