/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file text/train.c
 * Learn a WordPiece vocabulary: start from characters, join the pair whose parts most need each other, repeat.
 *
 * Pair counts are kept up to date as words change, so a merge costs one pass over the distinct words.
 */
#include "text/tokenizer.h"
#include "base/alloc.h"
#include "base/str.h"
#include "text/vocab.h"
#include "text/words.h"
#include <stdlib.h>
#include <string.h>

#define TRAIN_WORD_CHARS 100
#define TRAIN_SIZE_MAX (1 << 20)

static const char *const specials[] = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};

typedef struct {
    int     left, right; /* tokens */
    int64_t count;
} pair;

typedef struct {
    rvl__vocab *words;
    int64_t    *word_counts; /* by word */
    size_t      n_word_room;
    rvl__vocab *chars;
    int64_t    *char_counts; /* by character */
    bool       *char_alone;  /* punctuation and ideographs: no continuation form is needed */
    size_t      n_char_room;
    rvl__vocab *tokens;
    int64_t    *token_counts; /* by token, `size` of them */
    int       **pieces;       /* by word: tokens it is cut into now */
    int        *n_pieces;
    rvl__vocab *pair_keys; /* bytes of { left, right } */
    pair       *pairs;
    size_t      n_pair_room;
    int         size, min_count;
} trainer;

static bool room_make(void **array, size_t *n_room, size_t n_needed, size_t size)
{
    size_t n = *n_room ? *n_room : 64;
    void  *grown = NULL;

    if (n_needed <= *n_room)
        return true;
    while (n < n_needed)
        n *= 2;
    grown = rvl_realloc_array(*array, n, size);
    if (!grown)
        return false;
    *array = grown;
    *n_room = n;
    return true;
}

/* Bytes of the UTF-8 character that starts at `p`; the text is known to be valid. */
static size_t char_bytes(const char *p)
{
    unsigned char c = (unsigned char)*p;
    return c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
}

static bool char_count(trainer *t, const char *bytes, size_t n_bytes, bool is_alone)
{
    bool   is_new = false;
    int    i = rvl__vocab_add(t->chars, bytes, n_bytes, &is_new);
    size_t n_alone_room = t->n_char_room;

    if (i < 0 || !room_make((void **)&t->char_alone, &n_alone_room, (size_t)i + 1, sizeof *t->char_alone) ||
        !room_make((void **)&t->char_counts, &t->n_char_room, (size_t)i + 1, sizeof *t->char_counts))
        return false;
    if (is_new) {
        t->char_counts[i] = 0;
        t->char_alone[i] = is_alone;
    }
    t->char_counts[i]++;
    return true;
}

static rvl_status word_count(void *context, const rvl__word *word)
{
    trainer *t = context;
    bool     is_new = false;
    int      i = 0;

    if (word->is_too_long)
        return RVL_OK;
    i = rvl__vocab_add(t->words, word->ptr, word->n_bytes, &is_new);
    if (i < 0 || !room_make((void **)&t->word_counts, &t->n_word_room, (size_t)i + 1, sizeof *t->word_counts))
        return RVL_ERR_NOMEM;
    t->word_counts[i] = is_new ? 1 : t->word_counts[i] + 1;
    for (size_t at = 0; at < word->n_bytes; at += char_bytes(word->ptr + at))
        if (!char_count(t, word->ptr + at, char_bytes(word->ptr + at), word->is_alone))
            return RVL_ERR_NOMEM;
    return RVL_OK;
}

static int text_compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool token_add(trainer *t, const char *text)
{
    return rvl__vocab_count(t->tokens) < t->size && rvl__vocab_add(t->tokens, text, strlen(text), NULL) >= 0;
}

/* Specials, then the frequent characters in byte order, then their continuation forms. */
static rvl_status alphabet_add(trainer *t, rvl_error *err)
{
    int          n_chars = rvl__vocab_count(t->chars);
    const char **sorted = rvl_alloc_array((size_t)n_chars + 1, sizeof *sorted);
    size_t       n = 0;
    size_t       n_needed = RVL_ARRAY_LEN(specials);
    bool         ok = sorted != NULL;

    for (int i = 0; ok && i < n_chars; i++)
        if (t->char_counts[i] >= t->min_count) {
            sorted[n++] = rvl__vocab_text(t->chars, i);
            n_needed += t->char_alone[i] ? 1 : 2;
        }
    if (ok && n_needed > (size_t)t->size) {
        rvl_free(sorted);
        return rvl_fail(err, RVL_ERR_USAGE,
                        "cannot train vocabulary: size %d is less than the %zu special tokens and characters"
                        "\nhint: raise the size or the least count of a character",
                        t->size, n_needed);
    }
    if (ok)
        qsort(sorted, n, sizeof *sorted, text_compare);
    for (size_t i = 0; ok && i < RVL_ARRAY_LEN(specials); i++)
        ok = token_add(t, specials[i]);
    for (size_t i = 0; ok && i < n; i++)
        ok = token_add(t, sorted[i]);
    for (size_t i = 0; ok && i < n; i++) {
        char continued[8] = "##";
        if (t->char_alone[rvl__vocab_find(t->chars, sorted[i], strlen(sorted[i]))])
            continue;
        memcpy(continued + 2, sorted[i], strlen(sorted[i]) + 1);
        ok = token_add(t, continued);
    }
    rvl_free(sorted);
    return ok ? RVL_OK : rvl_fail(err, RVL_ERR_NOMEM, "cannot train vocabulary: out of memory");
}

