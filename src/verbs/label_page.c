/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verbs/label_page.c
 * An audit as a page, with what was judged wrong in its context.
 */
#include "base/file.h"
#include "base/html.h"
#include "base/json.h"
#include "verbs/bench_parts.h"
#include "verbs/label_audit.h"
#include <math.h>
#include <string.h>

enum { EXAMPLES_MAX = 5, CONTEXT_BYTES = 160 };

static void interval_add(rvl_str *s, const json_t *v)
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

static void row_add(rvl_str *s, const char *name, const json_t *o)
{
    static const char *const keys[] = {"auroc",       "ap",       "precision",         "recall", "f1",
                                       "f1_weighted", "accuracy", "balanced_accuracy", "kappa"};

    rvl_str_add(s, "<tr><th>");
    rvl_html_text(s, name);
    rvl_str_addf(s, "</th><td>%.0f</td><td>%.0f</td>", rvl_json_get_f64(o, "n", NAN),
                 rvl_json_get_f64(o, "n_present", NAN));
    for (size_t i = 0; i < RVL_ARRAY_LEN(keys); i++)
        interval_add(s, json_object_get(o, keys[i]));
    rvl_str_add(s, "</tr>");
}

static void side_add(rvl_str *s, const json_t *side)
{
    size_t  i;
    json_t *f;

    rvl_str_add(s, "<h2>");
    rvl_html_text(s, rvl_json_get_string(side, "name", ""));
    rvl_str_add(s, "</h2><table><tr><th>finding</th><th>reports</th><th>present</th><th>AUROC</th><th>AP</th>"
                   "<th>precision</th><th>recall</th><th>F1</th><th>F1 weighted</th><th>accuracy</th>"
                   "<th>balanced accuracy</th><th>kappa</th></tr>");
    json_array_foreach(json_object_get(side, "findings"), i, f) row_add(s, rvl_json_get_string(f, "name", ""), f);
    row_add(s, "macro", json_object_get(side, "macro"));
    rvl_str_add(s, "</table><h3>Calibration</h3>");
    json_array_foreach(json_object_get(side, "findings"), i, f) rvl__reliability_add(s, f);
}

static bool is_inside_char(const rvl_span *text, size_t at)
{
    return at < text->n_bytes && (text->ptr[at] & 0xc0) == 0x80;
}

/* The words round the evidence, itself marked; the start of the report where there is none. */
static void context_add(rvl_str *s, const rvl_span *text, const rvl_label_row *row)
{
    size_t from = row->evidence_at > CONTEXT_BYTES ? row->evidence_at - CONTEXT_BYTES : 0;
    size_t end = row->evidence_at + row->evidence_bytes;
    size_t to = text->n_bytes - end > CONTEXT_BYTES ? end + CONTEXT_BYTES : text->n_bytes;

    while (is_inside_char(text, from))
        from++;
    while (is_inside_char(text, to))
        to++;
    rvl_html_bytes(s, text->ptr + from, row->evidence_at - from);
    if (row->evidence_bytes) {
        rvl_str_add(s, "<mark>");
        rvl_html_bytes(s, text->ptr + row->evidence_at, row->evidence_bytes);
        rvl_str_add(s, "</mark>");
    }
    rvl_html_bytes(s, text->ptr + end, to - end);
}

static bool is_wrong(const rvl_label_audit *x, int64_t i, int j, bool present)
{
    const int64_t at = i * x->k + j;
    return x->valid[at] > 0.0 && !isnan(x->a.probability[at]) && (x->truth[at] != 0) != present &&
           (x->a.probability[at] >= 0.5) == present;
}

