/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cohort/source.c
 * A table keeps its images in files, read one at a time; an npz is held in memory whole.
 */
#define _XOPEN_SOURCE 700 /* realpath */
#include "cohort/source.h"
#include "base/alloc.h"
#include "base/csv.h"
#include "base/file.h"
#include "base/str.h"
#include "imaging/npy.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define TABLE_MAX_BYTES ((size_t)1 << 30)
#define ARRAY_MAX_BYTES ((size_t)4 << 30)

typedef struct {
    rvl_npy images, labels;
    int64_t n, first_row;
} array_part;

struct rvl__source {
    const rvl__map *map;
    const char     *file;
    char           *root;
    int64_t         n_rows;
    rvl_csv        *csv;
    int             columns[RVL__COLUMN_COUNT]; /* -1: not there */
    int            *label_columns;
    int             problem_column, files_column; /* of a table made from headers */
    array_part      parts[RVL__MAX_ARRAY_SPLITS];
    rvl_arena      *arena;
    const char    **names;            /* of an array's images */
    char (*keys)[RVL__KEY_BYTES + 1]; /* instead of the table's paths; NULL: they are not hidden */
};

static rvl_status source_find_columns(rvl__source *s, rvl_error *err)
{
    const rvl__map *map = s->map;

    for (int i = 0; i < RVL__COLUMN_COUNT; i++) {
        if (!map->columns[i])
            continue;
        rvl_status st = rvl_csv_need_column(&s->columns[i], s->csv, map->columns[i], err);
        if (st)
            return st;
    }
    s->label_columns = rvl_alloc_array((size_t)map->n_labels + 1, sizeof *s->label_columns);
    if (!s->label_columns)
        return rvl_fail(err, RVL_ERR_NOMEM, "cannot read '%s': out of memory", map->table);
    for (int i = 0; i < map->n_labels; i++) {
        rvl_status st = rvl_csv_need_column(&s->label_columns[i], s->csv, map->labels[i].column, err);
        if (st)
            return st;
    }
    return RVL_OK;
}

static rvl_status source_open_table(rvl__source *s, const char *folder, rvl_hasher *fingerprint, rvl_error *err)
{
    char      *path = rvl_path_join(folder, s->map->table);
    char      *text = NULL;
    size_t     n_bytes = 0;
    rvl_status st;

    if (!path)
        return rvl_fail(err, RVL_ERR_NOMEM, "cannot read '%s': out of memory", s->map->table);
    s->file = s->map->table;
    if (s->map->table_text) {
        n_bytes = strlen(s->map->table_text);
        text = rvl_strndup(s->map->table_text, n_bytes);
        st = text ? RVL_OK : rvl_fail(err, RVL_ERR_NOMEM, "cannot read '%s': out of memory", s->file);
    } else {
        st = rvl_file_read(&text, &n_bytes, path, TABLE_MAX_BYTES, err);
    }
    if (!st)
        st = rvl_csv_parse(&s->csv, text, n_bytes, s->file, err);
    if (!st)
        st = source_find_columns(s, err);
    if (!st) {
        const bool is_ours = s->map->table_text != NULL; /* a table of somebody else may have such columns too */
        s->problem_column = is_ours ? rvl_csv_column(s->csv, "problem") : -1;
        s->files_column = is_ours ? rvl_csv_column(s->csv, "files") : -1;
        s->n_rows = (int64_t)rvl_csv_n_rows(s->csv);
        if (fingerprint)
            rvl_hasher_add(fingerprint, text, n_bytes);
    }
    rvl_free(text);
    rvl_free(path);
    return st;
}

static rvl_status part_check(const array_part *p, const rvl__map_array *a, const char *file, rvl_error *err)
{
    const rvl_npy *x = &p->images;
    bool           is_flat = x->n_dims == 3 || (x->n_dims == 4 && x->shape[3] == 1);

    if (!is_flat || !((x->kind == 'u' && x->item_bytes <= 2) || (x->kind == 'f' && x->item_bytes == 4)))
        return rvl_fail(err, RVL_ERR_SHAPE,
                        "%s: array '%s' must be (N, H, W) or (N, H, W, 1) of uint8, uint16 or "
                        "float32",
                        file, a->images);
    if (x->shape[1] < 1 || x->shape[2] < 1)
        return rvl_fail(err, RVL_ERR_SHAPE, "%s: array '%s' has images without pixels", file, a->images);
    if (a->labels && p->labels.count != x->shape[0])
        return rvl_fail(err, RVL_ERR_SHAPE, "%s: array '%s' has %lld labels for %lld images", file, a->labels,
                        (long long)p->labels.count, (long long)x->shape[0]);
    return RVL_OK;
}

