/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cohort/map_preprocess.c
 * The map's section `preprocess`: a preset, and what is said beside it.
 */
#include "base/str.h"
#include "cohort/map.h"
#include <string.h>

#define GRID_MAX 16384

/* A list of three numbers; an absent key leaves them. */
static rvl_status read_three(double out[3], const rvl_yaml *node, const char *key, rvl_error *err)
{
    const rvl_yaml *list = rvl_yaml_get(node, key);
    bool            is_ok = !list || (list->kind == RVL_YAML_SEQ && list->n_items == 3);

    for (size_t i = 0; is_ok && list && i < 3; i++)
        is_ok = list->items[i]->kind == RVL_YAML_SCALAR && rvl_parse_f64(list->items[i]->text, &out[i]);
    return is_ok ? RVL_OK
                 : rvl_fail(err, RVL_ERR_FORMAT, "%s:%d: '%s' must be three numbers", list->file, list->line, key);
}

/* The preset named, its modality and body part where the map says none. */
static rvl_status read_preset(rvl__map *map, const rvl_yaml *node, rvl_error *err)
{
    const char          *name = NULL;
    const rvl_preprocess said = map->spec;
    rvl_status           st = rvl_yaml_read_string(&name, node, "preset", err);

    if (st || !name)
        return st;
    st = rvl_preprocess_preset(&map->spec, name, err);
    if (!st && map->spec.modality != said.modality)
        st = rvl_fail(err, RVL_ERR_FORMAT, "the preset '%s' is for modality '%s', the map says '%s'", name,
                      rvl_modality_text(map->spec.modality), rvl_modality_text(said.modality));
    if (st)
        rvl_error_prefix(err, "%s:%d", node->file, rvl_yaml_get(node, "preset")->line);
    else
        memcpy(map->spec.body_part, said.body_part, sizeof said.body_part);
    return st;
}

static rvl_status read_rule(rvl_preprocess *spec, const rvl_yaml *node, rvl_error *err)
{
    const char *rule = NULL, *orient = NULL;
    rvl_status  st = rvl_yaml_read_string(&rule, node, "resample", err);

    if (!st)
        st = rvl_yaml_read_string(&orient, node, "orient", err);
    if (st)
        return st;
    if (rule && !rvl_str_equal(rule, "centre") && !rvl_str_equal(rule, "ct-clip"))
        return rvl_fail(err, RVL_ERR_FORMAT, "%s:%d: resample '%s' is neither centre nor ct-clip", node->file,
                        node->line, rule);
    if (rule)
        spec->resample = rvl_str_equal(rule, "ct-clip") ? RVL_RESAMPLE_CT_CLIP : RVL_RESAMPLE_CENTRE;
    if (orient && (rvl_str_equal(orient, "none") || strlen(orient) != 3)) {
        memset(spec->orient, 0, sizeof spec->orient);
        if (!rvl_str_equal(orient, "none"))
            return rvl_fail(err, RVL_ERR_FORMAT, "%s:%d: orient '%s' is neither three letters like LPS nor none",
                            node->file, node->line, orient);
    } else if (orient) {
        memcpy(spec->orient, orient, 4);
    }
    return RVL_OK;
}

/* What only volumes have: depth, load, spacing, resample, orient. */
static rvl_status read_volume(rvl_preprocess *spec, const rvl_yaml *node, rvl_error *err)
{
    static const char *const only[] = {"load", "spacing", "resample", "orient"};
    double                   mm[3] = {spec->spacing_mm.x, spec->spacing_mm.y, spec->spacing_mm.z};
    double                   load[3] = {(double)spec->load_depth, (double)spec->load_height, (double)spec->load_width};
    rvl_status               st = rvl_yaml_read_i64(&spec->depth, node, "depth", err);

    if (!st)
        st = read_three(mm, node, "spacing", err);
    if (!st)
        st = read_three(load, node, "load", err);
    if (!st)
        st = read_rule(spec, node, err);
    if (st)
        return st;
    for (size_t i = 0; i < RVL_ARRAY_LEN(only); i++)
        if (!rvl_preprocess_is_volume(spec) && rvl_yaml_get(node, only[i]))
            return rvl_fail(err, RVL_ERR_FORMAT, "%s:%d: '%s' has a meaning for volumes: 'depth' is missing",
                            node->file, node->line, only[i]);
    if (rvl_preprocess_is_volume(spec) && spec->modality != RVL_MODALITY_CT)
        return rvl_fail(err, RVL_ERR_FORMAT, "%s:%d: 'depth' above 1 goes with 'modality: ct'", node->file, node->line);
    for (int a = 0; a < 3; a++)
        if (!(load[a] >= 0 && load[a] <= GRID_MAX))
            return rvl_fail(err, RVL_ERR_FORMAT, "%s:%d: 'load' must be three sides of at most %d", node->file,
                            node->line, GRID_MAX);
    spec->spacing_mm = (rvl_vec3){mm[0], mm[1], mm[2]};
    spec->load_depth = (int64_t)load[0];
    spec->load_height = (int64_t)load[1];
    spec->load_width = (int64_t)load[2];
    return RVL_OK;
}

