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
#include <stdio.h>

/* A number, or a value with its interval. */
static void add_interval(rvl_str *s, const json_t *v)
{
    const double value = json_is_number(v) ? json_number_value(v) : rvl_json_get_f64(v, "value", NAN);
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

void rvl__reliability_add(rvl_str *s, const json_t *finding)
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

static void add_class_sets(rvl_str *s, const json_t *part)
{
    static const char *const columns[][2] = {{"ct_clip", "macro_accuracy"},  {"ct_clip", "macro_f1_weighted"},
                                             {"ct_clip", "macro_precision"}, {"vlm3d", "macro_precision"},
                                             {"vlm3d", "macro_recall"},      {"vlm3d", "macro_f1"},
                                             {"vlm3d", "macro_accuracy"},    {"vlm3d", "crg"}};
    size_t                   i;
    json_t                  *set;

    rvl_str_add(s, "<h3>Macros as published</h3><p>Means over different class sets are not comparable. Thresholds of "
                   "[ct-clip] are chosen on the measured cases: its accuracy, F1 and precision are optimistic.</p>"
                   "<table><tr><th>class set</th><th>classes</th><th>undefined</th><th>AUROC</th><th>AUROC [fvlm]</th>"
                   "<th>accuracy [ct-clip]</th><th>weighted F1 [ct-clip]</th><th>precision [ct-clip]</th>"
                   "<th>precision [vlm3d]</th><th>recall [vlm3d]</th><th>F1 [vlm3d]</th><th>accuracy [vlm3d]</th>"
                   "<th>CRG</th></tr>");
    json_array_foreach(json_object_get(part, "class_sets"), i, set)
    {
        rvl_str_add(s, "<tr><th>");
        rvl_html_text(s, rvl_json_get_string(set, "name", ""));
        rvl_str_addf(s, "</th><td>%lld</td><td>%lld</td>", (long long)rvl_json_get_i64(set, "n_classes", 0),
                     (long long)rvl_json_get_i64(set, "n_undefined", 0));
        add_interval(s, json_object_get(set, "macro_auroc"));
        add_interval(s, json_object_get(json_object_get(set, "fvlm"), "macro_auroc"));
        for (size_t c = 0; c < RVL_ARRAY_LEN(columns); c++)
            add_interval(s, json_object_get(json_object_get(set, columns[c][0]), columns[c][1]));
        rvl_str_add(s, "</tr>");
    }
    rvl_str_add(s, "</table>");
}

static void add_baselines(rvl_str *s, const json_t *part)
{
    static const char *const rows[][2] = {{"", "model"}, {"constant", "constant"}, {"metadata", "metadata alone"}};
    static const char *const keys[] = {"macro_auroc",  "macro_ap",       "macro_f1",         "macro_precision",
                                       "macro_recall", "macro_accuracy", "macro_f1_weighted"};
    const json_t            *both = json_object_get(part, "baselines");
    const json_t            *metadata = json_object_get(both, "metadata");
    size_t                   i;
    json_t                  *column;

    rvl_str_add(s, "<h3>Without images</h3><p>Fitted on ");
    rvl_html_text(s, rvl_json_get_string(json_object_get(both, "constant"), "fitted_on", "-"));
    rvl_str_add(s, metadata ? "; metadata:" : "; no metadata baseline");
    json_array_foreach(json_object_get(metadata, "columns"), i, column)
    {
        rvl_str_add(s, i ? ", " : " ");
        rvl_html_text(s, json_string_value(column));
    }
    rvl_str_add(s, ".</p><table><tr><th>macro</th><th>AUROC</th><th>AP</th><th>F1</th><th>precision</th><th>recall</th>"
                   "<th>accuracy</th><th>weighted F1</th></tr>");
    for (size_t r = 0; r < RVL_ARRAY_LEN(rows); r++) {
        const json_t *j = *rows[r][0] ? json_object_get(both, rows[r][0]) : part;
        if (!j)
            continue;
        rvl_str_addf(s, "<tr><th>%s</th>", rows[r][1]);
        for (size_t c = 0; c < RVL_ARRAY_LEN(keys); c++)
            add_interval(s, json_object_get(j, keys[c]));
        rvl_str_add(s, "</tr>");
    }
    rvl_str_add(s, "</table>");
}

static void add_audit(rvl_str *s, const json_t *audit)
{
    static const char *const keys[] = {"ids", "patients", "pixels", "texts"};
    const json_t            *repeats = json_object_get(audit, "repeats");
    size_t                   i;
    json_t                  *one;

    rvl_str_add(
        s, "<h2>Audit</h2><p>Measured cases that other parts hold too; a number above 0 makes the tables look better "
           "than the model is.</p><table><tr><th>shared with</th><th>cases</th><th>patients</th><th>pixels</th>"
           "<th>texts</th></tr>");
    json_array_foreach(json_object_get(audit, "shared"), i, one)
    {
        rvl_str_add(s, "<tr><th>");
        rvl_html_text(s, rvl_json_get_string(one, "with", ""));
        rvl_str_add(s, "</th>");
        for (size_t c = 0; c < RVL_ARRAY_LEN(keys); c++) {
            if (json_object_get(one, keys[c]))
                rvl_str_addf(s, "<td>%lld</td>", (long long)rvl_json_get_i64(one, keys[c], 0));
            else
                rvl_str_add(s, "<td>-</td>");
        }
        rvl_str_add(s, "</tr>");
    }
    rvl_str_add(s, "</table>");
    if (repeats)
        rvl_str_addf(
            s, "<p>Repeats within: %lld cases of a patient seen before, %lld equal images, %lld equal reports.</p>",
            (long long)rvl_json_get_i64(repeats, "patients", 0), (long long)rvl_json_get_i64(repeats, "pixels", 0),
            (long long)rvl_json_get_i64(repeats, "texts", 0));
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
    rvl_str_add(s, "</table>");
    add_class_sets(s, part);
    if (json_object_get(part, "baselines"))
        add_baselines(s, part);
    rvl_str_add(s, "<h3>Calibration</h3>");
    json_array_foreach(findings, i, f) rvl__reliability_add(s, f);
}

static void add_direction(rvl_str *s, const json_t *part, const char *key, const char *title, const char *gallery)
{
    static const char *const columns[] = {"recall_at_1",   "recall_at_5", "recall_at_10", "recall_at_50",
                                          "recall_at_100", "median_rank", "mrr"};
    const json_t            *d = json_object_get(part, key);
    if (*gallery)
        d = json_object_get(d, gallery);
    rvl_str_addf(s, "<tr><th>%s</th><td>%s</td>", title, *gallery ? gallery : "diagonal");
    for (size_t c = 0; c < RVL_ARRAY_LEN(columns); c++)
        add_interval(s, json_object_get(d, columns[c]));
    rvl_str_addf(s, "<td>%.3f</td></tr>", rvl_json_get_f64(d, "chance_at_10", NAN));
}

static void add_images(rvl_str *s, const json_t *part)
{
    static const char *const rows[][3] = {
        {"any", "any finding", "map_at"},          {"exact", "same findings", "map_at"},
        {"jaccard", "Jaccard mean", "jaccard_at"}, {"spectre", "mAP [spectre]", "map_at"},
        {"ct_clip", "MAP [ct-clip]", "map_at"},    {"ct_clip", "MAP [ct-clip] of finding only itself", "map_floor_at"}};
    static const int cuts[] = {1, 5, 10, 50};

    rvl_str_add(s, "<h3>Images by images</h3><p>");
    rvl_html_text(s, rvl_json_get_string(part, "definition", ""));
    rvl_str_add(s, "</p><table><tr><th>relevant</th><th>@1</th><th>@5</th><th>@10</th><th>@50</th></tr>");
    for (size_t i = 0; i < RVL_ARRAY_LEN(rows); i++) {
        rvl_str_addf(s, "<tr><th>%s</th>", rows[i][1]);
        for (size_t c = 0; c < RVL_ARRAY_LEN(cuts); c++) {
            char key[32];
            snprintf(key, sizeof key, "%s_%d", rows[i][2], cuts[c]);
            add_interval(s, json_object_get(json_object_get(part, rows[i][0]), key));
        }
        rvl_str_add(s, "</tr>");
    }
    rvl_str_add(s, "</table>");
}

static void add_pairs(rvl_str *s, const json_t *part)
{
    static const char *const galleries[] = {"", "unique", "duplicates", "ct_clip"};
    rvl_str_addf(s, "<h2>Retrieval</h2><p>Pool of %lld, %lld different texts. ",
                 (long long)rvl_json_get_i64(part, "pool", 0), (long long)rvl_json_get_i64(part, "n_unique_texts", 0));
    rvl_html_text(s, rvl_json_get_string(part, "definition", ""));
    rvl_str_add(s, "</p><table><tr><th>direction</th><th>gallery</th><th>recall@1</th><th>recall@5</th><th>recall@10</"
                   "th><th>recall@50</th><th>recall@100</th>"
                   "<th>median rank</th><th>MRR</th><th>chance@10</th></tr>");
    for (size_t g = 0; g < RVL_ARRAY_LEN(galleries); g++) {
        add_direction(s, part, "image_to_text", "image to text", galleries[g]);
        add_direction(s, part, "text_to_image", "text to image", galleries[g]);
    }
    rvl_str_add(s, "</table>");
}

static void add_retrieval(rvl_str *s, const json_t *part)
{
    if (json_object_get(part, "image_to_text"))
        add_pairs(s, part);
    if (json_object_get(part, "image_to_image"))
        add_images(s, json_object_get(part, "image_to_image"));
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
    if (json_object_get(root, "audit"))
        add_audit(&s, json_object_get(root, "audit"));
    if (json_object_get(root, "retrieval"))
        add_retrieval(&s, json_object_get(root, "retrieval"));
    rvl_html_end(&s);
    rvl_status st = s.failed ? rvl_fail(err, RVL_ERR_NOMEM, "out of memory for the page")
                             : rvl_file_write(path, s.ptr, s.n_bytes, err);
    rvl_str_free(&s);
    return st;
}
