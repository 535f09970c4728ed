/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file learn/metadata.c
 * From cells to features.
 */
#include "learn/metadata.h"
#include "base/alloc.h"
#include "base/str.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_WORDS = 12 };

typedef enum { KIND_VALUE, KIND_SQUARE, KIND_EMPTY, KIND_WORD } feature_kind;

typedef struct {
    feature_kind kind;
    int          column;
    char        *word;  /* of KIND_WORD */
    double       empty; /* value of empty cells: the column's mean */
    double       mean, scale;
} feature;

struct rvl_metadata_coder {
    feature *features;
    int      n_features;
};

bool rvl_metadata_number(double *out, const char *cell)
{
    static const struct {
        char   unit;
        double years;
    } units[] = {{'Y', 1}, {'M', 1.0 / 12}, {'W', 7 / 365.25}, {'D', 1 / 365.25}};
    char   text[64];
    double scale = 1;
    size_t n = strlen(cell);

    if (n == 0 || n >= sizeof text)
        return false;
    memcpy(text, cell, n + 1);
    char *from = text;
    if (text[0] == '[' && text[n - 1] == ']') {
        from++;
        text[1 + strcspn(text + 1, ",]")] = '\0';
    }
    for (size_t i = 0; i < RVL_ARRAY_LEN(units); i++)
        if (from == text && n > 1 && text[n - 1] == units[i].unit) {
            text[n - 1] = '\0';
            scale = units[i].years;
            break;
        }
    if (!rvl_parse_f64(from, out))
        return false;
    *out *= scale;
    return true;
}

static const char *cell_of(const rvl_metadata *m, int64_t row, int column)
{
    return m->cells[row * m->n_columns + column];
}

static double raw_value(const feature *f, const rvl_metadata *m, int64_t row)
{
    const char *cell = cell_of(m, row, f->column);
    double      x = NAN;

    if (f->kind == KIND_WORD)
        return strcmp(cell, f->word) == 0 ? 1 : 0;
    const bool known = rvl_metadata_number(&x, cell);
    if (f->kind == KIND_EMPTY)
        return known ? 0 : 1;
    x = known ? x : f->empty;
    return f->kind == KIND_SQUARE ? x * x : x;
}

/* Mean and deviation over the training rows; false if the feature does not vary there. */
static bool fit_scale(feature *f, const rvl_metadata *m)
{
    double sum = 0;
    double squares = 0;

    for (int64_t i = 0; i < m->n; i++)
        sum += raw_value(f, m, i);
    f->mean = sum / (double)m->n;
    for (int64_t i = 0; i < m->n; i++) {
        const double x = raw_value(f, m, i) - f->mean;
        squares += x * x;
    }
    const double deviation = sqrt(squares / (double)m->n);
    f->scale = deviation > 0 ? 1 / deviation : 0;
    return deviation > 1e-12 * (fabs(f->mean) + 1e-300) && isfinite(f->scale);
}

static rvl_status add(rvl_metadata_coder *c, const rvl_metadata *m, feature f, rvl_error *err)
{
    const char *word = f.word;

    if (!fit_scale(&f, m))
        return RVL_OK;
    feature *grown = rvl_realloc_array(c->features, (size_t)c->n_features + 1, sizeof *grown);
    if (grown) {
        c->features = grown;
        f.word = word ? rvl_strdup(word) : NULL;
    }
    if (!grown || (word && !f.word))
        return rvl_fail(err, RVL_ERR_NOMEM, "out of memory for metadata");
    c->features[c->n_features++] = f;
    return RVL_OK;
}

