/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verbs/label_cohort.c
 * Labels of a cohort's reports into its catalogue. The journal stands in the cohort's folder until they are there.
 */
#include "base/alloc.h"
#include "base/append.h"
#include "base/file.h"
#include "base/util.h"
#include "cohort/labels.h"
#include "verbs/label_parts.h"
#include <string.h>

typedef struct {
    const rvl_label_opts *o;
    rvl_schema           *schema;
    rvl_labeller         *labeller;
    rvl_reports           reports;
    rvl_label_results     labels;
    char                  source[64];
} cohort_labels;

static rvl_status no_memory(rvl_error *err)
{
    return rvl_fail(err, RVL_ERR_NOMEM, "out of memory for the labels of a cohort");
}

rvl_status rvl__label_cohort_reports(rvl_reports *out, rvl_cohort *c, int64_t limit, rvl_error *err)
{
    static const rvl_section read[] = {RVL_SECTION_FINDINGS, RVL_SECTION_IMPRESSION, RVL_SECTION_OTHER};
    rvl_case_list            list = {0};
    rvl_status               st = rvl_cohort_cases(&list, c, NULL, err);

    if (!st)
        st = rvl_reports_begin(out, err);
    for (int64_t i = 0; !st && i < list.n_cases && (limit <= 0 || i < limit); i++) {
        const char *parts[RVL_ARRAY_LEN(read)];
        for (size_t j = 0; j < RVL_ARRAY_LEN(read); j++)
            parts[j] = list.cases[i].sections[read[j]];
        st = rvl_reports_add(out, list.cases[i].case_id, i + 1, parts, RVL_ARRAY_LEN(read), err);
    }
    out->id_name = "case_id";
    rvl_case_list_fini(&list);
    return st;
}

rvl_status rvl__label_cohort_open(rvl_reports *out, rvl_schema **schema, const rvl_label_opts *o, rvl_error *err)
{
    rvl_cohort *c = NULL;
    rvl_status  st = rvl_cohort_open(&c, o->input, err);

    if (!st && o->schema)
        st = rvl_schema_open(schema, o->schema, err);
    else if (!st && rvl_cohort_schema(c))
        st = rvl_schema_parse(schema, rvl_schema_yaml(rvl_cohort_schema(c)),
                              strlen(rvl_schema_yaml(rvl_cohort_schema(c))), "cohort schema", err);
    else if (!st)
        st = rvl_fail(err, RVL_ERR_USAGE,
                      "cohort '%s' has no schema: say which findings are asked for\n"
                      "hint: --schema ct-rate-18",
                      o->input);
    if (!st)
        st = rvl__label_cohort_reports(out, c, o->limit, err);
    rvl_cohort_close(c);
    return st;
}

static rvl_status catalogue_write(const cohort_labels *x, rvl_error *err)
{
    const int         k = rvl_schema_count(x->schema);
    const size_t      n_max = (size_t)x->reports.n_rows * (size_t)k;
    rvl_report_label *rows = rvl_alloc_array(n_max + 1, sizeof *rows);
    int64_t           n = 0;

    if (!rows)
        return no_memory(err);
    for (int64_t i = 0; i < x->reports.n_rows; i++) {
        const int64_t t = x->reports.rows[i].i_text;
        if (t < 0 || x->labels.outcomes[t].outcome != RVL_LABELLED)
            continue;
        for (int j = 0; j < k; j++) {
            const rvl_label_row *r = &x->labels.rows[t * k + j];
            rows[n++] = (rvl_report_label){.case_id = x->reports.rows[i].id,
                                           .finding = rvl_schema_at(x->schema, j)->name,
                                           .state = r->state,
                                           .probability = r->probability,
                                           .evidence_at = (int64_t)r->evidence_at,
                                           .evidence_bytes = (int64_t)r->evidence_bytes,
                                           .version = r->version,
                                           .reviewer = ""};
        }
    }
    rvl_status st = rvl_cohort_labels_write(x->o->input, x->source, x->schema, rows, n, true, err);
    rvl_free(rows);
    return st;
}

rvl_status rvl__label_source_check(const char *name, rvl_error *err)
{
    const size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+.");

    if (n == 0 || name[n] || n >= sizeof((cohort_labels *)0)->source)
        return rvl_fail(err, RVL_ERR_USAGE, "'%.64s' is no name of a source\nhint: letters, digits, '_', '-', '+', '.'",
                        name);
    if (strcmp(name, RVL_LABEL_SOURCE_TABLE) == 0)
        return rvl_fail(err, RVL_ERR_USAGE, "'%s' names the labels that came with a cohort\nhint: --source NAME", name);
    return RVL_OK;
}

static rvl_status source_choose(cohort_labels *x, rvl_error *err)
{
    const char      *name = x->o->source ? x->o->source : x->labeller->source;
    const rvl_status st = rvl__label_source_check(name, err);

    if (!st)
        memcpy(x->source, name, strlen(name) + 1);
    return st;
}

static rvl_status cohort_label(rvl_label_result *out, cohort_labels *x, const char *journal, const char *failures,
                               rvl_error *err)
{
    const double start = rvl_clock_s();
    rvl_status   st =
        rvl_label_texts(&x->labels, x->labeller, x->reports.texts, x->reports.n_texts, journal, x->o->force, err);

    out->seconds = rvl_clock_s() - start;
    rvl__label_usage(out, x->o, x->labeller);
    if (!st)
        st = rvl__label_failures(out, failures, &x->reports, &x->labels, err);
    if (!st && x->o->out)
        st = rvl__label_write(x->o, x->schema, &x->reports, &x->labels, err);
    if (!st)
        st = catalogue_write(x, err);
    if (!st)
        st = rvl_file_remove(journal, err);
    out->n_reports = x->reports.n_rows;
    out->n_texts = x->reports.n_texts;
    out->n_kept = x->labels.n_kept;
    return st;
}

rvl_status rvl__label_cohort(rvl_label_result *out, const rvl_label_opts *o, rvl_error *err)
{
    cohort_labels x = {.o = o};
    rvl_str       journal = {0};
    rvl_str       failures = {0};
    rvl_status    st = RVL_OK;

    if (o->out && !o->dry_run)
        st = rvl__label_out_check(o, err);
    if (!st)
        st = rvl__label_cohort_open(&x.reports, &x.schema, o, err);
    if (!st)
        st = rvl__label_open(&x.labeller, o, x.schema, err);
    if (!st)
        st = source_choose(&x, err);
    if (!st && o->dry_run) {
        st = rvl__label_estimate(out, o, x.labeller, &x.reports, err);
        out->n_reports = x.reports.n_rows;
        out->n_texts = x.reports.n_texts;
    } else if (!st) {
        rvl_str_addf(&journal, "%s/labels-%s.journal", o->input, x.source);
        rvl_str_addf(&failures, "%s/labels-%s.failures.jsonl", o->input, x.source);
        st = journal.failed || failures.failed ? no_memory(err) : cohort_label(out, &x, journal.ptr, failures.ptr, err);
    }
    if (!st) {
        memcpy(out->source, x.source, sizeof out->source);
        memcpy(out->version, x.labeller->version, strnlen(x.labeller->version, sizeof out->version - 1));
    }
    rvl_str_free(&journal);
    rvl_str_free(&failures);
    rvl_label_results_fini(&x.labels);
    rvl_reports_fini(&x.reports);
    rvl_labeller_free(x.labeller);
    rvl_schema_free(x.schema);
    return st;
}
