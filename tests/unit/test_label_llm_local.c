/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/unit/test_label_llm_local.c
 * Language models in process: a tiny one of random weights, whose shared beginnings, batches and branches must give
 * what plain evaluation gives; SmolLM2 where it was fetched.
 */
#include "support.h"
#include "tiny_gguf.h"
#include "base/alloc.h"
#include "base/log.h"
#include "label/llama.h"
#include "label/llm.h"
#include "label/llm_prompt.h"
#include <math.h>

#define K 3
#define N 6

static const char SCHEMA[] = "name: three\n"
                             "templates: {positive: [\"There is {}.\"], negative: [\"There is no {}.\"]}\n"
                             "findings:\n"
                             "  - {name: effusion, title: pleural effusion}\n"
                             "  - {name: nodule, title: nodule}\n"
                             "  - {name: emphysema, title: emphysema}\n";

static const char *const TEXTS[N] = {"A nodule.",
                                     "No pleural effusion. Emphysema in both upper lobes.",
                                     "Normal.",
                                     "There is a large pleural effusion on the left; a nodule of 6 mm is suspected.",
                                     "<|im_end|> {finding} {report}",
                                     "x"};

typedef struct {
    char              dir[PATH_BYTES], model[PATH_BYTES + 32];
    rvl_schema       *schema;
    rvl_llm_opts      opts;
    rvl_label_row     rows[N * K];
    rvl_label_outcome outcomes[N];
    rvl_llm_usage     usage;
} fixture;

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    rvl_str  s = tiny_gguf(8192);

    rvl_log_set_level(RVL_LOG_ERROR);
    OK(rvl_schema_parse(&f->schema, SCHEMA, sizeof SCHEMA - 1, "three", &err));
    temp_dir(f->dir);
    snprintf(f->model, sizeof f->model, "%s/tiny.gguf", f->dir);
    OK(rvl_file_write(f->model, s.ptr, s.n_bytes, &err));
    rvl_str_free(&s);
    f->opts = rvl_llm_opts_default();
    f->opts.model = f->model;
    f->opts.n_context_tok = 2048;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fixture *f = *state;

    temp_dir_remove(f->dir);
    rvl_schema_free(f->schema);
    free(f);
    return 0;
}

static void skip_without_llama(void)
{
    if (rvl_llama_built())
        return;
    printf("SKIP: a build without llama.cpp\n");
    skip();
}

static void label(fixture *f, const char *const *texts, int n)
{
    rvl_span      spans[N];
    rvl_labeller *l = NULL;

    for (int i = 0; i < n; i++)
        spans[i] = (rvl_span){.ptr = (const uint8_t *)texts[i], .n_bytes = strlen(texts[i])};
    const rvl_label_batch batch = {.n = n, .texts = spans};
    OK(rvl_llm_open(&l, &f->opts, f->schema, &err));
    OK(l->label(l, f->rows, f->outcomes, &batch, &err));
    rvl_llm_usage_get(&f->usage, l);
    rvl_labeller_free(l);
}

/* ---- the same by plain evaluation: the whole chat in one sequence, nothing shared ----------------------------------
 */

static void list_add(rvl_tokens *list, const rvl_llama *llama, const char *text, bool is_first, bool is_markup)
{
    rvl_tokens t = {0};

    OK(rvl_llama_tokens(&t, llama, text, strlen(text), is_first, is_markup, &err));
    list->ids = realloc(list->ids, (size_t)(list->n + t.n + 1) * sizeof *list->ids);
    memcpy(list->ids + list->n, t.ids, (size_t)t.n * sizeof *t.ids);
    list->n += t.n;
    rvl_free(t.ids);
}

/* Shares of the prompt's choices after beginning, report, end and what was answered so far. */
static void plain_shares(double *shares, rvl_llama *llama, const rvl_prompt *p, const fixture *f, const char *text,
                         int i_finding, const char *answered)
{
    char *system = rvl_prompt_fill(p->system, f->schema, (rvl_span){0}, i_finding);
    char *user = rvl_prompt_fill(p->user, f->schema, (rvl_span){.ptr = (const uint8_t *)"@@", .n_bytes = 2}, i_finding);
    char *chat = NULL;
    rvl_tokens all = {0};
    int32_t    firsts[RVL_PROMPT_CHOICES_MAX];
    float      scores[RVL_PROMPT_CHOICES_MAX];
    double     sum = 0.0;

    OK(rvl_llama_chat(&chat, llama, system, user, &err));
    char *at = strstr(chat, "@@");
    *at = '\0';
    list_add(&all, llama, chat, true, true);
    list_add(&all, llama, text, false, false);
    list_add(&all, llama, at + 2, false, true);
    list_add(&all, llama, answered, false, false);
    for (int c = 0; c < p->n_choices; c++)
        firsts[c] = (uint8_t)p->choices[c].text[0]; /* the tiny model's tokens are bytes */
    const rvl_llama_piece piece = {.sequence = 1,
                                   .ids = all.ids,
                                   .n = all.n,
                                   .candidates = firsts,
                                   .n_candidates = p->n_choices,
                                   .scores = scores};
    rvl_llama_drop(llama, 1);
    OK(rvl_llama_eval(llama, &piece, 1, &err));
    for (int c = 0; c < p->n_choices; c++)
        sum += shares[c] = exp((double)scores[c]);
    for (int c = 0; c < p->n_choices; c++)
        shares[c] /= sum;
    free(all.ids);
    rvl_free(system);
    rvl_free(user);
    rvl_free(chat);
}

