/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/unit/test_label_llm_http.c
 * Labels of a server that misbehaves: repeats and listed failures, never a wrong row.
 */
#include "support.h"
#include "llm_server.h"
#include "base/alloc.h"
#include "base/log.h"
#include "base/util.h"
#include "label/llm.h"

#define K 3
#define N_MAX 64

static const char SCHEMA[] = "name: three\n"
                             "templates: {positive: [\"There is {}.\"], negative: [\"There is no {}.\"]}\n"
                             "findings:\n"
                             "  - {name: effusion, title: effusion}\n"
                             "  - {name: nodule, title: nodule}\n"
                             "  - {name: emphysema, title: emphysema}\n";

typedef struct {
    llm_server        server;
    rvl_schema       *schema;
    rvl_llm_opts      opts;
    char              url[64];
    rvl_label_row     rows[N_MAX * K];
    rvl_label_outcome outcomes[N_MAX];
    rvl_llm_usage     usage;
    rvl_status        status;
    rvl_error         err;
} fixture;

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);

    rvl_log_set_level(RVL_LOG_ERROR);
    unsetenv("RVL_LLM_KEY");
    OK(rvl_schema_parse(&f->schema, SCHEMA, sizeof SCHEMA - 1, "three", &err));
    server_start(&f->server, K);
    snprintf(f->url, sizeof f->url, "http://127.0.0.1:%d/v1", f->server.port);
    f->opts = rvl_llm_opts_default();
    f->opts.url = f->url;
    f->opts.model = "test-model";
    f->opts.prompt = "published-ct";
    f->opts.wait_s = 0.01;
    f->opts.timeout_s = 20.0;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;

    server_stop(&f->server);
    rvl_schema_free(f->schema);
    free(f);
    return 0;
}

/* Label n texts in one call. */
static void label(fixture *f, const char *const *texts, int n)
{
    rvl_span      spans[N_MAX];
    rvl_labeller *l = NULL;

    for (int i = 0; i < n; i++)
        spans[i] = (rvl_span){.ptr = (const uint8_t *)texts[i], .n_bytes = strlen(texts[i])};
    OK(rvl_llm_open(&l, &f->opts, f->schema, &err));
    const rvl_label_batch batch = {.n = n, .texts = spans};
    memset(f->rows, 0xee, sizeof f->rows);
    f->err = (rvl_error){0};
    f->status = l->label(l, f->rows, f->outcomes, &batch, &f->err);
    rvl_llm_usage_get(&f->usage, l);
    rvl_labeller_free(l);
}

/* Rows of report i are those of a report with finding 1 only. */
static void assert_only_nodule(const fixture *f, int i)
{
    const rvl_label_row *rows = f->rows + i * K;

    assert_int_equal(f->outcomes[i].outcome, RVL_LABELLED);
    for (int j = 0; j < K; j++) {
        assert_int_equal(rows[j].state, j == 1 ? RVL_LABEL_PRESENT : RVL_LABEL_ABSENT);
        assert_float_equal(rows[j].probability, j == 1 ? 1.0 : 0.0, 0.0);
        assert_string_equal(rows[j].source, "llm");
    }
}

static void troubles__cost_repeats_and_end_in_right_rows(void **state)
{
    fixture    *f = *state;
    const char *texts[] = {
        "CASE a good. HAS:1 ",           "CASE b garbage good. HAS:1 ",     "CASE c html wrongjson good. HAS:1 ",
        "CASE d e500 e500 good. HAS:1 ", "CASE e cut good. HAS:1 ",         "CASE f drop good. HAS:1 ",
        "CASE g few many good. HAS:1 ",  "CASE h empty prose good. HAS:1 ", "CASE i length good. HAS:1 ",
    };
    const int n = (int)RVL_ARRAY_LEN(texts);

    label(f, texts, n);
    assert_int_equal(f->status, RVL_OK);
    for (int i = 0; i < n; i++)
        assert_only_nodule(f, i);
    assert_int_equal(f->usage.n_requests, 9 + 12);
    assert_int_equal(f->usage.n_retries, 12);
    assert_int_equal(f->server.n_requests, f->usage.n_requests);
}

static void troubles__that_stay_are_listed_failures(void **state)
{
    fixture    *f = *state;
    const char *texts[] = {"CASE a few. HAS:1 ",  "CASE b garbage. HAS:1 ", "CASE c e500. HAS:1 ",
                           "CASE d drop. HAS:1 ", "CASE e good. HAS:1 ",    "CASE f e413. HAS:1 ",
                           "CASE g many. HAS:1 ", "not \xff utf-8"};
    const char *reasons[] = {"no comma behind value 2", "no JSON", "HTTP 500", "connection cut", NULL, "HTTP 413",
                             "behind value 3",          "UTF-8"};

    f->opts.n_tries = 3;
    label(f, texts, (int)RVL_ARRAY_LEN(texts));
    assert_int_equal(f->status, RVL_OK);
    assert_only_nodule(f, 4);
    for (int i = 0; i < (int)RVL_ARRAY_LEN(texts); i++) {
        if (!reasons[i])
            continue;
        assert_int_equal(f->outcomes[i].outcome, RVL_LABELLED_FAILED);
        if (!strstr(f->outcomes[i].reason, reasons[i]))
            fail_msg("report %d: '%s'", i, f->outcomes[i].reason);
        assert_null(strstr(f->outcomes[i].reason, "CASE")); /* no words of the report */
    }
    assert_int_equal(f->server.n_requests, 3 * 5 + 1 + 1);
}

