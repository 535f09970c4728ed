/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cohort/map.c
 * Reads the map. Every mistake is reported with file and line; nothing unknown is ignored.
 */
#include "cohort/map.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/str.h"
#include <string.h>

#define MAP_MAX_BYTES (1 << 20)

static const char *const column_names[] = {"image",      "patient",   "study",     "view",       "sex",
                                           "age",        "date",      "series",    "accession",  "split",
                                           "spacing",    "slope",     "intercept", "report",     "indication",
                                           "comparison", "technique", "findings",  "impression", NULL};
_Static_assert(RVL_ARRAY_LEN(column_names) == RVL__COLUMN_COUNT + 1, "a name for each column");

const char *rvl__column_text(rvl__column column)
{
    return column_names[column];
}

rvl_status rvl__map_node(const rvl_yaml **out, const rvl_yaml *parent, const char *key, rvl_error *err)
{
    *out = rvl_yaml_get(parent, key);
    if (*out && (*out)->kind != RVL_YAML_MAP)
        return rvl_fail(err, RVL_ERR_FORMAT, "%s:%d: '%s' must be a map of keys and values", (*out)->file, (*out)->line,
                        key);
    return RVL_OK;
}

/** A scalar that is not empty. */
static rvl_status node_text(const char **out, const rvl_yaml *node, const char *what, rvl_error *err)
{
    if (node->kind != RVL_YAML_SCALAR || !*node->text)
        return rvl_fail(err, RVL_ERR_FORMAT, "%s:%d: %s must be a name", node->file, node->line, what);
    *out = node->text;
    return RVL_OK;
}

static rvl_status array_read_split(rvl__map_array *out, const char *split, const rvl_yaml *node, rvl_error *err)
{
    rvl_status st;

    if (node->kind != RVL_YAML_SEQ || node->n_items < 1 || node->n_items > 2)
        return rvl_fail(err, RVL_ERR_FORMAT, "%s:%d: split '%s' must be [images] or [images, labels]", node->file,
                        node->line, split);
    out->split = split;
    out->labels = NULL;
    st = node_text(&out->images, node->items[0], "the images array", err);
    if (!st && node->n_items == 2)
        st = node_text(&out->labels, node->items[1], "the labels array", err);
    return st;
}

static rvl_status map_read_array(rvl__map *map, const rvl_yaml *array, rvl_error *err)
{
    static const char *const keys[] = {"file", "splits", "label", NULL};
    const rvl_yaml          *splits;
    rvl_status               st = rvl_yaml_check_keys(array, keys, err);

    if (!st)
        st = rvl_yaml_read_string(&map->array_file, array, "file", err);
    if (!st)
        st = rvl__map_node(&splits, array, "splits", err);
    if (st)
        return st;
    if (!map->array_file || !splits || splits->n_items < 1 || splits->n_items > RVL__MAX_ARRAY_SPLITS)
        return rvl_fail(err, RVL_ERR_FORMAT, "%s:%d: 'array' needs 'file' and 1 to %d 'splits'", array->file,
                        array->line, RVL__MAX_ARRAY_SPLITS);
    for (size_t i = 0; i < splits->n_items; i++) {
        st = array_read_split(&map->arrays[i], splits->keys[i], splits->items[i], err);
        if (st)
            return st;
        map->n_arrays++;
    }
    return RVL_OK;
}

static rvl_status map_read_source(rvl__map *map, const rvl_yaml *root, rvl_error *err)
{
    const rvl_yaml *array;
    rvl_status      st = rvl_yaml_read_string(&map->table, root, "table", err);

    if (!st)
        st = rvl__map_node(&array, root, "array", err);
    if (st)
        return st;
    if (!map->table == !array)
        return rvl_fail(err, RVL_ERR_FORMAT, "%s:%d: the map needs either 'table' or 'array'", root->file, root->line);
    return array ? map_read_array(map, array, err) : RVL_OK;
}

