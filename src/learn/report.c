/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file learn/report.c
 * The run's one-page report.
 */
#include "learn/report.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/html.h"
#include "base/json.h"
#include <math.h>

/* One curve: `key` of every record against its step. */
static void add_curve(rvl_str *s, const json_t *records, const char *title, const char *key, bool zero_one)
{
    const size_t n = json_array_size(records);
    double      *x = rvl_alloc_array(n + 1, 2 * sizeof *x);
    double      *y = x ? x + n + 1 : NULL;
    size_t       n_finite = 0;

    if (!x) {
        s->failed = true;
        return;
    }
    for (size_t i = 0; i < n; i++) {
        const json_t *r = json_array_get(records, i);
        x[i] = rvl_json_get_f64(r, "step", NAN);
        y[i] = rvl_json_get_f64(r, key, NAN);
        n_finite += isfinite(y[i]) != 0;
    }
    if (n_finite > 0) {
        const double *xs[] = {x};
        const double *ys[] = {y};
        rvl_plot      plot = {.title = title,
                              .x_label = "step",
                              .y_label = key,
                              .n_series = 1,
                              .names = &key,
                              .n_points = &n,
                              .x = xs,
                              .y = ys,
                              .y_zero_one = zero_one};
        rvl_html_plot(s, &plot);
    }
    rvl_free(x);
}

static void add_facts(rvl_str *s, const json_t *record)
{
    static const char *const keys[] = {"verb",   "status",    "version",    "seed",    "steps",
                                       "metric", "best_step", "best_value", "started", "ended"};
    rvl_str_add(s, "<table>");
    for (size_t i = 0; i < RVL_ARRAY_LEN(keys); i++) {
        const json_t *v = json_object_get(record, keys[i]);
        rvl_str_addf(s, "<tr><th>%s</th><td>", keys[i]);
        if (json_is_string(v))
            rvl_html_text(s, json_string_value(v));
        else if (json_is_integer(v))
            rvl_str_addf(s, "%lld", (long long)json_integer_value(v));
        else if (json_is_real(v))
            rvl_str_addf(s, "%.4f", json_real_value(v));
        rvl_str_add(s, "</td></tr>");
    }
    rvl_str_add(s, "</table>");
}

static void add_samples(rvl_str *s, const json_t *samples)
{
    size_t  i;
    size_t  j;
    json_t *sample;
    json_t *row;

    rvl_str_add(s,
                "<h2>Sample predictions on the validation split</h2><table><tr><th>case</th><th>finding</th><th>truth"
                "</th><th>probability</th></tr>");
    json_array_foreach(samples, i, sample)
    {
        json_array_foreach(json_object_get(sample, "rows"), j, row)
        {
            rvl_str_add(s, "<tr><td>");
            rvl_html_text(s, j == 0 ? rvl_json_get_string(sample, "case", "") : "");
            rvl_str_add(s, "</td><td>");
            rvl_html_text(s, rvl_json_get_string(row, "name", ""));
            rvl_str_add(s, "</td><td>");
            rvl_html_text(s, rvl_json_get_string(row, "truth", ""));
            rvl_str_addf(s, "</td><td>%.3f</td></tr>", rvl_json_get_f64(row, "score", NAN));
        }
    }
    rvl_str_add(s, "</table>");
}

rvl_status rvl_run_report(rvl_run *run, const char *title, const json_t *samples, const char *next, rvl_error *err)
{
    json_t    *train = NULL;
    json_t    *eval = NULL;
    json_t    *record = NULL;
    rvl_str    s = {0};
    char      *path = rvl_path_join(rvl_run_path(run), "report.html");
    char      *record_path = rvl_path_join(rvl_run_path(run), "run.json");
    rvl_status st = path && record_path ? rvl_run_read_log(&train, run, "train.jsonl", err)
                                        : rvl_fail(err, RVL_ERR_NOMEM, "out of memory for the report");

    if (!st)
        st = rvl_run_read_log(&eval, run, "eval.jsonl", err);
    if (!st)
        st = rvl_json_load(&record, record_path, err);
    if (!st) {
        rvl_html_begin(&s, title);
        add_facts(&s, record);
        add_curve(&s, train, "Training loss", "loss", false);
        add_curve(&s, eval, rvl_json_get_string(record, "metric", "validation"), "value", false);
        add_curve(&s, train, "Gradient norm before clipping", "grad_norm", false);
        add_curve(&s, train, "Learning rate", "lr", false);
        if (samples && json_array_size(samples) > 0)
            add_samples(&s, samples);
        rvl_str_add(&s, "<h2>Next</h2><pre>");
        rvl_html_text(&s, next);
        rvl_str_add(&s, "</pre>");
        rvl_html_end(&s);
        st = s.failed ? rvl_fail(err, RVL_ERR_NOMEM, "out of memory for the report")
                      : rvl_file_write(path, s.ptr, s.n_bytes, err);
    }
    json_decref(train);
    json_decref(eval);
    json_decref(record);
    rvl_str_free(&s);
    rvl_free(path);
    rvl_free(record_path);
    return st;
}