static void slow__servers_time_out(void **state)
{
    fixture    *f = *state;
    const char *texts[] = {"CASE a slow good. HAS:1 ", "CASE b slow. HAS:1 "};

    f->opts.timeout_s = 0.5;
    f->opts.n_tries = 2;
    label(f, texts, 2);
    assert_int_equal(f->status, RVL_OK);
    assert_only_nodule(f, 0);
    assert_int_equal(f->outcomes[1].outcome, RVL_LABELLED_FAILED);
    assert_non_null(strstr(f->outcomes[1].reason, "timeout"));
}

static void retry_after__makes_all_wait(void **state)
{
    fixture    *f = *state;
    const char *texts[] = {"CASE a e429 good. HAS:1 ", "CASE b good. HAS:1 "};

    f->opts.n_together = 1;
    label(f, texts, 2);
    assert_int_equal(f->status, RVL_OK);
    assert_only_nodule(f, 0);
    assert_only_nodule(f, 1);
    assert_true(f->server.first_after_429_s - f->server.last_429_s > 0.95);
}

static void server__that_is_dead_gives_no_row(void **state)
{
    fixture    *f = *state;
    const char *texts[] = {"CASE a good. HAS:1 ", "CASE b good. HAS:1 "};
    const char *many[N_MAX];

    snprintf(f->url, sizeof f->url, "http://127.0.0.1:1/v1");
    f->opts.n_tries = 2;
    label(f, texts, 2);
    assert_int_equal(f->status, RVL_OK);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(f->outcomes[i].outcome, RVL_LABELLED_FAILED);
        assert_non_null(strstr(f->outcomes[i].reason, "no connection"));
    }
    for (int i = 0; i < N_MAX; i++)
        many[i] = texts[0];
    label(f, many, N_MAX);
    assert_int_equal(f->status, RVL_ERR_COMM); /* gone for good: the run ends, and can go on later */
}

static void key__is_sent_and_refusal_ends_the_run(void **state)
{
    fixture    *f = *state;
    const char *good[] = {"CASE a good. HAS:1 "};
    const char *refused[] = {"CASE b e401. HAS:1 "};

    setenv("RVL_LLM_KEY", "sesame", 1);
    label(f, good, 1);
    assert_int_equal(f->server.n_with_key, 1);
    label(f, refused, 1);
    unsetenv("RVL_LLM_KEY");
    assert_int_equal(f->status, RVL_ERR_COMM);
    assert_non_null(strstr(f->err.text, "401"));
    assert_null(strstr(f->err.text, "sesame"));
    assert_int_not_equal(f->outcomes[0].outcome, RVL_LABELLED);
}

static void features__that_are_refused_are_left_out(void **state)
{
    fixture    *f = *state;
    const char *texts[] = {"CASE a e400bound good. HAS:1 ", "CASE b good. HAS:1 "};

    f->opts.n_together = 1;
    label(f, texts, 2);
    assert_int_equal(f->status, RVL_OK);
    assert_only_nodule(f, 0);
    assert_only_nodule(f, 1);
    assert_int_equal(f->server.n_requests, 3);
    assert_int_equal(f->server.n_bound, 1);
}

static void probabilities__are_those_of_the_tokens(void **state)
{
    fixture    *f = *state;
    const char *texts[] = {"CASE a logprobs. HAS:1 with a nodule"};

    label(f, texts, 1);
    assert_int_equal(f->status, RVL_OK);
    /* 0.7 for the value said, 0.2 for the other, 0.1 for -1: half of it counts where the text names the finding */
    assert_float_equal(f->rows[0].probability, 0.2, 1e-5);
    assert_float_equal(f->rows[1].probability, 0.75, 1e-5);
    assert_int_equal(f->rows[1].state, RVL_LABEL_PRESENT);
    assert_int_equal(f->rows[2].state, RVL_LABEL_ABSENT);
}

static void votes__are_counted(void **state)
{
    fixture    *f = *state;
    const char *texts[] = {"CASE a good few. HAS:1 ", "CASE b good. HAS:1 "};

    f->opts.n_votes = 4;
    f->opts.n_tries = 1;
    f->opts.n_together = 1;
    label(f, texts, 2);
    assert_int_equal(f->status, RVL_OK);
    assert_int_equal(f->outcomes[0].outcome, RVL_LABELLED_FAILED);
    assert_only_nodule(f, 1);
    assert_int_equal(f->server.n_requests, 2 + 4);
}