static rvl_status map_read_columns(rvl__map *map, const rvl_yaml *root, rvl_error *err)
{
    const rvl_yaml *columns;
    rvl_status      st = rvl__map_node(&columns, root, "columns", err);

    if (st)
        return st;
    if (map->array_file)
        return columns ? rvl_fail(err, RVL_ERR_FORMAT, "%s:%d: 'columns' has no meaning with 'array'", columns->file,
                                  columns->line)
                       : RVL_OK;
    if (!columns)
        return rvl_fail(err, RVL_ERR_FORMAT, "%s:%d: the map needs 'columns' with at least 'image'", root->file,
                        root->line);
    st = rvl_yaml_check_keys(columns, column_names, err);
    for (int i = 0; !st && i < RVL__COLUMN_COUNT; i++)
        st = rvl_yaml_read_string(&map->columns[i], columns, column_names[i], err);
    if (!st && !map->columns[RVL__COLUMN_IMAGE])
        return rvl_fail(err, RVL_ERR_FORMAT, "%s:%d: 'columns' lacks 'image'", columns->file, columns->line);
    return st;
}

static rvl_status map_open_schema(rvl__map *map, const rvl_yaml *root, rvl_error *err)
{
    const char *name = NULL;
    char       *path = NULL;
    rvl_status  st = rvl_yaml_read_string(&name, root, "schema", err);

    if (st || !name)
        return st;
    if (strchr(name, '/') || rvl_str_ends(name, ".yaml")) {
        path = rvl_path_join(map->dir, name);
        if (!path)
            return rvl_fail(err, RVL_ERR_NOMEM, "cannot open schema '%s': out of memory", name);
        name = path;
    }
    st = rvl_schema_open(&map->schema, name, err);
    if (st)
        rvl_error_prefix(err, "%s:%d", root->file, rvl_yaml_get(root, "schema")->line);
    rvl_free(path);
    return st;
}

static rvl_status map_add_label(rvl__map *map, const char *finding, const char *column, const rvl_yaml *at,
                                rvl_error *err)
{
    int i_finding = rvl_schema_index(map->schema, finding);

    if (i_finding < 0)
        return rvl_fail(err, RVL_ERR_FORMAT, "%s:%d: label '%s' is not a finding of schema '%s'", at->file, at->line,
                        finding, rvl_schema_name(map->schema));
    for (int i = 0; i < map->n_labels; i++) {
        if (map->labels[i].i_finding == i_finding)
            return rvl_fail(err, RVL_ERR_FORMAT, "%s:%d: finding '%s' has two columns", at->file, at->line, finding);
    }
    map->labels[map->n_labels++] = (rvl__map_label){i_finding, column};
    return RVL_OK;
}

/** An array has one label for all its splits, or none. */
static rvl_status map_read_array_label(rvl__map *map, const rvl_yaml *root, rvl_error *err)
{
    const rvl_yaml *array = rvl_yaml_get(root, "array");
    const char     *label = NULL;
    int             n_with = 0;
    rvl_status      st = rvl_yaml_read_string(&label, array, "label", err);

    if (st)
        return st;
    for (int i = 0; i < map->n_arrays; i++)
        n_with += map->arrays[i].labels != NULL;
    if (n_with != (label ? map->n_arrays : 0) || !label != !map->schema)
        return rvl_fail(err, RVL_ERR_FORMAT,
                        "%s:%d: labels of an array need 'schema', 'label' and a labels array in every split",
                        array->file, array->line);
    return label ? map_add_label(map, label, NULL, array, err) : RVL_OK;
}

static rvl_status map_read_labels(rvl__map *map, const rvl_yaml *root, rvl_error *err)
{
    const rvl_yaml *labels;
    const char     *column = NULL;
    rvl_status      st = rvl__map_node(&labels, root, "labels", err);

    if (st)
        return st;
    if (map->schema) {
        map->labels = rvl_alloc_array((size_t)rvl_schema_count(map->schema), sizeof *map->labels);
        if (!map->labels)
            return rvl_fail(err, RVL_ERR_NOMEM, "cannot read the map: out of memory");
    }
    if (map->array_file && !labels)
        return map_read_array_label(map, root, err);
    if (map->array_file || !labels != !map->schema)
        return rvl_fail(err, RVL_ERR_FORMAT, "%s:%d: %s", labels ? labels->file : root->file,
                        labels ? labels->line : root->line,
                        map->array_file ? "with 'array' the finding is named by its 'label'"
                                        : "'schema' and 'labels' come together or not at all");
    for (size_t i = 0; !st && labels && i < labels->n_items; i++) {
        st = node_text(&column, labels->items[i], "the column of a label", err);
        if (!st)
            st = map_add_label(map, labels->keys[i], column, labels->items[i], err);
    }
    return st;
}

