/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verbs/inspect.c
 * What a thing is: cohort, run, bundle or other weight file, index, image, array, schema. Read only.
 */
#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "base/str.h"
#include "cohort/cohort.h"
#include "engine/weight_file.h"
#include "model/model.h"
#include "rvl/verbs.h"
#include "imaging/work.h"
#include "verbs/series_json.h"
#include "verbs/serve.h"
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <string.h>

static char *join(const char *a, const char *b)
{
    return rvl_path_join(a, b);
}

static bool has_file(const char *dir, const char *name)
{
    char *path = join(dir, name);
    bool  yes = path && rvl_path_exists(path);
    rvl_free(path);
    return yes;
}

static void count_splits(json_t *splits, const rvl_case_list *list)
{
    for (int64_t i = 0; i < list->n_cases; i++) {
        const char *split = list->cases[i].split ? list->cases[i].split : "";
        rvl_json_set(splits, split, json_integer(rvl_json_get_i64(splits, split, 0) + 1));
    }
}

static json_t *label_counts(const rvl_schema *schema, const rvl_case_list *list)
{
    json_t *all = json_object();
    for (int k = 0; k < rvl_schema_count(schema); k++) {
        int64_t n[4] = {0};
        json_t *one = json_object();
        for (int64_t i = 0; i < list->n_cases; i++)
            if (list->cases[i].labels)
                n[list->cases[i].labels[k] & 3]++;
        for (int s = 0; s < 4; s++)
            rvl_json_set(one, rvl_label_text((rvl_label_state)s), json_integer(n[s]));
        rvl_json_set(all, rvl_schema_at(schema, k)->name, one);
    }
    return all;
}

static rvl_status inspect_cohort(json_t *out, const char *path, rvl_error *err)
{
    rvl_cohort   *c = NULL;
    rvl_case_list list = {0};
    json_t       *preprocess = NULL;
    rvl_status    st = rvl_cohort_open(&c, path, err);

    if (!st)
        st = rvl_cohort_cases(&list, c, "all", err);
    if (!st)
        st = rvl_preprocess_to_json(&preprocess, rvl_cohort_preprocess(c), err);
    if (!st) {
        json_t *splits = json_object();
        int64_t n_reports = 0;
        for (int64_t i = 0; i < list.n_cases; i++)
            n_reports += list.cases[i].sections[RVL_SECTION_FINDINGS] || list.cases[i].sections[RVL_SECTION_IMPRESSION];
        count_splits(splits, &list);
        rvl_json_set(out, "kind", json_string("cohort"));
        rvl_json_set(out, "cases", json_integer(list.n_cases));
        rvl_json_set(out, "with_report", json_integer(n_reports));
        rvl_json_set(out, "splits", splits);
        rvl_json_set(out, "preprocess", preprocess);
        if (rvl_cohort_schema(c)) {
            rvl_json_set(out, "schema_name", json_string(rvl_schema_name(rvl_cohort_schema(c))));
            rvl_json_set(out, "labels", label_counts(rvl_cohort_schema(c), &list));
        }
    }
    rvl_case_list_fini(&list);
    rvl_cohort_close(c);
    return st;
}

static json_t *shape_json(const rvl_tensor *t)
{
    json_t *shape = json_array();
    for (int d = 0; d < rvl_tensor_n_dims(t); d++)
        json_array_append_new(shape, json_integer(rvl_tensor_shape(t)[d]));
    return shape;
}

/* Apart from what rvl says of the file: its keys are the file's, one may be called "schema". */
static json_t *metadata_json(const rvl_safetensors *f)
{
    json_t     *metadata = json_object();
    const char *key;
    json_t     *value;

    json_object_foreach((json_t *)rvl_safetensors_metadata_object(f), key, value)
    {
        json_t     *parsed = NULL;
        rvl_error   ignored = {0};
        const char *text = json_string_value(value);
        if (strlen(text) > 4096) /* vocabularies, schemas: their size says enough */
            rvl_json_set(metadata, key, json_sprintf("(%zu bytes)", strlen(text)));
        else if ((*text == '{' || *text == '[') && rvl_json_parse(&parsed, text, strlen(text), key, &ignored) == RVL_OK)
            rvl_json_set(metadata, key, parsed);
        else
            rvl_json_set(metadata, key, json_string(text));
    }
    return metadata;
}

