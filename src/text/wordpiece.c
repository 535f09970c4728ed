/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file text/wordpiece.c
 * The vocabulary file and WordPiece encoding: greedy longest match, continuations marked "##".
 *
 * Special tokens written out in a text ("[SEP]") are text here, punctuation and letters: a report can never forge one.
 */
#include "text/tokenizer.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/str.h"
#include "text/vocab.h"
#include "text/words.h"
#include <string.h>

#define VOCAB_BYTES_MAX ((size_t)64 << 20)
#define DEFAULT_WORD_CHARS 100

struct rvl_tokenizer {
    rvl__vocab        *vocab;
    char              *text; /* the vocabulary as it was given */
    rvl_tokenizer_opts opts;
    int                pad, unk, cls, sep;
};

static rvl_status special_find(int *out, const rvl_tokenizer *t, const char *token, rvl_error *err)
{
    *out = rvl_tokenizer_id(t, token);
    if (*out < 0)
        return rvl_fail(err, RVL_ERR_FORMAT, "cannot use vocabulary: it has no token '%s'", token);
    return RVL_OK;
}

static rvl_status line_add(rvl_tokenizer *t, const char *line, size_t n_bytes, int i_line, rvl_error *err)
{
    bool is_new = false;

    if (n_bytes > 0 && line[n_bytes - 1] == '\r')
        n_bytes--;
    if (n_bytes == 0)
        return rvl_fail(err, RVL_ERR_FORMAT, "cannot use vocabulary: line %d is empty", i_line);
    if (rvl__vocab_add(t->vocab, line, n_bytes, &is_new) < 0)
        return rvl_fail(err, RVL_ERR_NOMEM, "cannot use vocabulary: out of memory");
    if (!is_new)
        return rvl_fail(err, RVL_ERR_FORMAT, "cannot use vocabulary: line %d repeats the token '%.*s'", i_line,
                        (int)(n_bytes < 80 ? n_bytes : 80), line);
    return RVL_OK;
}

static rvl_status lines_add(rvl_tokenizer *t, size_t n_bytes, rvl_error *err)
{
    rvl_status st = RVL_OK;
    int        i_line = 1;

    for (size_t at = 0; at < n_bytes && !st; i_line++) {
        const char *end = memchr(t->text + at, '\n', n_bytes - at);
        size_t      n = end ? (size_t)(end - t->text) - at : n_bytes - at;
        st = line_add(t, t->text + at, n, i_line, err);
        at += n + 1;
    }
    return st;
}

static rvl_status specials_find(rvl_tokenizer *t, rvl_error *err)
{
    rvl_status st = special_find(&t->pad, t, "[PAD]", err);

    if (!st)
        st = special_find(&t->unk, t, "[UNK]", err);
    if (!st)
        st = special_find(&t->cls, t, "[CLS]", err);
    if (!st)
        st = special_find(&t->sep, t, "[SEP]", err);
    return st;
}

rvl_status rvl_tokenizer_parse(rvl_tokenizer **out, const char *vocab, size_t n_bytes, rvl_tokenizer_opts opts,
                               rvl_error *err)
{
    rvl_tokenizer *t = NULL;
    rvl_status     st = RVL_OK;
    size_t         bad = 0;

    *out = NULL;
    if (opts.max_word_chars < 0 || opts.max_word_chars > RVL__WORD_CHARS_MAX)
        return rvl_fail(err, RVL_ERR_USAGE, "cannot make tokenizer: max_word_chars is %d, not in 0..%d",
                        opts.max_word_chars, RVL__WORD_CHARS_MAX);
    if (n_bytes > VOCAB_BYTES_MAX)
        return rvl_fail(err, RVL_ERR_LIMIT, "cannot use vocabulary: %zu bytes, the limit is %zu", n_bytes,
                        VOCAB_BYTES_MAX);
    if (n_bytes > 0 && memchr(vocab, 0, n_bytes))
        return rvl_fail(err, RVL_ERR_FORMAT, "cannot use vocabulary: it holds a NUL byte");
    if (!rvl_utf8_valid(vocab, n_bytes, &bad))
        return rvl_fail(err, RVL_ERR_FORMAT, "cannot use vocabulary: byte %zu is not UTF-8", bad);
    t = rvl_alloc_array(1, sizeof *t);
    if (!t)
        return rvl_fail(err, RVL_ERR_NOMEM, "cannot use vocabulary: out of memory");
    t->opts = opts;
    if (t->opts.max_word_chars == 0)
        t->opts.max_word_chars = DEFAULT_WORD_CHARS;
    t->vocab = rvl__vocab_new();
    t->text = rvl_strndup(n_bytes > 0 ? vocab : "", n_bytes);
    if (!t->vocab || !t->text)
        st = rvl_fail(err, RVL_ERR_NOMEM, "cannot use vocabulary: out of memory");
    if (!st)
        st = lines_add(t, n_bytes, err);
    if (!st)
        st = specials_find(t, err);
    if (!st) {
        *out = t;
        t = NULL;
    }
    rvl_tokenizer_free(t);
    return st;
}

