/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file model/load_keys.c
 * The keys a model expects are found by building it over a scratch set of weights; then they are compared with the
 * file's one by one, before anything is copied.
 */
#include "model/load_keys.h"
#include "base/alloc.h"
#include "base/str.h"
#include "model/pos_embed.h"
#include "model/video_names.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Scratch weights have the file's shapes and share this storage: no plan ever reads them. */
static _Alignas(64) char no_data[64];

#define NAME_BYTES RVL__KEY_NAME_BYTES

/** Whether `name` (of the model) or what follows its prefix starts with an entry of the list. */
static bool missing_allowed(const rvl_key_map *map, const char *name)
{
    const char *bare = name + strlen(map->model_prefix);
    const char *entry = map->allow_missing;

    while (entry && *entry) {
        size_t n;

        while (*entry == ' ')
            entry++;
        n = strcspn(entry, ", ");
        if (n > 0 && (strncmp(name, entry, n) == 0 || strncmp(bare, entry, n) == 0))
            return true;
        entry += n;
        entry += strspn(entry, ", ");
    }
    return false;
}

/** Replace the end `from` of `name` by `to`; false if it does not end so. */
static bool end_replace(char name[NAME_BYTES], const char *from, const char *to)
{
    size_t n = strlen(name);

    if (!rvl_str_ends(name, from) || n - strlen(from) + strlen(to) >= NAME_BYTES)
        return false;
    snprintf(name + n - strlen(from), NAME_BYTES - (n - strlen(from)), "%s", to);
    return true;
}

/** What a tower calls a weight: behind the prefix, in a whole bundle (no prefix) behind "visual.". */
static char *tower_name(char name[NAME_BYTES], const char *prefix)
{
    char *bare = name + strlen(prefix);

    return bare + (!*prefix && rvl_str_starts(bare, RVL__VISUAL_PREFIX) ? strlen(RVL__VISUAL_PREFIX) : 0);
}

/** The file's tensor for a name of the model; `key` gets the name under which it was found. */
static const rvl_tensor *file_find(const rvl_weight_file *file, const rvl_key_map *map, const char *name,
                                   char key[NAME_BYTES])
{
    const rvl_tensor *t;

    snprintf(key, NAME_BYTES, "%s%s", map->file_prefix, name + strlen(map->model_prefix));
    char *bare = tower_name(key, map->file_prefix);
    if (map->video_names && !rvl__video_name_from_ours(bare, NAME_BYTES - (size_t)(bare - key)))
        return NULL;
    t = rvl_weight_file_find(file, key);
    if (!t && map->old_norms &&
        (end_replace(key, "LayerNorm.weight", "LayerNorm.gamma") ||
         end_replace(key, "LayerNorm.bias", "LayerNorm.beta")))
        t = rvl_weight_file_find(file, key);
    return t;
}

/** The name of the model for a key of the file; false if the key is of another part. */
static bool model_name(const rvl_key_map *map, const char *key, char name[NAME_BYTES])
{
    if (!rvl_str_starts(key, map->file_prefix))
        return false;
    snprintf(name, NAME_BYTES, "%s%s", map->model_prefix, key + strlen(map->file_prefix));
    char *bare = tower_name(name, map->model_prefix);
    if (map->video_names && !rvl__video_name_to_ours(bare, NAME_BYTES - (size_t)(bare - name)))
        return false;
    if (map->old_norms && !end_replace(name, "LayerNorm.gamma", "LayerNorm.weight"))
        (void)end_replace(name, "LayerNorm.beta", "LayerNorm.bias");
    return true;
}

static bool is_statistic(const char *name)
{
    return rvl_str_ends(name, ".running_mean") || rvl_str_ends(name, ".running_var");
}

/** Scratch weights of the file's shapes, so that building the model makes only what the file lacks. */
static rvl_status scratch_fill(rvl_model *scratch, const rvl_weight_file *file, const rvl_key_map *map, rvl_error *err)
{
    char       name[NAME_BYTES];
    rvl_status st = RVL_OK;

    for (int i = 0; !st && i < rvl_weight_file_count(file); i++) {
        const rvl_tensor *t = rvl_weight_file_tensor(file, i);
        rvl_tensor       *shape_only = NULL;

        if (!model_name(map, rvl_weight_file_name(file, i), name) || rvl_params_find(scratch->params, name))
            continue;
        /* State copies what it is given, so statistics (a few values a channel) need storage of their own. */
        st = is_statistic(name)
                 ? rvl_tensor_new(&shape_only, RVL_DTYPE_F32, rvl_tensor_n_dims(t), rvl_tensor_shape(t), err)
                 : rvl_tensor_borrow(&shape_only, RVL_DTYPE_F32, rvl_tensor_n_dims(t), rvl_tensor_shape(t), no_data,
                                     err);
        if (st)
            return st;
        st = is_statistic(name) ? rvl_state_give(scratch->state, name, shape_only, err)
                                : rvl_params_give(scratch->params, name, shape_only, err);
    }
    return st;
}

