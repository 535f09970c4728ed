/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file learn/token_store.c
 * All ids in one array, cut into pieces: the sentences of a text, then the text itself where they do not make it up.
 */
#include "learn/token_store.h"
#include "base/alloc.h"
#include "learn/contrast.h"
#include <string.h>

typedef struct {
    int64_t first; /* piece; the sentences', or the text's if it has none */
    int     n_sentences;
    bool    has_whole; /* the piece behind the sentences is the text */
} text_pieces;

struct rvl_token_store {
    const rvl_tokenizer *tokenizer;
    int                  max_tok;
    bool                 by_sentence;
    int32_t              pad, cls, sep;
    int32_t             *ids;    /* without [CLS] and [SEP]; at most max_tok of a piece, more is cut from any row */
    int64_t             *starts; /* piece p is ids[starts[p]..starts[p + 1]) */
    text_pieces         *texts;
    int64_t              n_pieces, n_texts;
    size_t               ids_room, starts_room, texts_room;
    int32_t             *scratch; /* (max_tok + 2) */
};

/* `ptr` with room for `n` elements, by half more than before; NULL when out of memory. */
static void *make_room(void *ptr, size_t *room, size_t n, size_t size)
{
    size_t wanted = *room + *room / 2 > n ? *room + *room / 2 : n;

    if (n <= *room)
        return ptr;
    ptr = rvl_realloc_array(ptr, wanted, size);
    if (ptr)
        *room = wanted;
    return ptr;
}

rvl_status rvl_token_store_new(rvl_token_store **out, const rvl_tokenizer *t, int max_tok, bool by_sentence,
                               rvl_error *err)
{
    rvl_token_store *s = NULL;

    *out = NULL;
    if (max_tok < 2)
        return rvl_fail(err, RVL_ERR_USAGE, "cannot keep tokens: max_tok is %d, [CLS] and [SEP] need 2", max_tok);
    s = rvl_alloc_array(1, sizeof *s);
    if (!s)
        return rvl_fail(err, RVL_ERR_NOMEM, "cannot keep tokens: out of memory");
    s->tokenizer = t;
    s->max_tok = max_tok;
    s->by_sentence = by_sentence;
    s->pad = rvl_tokenizer_id(t, "[PAD]");
    s->cls = rvl_tokenizer_id(t, "[CLS]");
    s->sep = rvl_tokenizer_id(t, "[SEP]");
    s->starts_room = 1;
    s->starts = rvl_alloc_array(1, sizeof *s->starts);
    s->scratch = rvl_alloc_array((size_t)max_tok + 2, sizeof *s->scratch);
    if (!s->starts || !s->scratch) {
        rvl_token_store_free(s);
        return rvl_fail(err, RVL_ERR_NOMEM, "cannot keep tokens: out of memory");
    }
    *out = s;
    return RVL_OK;
}

void rvl_token_store_free(rvl_token_store *s)
{
    if (!s)
        return;
    rvl_free(s->ids);
    rvl_free(s->starts);
    rvl_free(s->texts);
    rvl_free(s->scratch);
    rvl_free(s);
}

/* Append scratch[1..1 + n) as a piece. */
static rvl_status piece_add(rvl_token_store *s, int n, rvl_error *err)
{
    const int64_t at = s->starts[s->n_pieces];
    int64_t      *starts = make_room(s->starts, &s->starts_room, (size_t)s->n_pieces + 2, sizeof *starts);
    int32_t      *ids = NULL;

    if (starts) {
        s->starts = starts;
        ids = make_room(s->ids, &s->ids_room, (size_t)(at + n) + 1, sizeof *ids); /* never 0: NULL is a failure */
    }
    if (!ids)
        return rvl_fail(err, RVL_ERR_NOMEM, "out of memory for the tokens of the reports");
    s->ids = ids;
    memcpy(s->ids + at, s->scratch + 1, (size_t)n * sizeof *s->ids);
    s->starts[++s->n_pieces] = at + n;
    return RVL_OK;
}

/* Tokens of a text into scratch[1..1 + *n), at most max_tok. */
static rvl_status text_encode(int *n, rvl_token_store *s, const char *text, rvl_error *err)
{
    rvl_status st = rvl_tokenizer_encode(s->scratch, n, NULL, s->tokenizer, text, s->max_tok + 2, err);

    *n -= st ? 0 : 2;
    return st;
}