static rvl_status inspect_weights(json_t *out, const char *path, rvl_error *err)
{
    rvl_weight_file       *f = NULL;
    json_t                *tensors = json_array();
    int64_t                n_values = 0;
    rvl_status             st = rvl_weight_file_open(&f, path, err);
    const rvl_safetensors *safetensors = st ? NULL : rvl_weight_file_safetensors(f);
    const char            *format = safetensors ? rvl_safetensors_metadata(safetensors, "rvl.format") : NULL;

    for (int i = 0; !st && i < rvl_weight_file_count(f); i++) {
        const rvl_tensor *t = rvl_weight_file_tensor(f, i);
        json_t           *one = json_object();
        rvl_json_set(one, "name", json_string(rvl_weight_file_name(f, i)));
        rvl_json_set(one, "dtype", json_string(rvl_dtype_text(rvl_tensor_dtype(t))));
        rvl_json_set(one, "shape", shape_json(t));
        json_array_append_new(tensors, one);
        n_values += rvl_tensor_count(t);
    }
    if (!st) {
        rvl_json_set(out, "kind", json_string(format ? format : rvl_weight_file_format(f)));
        rvl_json_set(out, "values", json_integer(n_values));
        if (safetensors)
            rvl_json_set(out, "metadata", metadata_json(safetensors));
        rvl_json_set(out, "tensors", json_incref(tensors));
    }
    json_decref(tensors);
    rvl_weight_file_close(f);
    return st;
}

/* By name, because other files (images, npz) are told apart by their content elsewhere. */
static bool is_weights_name(const char *path)
{
    static const char *const ends[] = {".safetensors", ".index.json", ".pth", ".pt", ".bin", ".ckpt"};

    for (size_t i = 0; i < RVL_ARRAY_LEN(ends); i++)
        if (rvl_str_ends(path, ends[i]))
            return true;
    return false;
}

/* A checkpoint folder is its bundle. */
static rvl_status inspect_checkpoint(json_t *out, const char *path, rvl_error *err)
{
    char      *bundle = join(path, "model.safetensors");
    rvl_status st = bundle ? inspect_weights(out, bundle, err) : rvl_fail(err, RVL_ERR_NOMEM, "out of memory");

    if (!st)
        rvl_json_set(out, "complete", json_boolean(has_file(path, "DONE")));
    rvl_free(bundle);
    return st;
}

static rvl_status inspect_run(json_t *out, const char *path, rvl_error *err)
{
    char      *record_path = join(path, "run.json");
    json_t    *record = NULL;
    char      *bundle = NULL;
    char      *which = NULL;
    rvl_error  none = {0};
    rvl_status st =
        record_path ? rvl_json_load(&record, record_path, err) : rvl_fail(err, RVL_ERR_NOMEM, "out of memory");

    if (!st) {
        rvl_json_set(out, "kind", json_string("run"));
        rvl_json_set(out, "run", json_incref(record));
        if (rvl_bundle_resolve(&bundle, &which, path, &none) == RVL_OK)
            rvl_json_set(out, "checkpoint", json_string(which ? which : bundle));
    }
    json_decref(record);
    rvl_free(record_path);
    rvl_free(bundle);
    rvl_free(which);
    return st;
}

