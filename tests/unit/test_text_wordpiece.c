/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/unit/test_text_wordpiece.c
 * WordPiece against ids by Hugging Face `tokenizers` (tests/golden/wordpiece.py), the MiniLM reference sentences and
 * llama.cpp's BERT vectors; then limits, damaged vocabularies and training.
 */
#include "support.h"
#include "base/alloc.h"
#include "base/json.h"
#include "base/util.h"
#include "text/tokenizer.h"

#define TOK_MAX 512

static const rvl_tokenizer_opts uncased = {.lower_case = true};

static char mini[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nlung\n##s\nri\n##ght\n##g\n##ht\n.\n";

static rvl_tokenizer *mini_new(void)
{
    rvl_tokenizer *t = NULL;
    rvl_error      err = {0};

    assert_int_equal(rvl_tokenizer_parse(&t, mini, sizeof mini - 1, uncased, &err), RVL_OK);
    return t;
}

/* Encode and compare with the ids between [CLS] and [SEP]; true if equal, prints both if not. */
static bool ids_equal(const rvl_tokenizer *t, const char *text, const int *want, int n_want)
{
    int32_t   ids[TOK_MAX];
    int       n_tok = 0;
    int       n_cut = -1;
    rvl_error err = {0};
    bool      same = true;

    assert_int_equal(rvl_tokenizer_encode(ids, &n_tok, &n_cut, t, text, TOK_MAX, &err), RVL_OK);
    assert_int_equal(n_cut, 0);
    assert_int_equal(ids[0], rvl_tokenizer_id(t, "[CLS]"));
    assert_int_equal(ids[n_tok - 1], rvl_tokenizer_id(t, "[SEP]"));
    same = n_tok == n_want + 2;
    for (int i = 0; i < n_want && same; i++)
        same = ids[1 + i] == want[i];
    if (!same) {
        print_error("text '%s'\n  got ", text);
        for (int i = 1; i + 1 < n_tok; i++)
            print_error(" %d", (int)ids[i]);
        print_error("\n  want");
        for (int i = 0; i < n_want; i++)
            print_error(" %d", want[i]);
        print_error("\n");
    }
    return same;
}

static rvl_tokenizer *load(const char *path, bool lower_case)
{
    rvl_tokenizer *t = NULL;
    rvl_error      err = {0};

    if (rvl_tokenizer_load(&t, path, (rvl_tokenizer_opts){.lower_case = lower_case}, &err))
        fail_msg("%s", err.text);
    return t;
}

static void encode__equals_reference_on_awkward_strings(void **state)
{
    char           vocab[PATH_BYTES];
    char           golden[PATH_BYTES];
    json_t        *json = NULL;
    const json_t  *item = NULL;
    size_t         i = 0;
    size_t         n_wrong = 0;
    rvl_error      err = {0};
    rvl_tokenizer *tokenizers[2];

    (void)state;
    assert_true(source_path(vocab, sizeof vocab, "tests/unit/data/mini_vocab.txt"));
    assert_true(source_path(golden, sizeof golden, "tests/unit/data/wordpiece_golden.json"));
    assert_int_equal(rvl_json_load(&json, golden, &err), RVL_OK);
    tokenizers[0] = load(vocab, false);
    tokenizers[1] = load(vocab, true);
    assert_true(json_array_size(json_object_get(json, "cases")) >= 80);
    json_array_foreach(json_object_get(json, "cases"), i, item)
    {
        int           want[TOK_MAX];
        const json_t *ids = json_object_get(item, "ids");
        int           n = (int)json_array_size(ids);
        assert_true(n <= TOK_MAX - 2);
        for (int k = 0; k < n; k++)
            want[k] = (int)json_integer_value(json_array_get(ids, (size_t)k));
        const char *text = rvl_json_get_string(item, "text", NULL);
        assert_non_null(text);
        n_wrong += !ids_equal(tokenizers[rvl_json_get_bool(item, "lower_case", false)], text, want, n);
    }
    assert_int_equal(n_wrong, 0);
    rvl_tokenizer_free(tokenizers[0]);
    rvl_tokenizer_free(tokenizers[1]);
    json_decref(json);
}

/* Ids by the model's own tokenizer, from the reference run of all-MiniLM-L6-v2. */
static void encode__equals_minilm_reference_sentences(void **state)
{
    static const int s1[] = {2053, 20228, 11236, 2389,  1041, 4246, 14499, 2030,
                             1052, 2638,  2819,  29288, 2527, 2595, 1012};
    static const int s2[] = {2045,  2003, 2053, 3350, 1997, 1052, 2638,  2819,
                             29288, 2527, 2595, 2030, 1041, 4246, 14499, 1012};
    static const int s3[] = {2312, 2157, 20228, 11236, 2389, 1041, 4246, 14499, 1012};
    char             path[PATH_BYTES];
    rvl_tokenizer   *t = NULL;

    (void)state;
    SKIP_WITHOUT_WEIGHTS(path, "all-MiniLM-L6-v2/vocab.txt");
    t = load(path, true);
    assert_int_equal(rvl_tokenizer_count(t), 30522);
    assert_true(ids_equal(t, "No pleural effusion or pneumothorax.", s1, RVL_ARRAY_LEN(s1)));
    assert_true(ids_equal(t, "There is no evidence of pneumothorax or effusion.", s2, RVL_ARRAY_LEN(s2)));
    assert_true(ids_equal(t, "Large right pleural effusion.", s3, RVL_ARRAY_LEN(s3)));
    rvl_tokenizer_free(t);
}

static int numbers_read(int *out, int max, char **at)
{
    int n = 0;

    while (**at && **at != '\n') {
        char *end = NULL;
        long  v = strtol(*at, &end, 10);
        if (end == *at) {
            ++*at;
            continue;
        }
        assert_true(n < max);
        out[n++] = (int)v;
        *at = end;
    }
    if (**at == '\n')
        ++*at;
    return n;
}

static void encode__equals_llama_cpp_bert_vectors(void **state)
{
    static const char mark[] = "\n__ggml_vocab_test__\n";
    char              path[PATH_BYTES];
    char              relative[PATH_BYTES];
    char             *inp = NULL;
    char             *out = NULL;
    size_t            n_bytes = 0;
    rvl_tokenizer    *t = NULL;
    int               n_cases = 0;
    int               n_wrong = 0;

    (void)state;
    SKIP_WITHOUT_WEIGHTS(path, "all-MiniLM-L6-v2/vocab.txt");
    t = load(path, true);
    assert_true(source_path(relative, sizeof relative, "tests/unit/data/llama_cpp_bert.inp"));
    assert_int_equal(rvl_file_read(&inp, &n_bytes, relative, 0, NULL), RVL_OK);
    assert_true(source_path(relative, sizeof relative, "tests/unit/data/llama_cpp_bert.out"));
    assert_int_equal(rvl_file_read(&out, &n_bytes, relative, 0, NULL), RVL_OK);
    char *text = inp;
    char *numbers = out;
    for (char *end = strstr(text, mark); end; end = strstr(text, mark)) {
        int want[TOK_MAX];
        int n = numbers_read(want, TOK_MAX, &numbers);
        *end = '\0';
        n_wrong += !ids_equal(t, text, want, n);
        n_cases++;
        text = end + sizeof mark - 1;
    }
    assert_int_equal(n_cases, 46);
    assert_int_equal(n_wrong, 0);
    rvl_free(inp);
    rvl_free(out);
    rvl_tokenizer_free(t);
}

/* U+2B820..2B91F: ideographs by BERT's own definition; the reference library leaves them out by a slip. */
static void encode__sets_every_block_of_ideographs_apart(void **state)
{
    rvl_tokenizer *t = mini_new();
    const int      three[] = {5, 1, 5};

    (void)state;
    assert_true(ids_equal(t, "lung\xf0\xab\xa0\xa0lung", three, 3)); /* U+2B820 */
    assert_true(ids_equal(t, "lung\xf0\xab\xa4\x9flung", three, 3)); /* U+2B91F */
    rvl_tokenizer_free(t);
}

static void encode__cuts_pads_and_counts(void **state)
{
    static const int32_t want[8] = {2, 7, 8, 5, 6, 3, 0, 0};
    rvl_tokenizer       *t = mini_new();
    rvl_error            err = {0};
    int32_t              ids[9] = {0};
    int                  n_tok = 0;
    int                  n_cut = 0;

    (void)state;
    ids[8] = -7;
    assert_int_equal(rvl_tokenizer_encode(ids, &n_tok, &n_cut, t, "Right lungs", 8, &err), RVL_OK);
    assert_memory_equal(ids, want, sizeof want);
    assert_int_equal(ids[8], -7);
    assert_int_equal(n_tok, 6);
    assert_int_equal(n_cut, 0);
    assert_int_equal(rvl_tokenizer_encode(ids, &n_tok, &n_cut, t, "Right lungs.", 4, &err), RVL_OK);
    assert_int_equal(n_tok, 4);
    assert_int_equal(n_cut, 3);
    assert_int_equal(ids[2], 8);
    assert_int_equal(ids[3], 3);
    assert_int_equal(rvl_tokenizer_encode(ids, &n_tok, NULL, t, "lung", 2, &err), RVL_OK);
    assert_int_equal(ids[0], 2);
    assert_int_equal(ids[1], 3);
    assert_int_equal(rvl_tokenizer_encode(ids, &n_tok, NULL, t, "lung", 1, &err), RVL_ERR_USAGE);
    rvl_tokenizer_free(t);
}

static void encode__refuses_bytes_that_are_not_utf8(void **state)
{
    rvl_tokenizer *t = mini_new();
    rvl_error      err = {0};
    int32_t        ids[8];
    int            n_tok = 0;

    (void)state;
    assert_int_equal(rvl_tokenizer_encode(ids, &n_tok, NULL, t, "lung \xff", 8, &err), RVL_ERR_FORMAT);
    assert_non_null(strstr(err.text, "byte 5"));
    assert_int_equal(rvl_tokenizer_encode(ids, &n_tok, NULL, t, "\xed\xa0\x80", 8, &err), RVL_ERR_FORMAT);
    rvl_tokenizer_free(t);
}

static void encode__honours_max_word_chars(void **state)
{
    rvl_tokenizer *t = NULL;
    rvl_error      err = {0};
    const int      whole[] = {5, 6};
    const int      unknown[] = {1};

    (void)state;
    assert_int_equal(rvl_tokenizer_parse(&t, mini, sizeof mini - 1,
                                         (rvl_tokenizer_opts){.lower_case = true, .max_word_chars = 5}, &err),
                     RVL_OK);
    assert_true(ids_equal(t, "lungs", whole, 2));
    assert_true(ids_equal(t, "lungss", unknown, 1));
    rvl_tokenizer_free(t);
    assert_int_equal(rvl_tokenizer_parse(&t, mini, sizeof mini - 1, (rvl_tokenizer_opts){.max_word_chars = -1}, &err),
                     RVL_ERR_USAGE);
    assert_null(t);
}

/* The longest word that is read, of the widest characters (four bytes each): a Gothic letter a hundred times. Its
 * bytes and their end fill a buffer that AddressSanitizer watches. */
static void encode__reads_the_longest_word_of_the_widest_letters(void **state)
{
    rvl_tokenizer *t = mini_new();
    char           word[100 * 4 + 1];
    const int      unknown = 1;

    (void)state;
    for (int i = 0; i < 100; i++)
        memcpy(word + 4 * i, "\xf0\x90\x8c\xb0", 4);
    word[400] = '\0';
    assert_true(ids_equal(t, word, &unknown, 1));
    rvl_tokenizer_free(t);
}

static void tokenizer__knows_its_tokens(void **state)
{
    rvl_tokenizer *t = mini_new();

    (void)state;
    assert_int_equal(rvl_tokenizer_count(t), 12);
    assert_string_equal(rvl_tokenizer_token(t, 6), "##s");
    assert_null(rvl_tokenizer_token(t, 12));
    assert_null(rvl_tokenizer_token(t, -1));
    assert_int_equal(rvl_tokenizer_id(t, "lung"), 5);
    assert_int_equal(rvl_tokenizer_id(t, "heart"), -1);
    assert_string_equal(rvl_tokenizer_vocab(t), mini);
    assert_int_equal(rvl_tokenizer_get_opts(t).max_word_chars, 100);
    rvl_tokenizer_free(t);
}

static void vocabulary__accepts_crlf_and_no_last_newline(void **state)
{
    static const char text[] = "[PAD]\r\n[UNK]\r\n[CLS]\r\n[SEP]\r\nlung";
    rvl_tokenizer    *t = NULL;
    rvl_error         err = {0};

    (void)state;
    assert_int_equal(rvl_tokenizer_parse(&t, text, sizeof text - 1, uncased, &err), RVL_OK);
    assert_int_equal(rvl_tokenizer_count(t), 5);
    assert_int_equal(rvl_tokenizer_id(t, "[UNK]"), 1);
    assert_int_equal(rvl_tokenizer_id(t, "lung"), 4);
    rvl_tokenizer_free(t);
}

static void vocabulary__refuses_damage_with_its_line(void **state)
{
    static const struct {
        const char *text;
        size_t      n_bytes;
        const char *said;
    } cases[] = {
        {"", 0, "[PAD]"},
        {"[PAD]\n[UNK]\n[CLS]\nlung\n", 23, "[SEP]"},
        {"[PAD]\n[UNK]\n\n[CLS]\n", 19, "line 3"},
        {"[PAD]\n[UNK]\n[CLS]\n[SEP]\nlung\nlung\n", 34, "line 6"},
        {"[PAD]\n[UNK]\n[CLS]\n[SEP]\nl\xffng\n", 29, "byte 25"},
        {"[PAD]\n[UNK]\n[CLS]\n[SEP]\nl\0ng\n", 29, "NUL"},
    };
    (void)state;
    for (size_t i = 0; i < RVL_ARRAY_LEN(cases); i++) {
        rvl_tokenizer *t = NULL;
        rvl_error      err = {0};
        assert_int_equal(rvl_tokenizer_parse(&t, cases[i].text, cases[i].n_bytes, uncased, &err), RVL_ERR_FORMAT);
        assert_null(t);
        assert_non_null(strstr(err.text, cases[i].said));
    }
}

/* By hand: words "aab" x 3 and "cb" x 1. Counts a 3, ##a 3, ##b 4, c 1; pairs (a,##a) 3, (##a,##b) 3, (c,##b) 1.
 * Scores 3/9 = 0.333, 3/12, 1/4: first "aa" (3 against 3/9), then (aa,##b) = 3/12 = (c,##b) = 1/4: the tie goes to the
 * greater count, "aab", then "cb". */
static void train__merges_in_the_order_worked_out_by_hand(void **state)
{
    static const char *const texts[] = {"aab aab", "AAB cb"};
    char                    *vocab = NULL;
    rvl_error                err = {0};

    (void)state;
    assert_int_equal(rvl_wordpiece_train(&vocab, texts, 2, 100, 1, true, &err), RVL_OK);
    assert_string_equal(vocab, "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\nc\n##a\n##b\n##c\naa\naab\ncb\n");
    rvl_free(vocab);
    assert_int_equal(rvl_wordpiece_train(&vocab, texts, 2, 12, 1, true, &err), RVL_OK);
    assert_non_null(strstr(vocab, "\naa\n"));
    assert_null(strstr(vocab, "aab"));
    rvl_free(vocab);
    assert_int_equal(rvl_wordpiece_train(&vocab, texts, 2, 100, 2, true, &err), RVL_OK);
    assert_null(strstr(vocab, "c")); /* seen once */
    rvl_free(vocab);
}

/* Score and count are equal: the first in byte order is merged first. */
static void train__breaks_ties_by_text(void **state)
{
    static const char *const texts[] = {"cd ab"};
    char                    *vocab = NULL;
    rvl_error                err = {0};

    (void)state;
    assert_int_equal(rvl_wordpiece_train(&vocab, texts, 1, 14, 1, true, &err), RVL_OK);
    assert_non_null(strstr(vocab, "\n##d\nab\n"));
    assert_null(strstr(vocab, "cd"));
    rvl_free(vocab);
}

static void train__refuses_a_size_below_the_alphabet(void **state)
{
    static const char *const texts[] = {"abc"};
    char                    *vocab = NULL;
    rvl_error                err = {0};

    (void)state;
    assert_int_equal(rvl_wordpiece_train(&vocab, texts, 1, 10, 1, true, &err), RVL_ERR_USAGE);
    assert_null(vocab);
    assert_non_null(strstr(err.text, "11"));
}

/* 2,000 reports of words made from syllables. */
static void train__learns_a_vocabulary_that_knows_its_texts_in_time(void **state)
{
    enum { N = 2000 };
    static const char *const syllables[] = {"pleu", "ral", "ef", "fu", "sion", "lo", "bar", "car", "dio", "me",
                                            "gal",  "y",   "no", "du", "le",   "pn", "eu",  "mo",  "tho", "rax"};
    char                   **texts = calloc(N, sizeof *texts);
    char                    *vocab = NULL;
    char                    *again = NULL;
    rvl_tokenizer           *t = NULL;
    rvl_error                err = {0};
    uint32_t                 seed = 1;
    double                   start = rvl_clock_s();

    (void)state;
    for (int i = 0; i < N; i++) {
        texts[i] = calloc(1, 1024);
        for (int w = 0; w < 30; w++) {
            for (int k = 0; k < 3; k++) {
                seed = seed * 1664525u + 1013904223u;
                strncat(texts[i], syllables[(seed >> 16) % 20], 8);
            }
            strncat(texts[i], w % 10 == 9 ? ". " : " ", 3);
        }
    }
    assert_int_equal(rvl_wordpiece_train(&vocab, (const char *const *)texts, N, 1000, 2, true, &err), RVL_OK);
    print_message("trained in %.2f s\n", rvl_clock_s() - start);
    assert_true(rvl_clock_s() - start < 20.0);
    assert_int_equal(rvl_wordpiece_train(&again, (const char *const *)texts, N, 1000, 2, true, &err), RVL_OK);
    assert_string_equal(vocab, again);
    assert_int_equal(rvl_tokenizer_parse(&t, vocab, strlen(vocab), uncased, &err), RVL_OK);
    assert_int_equal(rvl_tokenizer_count(t), 1000);
    for (int i = 0; i < N; i++) {
        int32_t ids[TOK_MAX];
        int     n_tok = 0;
        assert_int_equal(rvl_tokenizer_encode(ids, &n_tok, NULL, t, texts[i], TOK_MAX, &err), RVL_OK);
        for (int k = 0; k < n_tok; k++)
            assert_int_not_equal(ids[k], 1);
        assert_true(n_tok < 30 * 9); /* fewer than the letters */
        free(texts[i]);
    }
    rvl_tokenizer_free(t);
    rvl_free(vocab);
    rvl_free(again);
    free(texts);
}

static void tokenizer__survives_every_failed_allocation(void **state)
{
    static const char *const texts[] = {"aab aab", "AAB cb"};
    size_t                   live = rvl_alloc_get_stats().live_bytes;

    (void)state;
    for (uint64_t nth = 1; nth < 400; nth++) {
        rvl_tokenizer *t = NULL;
        char          *vocab = NULL;
        int32_t        ids[8];
        int            n_tok = 0;
        rvl_alloc_fail_at(nth);
        rvl_status st = rvl_wordpiece_train(&vocab, texts, 2, 100, 1, true, NULL);
        if (!st)
            st = rvl_tokenizer_parse(&t, vocab, strlen(vocab), uncased, NULL);
        if (!st)
            st = rvl_tokenizer_encode(ids, &n_tok, NULL, t, "aab", 8, NULL);
        rvl_alloc_fail_at(0);
        assert_true(st == RVL_OK || st == RVL_ERR_NOMEM);
        rvl_tokenizer_free(t);
        rvl_free(vocab);
        assert_int_equal(rvl_alloc_get_stats().live_bytes, live);
        if (st == RVL_OK) {
            assert_true(nth > 10);
            return;
        }
    }
    fail_msg("still failing after 400 allocations");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encode__equals_reference_on_awkward_strings),
        cmocka_unit_test(encode__equals_minilm_reference_sentences),
        cmocka_unit_test(encode__equals_llama_cpp_bert_vectors),
        cmocka_unit_test(encode__sets_every_block_of_ideographs_apart),
        cmocka_unit_test(encode__cuts_pads_and_counts),
        cmocka_unit_test(encode__refuses_bytes_that_are_not_utf8),
        cmocka_unit_test(encode__honours_max_word_chars),
        cmocka_unit_test(encode__reads_the_longest_word_of_the_widest_letters),
        cmocka_unit_test(tokenizer__knows_its_tokens),
        cmocka_unit_test(vocabulary__accepts_crlf_and_no_last_newline),
        cmocka_unit_test(vocabulary__refuses_damage_with_its_line),
        cmocka_unit_test(train__merges_in_the_order_worked_out_by_hand),
        cmocka_unit_test(train__breaks_ties_by_text),
        cmocka_unit_test(train__refuses_a_size_below_the_alphabet),
        cmocka_unit_test(train__learns_a_vocabulary_that_knows_its_texts_in_time),
        cmocka_unit_test(tokenizer__survives_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