/** A model of the configuration of `m` without its texts; its params and state name every key that `m` expects. */
static rvl_status scratch_new(rvl_model **out, const rvl_model *m, const rvl_weight_file *file, const rvl_key_map *map,
                              rvl_error *err)
{
    rvl_model *scratch = NULL;
    rvl_status st = rvl_model_new(&scratch, 0, err);

    *out = NULL;
    if (st)
        return st;
    scratch->has_image = m->has_image && rvl_str_starts("visual.", map->model_prefix);
    scratch->has_text = m->has_text && rvl_str_starts("text.", map->model_prefix);
    scratch->has_head = m->has_head && map->model_prefix[0] == '\0';
    scratch->has_clip = m->has_clip && map->model_prefix[0] == '\0';
    scratch->image = m->image;
    scratch->text = m->text;
    scratch->clip = m->clip;
    scratch->schema = m->schema; /* borrowed: taken away again in scratch_free */
    if (file)
        st = scratch_fill(scratch, file, map, err);
    if (!st)
        st = rvl_model_materialize(scratch, err);
    if (st) {
        scratch->schema = NULL;
        rvl_model_free(scratch);
        return st;
    }
    *out = scratch;
    return RVL_OK;
}

static void scratch_free(rvl_model *scratch)
{
    if (scratch)
        scratch->schema = NULL;
    rvl_model_free(scratch);
}

static void note(char first[128], int *count, const char *name)
{
    if ((*count)++ == 0)
        snprintf(first, 128, "%s", name);
}

static bool shapes_equal(const rvl_tensor *a, const rvl_tensor *b)
{
    if (rvl_tensor_n_dims(a) != rvl_tensor_n_dims(b))
        return false;
    for (int i = 0; i < rvl_tensor_n_dims(a); i++)
        if (rvl_tensor_shape(a)[i] != rvl_tensor_shape(b)[i])
            return false;
    return true;
}

/** Whether `name` is the stem of a one-channel tower, and the file's has more input channels and is else the same. */
static bool channels_differ(const rvl_key_map *map, const char *name, const rvl_tensor *found,
                            const rvl_tensor *expected)
{
    int n_dims = rvl_tensor_n_dims(expected);

    if (!map->stem || !found || !rvl_str_equal(name, map->stem) || rvl_tensor_n_dims(found) != n_dims || n_dims < 2 ||
        rvl_tensor_shape(expected)[1] != 1 || rvl_tensor_shape(found)[1] < 2)
        return false;
    for (int i = 0; i < n_dims; i++)
        if (i != 1 && rvl_tensor_shape(found)[i] != rvl_tensor_shape(expected)[i])
            return false;
    return true;
}

/** Kernels (O, C, kernel...) of any float dtype to f32 (O, 1, kernel...), each the sum over C, in f64. */
static rvl_status channels_sum(rvl_tensor **out, const rvl_tensor *found, const rvl_tensor *expected, rvl_error *err)
{
    int64_t      n_out = rvl_tensor_shape(found)[0];
    int64_t      n_channels = rvl_tensor_shape(found)[1];
    int64_t      n_kernel = rvl_tensor_count(found) / (n_out * n_channels);
    rvl_tensor  *all = NULL;
    const float *from;
    float       *to;
    rvl_status   st = rvl_tensor_convert(&all, found, RVL_DTYPE_F32, err);

    if (!st)
        st = rvl_tensor_new(out, RVL_DTYPE_F32, rvl_tensor_n_dims(expected), rvl_tensor_shape(expected), err);
    if (st) {
        rvl_tensor_free(all);
        return st;
    }
    from = rvl_tensor_const_data(all);
    to = rvl_tensor_data(*out);
    for (int64_t i = 0; i < n_out * n_kernel; i++) {
        double sum = 0;

        for (int64_t c = 0; c < n_channels; c++)
            sum += (double)from[(i / n_kernel * n_channels + c) * n_kernel + i % n_kernel];
        to[i] = (float)sum;
    }
    rvl_tensor_free(all);
    return RVL_OK;
}

/** Whether `found` is the stem of a network for color video that a tower of one channel cannot take: its other kernels
 *  are worth having, the stem starts fresh. */
static bool is_video_stem(const rvl_key_map *map, const char *name, const rvl_tensor *found, const rvl_tensor *expected)
{
    return map->video_names && map->stem && found && rvl_str_equal(name, map->stem) && rvl_tensor_n_dims(found) == 5 &&
           rvl_tensor_shape(found)[1] == 3 && rvl_tensor_shape(expected)[1] == 1 &&
           !channels_differ(map, name, found, expected);
}

