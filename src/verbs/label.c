/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verbs/label.c
 * Labels from reports: the labeller that was asked for, over a file of reports.
 */
#include "base/alloc.h"
#include "base/append.h"
#include "base/file.h"
#include "base/util.h"
#include "verbs/label_parts.h"
#include <omp.h>
#include <string.h>

rvl_label_opts rvl_label_opts_default(void)
{
    return (rvl_label_opts){.text_columns = "report", .context_tok = 4096, .votes = 1, .tries = 5, .timeout_s = 120.0};
}

static char *with_ending(const char *path, const char *ending)
{
    rvl_str s = {0};

    rvl_str_add(&s, path);
    rvl_str_add(&s, ending);
    return rvl_str_take(&s);
}

rvl_status rvl__label_out_check(const rvl_label_opts *o, rvl_error *err)
{
    if (!rvl_str_ends(o->out, ".csv") && !rvl_str_ends(o->out, ".jsonl"))
        return rvl_fail(err, RVL_ERR_USAGE, "'%s' must end in .csv or .jsonl", o->out);
    if (rvl_path_exists(o->out) && !o->force)
        return rvl_fail(err, RVL_ERR_STATE, "'%s' exists\nhint: --force replaces it", o->out);
    return RVL_OK;
}

static rvl_status opts_check(const rvl_label_opts *o, rvl_error *err)
{
    if (!o->schema)
        return rvl_fail(err, RVL_ERR_USAGE, "say which findings are asked for\nhint: --schema ct-rate-18");
    if (o->dry_run)
        return RVL_OK;
    if (!o->out || !*o->out)
        return rvl_fail(err, RVL_ERR_USAGE, "say where the labels go\nhint: -o labels.csv or -o labels.jsonl");
    return rvl__label_out_check(o, err);
}

rvl_status rvl__label_reports(rvl_label_results *labels, rvl_label_result *out, const rvl_label_opts *o,
                              rvl_labeller *labeller, const rvl_reports *reports, rvl_error *err)
{
    char        *journal = o->out ? with_ending(o->out, ".journal") : NULL;
    char        *failures = o->out ? with_ending(o->out, ".failures.jsonl") : NULL;
    const double start = rvl_clock_s();
    rvl_status   st =
        !o->out || (journal && failures) ? RVL_OK : rvl_fail(err, RVL_ERR_NOMEM, "out of memory for labels");

    if (!st)
        st = rvl_label_texts(labels, labeller, reports->texts, reports->n_texts, journal, o->force, err);
    out->seconds = rvl_clock_s() - start;
    rvl__label_usage(out, o, labeller);
    if (!st)
        st = rvl__label_failures(out, failures, reports, labels, err);
    if (!st && o->out)
        st = rvl__label_write(o, labeller->schema, reports, labels, err);
    if (!st && o->out)
        st = rvl_file_remove(journal, err);
    out->n_kept = labels->n_kept;
    rvl_free(journal);
    rvl_free(failures);
    return st;
}

static rvl_status label_file(rvl_label_result *out, const rvl_label_opts *o, rvl_error *err)
{
    rvl_schema   *schema = NULL;
    rvl_labeller *labeller = NULL;
    rvl_reports   reports = {0};
    rvl_status    st = rvl_schema_open(&schema, o->schema, err);

    if (!st)
        st = rvl__label_open(&labeller, o, schema, err);
    if (!st)
        st = rvl_reports_load(&reports, o->input, o->text_columns, o->id_column, o->limit, err);
    if (!st && o->dry_run) {
        st = rvl__label_estimate(out, o, labeller, &reports, err);
    } else if (!st) {
        rvl_label_results labels = {0};
        st = rvl__label_reports(&labels, out, o, labeller, &reports, err);
        rvl_label_results_fini(&labels);
    }
    if (!st) {
        out->n_reports = reports.n_rows;
        out->n_texts = reports.n_texts;
        memcpy(out->source, labeller->source, strnlen(labeller->source, sizeof out->source - 1));
        memcpy(out->version, labeller->version, strnlen(labeller->version, sizeof out->version - 1));
    }
    rvl_reports_fini(&reports);
    rvl_labeller_free(labeller);
    rvl_schema_free(schema);
    return st;
}

rvl_status rvl_label_run(rvl_label_result *out, const rvl_label_opts *o, rvl_error *err)
{
    *out = (rvl_label_result){0};
    if (o->threads > 0)
        omp_set_num_threads((int)o->threads);
    if (rvl_path_is_dir(o->input))
        return rvl__label_cohort(out, o, err);
    rvl_status st = opts_check(o, err);
    return st ? st : label_file(out, o, err);
}
