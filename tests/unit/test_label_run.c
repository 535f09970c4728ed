/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/unit/test_label_run.c
 * Tables of reports, and labelling that ends early and goes on from its journal.
 */
#include "support.h"
#include "base/alloc.h"
#include "base/util.h"
#include "label/reports.h"
#include "label/run.h"
#include <math.h>

enum { COUNT = 10 };

/** Says present where the text begins with 'p'; stops the run at call `stop_at`. */
typedef struct {
    rvl_labeller base;
    int          n_calls, n_texts, stop_at;
} counter;

static rvl_status counter_label(rvl_labeller *self, rvl_label_row *rows, rvl_label_outcome *outcomes,
                                const rvl_label_batch *batch, rvl_error *err)
{
    counter *c = (counter *)self;

    if (++c->n_calls == c->stop_at)
        return rvl_fail(err, RVL_ERR_CANCELLED, "stopped");
    for (int i = 0; i < batch->n; i++) {
        const char first = (char)batch->texts[i].ptr[0];
        c->n_texts++;
        outcomes[i].outcome = first == 'x' ? RVL_LABELLED_FAILED : RVL_LABELLED;
        rvl_label_rows_clear(&rows[i], self, 0.25);
        rows[i].state = first == 'p' ? RVL_LABEL_PRESENT : RVL_LABEL_ABSENT;
        rows[i].probability = first == 'p' ? 0.75 : (double)NAN;
        rows[i].evidence_at = 1;
        rows[i].evidence_bytes = 1;
        if (first == 'p')
            rows[i].source = "other";
    }
    return RVL_OK;
}

static void counter_free(rvl_labeller *self)
{
    (void)self;
}

static counter counter_make(const rvl_schema *s, int stop_at)
{
    return (counter){.base = {.source = "counter",
                              .version = "1",
                              .schema = s,
                              .n_together = 3,
                              .label = counter_label,
                              .free = counter_free},
                     .stop_at = stop_at};
}

static void check_all(const rvl_label_results *r)
{
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(r->outcomes[i].outcome, i == 4 ? RVL_LABELLED_FAILED : RVL_LABELLED);
        if (i == 4)
            continue;
        assert_int_equal(r->rows[i].state, i % 2 ? RVL_LABEL_ABSENT : RVL_LABEL_PRESENT);
        assert_true(i % 2 ? isnan(r->rows[i].probability) : r->rows[i].probability > 0.74);
        assert_string_equal(r->rows[i].source, i % 2 ? "counter" : "other");
        assert_int_equal(r->rows[i].evidence_bytes, 1);
    }
}

static void journal__lets_an_ended_run_go_on(void **state)
{
    static const char        yaml[] = "name: s\nfindings: [{name: a, positive: [a], negative: [b]}]\n";
    static const char *const words[COUNT] = {"p0", "q1", "p2", "q3", "x4", "q5", "p6", "q7", "p8", "q9"};
    char                     folder[] = "/tmp/rvl-label-XXXXXX";
    char                     path[64];
    rvl_schema              *s = NULL;
    rvl_span                 texts[COUNT];
    rvl_label_results        r;

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/j", folder);
    OK(rvl_schema_parse(&s, yaml, sizeof yaml - 1, "s", &err));
    for (int i = 0; i < COUNT; i++)
        texts[i] = (rvl_span){(const uint8_t *)words[i], 2};
    counter c = counter_make(s, 3);
    assert_int_equal(rvl_label_texts(&r, &c.base, texts, COUNT, path, false, NULL), RVL_ERR_CANCELLED);
    assert_null(r.rows);
    int64_t n_bytes = rvl_file_size(path);
    assert_int_equal(truncate(path, n_bytes - 5), 0); /* the last line was cut */
    c = counter_make(s, 0);
    OK(rvl_label_texts(&r, &c.base, texts, COUNT, path, false, &err));
    assert_int_equal(r.n_kept, 4); /* six texts, one of them failed, one cut */
    assert_int_equal(c.n_texts, COUNT - 4);
    check_all(&r);
    rvl_label_results_fini(&r);
    c = counter_make(s, 0);
    OK(rvl_label_texts(&r, &c.base, texts, COUNT, path, false, &err));
    assert_int_equal(r.n_kept, COUNT - 1); /* what failed is tried again */
    assert_int_equal(c.n_texts, 1);
    check_all(&r);
    rvl_label_results_fini(&r);
    c = counter_make(s, 0);
    c.base.version = "2";
    assert_int_equal(rvl_label_texts(&r, &c.base, texts, COUNT, path, false, NULL), RVL_ERR_STATE);
    OK(rvl_label_texts(&r, &c.base, texts, COUNT, path, true, &err));
    assert_int_equal(r.n_kept, 0);
    check_all(&r);
    rvl_label_results_fini(&r);
    rvl_schema_free(s);
    OK(rvl_dir_remove(folder, &err));
}

static void cancel__ends_a_run(void **state)
{
    static const char yaml[] = "name: s\nfindings: [{name: a, positive: [a], negative: [b]}]\n";
    rvl_schema       *s = NULL;
    rvl_span          text = {(const uint8_t *)"p0", 2};
    rvl_label_results r;

    (void)state;
    OK(rvl_schema_parse(&s, yaml, sizeof yaml - 1, "s", &err));
    counter c = counter_make(s, 0);
    rvl_cancel_request();
    assert_int_equal(rvl_label_texts(&r, &c.base, &text, 1, NULL, false, NULL), RVL_ERR_CANCELLED);
    rvl_cancel_reset();
    rvl_schema_free(s);
}

static void reports__share_equal_texts(void **state)
{
    rvl_reports       r;
    const char *const a[] = {"Clear.", "Not given."};
    const char *const b[] = {NULL, "Clear."};
    const char *const c[] = {"Clear.", "Clear."};
    const char *const d[] = {"n/a", ""};

    (void)state;
    OK(rvl_reports_begin(&r, &err));
    OK(rvl_reports_add(&r, "1", 2, a, 2, &err));
    OK(rvl_reports_add(&r, "2", 3, b, 2, &err));
    OK(rvl_reports_add(&r, "3", 4, c, 2, &err));
    OK(rvl_reports_add(&r, "4", 5, d, 2, &err));
    assert_int_equal(r.n_rows, 4);
    assert_int_equal(r.n_texts, 2);
    assert_int_equal(r.rows[0].i_text, 0);
    assert_int_equal(r.rows[1].i_text, 0);
    assert_int_equal(r.rows[2].i_text, 1);
    assert_int_equal(r.rows[3].i_text, -1);
    assert_int_equal(r.texts[1].n_bytes, strlen("Clear.\n\nClear."));
    for (int i = 0; i < 3000; i++) { /* the table of hashes grows */
        char              text[16];
        const char *const one[] = {text};
        snprintf(text, sizeof text, "text %d", i % 1500);
        OK(rvl_reports_add(&r, text, i, one, 1, &err));
    }
    assert_int_equal(r.n_texts, 1502);
    assert_int_equal(r.rows[3003].i_text, r.rows[1503].i_text + 0);
    assert_string_equal(r.rows[3003].id, "text 1499");
    rvl_reports_fini(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(journal__lets_an_ended_run_go_on),
        cmocka_unit_test(cancel__ends_a_run),
        cmocka_unit_test(reports__share_equal_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