static rvl_status map_read_kind(rvl__map *map, const rvl_yaml *root, rvl_error *err)
{
    const char  *modality = NULL, *body_part = "";
    rvl_modality m;
    rvl_status   st = rvl_yaml_read_string(&modality, root, "modality", err);

    if (!st)
        st = rvl_yaml_read_string(&body_part, root, "body_part", err);
    if (st)
        return st;
    m = modality ? rvl_modality_parse(modality) : RVL_MODALITY_UNKNOWN;
    if (m == RVL_MODALITY_UNKNOWN)
        return rvl_fail(err, RVL_ERR_FORMAT, "%s:%d: 'modality' must be cxr, mg or ct", root->file, root->line);
    if (strlen(body_part) >= sizeof map->spec.body_part)
        return rvl_fail(err, RVL_ERR_FORMAT, "%s:%d: body_part '%s' is longer than %zu letters", root->file, root->line,
                        body_part, sizeof map->spec.body_part - 1);
    map->spec = rvl_preprocess_default(m, 64, 64);
    memset(map->spec.body_part, 0, sizeof map->spec.body_part);
    memcpy(map->spec.body_part, body_part, strlen(body_part));
    return RVL_OK;
}

/** Columns about the values and the place of CT volumes. */
static rvl_status map_check_columns(const rvl__map *map, const rvl_yaml *root, rvl_error *err)
{
    bool has_slope = map->columns[RVL__COLUMN_SLOPE] != NULL;

    if (has_slope != (map->columns[RVL__COLUMN_INTERCEPT] != NULL))
        return rvl_fail(err, RVL_ERR_FORMAT, "%s:%d: the columns 'slope' and 'intercept' come together", root->file,
                        root->line);
    if ((has_slope || map->columns[RVL__COLUMN_SPACING]) && map->spec.modality != RVL_MODALITY_CT)
        return rvl_fail(
            err, RVL_ERR_FORMAT,
            "%s:%d: the columns 'spacing', 'slope' and 'intercept' have a meaning with 'modality: ct' alone",
            root->file, root->line);
    return RVL_OK;
}

/** What the numbers of CT volumes are. */
static rvl_status map_read_unit(rvl__map *map, const rvl_yaml *root, rvl_error *err)
{
    const rvl_yaml *unit = rvl_yaml_get(root, "unit");
    const char     *text = NULL;
    rvl_status      st = rvl_yaml_read_string(&text, root, "unit", err);

    if (st || !unit)
        return st;
    if (map->spec.modality != RVL_MODALITY_CT)
        return rvl_fail(err, RVL_ERR_FORMAT, "%s:%d: 'unit' has a meaning with 'modality: ct' alone", root->file,
                        unit->line);
    if (!rvl_hu_kind_parse(&map->hu.kind, text))
        return rvl_fail(err, RVL_ERR_FORMAT, "%s:%d: unit '%s' is none of auto, hu, raw, hu/1000", root->file,
                        unit->line, text);
    if (map->hu.kind == RVL_HU_RAW && !map->columns[RVL__COLUMN_SLOPE])
        return rvl_fail(err, RVL_ERR_FORMAT, "%s:%d: unit 'raw' needs the columns 'slope' and 'intercept'", root->file,
                        unit->line);
    return RVL_OK;
}

