/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verbs/bench_html.c
 * One page for a bench document: what was measured, tables, bars with intervals, reliability curves.
 */
#include "base/alloc.h"
#include "base/file.h"
#include "base/html.h"
#include "base/json.h"
#include "verbs/bench_parts.h"
#include <math.h>

static void add_interval(rvl_str *s, const json_t *v)
{
    const double value = rvl_json_get_f64(v, "value", NAN);
    const double low = rvl_json_get_f64(v, "low", NAN);
    if (!isfinite(value))
        rvl_str_add(s, "<td>-</td>");
    else if (!isfinite(low))
        rvl_str_addf(s, "<td>%.3f</td>", value);
    else
        rvl_str_addf(s, "<td>%.3f (%.3f to %.3f)</td>", value, low, rvl_json_get_f64(v, "high", NAN));
}

static void add_heading(rvl_str *s, const json_t *root)
{
    static const char *const keys[] = {"cohort", "split", "uncertain", "missing", "version"};
    rvl_str_add(s, "<table>");
    for (size_t i = 0; i < RVL_ARRAY_LEN(keys); i++) {
        const char *text = rvl_json_get_string(root, keys[i], NULL);
        if (!text)
            continue;
        rvl_str_addf(s, "<tr><th>%s</th><td>", keys[i]);
        rvl_html_text(s, text);
        rvl_str_add(s, "</td></tr>");
    }
    rvl_str_add(s, "<tr><th>model</th><td>");
    rvl_html_text(s, rvl_json_get_string(json_object_get(root, "model"), "path", "-"));
    rvl_str_addf(s, "</td></tr><tr><th>seed, bootstrap draws</th><td>%lld, %lld</td></tr></table>",
                 (long long)rvl_json_get_i64(root, "seed", 0), (long long)rvl_json_get_i64(root, "n_bootstrap", 0));
    rvl_str_add(s, "<p>Research only: not a medical device.</p>");
}

static void add_bars(rvl_str *s, const json_t *findings)
{
    const size_t n = json_array_size(findings);
    double      *v = rvl_alloc_array(n + 1, 3 * sizeof *v);
    const char **names = rvl_alloc_array(n + 1, sizeof *names);

    if (v && names) {
        for (size_t i = 0; i < n; i++) {
            const json_t *f = json_array_get(findings, i);
            const json_t *a = json_object_get(f, "auroc");
            names[i] = rvl_json_get_string(f, "name", "");
            v[i] = rvl_json_get_f64(a, "value", NAN);
            v[n + i] = rvl_json_get_f64(a, "low", NAN);
            v[2 * n + i] = rvl_json_get_f64(a, "high", NAN);
        }
        rvl_html_bars(s, "AUROC by finding", n, names, v, v + n, v + 2 * n);
    } else {
        s->failed = true;
    }
    rvl_free(v);
    rvl_free(names);
}

static void add_reliability(rvl_str *s, const json_t *finding)
{
    enum { MAX_BINS = 100 };
    const json_t *bins = json_object_get(finding, "calibration");
    double        x[MAX_BINS];
    double        y[MAX_BINS];
    size_t        n = 0;

    for (size_t i = 0; i < json_array_size(bins) && n < MAX_BINS; i++) {
        const json_t *bin = json_array_get(bins, i);
        if (rvl_json_get_f64(bin, "n", 0) <= 0)
            continue;
        x[n] = rvl_json_get_f64(bin, "mean_probability", NAN);
        y[n++] = rvl_json_get_f64(bin, "share_present", NAN);
    }
    if (n == 0)
        return;
    const char   *name = rvl_json_get_string(finding, "name", "");
    const double *xs[] = {x};
    const double *ys[] = {y};
    rvl_plot      plot = {.title = name,
                          .x_label = "mean probability",
                          .y_label = "share present",
                          .n_series = 1,
                          .names = &name,
                          .n_points = &n,
                          .x = xs,
                          .y = ys,
                          .y_zero_one = true,
                          .diagonal = true};
    rvl_html_plot(s, &plot);
}