/** How a tensor of the file becomes the expected one. */
typedef enum { FIT_NONE, FIT_EQUAL, FIT_SUM, FIT_RESAMPLE } fit;

/** The grid of learned positions in the file: as its bundle says, else a square. */
static bool positions_grid(int64_t grid[2], const rvl_key_map *map, const rvl_tensor *found)
{
    int64_t n = rvl_tensor_shape(found)[1] - 1;

    grid[0] = map->file_grid[0];
    grid[1] = map->file_grid[1];
    if (grid[0] == 0)
        grid[0] = grid[1] = (int64_t)(sqrt((double)n) + 0.5);
    return n > 0 && grid[0] * grid[1] == n;
}

static fit fit_find(const rvl_key_map *map, const char *name, const rvl_tensor *found, const rvl_tensor *expected)
{
    bool    equal = found && shapes_equal(found, expected);
    int64_t grid[2];

    if (!found)
        return FIT_NONE;
    if (map->positions && rvl_str_equal(name, map->positions) && rvl_tensor_n_dims(found) == 3 &&
        rvl_tensor_shape(found)[0] == 1 && rvl_tensor_shape(found)[2] == rvl_tensor_shape(expected)[2] &&
        !(equal && map->file_grid[0] == 0) && positions_grid(grid, map, found) &&
        (grid[0] != map->model_grid[0] || grid[1] != map->model_grid[1]))
        return FIT_RESAMPLE;
    if (equal)
        return FIT_EQUAL;
    return map->sum_channels && channels_differ(map, name, found, expected) ? FIT_SUM : FIT_NONE;
}

static void resampled_note(rvl_load_report *report, const rvl_key_map *map, const char *name, const rvl_tensor *found)
{
    int64_t grid[2];

    (void)positions_grid(grid, map, found);
    report->n_resampled++;
    snprintf(report->resampled, sizeof report->resampled, "%.60s from %lld x %lld to %lld x %lld", name,
             (long long)grid[0], (long long)grid[1], (long long)map->model_grid[0], (long long)map->model_grid[1]);
}

/** Compare one expected tensor with the file: the file's tensor if it is to be copied. `n_denied` counts failures. */
static const rvl_tensor *expected_check(const rvl_weight_file *file, const rvl_key_map *map, const char *name,
                                        const rvl_tensor *expected, rvl_load_report *report, int *n_denied)
{
    char              key[NAME_BYTES];
    const rvl_tensor *found = file_find(file, map, name, key);

    fit how = fit_find(map, name, found, expected);

    if (how == FIT_SUM)
        note(report->first_summed, &report->n_summed, name);
    if (how == FIT_RESAMPLE)
        resampled_note(report, map, name, found);
    if (how != FIT_NONE) {
        report->n_matched++;
        return found;
    }
    if (is_video_stem(map, name, found, expected)) {
        note(report->first_dropped, &report->n_dropped, name);
        return NULL;
    }
    if (found)
        note(report->first_misshapen, &report->n_misshapen, name);
    else
        note(report->first_missing, &report->n_missing, name);
    *n_denied += !missing_allowed(map, name);
    return NULL;
}

/** Fill the report; returns how many keys stand in the way. */
static int keys_compare(rvl_model *scratch, const rvl_weight_file *file, const rvl_key_map *map,
                        rvl_load_report *report)
{
    char name[NAME_BYTES];
    int  n_denied = 0;

    *report = (rvl_load_report){0};
    for (int i = 0; i < rvl_params_count(scratch->params); i++) {
        rvl_param *p = rvl_params_at(scratch->params, i);

        if (rvl_param_is_used(p))
            (void)expected_check(file, map, rvl_param_name(p), rvl_param_tensor(p), report, &n_denied);
    }
    for (int i = 0; i < rvl_state_count(scratch->state); i++)
        if (rvl_state_is_used(scratch->state, i))
            (void)expected_check(file, map, rvl_state_name(scratch->state, i), rvl_state_tensor(scratch->state, i),
                                 report, &n_denied);
    for (int i = 0; i < rvl_weight_file_count(file); i++) {
        const char *key = rvl_weight_file_name(file, i);
        bool        expected = false;

        if (!model_name(map, key, name))
            continue;
        for (int k = 0; !expected && k < rvl_state_count(scratch->state); k++)
            expected = rvl_state_is_used(scratch->state, k) && rvl_str_equal(rvl_state_name(scratch->state, k), name);
        if (!expected) {
            const rvl_param *p = rvl_params_find(scratch->params, name);

            expected = p && rvl_param_is_used(p);
        }
        if (!expected)
            note(report->first_unexpected, &report->n_unexpected, key);
    }
    return n_denied;
}

