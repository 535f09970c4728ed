/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verbs/label_queue.c
 * What two sources of labels, or labels and gold, do not agree on: for a human, as CSV or as a page with the reports.
 */
#include "base/alloc.h"
#include "base/csv.h"
#include "base/file.h"
#include "base/html.h"
#include "verbs/label_audit.h"
#include <math.h>
#include <stdlib.h>

enum { REPORTS_SHOWN_MAX = 500 };

/** One finding of one report, and how far apart its labels are. */
typedef struct {
    int64_t i;
    int     j;
    double  distance;  /* of probabilities, gold being 0 or 1: 0..1 */
    double  of_report; /* the widest of its report */
} doubt;

typedef struct {
    const rvl_label_audit *x;
    doubt                 *items;
    size_t                 n;
} queue;

/* Distance where one says present and another does not; 0 where all agree. */
static double distance_of(const rvl_label_audit *x, int64_t at)
{
    const double a = x->a.probability[at];
    const double b = x->b.probability ? x->b.probability[at] : (double)NAN;
    const double gold = x->truth[at] ? 1.0 : 0.0;
    double       d = 0.0;

    if (x->valid[at] > 0.0 && !isnan(a) && (a >= 0.5) != (x->truth[at] != 0))
        d = fabs(a - gold);
    if (!isnan(a) && !isnan(b) && (a >= 0.5) != (b >= 0.5))
        d = fmax(d, fabs(a - b));
    return d;
}

/* Reports by their widest distance, then as in the gold table; findings of a report by theirs. */
static int by_use(const void *p, const void *q)
{
    const doubt *a = p;
    const doubt *b = q;

    if (a->of_report < b->of_report || a->of_report > b->of_report)
        return a->of_report < b->of_report ? 1 : -1;
    if (a->i != b->i)
        return a->i < b->i ? -1 : 1;
    if (a->distance < b->distance || a->distance > b->distance)
        return a->distance < b->distance ? 1 : -1;
    return a->j - b->j;
}

static rvl_status queue_make(queue *q, const rvl_label_audit *x, rvl_error *err)
{
    *q = (queue){.x = x, .items = rvl_alloc_array((size_t)x->n * (size_t)x->k + 1, sizeof *q->items)};
    if (!q->items)
        return rvl_fail(err, RVL_ERR_NOMEM, "out of memory for the queue");
    for (int64_t i = 0; i < x->n; i++) {
        const size_t first = q->n;
        double       widest = 0.0;
        for (int j = 0; j < x->k; j++) {
            const double d = distance_of(x, i * x->k + j);
            if (d > 0.0)
                q->items[q->n++] = (doubt){.i = i, .j = j, .distance = d};
            widest = fmax(widest, d);
        }
        for (size_t at = first; at < q->n; at++)
            q->items[at].of_report = widest;
    }
    qsort(q->items, q->n, sizeof *q->items, by_use);
    return RVL_OK;
}

/* What a side read the state from; NULL if not known. */
static const rvl_label_row *evidence_of(const rvl_label_audit *x, const rvl_label_side *side, const doubt *d)
{
    const rvl_label_row *row = side->evidence ? &side->evidence[d->i * x->k + d->j] : NULL;

    return row && x->texts && row->evidence_bytes > 0 ? row : NULL;
}

static const char *gold_of(const rvl_label_audit *x, const doubt *d)
{
    const int64_t at = d->i * x->k + d->j;

    return !(x->valid[at] > 0.0) ? "" : x->truth[at] ? "present" : "absent";
}

/* ---- as CSV ----------------------------------------------------------------------------------------------------- */

static void words_field(rvl_str *s, const rvl_span *text, const rvl_label_row *row)
{
    char *words = rvl_strndup((const char *)text->ptr + row->evidence_at, row->evidence_bytes);

    if (words)
        rvl_csv_add_field(s, words);
    else
        s->failed = true;
    rvl_free(words);
}