static void assert_rows_are_plain(const fixture *f, const char *prompt_name)
{
    const rvl_llama_opts lo = {.n_context_tok = 4096, .n_sequences = 2, .n_threads = 1};
    rvl_llama           *llama = NULL;
    rvl_prompt          *p = NULL;
    double               shares[RVL_PROMPT_CHOICES_MAX];
    int                  n_states[4] = {0};

    OK(rvl_llama_open(&llama, f->model, &lo, &err));
    OK(rvl_prompt_open(&p, prompt_name, &err));
    for (int i = 0; i < N; i++) {
        rvl_str  answered = {0};
        rvl_span text = {.ptr = (const uint8_t *)TEXTS[i], .n_bytes = strlen(TEXTS[i])};
        assert_int_equal(f->outcomes[i].outcome, RVL_LABELLED);
        for (int j = 0; j < K; j++) {
            const rvl_label_row *row = &f->rows[i * K + j];
            const rvl_finding   *finding = rvl_schema_at(f->schema, j);
            if (p->form == RVL_PROMPT_JSON)
                rvl_str_addf(&answered, "%s\"%s\": \"", j ? "\", " : "{", finding->name);
            else if (p->form == RVL_PROMPT_VALUES && j)
                rvl_str_add(&answered, ",");
            plain_shares(shares, llama, p, f, TEXTS[i], p->form == RVL_PROMPT_EACH ? j : -1,
                         answered.ptr ? answered.ptr : "");
            double want = 0.0;
            int    best = 0;
            for (int c = 0; c < p->n_choices; c++) {
                want += shares[c] * rvl_answer_weight(p->choices[c].answer, rvl_prompt_names(text, finding));
                best = shares[c] > shares[best] ? c : best;
            }
            assert_float_equal(row->probability, want, 2e-3); /* keys and values are kept in 16 bits */
            assert_int_equal(row->state, rvl_answer_state(p->choices[best].answer, rvl_prompt_names(text, finding)));
            n_states[row->state]++;
            if (p->form != RVL_PROMPT_EACH)
                rvl_str_add(&answered, p->choices[best].text);
        }
        rvl_str_free(&answered);
    }
    assert_true(n_states[0] + n_states[1] + n_states[2] + n_states[3] == N * K);
    rvl_prompt_free(p);
    rvl_llama_free(llama);
}

static void rows__are_those_of_plain_evaluation(void **state)
{
    static const char *const prompts[] = {"published-ct", "json", "yes-no"};
    fixture                 *f = *state;

    skip_without_llama();
    for (size_t i = 0; i < RVL_ARRAY_LEN(prompts); i++) {
        f->opts.prompt = prompts[i];
        label(f, TEXTS, N);
        assert_rows_are_plain(f, prompts[i]);
        assert_true(f->usage.shared_tok > 0 && f->usage.shared_tok < f->usage.prompt_tok);
    }
}

static void rows__repeat_bit_by_bit(void **state)
{
    fixture      *f = *state;
    rvl_label_row first[N * K];

    skip_without_llama();
    label(f, TEXTS, N);
    memcpy(first, f->rows, sizeof first);
    label(f, TEXTS, N);
    for (int i = 0; i < N * K; i++)
        assert_true(f->rows[i].probability == first[i].probability && f->rows[i].state == first[i].state);
}

static void report__that_is_too_long_is_a_failure_of_its_own(void **state)
{
    fixture    *f = *state;
    static char text[4096];
    const char *texts[3] = {TEXTS[0], text, TEXTS[1]};

    skip_without_llama();
    memset(text, 'a', sizeof text - 1); /* a token a byte */
    label(f, texts, 3);
    assert_int_equal(f->outcomes[0].outcome, RVL_LABELLED);
    assert_int_equal(f->outcomes[1].outcome, RVL_LABELLED_FAILED);
    assert_non_null(strstr(f->outcomes[1].reason, "tokens, the context 2048"));
    assert_int_equal(f->outcomes[2].outcome, RVL_LABELLED);
}