static rvl_status map_read_window(rvl__map *map, const rvl_yaml *node, rvl_error *err)
{
    const char *window = NULL;
    double      low = 0, high = 0;
    rvl_status  st = rvl_yaml_read_string(&window, node, "window", err);

    if (!st && window && strcmp(window, "robust") == 0)
        map->spec.window = RVL_WINDOW_ROBUST, map->spec.window_a = 0.5, map->spec.window_b = 99.5;
    else if (!st && window && strcmp(window, "fixed") == 0)
        map->spec.window = RVL_WINDOW_FIXED;
    else if (!st && window && strcmp(window, "range") == 0)
        map->spec.window = RVL_WINDOW_RANGE, map->spec.window_a = 0, map->spec.window_b = 0;
    else if (!st && window && strcmp(window, "voi") == 0)
        map->spec.window = RVL_WINDOW_VOI, map->spec.window_a = 0, map->spec.window_b = 0;
    else if (!st && window)
        return rvl_fail(err, RVL_ERR_FORMAT, "%s:%d: window '%s' is none of robust, fixed, range, voi", node->file,
                        node->line, window);
    low = map->spec.window_a;
    high = map->spec.window_b;
    if (!st)
        st = rvl_yaml_read_f64(&low, node, "window_low", err);
    if (!st)
        st = rvl_yaml_read_f64(&high, node, "window_high", err);
    if (st)
        return st;
    bool has_limits = rvl_yaml_get(node, "window_low") || rvl_yaml_get(node, "window_high");
    if (map->spec.window >= RVL_WINDOW_RANGE && has_limits)
        return rvl_fail(err, RVL_ERR_FORMAT, "%s:%d: window 'range' takes no window_low and window_high", node->file,
                        node->line);
    if (map->spec.window < RVL_WINDOW_RANGE && !(low < high))
        return rvl_fail(err, RVL_ERR_FORMAT, "%s:%d: window_low must be below window_high", node->file, node->line);
    if (map->spec.window == RVL_WINDOW_ROBUST && (low < 0 || high > 100))
        return rvl_fail(err, RVL_ERR_FORMAT, "%s:%d: the robust window is given in percentiles, 0 to 100", node->file,
                        node->line);
    map->spec.window_a = low;
    map->spec.window_b = high;
    return RVL_OK;
}

rvl_status rvl__map_read_preprocess(rvl__map *map, const rvl_yaml *root, rvl_error *err)
{
    static const char *const keys[] = {"height", "width",     "window",     "window_low", "window_high",
                                       "bits",   "range_low", "range_high", "preset",     "depth",
                                       "load",   "spacing",   "resample",   "orient",     NULL};
    const rvl_yaml          *node;
    int64_t                  bits = map->spec.bits;
    rvl_status               st = rvl__map_node(&node, root, "preprocess", err);

    if (st || !node)
        return st;
    st = rvl_yaml_check_keys(node, keys, err);
    if (!st)
        st = read_preset(map, node, err);
    bits = map->spec.bits;
    if (!st)
        st = rvl_yaml_read_i64(&map->spec.height, node, "height", err);
    if (!st)
        st = rvl_yaml_read_i64(&map->spec.width, node, "width", err);
    if (!st)
        st = rvl_yaml_read_i64(&bits, node, "bits", err);
    if (!st)
        st = map_read_window(map, node, err);
    if (!st)
        st = rvl_yaml_read_f64(&map->spec.out_low, node, "range_low", err);
    if (!st)
        st = rvl_yaml_read_f64(&map->spec.out_high, node, "range_high", err);
    if (!st)
        st = read_volume(&map->spec, node, err);
    if (st)
        return st;
    if (bits != 8 && bits != 16)
        return rvl_fail(err, RVL_ERR_FORMAT, "%s:%d: bits must be 8 or 16", node->file, node->line);
    if (map->spec.height < 1 || map->spec.height > GRID_MAX || map->spec.width < 1 || map->spec.width > GRID_MAX)
        return rvl_fail(err, RVL_ERR_FORMAT, "%s:%d: height and width must be 1 to %d", node->file, node->line,
                        GRID_MAX);
    map->spec.bits = (int)bits;
    st = rvl__preprocess_check(&map->spec, RVL_ERR_FORMAT, err);
    if (st)
        rvl_error_prefix(err, "%s:%d", node->file, node->line);
    return st;
}