static rvl_status source_name_images(rvl__source *s, rvl_error *err)
{
    const rvl__map *map = s->map;
    rvl_str         name = {0};
    rvl_status      st = RVL_OK;

    s->names = rvl_alloc_array((size_t)s->n_rows + 1, sizeof *s->names);
    for (int j = 0; s->names && j < map->n_arrays; j++) {
        for (int64_t i = 0; i < s->parts[j].n; i++) {
            rvl_str_clear(&name);
            rvl_str_addf(&name, "%s#%s/%lld", map->array_file, map->arrays[j].images, (long long)i);
            s->names[s->parts[j].first_row + i] =
                name.failed ? NULL : rvl_arena_strndup(s->arena, name.ptr, name.n_bytes);
            if (!s->names[s->parts[j].first_row + i])
                st = RVL_ERR_NOMEM;
        }
    }
    rvl_str_free(&name);
    if (!s->names || st)
        return rvl_fail(err, RVL_ERR_NOMEM, "cannot read '%s': out of memory", map->array_file);
    return RVL_OK;
}

static rvl_status source_open_array(rvl__source *s, const char *folder, rvl_hasher *fingerprint, rvl_error *err)
{
    const rvl__map *map = s->map;
    rvl_file_map    bytes = {0};
    char           *path = rvl_path_join(folder, map->array_file);
    rvl_status      st;

    if (!path)
        return rvl_fail(err, RVL_ERR_NOMEM, "cannot read '%s': out of memory", map->array_file);
    s->file = map->array_file;
    st = rvl_file_map_open(&bytes, path, err);
    if (!st && fingerprint)
        rvl_hasher_add(fingerprint, bytes.ptr, bytes.n_bytes);
    for (int j = 0; !st && j < map->n_arrays; j++) {
        array_part *p = &s->parts[j];

        st = rvl_npz_load(&p->images, path, map->arrays[j].images, ARRAY_MAX_BYTES, err);
        if (!st && map->arrays[j].labels)
            st = rvl_npz_load(&p->labels, path, map->arrays[j].labels, ARRAY_MAX_BYTES, err);
        if (!st)
            st = part_check(p, &map->arrays[j], s->file, err);
        if (!st) {
            p->n = p->images.shape[0];
            p->first_row = s->n_rows;
            s->n_rows += p->n;
        }
    }
    if (!st)
        st = source_name_images(s, err);
    rvl_file_map_close(&bytes);
    rvl_free(path);
    return st;
}

static rvl_status source_find_root(rvl__source *s, const char *folder, rvl_error *err)
{
    const char *root = s->map->root ? s->map->root : ".";
    char       *path = rvl_path_join(folder, root);
    char        real[PATH_MAX];
    bool        is_found = path && realpath(path, real);

    if (is_found)
        s->root = rvl_strdup(real);
    bool is_short = !path || (is_found && !s->root);
    rvl_free(path);
    if (is_short)
        return rvl_fail(err, RVL_ERR_NOMEM, "cannot open '%s': out of memory", folder);
    return is_found ? RVL_OK : rvl_fail(err, RVL_ERR_NOT_FOUND, "cannot find folder '%s' in '%s'", root, folder);
}

rvl_status rvl__source_open(rvl__source **out, const rvl__map *map, const char *folder, int64_t limit,
                            rvl_hasher *fingerprint, rvl_error *err)
{
    rvl__source *s = rvl_alloc_array(1, sizeof *s);
    rvl_status   st;

    *out = NULL;
    if (!s || !(s->arena = rvl_arena_new())) {
        rvl_free(s);
        return rvl_fail(err, RVL_ERR_NOMEM, "cannot open '%s': out of memory", folder);
    }
    s->map = map;
    for (int i = 0; i < RVL__COLUMN_COUNT; i++)
        s->columns[i] = -1;
    st = source_find_root(s, folder, err);
    if (!st)
        st = map->table ? source_open_table(s, folder, fingerprint, err)
                        : source_open_array(s, folder, fingerprint, err);
    if (!st && s->n_rows == 0)
        st = rvl_fail(err, RVL_ERR_NOT_FOUND, "'%s' has no rows", s->file);
    if (st) {
        rvl__source_close(s);
        return st;
    }
    if (limit > 0 && limit < s->n_rows)
        s->n_rows = limit;
    *out = s;
    return RVL_OK;
}