static void add_findings(rvl_str *s, const json_t *part, const char *title)
{
    static const char *const macros[][2] = {{"macro_auroc", "macro AUROC"},
                                            {"trained_macro_auroc", "of the findings trained on"},
                                            {"withheld_macro_auroc", "of the withheld findings"},
                                            {"macro_ap", "macro average precision"}};
    static const char *const columns[] = {"auroc", "ap", "f1", "precision", "recall"};
    const json_t            *findings = json_object_get(part, "findings");
    size_t                   i;
    json_t                  *f;

    rvl_str_addf(s, "<h2>%s</h2><p>%lld cases, %lld patients. ", title, (long long)rvl_json_get_i64(part, "n_cases", 0),
                 (long long)rvl_json_get_i64(part, "n_patients", 0));
    rvl_html_text(s, rvl_json_get_string(part, "definition", ""));
    rvl_str_add(s, "</p><table>");
    for (size_t m = 0; m < RVL_ARRAY_LEN(macros); m++) {
        rvl_str_addf(s, "<tr><th>%s</th>", macros[m][1]);
        add_interval(s, json_object_get(part, macros[m][0]));
        rvl_str_add(s, "</tr>");
    }
    rvl_str_add(s, "</table>");
    add_bars(s, findings);
    rvl_str_add(s,
                "<table><tr><th>finding</th><th>present / n</th><th>AUROC</th><th>AP</th><th>F1</th><th>precision</th>"
                "<th>recall</th><th>Brier</th><th>ECE</th></tr>");
    json_array_foreach(findings, i, f)
    {
        rvl_str_add(s, "<tr><th>");
        rvl_html_text(s, rvl_json_get_string(f, "name", ""));
        rvl_str_addf(s, "%s</th><td>%.0f / %.0f</td>", rvl_json_get_bool(f, "withheld", false) ? " (withheld)" : "",
                     rvl_json_get_f64(f, "n_present", 0), rvl_json_get_f64(f, "n", 0));
        for (size_t c = 0; c < RVL_ARRAY_LEN(columns); c++)
            add_interval(s, json_object_get(f, columns[c]));
        rvl_str_addf(s, "<td>%.3f</td><td>%.3f</td></tr>", rvl_json_get_f64(f, "brier", NAN),
                     rvl_json_get_f64(f, "ece", NAN));
    }
    rvl_str_add(s, "</table><h3>Calibration</h3>");
    json_array_foreach(findings, i, f) add_reliability(s, f);
}

static void add_direction(rvl_str *s, const json_t *part, const char *key, const char *title, const char *gallery)
{
    static const char *const columns[] = {"recall_at_1", "recall_at_5", "recall_at_10", "median_rank", "mrr"};
    const json_t            *d = json_object_get(part, key);
    if (*gallery)
        d = json_object_get(d, gallery);
    rvl_str_addf(s, "<tr><th>%s</th><td>%s</td>", title, *gallery ? gallery : "diagonal");
    for (size_t c = 0; c < RVL_ARRAY_LEN(columns); c++)
        add_interval(s, json_object_get(d, columns[c]));
    rvl_str_addf(s, "<td>%.3f</td></tr>", rvl_json_get_f64(d, "chance_at_10", NAN));
}

static void add_retrieval(rvl_str *s, const json_t *part)
{
    static const char *const galleries[] = {"", "unique", "duplicates"};
    rvl_str_addf(s, "<h2>Retrieval</h2><p>Pool of %lld, %lld different texts. ",
                 (long long)rvl_json_get_i64(part, "pool", 0), (long long)rvl_json_get_i64(part, "n_unique_texts", 0));
    rvl_html_text(s, rvl_json_get_string(part, "definition", ""));
    rvl_str_add(s,
                "</p><table><tr><th>direction</th><th>gallery</th><th>recall@1</th><th>recall@5</th><th>recall@10</th>"
                "<th>median rank</th><th>MRR</th><th>chance@10</th></tr>");
    for (size_t g = 0; g < RVL_ARRAY_LEN(galleries); g++) {
        add_direction(s, part, "image_to_text", "image to text", galleries[g]);
        add_direction(s, part, "text_to_image", "text to image", galleries[g]);
    }
    rvl_str_add(s, "</table>");
}

rvl_status rvl__bench_html(const char *path, const json_t *root, rvl_error *err)
{
    static const char *const parts[][2] = {
        {"zeroshot", "Zero-shot"}, {"supervised", "Supervised"}, {"predictions", "Predictions"}};
    rvl_str s = {0};

    rvl_html_begin(&s, "rvl bench");
    add_heading(&s, root);
    for (size_t i = 0; i < RVL_ARRAY_LEN(parts); i++)
        if (json_object_get(root, parts[i][0]))
            add_findings(&s, json_object_get(root, parts[i][0]), parts[i][1]);
    if (json_object_get(root, "retrieval"))
        add_retrieval(&s, json_object_get(root, "retrieval"));
    rvl_html_end(&s);
    rvl_status st = s.failed ? rvl_fail(err, RVL_ERR_NOMEM, "out of memory for the page")
                             : rvl_file_write(path, s.ptr, s.n_bytes, err);
    rvl_str_free(&s);
    return st;
}