static void budget__is_never_passed(void **state)
{
    fixture    *f = *state;
    const char *texts[20];

    for (int i = 0; i < 20; i++)
        texts[i] = "CASE a good. HAS:1 ";
    f->opts.price_in = 1.0;
    f->opts.price_out = 1.0;
    f->opts.budget = 1500e-6; /* a request takes 110 tokens and, while it runs, is feared to take some 360 */
    label(f, texts, 20);
    assert_int_equal(f->status, RVL_ERR_CANCELLED);
    assert_non_null(strstr(f->err.text, "budget"));
    assert_true(f->usage.cost <= f->opts.budget);
    assert_float_equal(f->usage.cost, (double)f->server.n_requests * 110e-6, 1e-9);
    assert_true(f->server.n_requests >= 5);
    int n_done = 0;
    for (int i = 0; i < 20; i++)
        n_done += f->outcomes[i].outcome == RVL_LABELLED;
    assert_int_equal(n_done, f->server.n_requests); /* what was paid for is kept */
}

static void requests__run_side_by_side(void **state)
{
    fixture    *f = *state;
    const char *texts[4];

    for (int i = 0; i < 4; i++)
        texts[i] = "CASE a slow. HAS:1 ";
    f->opts.n_together = 4;
    label(f, texts, 4);
    assert_int_equal(f->status, RVL_OK);
    assert_int_equal(f->server.n_open_most, 4);
}

static void estimate__sends_nothing(void **state)
{
    fixture      *f = *state;
    rvl_labeller *l = NULL;
    rvl_llm_usage u;
    rvl_span      text = {.ptr = (const uint8_t *)"a report of forty bytes, more or less...", .n_bytes = 40};

    f->opts.price_in = 2.0;
    OK(rvl_llm_open(&l, &f->opts, f->schema, &err));
    OK(rvl_llm_estimate(&u, l, &text, 1, &err));
    rvl_labeller_free(l);
    assert_int_equal(u.n_requests, 1);
    assert_int_equal(u.prompt_tok, u.shared_tok + 10);
    assert_float_equal(u.cost, (double)u.prompt_tok * 2e-6, 1e-12);
    assert_int_equal(f->server.n_requests, 0);
}

static void options__that_mean_nothing_are_refused(void **state)
{
    fixture      *f = *state;
    rvl_labeller *l = NULL;
    rvl_llm_opts  o = f->opts;

    o.url = "ftp://127.0.0.1/v1";
    assert_int_equal(rvl_llm_open(&l, &o, f->schema, NULL), RVL_ERR_USAGE);
    o = f->opts;
    o.budget = 1.0;
    assert_int_equal(rvl_llm_open(&l, &o, f->schema, NULL), RVL_ERR_USAGE);
    o = f->opts;
    o.prompt = "no-such-prompt";
    assert_int_equal(rvl_llm_open(&l, &o, f->schema, NULL), RVL_ERR_NOT_FOUND);
    assert_null(l);
}

static void allocation__failures_are_reported_and_leak_nothing(void **state)
{
    fixture     *f = *state;
    const char  *text = "CASE a logprobs. HAS:1 ";
    rvl_span     span = {.ptr = (const uint8_t *)text, .n_bytes = strlen(text)};
    const size_t live = rvl_alloc_get_stats().live_bytes;

    for (uint64_t nth = 1; nth < 400; nth++) {
        rvl_labeller         *l = NULL;
        const rvl_label_batch batch = {.n = 1, .texts = &span};
        f->opts.n_tries = 1;
        rvl_alloc_fail_at(nth);
        rvl_status st = rvl_llm_open(&l, &f->opts, f->schema, NULL);
        if (!st)
            st = l->label(l, f->rows, f->outcomes, &batch, NULL);
        rvl_alloc_fail_at(0);
        rvl_labeller_free(l);
        assert_int_equal(rvl_alloc_get_stats().live_bytes, live);
        if (!st && f->outcomes[0].outcome == RVL_LABELLED)
            assert_int_equal(f->rows[1].state, RVL_LABEL_PRESENT);
        else
            assert_true(st == RVL_ERR_NOMEM || f->outcomes[0].outcome == RVL_LABELLED_FAILED);
        if (!st && f->outcomes[0].outcome == RVL_LABELLED && nth > 200)
            return;
    }
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(troubles__cost_repeats_and_end_in_right_rows),
        T(troubles__that_stay_are_listed_failures),
        T(slow__servers_time_out),
        T(retry_after__makes_all_wait),
        T(server__that_is_dead_gives_no_row),
        T(key__is_sent_and_refusal_ends_the_run),
        T(features__that_are_refused_are_left_out),
        T(probabilities__are_those_of_the_tokens),
        T(votes__are_counted),
        T(budget__is_never_passed),
        T(requests__run_side_by_side),
        T(estimate__sends_nothing),
        T(options__that_mean_nothing_are_refused),
        T(allocation__failures_are_reported_and_leak_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