void rvl__source_close(rvl__source *s)
{
    if (!s)
        return;
    for (int j = 0; j < RVL__MAX_ARRAY_SPLITS; j++) {
        rvl_npy_fini(&s->parts[j].images);
        rvl_npy_fini(&s->parts[j].labels);
    }
    rvl_free(s->names);
    rvl_free(s->keys);
    rvl_free(s->label_columns);
    rvl_csv_free(s->csv);
    rvl_arena_free(s->arena);
    rvl_free(s->root);
    rvl_free(s);
}

int64_t rvl__source_n_rows(const rvl__source *s)
{
    return s->n_rows;
}

static int part_of_row(const rvl__source *s, int64_t i_row)
{
    int j = 0;

    while (i_row >= s->parts[j].first_row + s->parts[j].n)
        j++;
    return j;
}

bool rvl__source_has(const rvl__source *s, rvl__column column)
{
    if (s->csv)
        return s->columns[column] >= 0;
    return column == RVL__COLUMN_IMAGE || column == RVL__COLUMN_SPLIT;
}

const char *rvl__source_cell(const rvl__source *s, int64_t i_row, rvl__column column)
{
    if (!rvl__source_has(s, column))
        return "";
    if (s->csv)
        return rvl_csv_cell(s->csv, (size_t)i_row, (size_t)s->columns[column]);
    return column == RVL__COLUMN_IMAGE ? s->names[i_row] : s->map->arrays[part_of_row(s, i_row)].split;
}

const char *rvl__source_label(const rvl__source *s, int64_t i_row, int i_label)
{
    if (s->csv)
        return rvl_csv_cell(s->csv, (size_t)i_row, (size_t)s->label_columns[i_label]);
    const array_part *p = &s->parts[part_of_row(s, i_row)];
    double            value = rvl_npy_at(&p->labels, i_row - p->first_row);
    return value == 1.0 ? "1" : value == 0.0 ? "0" : "neither 0 nor 1";
}

int64_t rvl__source_line(const rvl__source *s, int64_t i_row)
{
    return s->csv ? rvl_csv_line(s->csv, (size_t)i_row) : i_row + 1;
}

const char *rvl__source_file(const rvl__source *s)
{
    return s->file;
}

const char *rvl__source_column_name(const rvl__source *s, rvl__column column)
{
    return s->map->columns[column] ? s->map->columns[column] : rvl__column_text(column);
}

const char *rvl__source_root(const rvl__source *s)
{
    return s->root;
}

char *rvl__source_image_path(const rvl__source *s, int64_t i_row)
{
    return s->csv ? rvl_path_join(s->root, rvl__source_cell(s, i_row, RVL__COLUMN_IMAGE)) : NULL;
}

static rvl_status array_image(rvl_volume **out, const rvl__source *s, int64_t i_row, rvl_error *err)
{
    const array_part *p = &s->parts[part_of_row(s, i_row)];
    const rvl_npy    *x = &p->images;
    rvl_voxel_type    type = x->kind == 'f' ? RVL_VOXEL_F32 : x->item_bytes == 1 ? RVL_VOXEL_U8 : RVL_VOXEL_U16;
    size_t            image_bytes = (size_t)x->shape[1] * (size_t)x->shape[2] * (size_t)x->item_bytes;
    rvl_status        st = rvl_volume_new(out, type, 1, x->shape[1], x->shape[2], err);

    if (st)
        return st;
    memcpy((*out)->voxels, (const char *)x->data + (size_t)(i_row - p->first_row) * image_bytes, image_bytes);
    (*out)->unit = RVL_UNIT_DISPLAY;
    return RVL_OK;
}

const char *rvl__source_problem(const rvl__source *s, int64_t i_row)
{
    return s->csv && s->problem_column >= 0 ? rvl_csv_cell(s->csv, (size_t)i_row, (size_t)s->problem_column) : "";
}

/* The files of the row's series below the root, joined by line ends as they are; NULL if it is out of memory. */
static char *series_paths(const rvl__source *s, const char *files)
{
    rvl_str out = {0};

    for (const char *at = files; at;) {
        const char *end = strchr(at, '\n');
        rvl_str_addf(&out, "%s%s/", out.n_bytes ? "\n" : "", s->root);
        rvl_str_add_n(&out, at, end ? (size_t)(end - at) : strlen(at));
        at = end ? end + 1 : NULL;
    }
    return rvl_str_take(&out);
}