/** Whether it is only the number of input channels that keeps the file's stem out. */
static bool stem_in_the_way(const rvl_model *scratch, const rvl_weight_file *file, const rvl_key_map *map,
                            const rvl_load_report *r)
{
    char       key[NAME_BYTES];
    rvl_param *stem = map->stem ? rvl_params_find(scratch->params, map->stem) : NULL;

    return stem && r->n_misshapen == 1 &&
           channels_differ(map, map->stem, file_find(file, map, map->stem, key), rvl_param_tensor(stem));
}

static rvl_status refuse(const char *path, const rvl_key_map *map, const rvl_load_report *r, bool by_channels,
                         rvl_error *err)
{
    const char *hint = by_channels ? "the file's tower reads several channels: --in-channels 3 keeps its weights and "
                                     "repeats the image, --sum-channels sums its first kernels over the channels"
                       : map->model_prefix[0]
                           ? "the file and the configured tower differ; name what may start fresh with --allow-missing"
                           : "the file is damaged or was made by another version";

    return rvl_fail(err, RVL_ERR_FORMAT,
                    "cannot load '%s': %d keys match, %d are missing%s%s%s, %d have another shape%s%s%s, %d are "
                    "unexpected%s%s%s\nhint: %s",
                    path, r->n_matched, r->n_missing, r->n_missing ? " (first '" : "", r->first_missing,
                    r->n_missing ? "')" : "", r->n_misshapen, r->n_misshapen ? " (first '" : "", r->first_misshapen,
                    r->n_misshapen ? "')" : "", r->n_unexpected, r->n_unexpected ? " (first '" : "",
                    r->first_unexpected, r->n_unexpected ? "')" : "", hint);
}

/** The expected tensor in f32, made of the file's. */
static rvl_status tensor_fit(rvl_tensor **out, const rvl_tensor *found, const rvl_tensor *expected,
                             const rvl_key_map *map, const char *name, rvl_error *err)
{
    int64_t grid[2];

    switch (fit_find(map, name, found, expected)) {
    case FIT_SUM:
        return channels_sum(out, found, expected, err);
    case FIT_RESAMPLE:
        (void)positions_grid(grid, map, found);
        return rvl__pos_embed_resample(out, found, 1, grid, map->model_grid, err);
    default:
        return rvl_tensor_convert(out, found, RVL_DTYPE_F32, err);
    }
}

/** Copy the matching tensors. The comparison was done: only memory can fail. */
static rvl_status keys_give(rvl_model *m, rvl_model *scratch, const rvl_weight_file *file, const rvl_key_map *map,
                            rvl_error *err)
{
    rvl_load_report counts = {0};
    int             n_denied = 0;
    int             n_params = rvl_params_count(scratch->params);
    rvl_status      st = RVL_OK;

    for (int i = 0; !st && i < n_params + rvl_state_count(scratch->state); i++) {
        bool              is_param = i < n_params;
        rvl_param        *p = is_param ? rvl_params_at(scratch->params, i) : NULL;
        const char       *name = is_param ? rvl_param_name(p) : rvl_state_name(scratch->state, i - n_params);
        const rvl_tensor *expected = is_param ? rvl_param_tensor(p) : rvl_state_tensor(scratch->state, i - n_params);
        const rvl_tensor *found;
        rvl_tensor       *copy = NULL;

        if (is_param ? !rvl_param_is_used(p) : !rvl_state_is_used(scratch->state, i - n_params))
            continue;
        found = expected_check(file, map, name, expected, &counts, &n_denied);
        if (!found)
            continue;
        st = tensor_fit(&copy, found, expected, map, name, err);
        if (!st)
            st = is_param ? rvl_params_give(m->params, name, copy, err) : rvl_state_give(m->state, name, copy, err);
    }
    return st;
}

rvl_status rvl__load_keys(rvl_model *m, const rvl_weight_file *file, const char *path, const rvl_key_map *map,
                          rvl_load_report *report, rvl_error *err)
{
    rvl_load_report local;
    rvl_model      *scratch = NULL;
    rvl_status      st;

    if (!report)
        report = &local;
    *report = (rvl_load_report){0};
    st = scratch_new(&scratch, m, file, map, err);
    if (st == RVL_ERR_SHAPE) /* something is misshapen: learn all names and shapes without the file's */
        st = scratch_new(&scratch, m, NULL, map, err);
    if (st) {
        rvl_error_prefix(err, "cannot load '%s'", path);
        return st;
    }
    if (keys_compare(scratch, file, map, report) > 0)
        st = refuse(path, map, report, stem_in_the_way(scratch, file, map, report), err);
    else
        st = keys_give(m, scratch, file, map, err);
    scratch_free(scratch);
    return st;
}