/* A few reports where the finding was called present and is absent, or the other way round. */
static void examples_add(rvl_str *s, const rvl_label_audit *x, int j, bool present)
{
    int n = 0;

    for (int64_t i = 0; i < x->n && n < EXAMPLES_MAX; i++) {
        if (!is_wrong(x, i, j, present))
            continue;
        if (n++ == 0) {
            rvl_str_addf(s, "<h4>called %s</h4><table>",
                         present ? "present, gold says absent" : "absent, gold says present");
        }
        rvl_str_add(s, "<tr><th>");
        rvl_html_text(s, x->ids[i]);
        rvl_str_addf(s, "</th><td>%s %.2f</td><td>", rvl_label_text((rvl_label_state)x->a.state[i * x->k + j]),
                     x->a.probability[i * x->k + j]);
        context_add(s, &x->texts[i], &x->a.evidence[i * x->k + j]);
        rvl_str_add(s, "</td></tr>");
    }
    if (n > 0)
        rvl_str_add(s, "</table>");
}

static void difference_add(rvl_str *s, const json_t *d)
{
    size_t  i;
    json_t *f;

    rvl_str_add(s, "<h2>Difference, first minus second</h2><table><tr><th>finding</th><th>AUROC</th><th>F1</th>"
                   "<th>p (DeLong)</th><th>only first right</th><th>only second right</th><th>p (McNemar)</th></tr>");
    json_array_foreach(json_object_get(d, "findings"), i, f)
    {
        rvl_str_add(s, "<tr><th>");
        rvl_html_text(s, rvl_json_get_string(f, "name", ""));
        rvl_str_add(s, "</th>");
        interval_add(s, json_object_get(f, "auroc"));
        interval_add(s, json_object_get(f, "f1"));
        rvl_str_addf(s, "<td>%.4f</td><td>%lld</td><td>%lld</td><td>%.4f</td></tr>",
                     rvl_json_get_f64(f, "delong_p", NAN), (long long)rvl_json_get_i64(f, "only_a_right", 0),
                     (long long)rvl_json_get_i64(f, "only_b_right", 0), rvl_json_get_f64(f, "mcnemar_p", NAN));
    }
    rvl_str_add(s, "<tr><th>macro</th>");
    interval_add(s, json_object_get(json_object_get(d, "macro"), "auroc"));
    interval_add(s, json_object_get(json_object_get(d, "macro"), "f1"));
    rvl_str_add(s, "<td></td><td></td><td></td><td></td></tr></table>");
}

rvl_status rvl__label_page(const char *path, const json_t *doc, const rvl_label_audit *x, rvl_error *err)
{
    rvl_str    s = {0};
    rvl_status st = RVL_OK;

    rvl_html_begin(&s, "Labels against gold");
    rvl_str_addf(&s,
                 "<p>%lld reports, %lld gold rows without a label; uncertain gold labels: %s; present from "
                 "probability 0.5 on; intervals of 95 %% by %lld bootstrap draws over reports, seed %lld. This page "
                 "may show parts of reports.</p>",
                 (long long)x->n, (long long)x->n_unmatched, rvl_json_get_string(doc, "uncertain", ""),
                 (long long)rvl_json_get_i64(doc, "n_bootstrap", 0), (long long)rvl_json_get_i64(doc, "seed", 0));
    side_add(&s, json_object_get(doc, "a"));
    if (x->b.probability) {
        side_add(&s, json_object_get(doc, "b"));
        difference_add(&s, json_object_get(doc, "difference"));
    }
    if (x->texts && x->a.evidence) {
        rvl_str_add(&s, "<h2>Judged wrong</h2>");
        for (int j = 0; j < x->k; j++) {
            rvl_str_add(&s, "<h3>");
            rvl_html_text(&s, x->names[j]);
            rvl_str_add(&s, "</h3>");
            examples_add(&s, x, j, true);
            examples_add(&s, x, j, false);
        }
    }
    rvl_html_end(&s);
    st = s.failed ? rvl_fail(err, RVL_ERR_NOMEM, "out of memory for a page")
                  : rvl_file_write(path, s.ptr, s.n_bytes, err);
    rvl_str_free(&s);
    return st;
}