static void csv_row(rvl_str *s, const rvl_label_audit *x, const doubt *d)
{
    const int64_t        at = d->i * x->k + d->j;
    const rvl_label_row *words = evidence_of(x, &x->a, d);

    rvl_csv_add_field(s, x->ids[d->i]);
    rvl_str_addf(s, ",%s,%s", x->names[d->j], gold_of(x, d));
    rvl_str_addf(s, ",%s,%.4f,", rvl_label_text((rvl_label_state)x->a.state[at]), x->a.probability[at]);
    if (x->b.probability && !isnan(x->b.probability[at]))
        rvl_str_addf(s, "%s,%.4f,", rvl_label_text((rvl_label_state)x->b.state[at]), x->b.probability[at]);
    else
        rvl_str_add(s, ",,");
    if (words)
        words_field(s, &x->texts[d->i], words);
    rvl_str_add(s, ",,\n");
}

static void csv_add(rvl_str *s, const queue *q)
{
    rvl_str_add(s, "report_id,finding,gold,state_a,probability_a,state_b,probability_b,evidence,state,reviewer\n");
    for (size_t i = 0; i < q->n; i++)
        csv_row(s, q->x, &q->items[i]);
}

/* ---- as a page -------------------------------------------------------------------------------------------------- */

typedef struct {
    size_t      from, to;
    const char *finding;
} marked;

static int by_place(const void *p, const void *q)
{
    const marked *a = p;
    const marked *b = q;

    if (a->from != b->from)
        return a->from < b->from ? -1 : 1;
    return a->to < b->to ? 1 : a->to > b->to ? -1 : 0; /* the longer one first */
}

/* The whole report; what the doubtful findings were read from is marked with their names. */
static void report_add(rvl_str *s, const rvl_label_audit *x, const doubt *items, size_t n)
{
    const rvl_span *text = &x->texts[items->i];
    marked         *marks = rvl_alloc_array(2 * n, sizeof *marks);
    size_t          n_marks = 0;
    size_t          done = 0;

    if (!marks) {
        s->failed = true;
        return;
    }
    for (size_t i = 0; i < 2 * n; i++) {
        const rvl_label_row *row = evidence_of(x, i % 2 ? &x->b : &x->a, &items[i / 2]);
        if (row)
            marks[n_marks++] =
                (marked){row->evidence_at, row->evidence_at + row->evidence_bytes, x->names[items[i / 2].j]};
    }
    qsort(marks, n_marks, sizeof *marks, by_place);
    rvl_str_add(s, "<p class=\"report\">");
    for (size_t i = 0; i < n_marks; i++) {
        if (marks[i].from < done) /* inside another, or over its end: that one shows it */
            continue;
        rvl_html_bytes(s, text->ptr + done, marks[i].from - done);
        rvl_str_add(s, "<mark title=\"");
        rvl_html_text(s, marks[i].finding);
        rvl_str_add(s, "\">");
        rvl_html_bytes(s, text->ptr + marks[i].from, marks[i].to - marks[i].from);
        rvl_str_add(s, "</mark>");
        done = marks[i].to;
    }
    rvl_html_bytes(s, text->ptr + done, text->n_bytes - done);
    rvl_str_add(s, "</p>");
    rvl_free(marks);
}

static void side_cell(rvl_str *s, const rvl_label_audit *x, const rvl_label_side *side, const doubt *d)
{
    const int64_t        at = d->i * x->k + d->j;
    const rvl_label_row *row = evidence_of(x, side, d);

    if (isnan(side->probability[at])) {
        rvl_str_add(s, "<td>-</td>");
        return;
    }
    rvl_str_addf(s, "<td>%s %.2f", rvl_label_text((rvl_label_state)side->state[at]), side->probability[at]);
    if (row) {
        rvl_str_add(s, "<br><span class=\"muted\">");
        rvl_html_bytes(s, x->texts[d->i].ptr + row->evidence_at, row->evidence_bytes);
        rvl_str_add(s, "</span>");
    }
    rvl_str_add(s, "</td>");
}