static rvl_status sentence_add(rvl_token_store *s, const char *text, size_t n_bytes, rvl_error *err)
{
    char      *sentence = rvl_strndup(text, n_bytes);
    int        n = 0;
    rvl_status st = sentence ? text_encode(&n, s, sentence, err)
                             : rvl_fail(err, RVL_ERR_NOMEM, "out of memory for the tokens of the reports");

    if (!st)
        st = piece_add(s, n, err);
    rvl_free(sentence);
    return st;
}

/* The whole text, unless its tokens are those of the pieces since `first`: all of them, or as many as a row can ask
 * for. */
static rvl_status whole_add(bool *has_whole, rvl_token_store *s, const char *text, int64_t first, rvl_error *err)
{
    const int64_t at = s->starts[first];
    int64_t       n_before = s->starts[s->n_pieces] - at;
    int           n = 0;
    rvl_status    st = text_encode(&n, s, text, err);

    if (st)
        return st;
    if (n_before > s->max_tok)
        n_before = s->max_tok;
    *has_whole =
        s->n_pieces == first || n != n_before || memcmp(s->ids + at, s->scratch + 1, (size_t)n * sizeof *s->ids) != 0;
    return *has_whole ? piece_add(s, n, err) : RVL_OK;
}

rvl_status rvl_token_store_add(rvl_token_store *s, const char *text, rvl_error *err)
{
    size_t       at[RVL_SENTENCES_MAX];
    size_t       length[RVL_SENTENCES_MAX];
    size_t       n = s->by_sentence ? rvl_sentences(text, at, length, RVL_SENTENCES_MAX) : 0;
    text_pieces  added = {.first = s->n_pieces};
    text_pieces *texts = make_room(s->texts, &s->texts_room, (size_t)s->n_texts + 1, sizeof *texts);
    rvl_status   st = RVL_OK;

    if (!texts)
        return rvl_fail(err, RVL_ERR_NOMEM, "out of memory for the tokens of the reports");
    s->texts = texts;
    if (n > 1)
        added.n_sentences = n < RVL_SENTENCES_MAX ? (int)n : RVL_SENTENCES_MAX;
    for (int i = 0; i < added.n_sentences && !st; i++)
        st = sentence_add(s, text + at[i], length[i], err);
    if (!st)
        st = whole_add(&added.has_whole, s, text, added.first, err);
    if (!st)
        s->texts[s->n_texts++] = added;
    return st;
}

int rvl_token_store_n_sentences(const rvl_token_store *s, int64_t i_text)
{
    return i_text < 0 ? 0 : s->texts[i_text].n_sentences;
}

/* Append the pieces from..to-1 to a row that has `n` tokens; returns how many it would have had with room. */
static int64_t pieces_put(int32_t *row, int64_t n, const rvl_token_store *s, int64_t from, int64_t to)
{
    const int64_t room = s->max_tok - 2 > n ? s->max_tok - 2 - n : 0;
    const int64_t count = s->starts[to] - s->starts[from];
    const int64_t n_put = count < room ? count : room;

    if (n_put > 0)
        memcpy(row + 1 + n, s->ids + s->starts[from], (size_t)n_put * sizeof *row);
    return n + count;
}

void rvl_token_store_row(int32_t *ids, int *n_tok, bool *is_cut, const rvl_token_store *s, int64_t i_text,
                         const bool *take)
{
    const text_pieces text = i_text < 0 ? (text_pieces){0} : s->texts[i_text];
    const int64_t     whole = text.first + text.n_sentences;
    const int         n_room = s->max_tok - 2;
    int64_t           n = 0;

    if (!take && text.has_whole)
        n = pieces_put(ids, 0, s, whole, whole + 1);
    else if (!take)
        n = pieces_put(ids, 0, s, text.first, whole);
    for (int i = 0; take && i < text.n_sentences; i++)
        if (take[i])
            n = pieces_put(ids, n, s, text.first + i, text.first + i + 1);
    *is_cut = n > n_room;
    n = *is_cut ? n_room : n;
    ids[0] = s->cls;
    ids[1 + n] = s->sep;
    for (int64_t i = n + 2; i < s->max_tok; i++)
        ids[i] = s->pad;
    *n_tok = (int)n + 2;
}