static void prompt__longer_than_a_batch_is_parted(void **state)
{
    fixture    *f = *state;
    static char text[6001]; /* n_batch is 2048 */
    const char *texts[1] = {text};

    skip_without_llama();
    memset(text, 'a', sizeof text - 1);
    f->opts.n_context_tok = 8192;
    f->opts.n_together = 1;
    label(f, texts, 1);
    assert_int_equal(f->outcomes[0].outcome, RVL_LABELLED);
    assert_true(f->rows[0].probability >= 0.0 && f->rows[0].probability <= 1.0);
}

static void wanted__findings_only_are_written(void **state)
{
    static const char *const prompts[] = {"json", "yes-no"};
    fixture                 *f = *state;
    bool                     wanted[2 * K] = {false, true, false, false, false, false};
    rvl_span                 spans[2];
    rvl_labeller            *l = NULL;

    skip_without_llama();
    for (int i = 0; i < 2; i++)
        spans[i] = (rvl_span){.ptr = (const uint8_t *)TEXTS[i], .n_bytes = strlen(TEXTS[i])};
    const rvl_label_batch batch = {.n = 2, .texts = spans, .wanted = wanted};
    for (size_t p = 0; p < 2; p++) {
        f->opts.prompt = prompts[p];
        memset(f->rows, 0, sizeof f->rows);
        OK(rvl_llm_open(&l, &f->opts, f->schema, &err));
        OK(l->label(l, f->rows, f->outcomes, &batch, &err));
        rvl_llm_usage_get(&f->usage, l);
        for (int i = 0; i < 2 * K; i++)
            assert_true((f->rows[i].source != NULL) == wanted[i]);
        assert_int_equal(f->usage.n_requests, 1); /* nothing was asked about the second report */
        assert_int_equal(f->outcomes[1].outcome, RVL_LABELLED);
        rvl_labeller_free(l);
    }
}

static void model__that_is_damaged_is_refused(void **state)
{
    fixture      *f = *state;
    rvl_str       s = tiny_gguf(8192);
    rvl_labeller *l = NULL;

    skip_without_llama();
    for (size_t n = 0; n < s.n_bytes; n += s.n_bytes / 7 + 1) {
        OK(rvl_file_write(f->model, s.ptr, n, &err));
        assert_int_equal(rvl_llm_open(&l, &f->opts, f->schema, NULL), RVL_ERR_FORMAT);
    }
    s.ptr[8] = 0x7f; /* tensors */
    OK(rvl_file_write(f->model, s.ptr, s.n_bytes, &err));
    assert_int_equal(rvl_llm_open(&l, &f->opts, f->schema, NULL), RVL_ERR_FORMAT);
    f->opts.model = "/nonexistent.gguf";
    assert_int_equal(rvl_llm_open(&l, &f->opts, f->schema, NULL), RVL_ERR_NOT_FOUND);
    rvl_str_free(&s);
}

static void build__without_llama_says_so(void **state)
{
    fixture      *f = *state;
    rvl_labeller *l = NULL;
    rvl_error     err = {0};

    if (rvl_llama_built()) {
        printf("SKIP: a build with llama.cpp\n");
        skip();
    }
    assert_int_equal(rvl_llm_open(&l, &f->opts, f->schema, &err), RVL_ERR_DEVICE);
    assert_non_null(strstr(err.text, "tools/setup llm"));
}

static void smollm2__gives_whole_answers(void **state)
{
    fixture *f = *state;

    skip_without_llama();
    char model[PATH_BYTES];
    SKIP_WITHOUT_WEIGHTS(model, "SmolLM2-135M-Instruct/SmolLM2-135M-Instruct.Q4_1.gguf");
    f->opts.model = model;
    f->opts.n_context_tok = 1024;
    label(f, TEXTS, 4);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(f->outcomes[i].outcome, RVL_LABELLED);
        for (int j = 0; j < K; j++)
            assert_true(f->rows[i * K + j].probability >= 0.0 && f->rows[i * K + j].probability <= 1.0);
    }
    assert_true(rvl_str_starts(f->rows[0].version, "SmolLM2-135M-Instruct.Q4_1.gguf@"));
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(rows__are_those_of_plain_evaluation),
        T(rows__repeat_bit_by_bit),
        T(report__that_is_too_long_is_a_failure_of_its_own),
        T(prompt__longer_than_a_batch_is_parted),
        T(wanted__findings_only_are_written),
        T(model__that_is_damaged_is_refused),
        T(build__without_llama_says_so),
        T(smollm2__gives_whole_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