static void case_add(rvl_str *s, const rvl_label_audit *x, const doubt *items, size_t n)
{
    rvl_str_add(s, "<h2>");
    rvl_html_text(s, x->ids[items->i]);
    rvl_str_add(s, "</h2><table><tr><th>finding</th><th>gold</th><th>");
    rvl_html_text(s, x->a.name);
    if (x->b.probability) {
        rvl_str_add(s, "</th><th>");
        rvl_html_text(s, x->b.name);
    }
    rvl_str_add(s, "</th><th class=\"num\">apart by</th></tr>");
    for (size_t i = 0; i < n; i++) {
        rvl_str_add(s, "<tr><th>");
        rvl_html_text(s, x->names[items[i].j]);
        rvl_str_addf(s, "</th><td>%s</td>", *gold_of(x, &items[i]) ? gold_of(x, &items[i]) : "-");
        side_cell(s, x, &x->a, &items[i]);
        if (x->b.probability)
            side_cell(s, x, &x->b, &items[i]);
        rvl_str_addf(s, "<td class=\"num\">%.2f</td></tr>", items[i].distance);
    }
    rvl_str_add(s, "</table>");
    if (x->texts && x->texts[items->i].n_bytes > 0)
        report_add(s, x, items, n);
}

static int64_t reports_count(const queue *q)
{
    int64_t n = 0;

    for (size_t i = 0; i < q->n; i++)
        n += i == 0 || q->items[i].i != q->items[i - 1].i;
    return n;
}

static void intro_add(rvl_str *s, const queue *q)
{
    const int64_t n_reports = reports_count(q);
    rvl_str       csv = {0};

    csv_add(&csv, q);
    rvl_str_addf(s,
                 "<p>%zu labels of %lld reports differ; present is a probability from 0.5 on. The widest difference "
                 "comes first, for it is the likeliest mistake of one side.",
                 q->n, (long long)n_reports);
    if (n_reports > REPORTS_SHOWN_MAX)
        rvl_str_addf(s, " The first %d reports are shown here, the list below has all.", REPORTS_SHOWN_MAX);
    rvl_str_add(s, "</p><p>To decide: save <a download=\"queue.csv\" href=\"data:text/csv;base64,");
    rvl_html_base64(s, csv.ptr, csv.n_bytes);
    rvl_str_add(s, "\">the list as CSV</a>, fill in <code>state</code> (present, absent, uncertain, not_mentioned) and "
                   "<code>reviewer</code> where you decided, leave the other rows as they are, and give it back:</p>"
                   "<pre>rvl label labels.csv --import queue.csv -o corrected.csv\n"
                   "rvl label COHORT --import queue.csv</pre>");
    if (q->x->texts)
        rvl_str_add(s, "<p class=\"muted\">This page holds reports.</p>");
    s->failed = s->failed || csv.failed;
    rvl_str_free(&csv);
}

static void page_add(rvl_str *s, const queue *q)
{
    int n_shown = 0;

    rvl_html_begin(s, "Labels to decide");
    intro_add(s, q);
    for (size_t at = 0, end = 0; at < q->n && n_shown < REPORTS_SHOWN_MAX; at = end, n_shown++) {
        while (end < q->n && q->items[end].i == q->items[at].i)
            end++;
        case_add(s, q->x, q->items + at, end - at);
    }
    rvl_html_end(s);
}

rvl_status rvl__label_queue(const char *path, const rvl_label_audit *x, rvl_error *err)
{
    queue      q;
    rvl_str    s = {0};
    rvl_status st = queue_make(&q, x, err);

    if (!st && (rvl_str_ends(path, ".html") || rvl_str_ends(path, ".htm")))
        page_add(&s, &q);
    else if (!st)
        csv_add(&s, &q);
    if (!st)
        st = s.failed ? rvl_fail(err, RVL_ERR_NOMEM, "out of memory for the queue")
                      : rvl_file_write(path, s.ptr, s.n_bytes, err);
    rvl_str_free(&s);
    rvl_free(q.items);
    return st;
}