static bool pair_change(trainer *t, int left, int right, int64_t by)
{
    int  key[2] = {left, right};
    bool is_new = false;
    int  i = rvl__vocab_add(t->pair_keys, (const char *)key, sizeof key, &is_new);

    if (i < 0 || !room_make((void **)&t->pairs, &t->n_pair_room, (size_t)i + 1, sizeof *t->pairs))
        return false;
    if (is_new)
        t->pairs[i] = (pair){.left = left, .right = right};
    t->pairs[i].count += by;
    return true;
}

/* Add or take away everything that word `w`, as it is cut now, contributes to the counts. */
static bool word_contribute(trainer *t, int w, int sign)
{
    int64_t by = sign * t->word_counts[w];

    for (int i = 0; i < t->n_pieces[w]; i++) {
        t->token_counts[t->pieces[w][i]] += by;
        if (i + 1 < t->n_pieces[w] && !pair_change(t, t->pieces[w][i], t->pieces[w][i + 1], by))
            return false;
    }
    return true;
}

/* Cut a word into characters; a word with a rare character teaches nothing and stays without pieces. */
static bool word_cut(trainer *t, int w)
{
    const char *text = rvl__vocab_text(t->words, w);
    size_t      n_bytes = strlen(text);
    int         n = 0;

    t->pieces[w] = rvl_alloc_array(n_bytes, sizeof **t->pieces);
    if (!t->pieces[w])
        return false;
    for (size_t at = 0; at < n_bytes; at += char_bytes(text + at)) {
        char   buffer[8] = "##";
        size_t step = char_bytes(text + at);
        memcpy(buffer + 2, text + at, step);
        int id = at == 0 ? rvl__vocab_find(t->tokens, buffer + 2, step) : rvl__vocab_find(t->tokens, buffer, step + 2);
        if (id < 0)
            return true;
        t->pieces[w][n++] = id;
    }
    t->n_pieces[w] = n;
    return word_contribute(t, w, 1);
}

static bool words_cut(trainer *t)
{
    int n_words = rvl__vocab_count(t->words);

    t->pieces = rvl_alloc_array((size_t)n_words + 1, sizeof *t->pieces);
    t->n_pieces = rvl_alloc_array((size_t)n_words + 1, sizeof *t->n_pieces);
    t->token_counts = rvl_alloc_array((size_t)t->size, sizeof *t->token_counts);
    if (!t->pieces || !t->n_pieces || !t->token_counts)
        return false;
    for (int w = 0; w < n_words; w++)
        if (!word_cut(t, w))
            return false;
    return true;
}

/* Order of merging: score, then count, then the texts of the parts. Long doubles hold the products exactly enough
 * for equal scores to compare equal: both sides are the same integers multiplied. */
static bool pair_is_better(const trainer *t, const pair *a, const pair *b)
{
    long double x =
        (long double)a->count * (long double)t->token_counts[b->left] * (long double)t->token_counts[b->right];
    long double y =
        (long double)b->count * (long double)t->token_counts[a->left] * (long double)t->token_counts[a->right];
    int order = 0;

    if (x > y || x < y)
        return x > y;
    if (a->count != b->count)
        return a->count > b->count;
    order = strcmp(rvl__vocab_text(t->tokens, a->left), rvl__vocab_text(t->tokens, b->left));
    if (order == 0)
        order = strcmp(rvl__vocab_text(t->tokens, a->right), rvl__vocab_text(t->tokens, b->right));
    return order < 0;
}

static const pair *pair_best(const trainer *t)
{
    const pair *best = NULL;
    int         n = rvl__vocab_count(t->pair_keys);

    for (int i = 0; i < n; i++)
        if (t->pairs[i].count >= t->min_count && t->pairs[i].count > 0 &&
            (!best || pair_is_better(t, &t->pairs[i], best)))
            best = &t->pairs[i];
    return best;
}