static rvl_status inspect_schema(json_t *out, const char *name, rvl_error *err)
{
    rvl_schema *s = NULL;
    json_t     *findings = json_array();
    rvl_status  st = rvl_schema_open(&s, name, err);

    for (int i = 0; !st && i < rvl_schema_count(s); i++) {
        const rvl_finding *f = rvl_schema_at(s, i);
        json_t            *one = json_object();
        rvl_json_set(one, "name", json_string(f->name));
        rvl_json_set(one, "title", json_string(f->title));
        rvl_json_set(one, "synonyms", json_integer((json_int_t)f->n_synonyms));
        rvl_json_set(one, "positive_prompts", json_integer((json_int_t)f->n_positive));
        rvl_json_set(one, "negative_prompts", json_integer((json_int_t)f->n_negative));
        json_array_append_new(findings, one);
    }
    if (!st) {
        rvl_json_set(out, "kind", json_string("schema"));
        rvl_json_set(out, "name", json_string(rvl_schema_name(s)));
        rvl_json_set(out, "findings", json_incref(findings));
    }
    json_decref(findings);
    rvl_schema_free(s);
    return st;
}

/* DICOM series of a folder, read from headers. */
static rvl_status inspect_series(json_t *out, const char *path, rvl_error *err)
{
    rvl_series_opts opts = rvl_series_opts_default();
    rvl_dicom_scan *s = NULL;
    json_t         *volumes = json_array();

    opts.workers = rvl__workers_for(path, omp_get_max_threads());
    rvl_status st = rvl_dicom_scan_open(&s, path, &opts, err);

    if (st == RVL_ERR_NOT_FOUND)
        st =
            rvl_fail(err, RVL_ERR_UNSUPPORTED,
                     "folder '%s' is neither a cohort nor a run nor a checkpoint, and holds no DICOM\nhint: rvl ingest "
                     "makes cohorts",
                     path);
    for (int64_t i = 0; !st && i < rvl_dicom_scan_count(s); i++)
        json_array_append_new(volumes, rvl__stack_json(rvl_dicom_scan_get(s, i)));
    if (!st) {
        rvl_json_set(out, "kind", json_string("DICOM series"));
        rvl_json_set(out, "volumes", json_incref(volumes));
        rvl__skips_json(out, s);
    }
    json_decref(volumes);
    rvl_dicom_scan_close(s);
    rvl_workers_close(opts.workers);
    return st;
}

/* Image, volume and array files are looked into by a worker, which sends the facts as text. */
static rvl_status inspect_file(json_t *out, const char *path, bool stats, rvl_error *err)
{
    char      *text = NULL;
    json_t    *facts = NULL;
    rvl_status st = rvl__inspect_apart(&text, path, stats, err);

    if (!st)
        st = rvl_json_parse(&facts, text, strlen(text), path, err);
    if (!st && json_object_update(out, facts) != 0)
        st = rvl_fail(err, RVL_ERR_NOMEM, "out of memory");
    json_decref(facts);
    rvl_free(text);
    return st;
}

rvl_status rvl_inspect_run(char **json, const char *path, bool stats, rvl_error *err)
{
    json_t    *out = json_object();
    rvl_status st = out ? RVL_OK : rvl_fail(err, RVL_ERR_NOMEM, "out of memory");

    *json = NULL;
    rvl_json_set(out, "schema", json_string("rvl.inspect/1"));
    if (!st && stats)
        st = rvl_path_is_dir(path) ? rvl_fail(err, RVL_ERR_USAGE,
                                              "'%s' is a folder: statistics are of image, volume and array files", path)
                                   : inspect_file(out, path, true, err);
    else if (!st && has_file(path, "cohort.db"))
        st = inspect_cohort(out, path, err);
    else if (!st && has_file(path, "run.json"))
        st = inspect_run(out, path, err);
    else if (!st && has_file(path, "model.safetensors"))
        st = inspect_checkpoint(out, path, err);
    else if (!st && rvl_path_is_dir(path))
        st = inspect_series(out, path, err);
    else if (!st && is_weights_name(path))
        st = inspect_weights(out, path, err);
    else if (!st && (rvl_str_ends(path, ".yaml") || !rvl_path_exists(path)))
        st = inspect_schema(out, path, err);
    else if (!st)
        st = inspect_file(out, path, stats, err);
    if (!st)
        st = rvl_json_format(json, out, 2, err);
    json_decref(out);
    return st;
}