rvl_status rvl_tokenizer_load(rvl_tokenizer **out, const char *path, rvl_tokenizer_opts opts, rvl_error *err)
{
    char      *text = NULL;
    size_t     n_bytes = 0;
    rvl_status st = rvl_file_read(&text, &n_bytes, path, VOCAB_BYTES_MAX, err);

    *out = NULL;
    if (st)
        return st;
    st = rvl_tokenizer_parse(out, text, n_bytes, opts, err);
    if (st)
        rvl_error_prefix(err, "'%s'", path);
    rvl_free(text);
    return st;
}

void rvl_tokenizer_free(rvl_tokenizer *t)
{
    if (!t)
        return;
    rvl__vocab_free(t->vocab);
    rvl_free(t->text);
    rvl_free(t);
}

typedef struct {
    const rvl_tokenizer *tokenizer;
    char                *buffer; /* "##" and as much of a word as a token can match */
    int32_t             *ids;
    int                  n_room; /* places for tokens between [CLS] and [SEP] */
    int                  n_tok;  /* tokens seen, also those that found no place */
} encoder;

static bool is_char_start(char c)
{
    return ((unsigned char)c & 0xc0) != 0x80;
}

/* Longest token that starts at `at`; its id and length in bytes, -1 if there is none. */
static int piece_match(const encoder *e, const rvl__word *word, size_t at, size_t *n_bytes)
{
    size_t longest = rvl__vocab_longest_bytes(e->tokenizer->vocab);
    size_t prefix = at > 0 ? 2 : 0;
    size_t n = word->n_bytes - at;

    if (n > longest)
        n = longest;
    memcpy(e->buffer, "##", 2);
    memcpy(e->buffer + 2, word->ptr + at, n);
    for (; n > 0; n--) {
        if (at + n < word->n_bytes && !is_char_start(word->ptr[at + n]))
            continue;
        int id = rvl__vocab_find(e->tokenizer->vocab, e->buffer + 2 - prefix, n + prefix);
        if (id >= 0) {
            *n_bytes = n;
            return id;
        }
    }
    return -1;
}

static void id_put(encoder *e, int id)
{
    if (e->n_tok < e->n_room)
        e->ids[1 + e->n_tok] = id;
    e->n_tok++;
}

static rvl_status word_encode(void *context, const rvl__word *word)
{
    encoder *e = context;
    int      n_before = e->n_tok;
    size_t   n = 0;

    if (word->is_too_long) {
        id_put(e, e->tokenizer->unk);
        return RVL_OK;
    }
    for (size_t at = 0; at < word->n_bytes; at += n) {
        int id = piece_match(e, word, at, &n);
        if (id < 0) { /* one hole makes the whole word unknown */
            e->n_tok = n_before;
            id_put(e, e->tokenizer->unk);
            return RVL_OK;
        }
        id_put(e, id);
    }
    return RVL_OK;
}

rvl_status rvl_tokenizer_encode(int32_t *ids, int *n_tok, int *n_cut, const rvl_tokenizer *t, const char *text,
                                int max_tok, rvl_error *err)
{
    encoder    e = {.tokenizer = t, .ids = ids, .n_room = max_tok - 2};
    rvl_status st = RVL_OK;
    int        n_kept = 0;

    *n_tok = 0;
    if (max_tok < 2)
        return rvl_fail(err, RVL_ERR_USAGE, "cannot tokenize text: max_tok is %d, [CLS] and [SEP] need 2", max_tok);
    e.buffer = rvl_alloc(rvl__vocab_longest_bytes(t->vocab) + 2);
    if (!e.buffer)
        return rvl_fail(err, RVL_ERR_NOMEM, "cannot tokenize text: out of memory");
    st = rvl__words_walk(text, t->opts.lower_case, t->opts.max_word_chars, word_encode, &e, err);
    rvl_free(e.buffer);
    if (st)
        return st;
    n_kept = e.n_tok < e.n_room ? e.n_tok : e.n_room;
    ids[0] = t->cls;
    ids[1 + n_kept] = t->sep;
    for (int i = n_kept + 2; i < max_tok; i++)
        ids[i] = t->pad;
    *n_tok = n_kept + 2;
    if (n_cut)
        *n_cut = e.n_tok - n_kept;
    return RVL_OK;
}

int rvl_tokenizer_count(const rvl_tokenizer *t)
{
    return rvl__vocab_count(t->vocab);
}

const char *rvl_tokenizer_token(const rvl_tokenizer *t, int id)
{
    return id >= 0 && id < rvl__vocab_count(t->vocab) ? rvl__vocab_text(t->vocab, id) : NULL;
}

int rvl_tokenizer_id(const rvl_tokenizer *t, const char *token)
{
    return rvl__vocab_find(t->vocab, token, strlen(token));
}

const char *rvl_tokenizer_vocab(const rvl_tokenizer *t)
{
    return t->text;
}

rvl_tokenizer_opts rvl_tokenizer_get_opts(const rvl_tokenizer *t)
{
    return t->opts;
}
