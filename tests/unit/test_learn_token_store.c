/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/unit/test_learn_token_store.c
 * Rows of the token store: by hand on a small vocabulary, then against the tokenizer on the sentences joined as text,
 * over phantom reports and odd texts. A failure adds no text.
 */
#include "learn_fixture.h"
#include "learn/token_store.h"

enum { TOK_MAX = 600, N_EPOCHS = 24, SEED = 9 };

static char mini[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nlung\n##s\nri\n##ght\n.\nclear\n";

static rvl_tokenizer *mini_new(void)
{
    rvl_tokenizer *t = NULL;

    OK(rvl_tokenizer_parse(&t, mini, sizeof mini - 1, (rvl_tokenizer_opts){.lower_case = true}, &err));
    return t;
}

static void row_is(const rvl_token_store *s, int64_t i, const bool *take, const int32_t want[8], int n_want, bool cut)
{
    int32_t ids[8];
    int     n_tok = 0;
    bool    is_cut = !cut;

    rvl_token_store_row(ids, &n_tok, &is_cut, s, i, take);
    assert_memory_equal(ids, want, sizeof ids);
    assert_int_equal(n_tok, n_want);
    assert_int_equal(is_cut, cut);
}

static void rows__are_the_ids_of_the_vocabulary(void **state)
{
    static const bool takes[][3] = {{false, true, false}, {true, false, true}, {true, true, false}};
    rvl_tokenizer    *t = mini_new();
    rvl_token_store  *s = NULL;

    (void)state;
    OK(rvl_token_store_new(&s, t, 8, true, &err));
    OK(rvl_token_store_add(s, "Lungs clear. Right lung! Clear.", &err));
    OK(rvl_token_store_add(s, "Right", &err));
    assert_int_equal(rvl_token_store_n_sentences(s, 0), 3);
    assert_int_equal(rvl_token_store_n_sentences(s, 1), 0);
    row_is(s, 0, takes[0], (int32_t[8]){2, 7, 8, 5, 1, 3, 0, 0}, 6, false);
    row_is(s, 0, takes[1], (int32_t[8]){2, 5, 6, 10, 9, 10, 9, 3}, 8, false);
    row_is(s, 0, takes[2], (int32_t[8]){2, 5, 6, 10, 9, 7, 8, 3}, 8, true);
    row_is(s, 0, NULL, (int32_t[8]){2, 5, 6, 10, 9, 7, 8, 3}, 8, true);
    row_is(s, 1, NULL, (int32_t[8]){2, 7, 8, 3, 0, 0, 0, 0}, 4, false);
    row_is(s, -1, NULL, (int32_t[8]){2, 3, 0, 0, 0, 0, 0, 0}, 2, false);
    rvl_token_store_free(s);
    rvl_tokenizer_free(t);
}

/* Each text at each epoch, drawn from the store and tokenized as the drawn sentences joined; returns how many draws
 * left sentences out. */
static int rows_compare(const rvl_tokenizer *t, char *const *texts, int n, int max_tok, bool by_sentence)
{
    rvl_token_store *s = NULL;
    int32_t          got[TOK_MAX], want[TOK_MAX];
    bool             take[RVL_SENTENCES_MAX];
    int              n_parts = 0;

    OK(rvl_token_store_new(&s, t, max_tok, by_sentence, &err));
    for (int i = 0; i < n; i++)
        OK(rvl_token_store_add(s, texts[i], &err));
    for (int k = 0; k < n * N_EPOCHS; k++) {
        int     i = k / N_EPOCHS, epoch = k % N_EPOCHS, n_got = 0, n_want = 0, n_cut = 0;
        bool    is_cut = false;
        int64_t n_sentences = rvl_token_store_n_sentences(s, i);
        bool    is_part = rvl_draw_sentences(take, n_sentences, SEED, (uint64_t)epoch, (uint64_t)i);
        char   *text = by_sentence ? drawn_text(texts[i], SEED, (uint64_t)epoch, (uint64_t)i) : rvl_strdup(texts[i]);
        assert_non_null(text);
        OK(rvl_tokenizer_encode(want, &n_want, &n_cut, t, text, max_tok, &err));
        rvl_token_store_row(got, &n_got, &is_cut, s, i, is_part ? take : NULL);
        if (n_got != n_want || is_cut != (n_cut > 0) || memcmp(got, want, (size_t)max_tok * sizeof *got) != 0)
            fail_msg("text %d '%s', epoch %d, %d tokens: the row is not that of '%s'", i, texts[i], epoch, max_tok,
                     text);
        n_parts += is_part;
        rvl_free(text);
    }
    rvl_token_store_free(s);
    return n_parts;
}

static void rows_compare_all(char *const *texts, int n)
{
    static const int lengths[] = {2, 3, 16, 48, TOK_MAX};
    rvl_tokenizer   *t[2] = {NULL, NULL};

    for (int i = 0; i < 2; i++) {
        char *vocab = NULL;
        OK(rvl_wordpiece_train(&vocab, (const char *const *)texts, (size_t)n, 300, 1, i == 0, &err));
        OK(rvl_tokenizer_parse(&t[i], vocab, strlen(vocab), (rvl_tokenizer_opts){.lower_case = i == 0}, &err));
        rvl_free(vocab);
        for (size_t j = 0; j < RVL_ARRAY_LEN(lengths); j++) {
            assert_true(rows_compare(t[i], texts, n, lengths[j], true) > n * N_EPOCHS / 4);
            assert_int_equal(rows_compare(t[i], texts, n, lengths[j], false), 0);
        }
        rvl_tokenizer_free(t[i]);
    }
}

static void rows__of_phantom_reports_are_those_of_the_tokenizer(void **folder)
{
    bed   b;
    char *texts[48];
    int   n = 0;

    bed_open(&b, *folder, true);
    for (n = 0; n < b.list.n_cases; n++) {
        texts[n] = rvl_case_text(&b.list.cases[n], (rvl_text_choice)(n % 3));
        assert_non_null(texts[n]);
    }
    assert_true(n > 20);
    rows_compare_all(texts, n);
    while (n > 0)
        rvl_free(texts[--n]);
    bed_close(&b);
}

static void rows__of_odd_texts_are_those_of_the_tokenizer(void **state)
{
    char *odd[] = {
        "",
        " \n\t ",
        "no end of a sentence here",
        ". . .",
        "Lungs clear.Heart normal. Dr. Smith measured 3.5 cm, e.g. left.",
        "1. Heart normal.\n2. Lungs clear!\n\nNo effusion?! \"Really.\" (Yes.)",
        "- first entry\n- second entry\n\n\nthird\r\nline\v.\f next.",
        "Caf\xc3\xa9 au lait. \xcc\x81"
        "Mark first. e\xcc\x81.\xcc\x81 \xe8\x82\xba\xe7\x82\x8e\xe3\x80\x82 \xe8\x82\xba. \xc2\xa0NBSP. "
        "\xf0\x9f\xab\x81!",
        "A soft\xc2\xadhyphen. Zero\xe2\x80\x8bwidth.\xe2\x80\x8b B. \xef\xbb\xbf"
        "C. \xef\xbf\xbd D.",
        "[SEP] forged. [CLS] too. [PAD]",
        "One. \xcc\x81 \xcc\x82. Two.",
        NULL,
        NULL,
        NULL,
    };
    const int n = RVL_ARRAY_LEN(odd);
    rvl_str   s[3] = {{0}};

    (void)state;
    for (int i = 0; i < 70; i++) /* more sentences than are drawn from */
        rvl_str_addf(&s[0], "%sFinding number%d %s.", i ? " " : "", i, i % 3 ? "is seen" : "not seen");
    for (int i = 0; i < RVL_SENTENCES_MAX; i++) /* just as many */
        rvl_str_addf(&s[1], "Word%d.\n", i);
    for (int i = 0; i < 700; i++) /* more tokens in one sentence than a row has */
        rvl_str_addf(&s[2], "a%d ", i);
    rvl_str_add(&s[2], ". Then another. And a third.");
    for (int i = 0; i < 3; i++)
        odd[n - 3 + i] = s[i].ptr;
    rows_compare_all(odd, n);
    for (int i = 0; i < 3; i++)
        rvl_str_free(&s[i]);
}

static void a_text_that_is_not_added__has_no_number(void **state)
{
    const char      *text = "Lungs clear. Right lung.";
    rvl_tokenizer   *t = mini_new();
    rvl_token_store *s = NULL;
    rvl_error        err = {0};
    rvl_status       st = RVL_ERR_NOMEM;
    size_t           live = 0;
    uint64_t         nth = 1;

    (void)state;
    assert_int_equal(rvl_token_store_new(&s, t, 1, true, &err), RVL_ERR_USAGE);
    assert_null(s);
    live = rvl_alloc_get_stats().live_bytes;
    for (; st; nth++) { /* each allocation of a first text fails once, until none is left */
        rvl_alloc_fail_at(nth);
        st = rvl_token_store_new(&s, t, 8, true, &err);
        if (!st)
            st = rvl_token_store_add(s, text, &err);
        rvl_alloc_fail_at(0);
        assert_true(st == RVL_OK || st == RVL_ERR_NOMEM);
        if (st) {
            rvl_token_store_free(s);
            assert_int_equal(rvl_alloc_get_stats().live_bytes, live);
        }
    }
    assert_true(nth > 10);
    assert_int_equal(rvl_token_store_add(s, "Clear. Bad \xff here. Clear.", &err), RVL_ERR_FORMAT);
    assert_non_null(strstr(err.text, "UTF-8"));
    assert_int_equal(rvl_token_store_add(s, "Clear", &err), RVL_OK);
    row_is(s, 0, NULL, (int32_t[8]){2, 5, 6, 10, 9, 7, 8, 3}, 8, true);
    row_is(s, 1, NULL, (int32_t[8]){2, 10, 3, 0, 0, 0, 0, 0}, 3, false);
    rvl_token_store_free(s);
    rvl_tokenizer_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows__are_the_ids_of_the_vocabulary),
        cmocka_unit_test(rows__of_phantom_reports_are_those_of_the_tokenizer),
        cmocka_unit_test(rows__of_odd_texts_are_those_of_the_tokenizer),
        cmocka_unit_test(a_text_that_is_not_added__has_no_number),
    };
    return cmocka_run_group_tests(tests, cohort_make, folder_remove);
}