static bool word_merge(trainer *t, int w, int left, int right, int joined)
{
    int *p = t->pieces[w];
    int  n = 0;
    bool has = false;

    for (int i = 0; i + 1 < t->n_pieces[w] && !has; i++)
        has = p[i] == left && p[i + 1] == right;
    if (!has)
        return true;
    if (!word_contribute(t, w, -1))
        return false;
    for (int i = 0; i < t->n_pieces[w]; i++) {
        bool here = i + 1 < t->n_pieces[w] && p[i] == left && p[i + 1] == right;
        p[n++] = here ? joined : p[i];
        i += here ? 1 : 0;
    }
    t->n_pieces[w] = n;
    return word_contribute(t, w, 1);
}

static bool merges_make(trainer *t)
{
    rvl_str joined = {0};
    bool    ok = true;

    while (ok && rvl__vocab_count(t->tokens) < t->size) {
        const pair *best = pair_best(t);
        if (!best)
            break;
        int left = best->left;
        int right = best->right;
        rvl_str_clear(&joined);
        rvl_str_add(&joined, rvl__vocab_text(t->tokens, left));
        rvl_str_add(&joined, rvl__vocab_text(t->tokens, right) + 2);
        ok = !joined.failed;
        int id = ok ? rvl__vocab_add(t->tokens, joined.ptr, joined.n_bytes, NULL) : -1;
        ok = id >= 0;
        for (int w = 0; ok && w < rvl__vocab_count(t->words); w++)
            ok = word_merge(t, w, left, right, id);
    }
    rvl_str_free(&joined);
    return ok;
}

static void trainer_fini(trainer *t)
{
    for (int w = 0; t->pieces && w < rvl__vocab_count(t->words); w++)
        rvl_free(t->pieces[w]);
    rvl_free(t->pieces);
    rvl_free(t->n_pieces);
    rvl_free(t->token_counts);
    rvl_free(t->pairs);
    rvl_free(t->word_counts);
    rvl_free(t->char_counts);
    rvl_free(t->char_alone);
    rvl__vocab_free(t->words);
    rvl__vocab_free(t->chars);
    rvl__vocab_free(t->tokens);
    rvl__vocab_free(t->pair_keys);
}

static rvl_status trainer_run(trainer *t, const char *const *texts, size_t n_texts, bool lower_case, rvl_error *err)
{
    rvl_status st = RVL_OK;

    t->words = rvl__vocab_new();
    t->chars = rvl__vocab_new();
    t->tokens = rvl__vocab_new();
    t->pair_keys = rvl__vocab_new();
    if (!t->words || !t->chars || !t->tokens || !t->pair_keys)
        return rvl_fail(err, RVL_ERR_NOMEM, "cannot train vocabulary: out of memory");
    for (size_t i = 0; i < n_texts; i++) {
        st = rvl__words_walk(texts[i], lower_case, TRAIN_WORD_CHARS, word_count, t, err);
        if (st == RVL_ERR_NOMEM)
            return rvl_fail(err, st, "cannot train vocabulary: out of memory");
        if (st) {
            rvl_error_prefix(err, "text %zu", i);
            return st;
        }
    }
    st = alphabet_add(t, err);
    if (!st && (!words_cut(t) || !merges_make(t)))
        st = rvl_fail(err, RVL_ERR_NOMEM, "cannot train vocabulary: out of memory");
    return st;
}

rvl_status rvl_wordpiece_train(char **vocab, const char *const *texts, size_t n_texts, int size, int min_count,
                               bool lower_case, rvl_error *err)
{
    trainer    t = {.size = size, .min_count = min_count < 1 ? 1 : min_count};
    rvl_str    out = {0};
    rvl_status st = RVL_OK;

    *vocab = NULL;
    if (size < 1 || size > TRAIN_SIZE_MAX)
        return rvl_fail(err, RVL_ERR_USAGE, "cannot train vocabulary: size %d is not in 1..%d", size, TRAIN_SIZE_MAX);
    st = trainer_run(&t, texts, n_texts, lower_case, err);
    for (int i = 0; !st && i < rvl__vocab_count(t.tokens); i++) {
        rvl_str_add(&out, rvl__vocab_text(t.tokens, i));
        rvl_str_add(&out, "\n");
    }
    if (!st) {
        *vocab = rvl_str_take(&out);
        if (!*vocab)
            st = rvl_fail(err, RVL_ERR_NOMEM, "cannot train vocabulary: out of memory");
    }
    rvl_str_free(&out);
    trainer_fini(&t);
    return st;
}