/* All known cells are numbers; their mean. */
static bool is_numeric(double *mean, int64_t *n_known, const rvl_metadata *m, int column)
{
    double sum = 0;

    *n_known = 0;
    for (int64_t i = 0; i < m->n; i++) {
        double x;
        if (!*cell_of(m, i, column))
            continue;
        if (!rvl_metadata_number(&x, cell_of(m, i, column)))
            return false;
        sum += x;
        ++*n_known;
    }
    *mean = *n_known ? sum / (double)*n_known : 0;
    return true;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

typedef struct {
    const char *text;
    int64_t     n;
} word_count;

static int by_count(const void *a, const void *b)
{
    const word_count *x = a;
    const word_count *y = b;
    return x->n > y->n ? -1 : x->n < y->n ? 1 : strcmp(x->text, y->text);
}

static rvl_status add_words(rvl_metadata_coder *c, const rvl_metadata *m, int column, rvl_error *err)
{
    const char **sorted = rvl_alloc_array((size_t)m->n + 1, sizeof *sorted);
    word_count  *words = rvl_alloc_array((size_t)m->n + 1, sizeof *words);
    int64_t      n_words = 0;
    rvl_status   st = sorted && words ? RVL_OK : rvl_fail(err, RVL_ERR_NOMEM, "out of memory for metadata");

    for (int64_t i = 0; !st && i < m->n; i++)
        sorted[i] = cell_of(m, i, column);
    if (!st)
        qsort(sorted, (size_t)m->n, sizeof *sorted, by_text);
    for (int64_t i = 0; !st && i < m->n; i++) {
        if (i == 0 || strcmp(sorted[i], sorted[i - 1]) != 0)
            words[n_words++] = (word_count){sorted[i], 0};
        words[n_words - 1].n++;
    }
    if (!st)
        qsort(words, (size_t)n_words, sizeof *words, by_count);
    for (int64_t i = 0; !st && i < n_words && i < MAX_WORDS; i++)
        st = add(c, m, (feature){.kind = KIND_WORD, .column = column, .word = (char *)words[i].text}, err);
    rvl_free(sorted);
    rvl_free(words);
    return st;
}

static rvl_status add_column(rvl_metadata_coder *c, const rvl_metadata *m, int column, rvl_error *err)
{
    double     mean;
    int64_t    n_known;
    rvl_status st = RVL_OK;

    if (!is_numeric(&mean, &n_known, m, column))
        return add_words(c, m, column, err);
    for (feature_kind kind = KIND_VALUE; !st && kind <= KIND_EMPTY; kind++)
        if (n_known > 0)
            st = add(c, m, (feature){.kind = kind, .column = column, .empty = mean}, err);
    return st;
}

rvl_status rvl_metadata_coder_new(rvl_metadata_coder **out, const rvl_metadata *train, rvl_error *err)
{
    rvl_metadata_coder *c = rvl_alloc_array(1, sizeof *c);
    rvl_status          st = c ? RVL_OK : rvl_fail(err, RVL_ERR_NOMEM, "out of memory for metadata");

    for (int column = 0; !st && train->n > 0 && column < train->n_columns; column++)
        st = add_column(c, train, column, err);
    if (st) {
        rvl_metadata_coder_free(c);
        c = NULL;
    }
    *out = c;
    return st;
}

void rvl_metadata_coder_free(rvl_metadata_coder *c)
{
    if (!c)
        return;
    for (int i = 0; i < c->n_features; i++)
        rvl_free(c->features[i].word);
    rvl_free(c->features);
    rvl_free(c);
}

int rvl_metadata_width(const rvl_metadata_coder *c)
{
    return c->n_features;
}

bool rvl_metadata_uses(const rvl_metadata_coder *c, int column)
{
    for (int i = 0; i < c->n_features; i++)
        if (c->features[i].column == column)
            return true;
    return false;
}

void rvl_metadata_encode(double *x, const rvl_metadata_coder *c, const rvl_metadata *rows)
{
    for (int64_t i = 0; i < rows->n; i++)
        for (int j = 0; j < c->n_features; j++) {
            const feature *f = &c->features[j];
            x[i * c->n_features + j] = (raw_value(f, rows, i) - f->mean) * f->scale;
        }
}