rvl_status rvl__source_hide_names(rvl__source *s, const rvl__pseudonyms *p, rvl_error *err)
{
    if (!s->csv)
        return RVL_OK;
    s->keys = rvl_alloc_array((size_t)s->n_rows, sizeof *s->keys);
    if (!s->keys)
        return rvl_fail(err, RVL_ERR_NOMEM, "cannot read '%s': out of memory", s->file);
    for (int64_t i = 0; i < s->n_rows; i++) {
        s->keys[i][0] = 'i';
        rvl__pseudonym(s->keys[i] + 1, p, "image", rvl__source_cell(s, i, RVL__COLUMN_IMAGE));
    }
    return RVL_OK;
}

const char *rvl__source_name(const rvl__source *s, int64_t i_row)
{
    return s->keys ? s->keys[i_row] : rvl__source_cell(s, i_row, RVL__COLUMN_IMAGE);
}

/** Three numbers, however they are listed: "0.75 0.75 1.5", "[0.75, 0.75, 1.5]". */
static bool three_numbers(double out[3], const char *text)
{
    static const char between[] = "[](),; ";

    for (int i = 0; i < 3; i++) {
        char   number[32];
        size_t n;

        text += strspn(text, between);
        n = strcspn(text, between);
        if (n == 0 || n >= sizeof number)
            return false;
        memcpy(number, text, n);
        number[n] = 0;
        if (!rvl_parse_f64(number, &out[i]))
            return false;
        text += n;
    }
    return text[strspn(text, between)] == 0;
}

bool rvl__source_volume(rvl_hu_opts *hu, rvl_vec3 *spacing_mm, const rvl__source *s, int64_t i_row)
{
    const char *slope = rvl__source_cell(s, i_row, RVL__COLUMN_SLOPE);
    const char *intercept = rvl__source_cell(s, i_row, RVL__COLUMN_INTERCEPT);
    const char *spacing = rvl__source_cell(s, i_row, RVL__COLUMN_SPACING);
    double      mm[3] = {0, 0, 0};

    *hu = s->map->hu;
    hu->has_rescale = *slope || *intercept;
    if (hu->has_rescale && !(rvl_parse_f64(slope, &hu->slope) && rvl_parse_f64(intercept, &hu->intercept)))
        return false;
    if (*spacing && !three_numbers(mm, spacing))
        return false;
    for (int i = 0; i < 3 && *spacing; i++)
        if (!(mm[i] > 0) || mm[i] > 1000)
            return false;
    *spacing_mm = (rvl_vec3){mm[0], mm[1], mm[2]};
    return true;
}

rvl_status rvl__source_job(rvl_decode_job *out, const rvl__source *s, int64_t i_row, rvl_error *err)
{
    *out = (rvl_decode_job){.name = rvl__source_name(s, i_row),
                            .refuse_burned_in = s->map->is_private,
                            .spec = s->map->spec,
                            .view = rvl_view_parse(rvl__source_cell(s, i_row, RVL__COLUMN_VIEW))};
    if (!rvl__source_volume(&out->hu, &out->spacing_mm, s, i_row))
        return rvl_fail(err, RVL_ERR_INTERNAL, "row %lld was taken with a bad spacing, slope or intercept",
                        (long long)i_row);
    if (!s->csv)
        return RVL_OK;
    const char *files = s->files_column >= 0 ? rvl_csv_cell(s->csv, (size_t)i_row, (size_t)s->files_column) : "";
    out->is_series = *files != '\0';
    out->path = out->is_series ? series_paths(s, files) : rvl__source_image_path(s, i_row);
    return out->path ? RVL_OK : rvl_fail(err, RVL_ERR_NOMEM, "cannot read image '%s': out of memory", out->name);
}

rvl_status rvl__source_array_codes(void *codes, rvl_decode_facts *facts, const rvl__source *s, int64_t i_row,
                                   const rvl_decode_job *job, rvl_error *err)
{
    rvl_volume *v = NULL;
    rvl_status  st = array_image(&v, s, i_row, err);

    *facts = (rvl_decode_facts){0};
    if (!st)
        st = rvl_decode_volume(codes, facts, job, v, err);
    rvl_volume_free(v);
    return st;
}