static rvl_status map_read_views(rvl__map *map, const rvl_yaml *root, rvl_error *err)
{
    const rvl_yaml *views = rvl_yaml_get(root, "keep_views");
    const char     *text = NULL;
    int             n_views = 0;

    if (!views)
        return RVL_OK;
    if (views->kind != RVL_YAML_SEQ || views->n_items < 1 || !map->columns[RVL__COLUMN_VIEW])
        return rvl_fail(err, RVL_ERR_FORMAT, "%s:%d: 'keep_views' must be a list and needs the column 'view'",
                        views->file, views->line);
    for (size_t i = 0; i < views->n_items; i++) {
        rvl_status st = node_text(&text, views->items[i], "a view", err);
        if (st)
            return st;
        rvl_view view = rvl_view_parse(text);
        if (view == RVL_VIEW_UNKNOWN)
            return rvl_fail(err, RVL_ERR_FORMAT, "%s:%d: unknown view '%s'", views->file, views->items[i]->line, text);
        n_views += !(map->keep_views & 1u << view);
        map->keep_views |= 1u << view;
        map->spec.view = view;
    }
    if (n_views > 1)
        map->spec.view = RVL_VIEW_UNKNOWN;
    return RVL_OK;
}

static rvl_status map_read(rvl__map *map, const rvl_yaml *root, rvl_error *err)
{
    static const char *const keys[] = {"table",
                                       "array",
                                       "modality",
                                       "body_part",
                                       "schema",
                                       "columns",
                                       "labels",
                                       "preprocess",
                                       "root",
                                       "unit",
                                       "keep_views",
                                       "require_report",
                                       "allow_patient_leaks",
                                       "public_data",
                                       NULL};
    rvl_status               st;

    if (!root || root->kind != RVL_YAML_MAP)
        return rvl_fail(err, RVL_ERR_FORMAT, "the map is empty or no YAML map");
    st = rvl_yaml_check_keys(root, keys, err);
    if (!st)
        st = map_read_source(map, root, err);
    if (!st)
        st = map_read_columns(map, root, err);
    if (!st)
        st = map_read_kind(map, root, err);
    if (!st)
        st = map_check_columns(map, root, err);
    if (!st)
        st = map_open_schema(map, root, err);
    if (!st)
        st = map_read_labels(map, root, err);
    if (!st)
        st = rvl__map_read_preprocess(map, root, err);
    if (!st)
        st = map_read_unit(map, root, err);
    if (!st)
        st = map_read_views(map, root, err);
    if (!st)
        st = rvl_yaml_read_string(&map->root, root, "root", err);
    if (!st)
        st = rvl_yaml_read_bool(&map->require_report, root, "require_report", err);
    if (!st)
        st = rvl_yaml_read_bool(&map->allow_patient_leaks, root, "allow_patient_leaks", err);
    if (!st)
        st = rvl_yaml_read_bool(&map->public_data, root, "public_data", err);
    return st;
}

static rvl_status map_parse(rvl__map *out, const char *name, rvl_error *err)
{
    rvl_status st = rvl_yaml_parse(&out->doc, out->text, out->n_bytes, name, err);

    if (!st && !(out->dir = rvl_path_dir(name)))
        st = rvl_fail(err, RVL_ERR_NOMEM, "cannot read map '%s': out of memory", name);
    if (!st)
        st = map_read(out, rvl_yaml_root(out->doc), err);
    if (!st && out->require_report && out->array_file)
        st = rvl_fail(err, RVL_ERR_FORMAT, "%s: 'require_report' has no meaning with 'array'", name);
    if (st)
        rvl__map_fini(out);
    return st;
}

rvl_status rvl__map_load(rvl__map *out, const char *path, rvl_error *err)
{
    rvl_status st;

    *out = (rvl__map){0};
    st = rvl_file_read(&out->text, &out->n_bytes, path, MAP_MAX_BYTES, err);
    return st ? st : map_parse(out, path, err);
}

rvl_status rvl__map_make(rvl__map *out, const char *text, char *table_text, rvl_error *err)
{
    *out = (rvl__map){.table_text = table_text, .n_bytes = strlen(text), .text = rvl_strdup(text)};
    if (out->text)
        return map_parse(out, "headers", err);
    rvl__map_fini(out);
    return rvl_fail(err, RVL_ERR_NOMEM, "cannot ingest: out of memory");
}

void rvl__map_fini(rvl__map *map)
{
    rvl_free(map->labels);
    rvl_schema_free(map->schema);
    rvl_free(map->dir);
    rvl_yaml_free(map->doc);
    rvl_free(map->text);
    rvl_free(map->table_text);
    *map = (rvl__map){0};
}
