/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verbs/text_tower.c
 * Text towers by sizes, and taken over from files.
 */
#include "verbs/text_tower.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "model/bert_config.h"
#include "verbs/train_tower.h"
#include <string.h>

/** The rvl_pooling of a name, -1 if there is none. */
static int pooling_find(const char *name)
{
    static const char *const names[] = {"cls", "mean", "last4", "pooler"};

    for (int i = 0; i < (int)RVL_ARRAY_LEN(names); i++)
        if (rvl_str_equal(name, names[i]))
            return i;
    return -1;
}

rvl_text_tower_opts rvl__text_tower_opts_default(void)
{
    return (rvl_text_tower_opts){.lr_text = -1,
                                 .vocabulary_size = 1000,
                                 .text_layers = 2,
                                 .text_width = 128,
                                 .text_heads = 4,
                                 .max_tok = 64,
                                 .dropout = 0.1,
                                 .pooling = "mean"};
}

rvl_status rvl__text_tower_check(const rvl_text_tower_opts *o, rvl_error *err)
{
    const bool has_vocabulary = o->vocabulary || o->text_tower;

    if (pooling_find(o->pooling) < 0)
        return rvl_fail(err, RVL_ERR_USAGE, "--pooling is cls, mean, last4 or pooler, not '%s'", o->pooling);
    if (pooling_find(o->pooling) == RVL_POOLING_LAST4 && o->text_layers < 4 && !o->text_tower)
        return rvl_fail(err, RVL_ERR_USAGE, "--pooling last4 needs --text-layers 4 or more");
    if (o->text_layers < 1 || o->text_heads < 1 || o->text_width < 1 || o->text_width % o->text_heads != 0)
        return rvl_fail(err, RVL_ERR_USAGE, "--text-heads must divide --text-width, and both are positive");
    if (o->max_tok < 8 || o->max_tok > 512)
        return rvl_fail(err, RVL_ERR_USAGE, "--max-tok is 8 to 512");
    if (o->dropout < 0 || o->dropout >= 1)
        return rvl_fail(err, RVL_ERR_USAGE, "--dropout is in 0..1");
    if (has_vocabulary && o->vocabulary_size != rvl__text_tower_opts_default().vocabulary_size)
        return rvl_fail(err, RVL_ERR_USAGE, "--vocabulary-size has no effect with --%s: nothing is learned",
                        o->vocabulary ? "vocabulary" : "text-tower");
    return RVL_OK;
}

static rvl_status learn_vocabulary(rvl_training *t, const rvl_text_tower_opts *o, rvl_text_choice choice,
                                   rvl_error *err)
{
    const int64_t n = t->train.n_cases;
    char        **texts = rvl_alloc_array((size_t)n, sizeof *texts);
    char         *vocab = NULL;
    rvl_status    st = texts ? RVL_OK : rvl_fail(err, RVL_ERR_NOMEM, "out of memory");

    for (int64_t i = 0; !st && i < n; i++)
        texts[i] = rvl_case_text(&t->train.cases[i], choice);
    if (!st)
        st = rvl_wordpiece_train(&vocab, (const char *const *)texts, (size_t)n, (int)o->vocabulary_size, 1, true, err);
    if (!st)
        st = rvl_tokenizer_parse(&t->m->tokenizer, vocab, strlen(vocab), (rvl_tokenizer_opts){.lower_case = true}, err);
    for (int64_t i = 0; texts && i < n; i++)
        rvl_free(texts[i]);
    rvl_free(texts);
    rvl_free(vocab);
    return st;
}

/** A size that was asked for and is not the file's must not be passed over: the default asks for nothing. */
static rvl_status check_sizes(const rvl_bert_config *has, const rvl_text_tower_opts *o, const char *path,
                              rvl_error *err)
{
    const rvl_text_tower_opts d = rvl__text_tower_opts_default();
    const struct {
        const char *option;
        bool        differs;
    } rows[] = {
        {"--text-width", o->text_width != d.text_width && o->text_width != has->hidden},
        {"--text-layers", o->text_layers != d.text_layers && o->text_layers != has->n_layers},
        {"--text-heads", o->text_heads != d.text_heads && o->text_heads != has->n_heads},
    };

    for (size_t i = 0; i < RVL_ARRAY_LEN(rows); i++)
        if (rows[i].differs)
            return rvl_fail(
                err, RVL_ERR_SHAPE,
                "the text tower '%s' has %d layers, width %d and %d heads, %s asks for another\nhint: leave "
                "%s out, the file says its shape",
                path, has->n_layers, has->hidden, has->n_heads, rows[i].option, rows[i].option);
    if (o->max_tok > has->max_positions)
        return rvl_fail(err, RVL_ERR_SHAPE, "the text tower '%s' has %d positions, --max-tok is %d\nhint: --max-tok %d",
                        path, has->max_positions, (int)o->max_tok, has->max_positions);
    return RVL_OK;
}

/** The tower and its words are what the bundle says; dropout, and a pooling that was asked for, are training's. */
static rvl_status take_bundle(rvl_model *m, const rvl_model *source, const rvl_text_tower_opts *o, const char *path,
                              rvl_error *err)
{
    const rvl_text_tower_opts d = rvl__text_tower_opts_default();
    rvl_text_tower_opts       asked = *o;

    if (!source->has_text || !source->tokenizer)
        return rvl_fail(err, RVL_ERR_FORMAT, "'%s' has no text tower", path);
    if (o->vocabulary)
        return rvl_fail(err, RVL_ERR_USAGE, "--vocabulary has no effect: '%s' carries its own", path);
    if (o->max_tok == d.max_tok)
        asked.max_tok = source->max_tok;
    rvl_status st = check_sizes(&source->text, &asked, path, err);
    if (st)
        return st;
    m->text = source->text;
    m->text.dropout = o->dropout;
    if (!rvl_str_equal(o->pooling, d.pooling))
        m->text.pooling = (rvl_pooling)pooling_find(o->pooling);
    m->max_tok = (int)asked.max_tok;
    const char *vocab = rvl_tokenizer_vocab(source->tokenizer);
    return rvl_tokenizer_parse(&m->tokenizer, vocab, strlen(vocab), rvl_tokenizer_get_opts(source->tokenizer), err);
}

/** `name` in the folder of `file`; `*path` is NULL if it is not there. */
static rvl_status beside(char **path, const char *file, const char *name, rvl_error *err)
{
    char      *folder = rvl_path_dir(file);
    rvl_status st = RVL_OK;

    *path = folder ? rvl_path_join(folder, name) : NULL;
    if (!*path) {
        st = rvl_fail(err, RVL_ERR_NOMEM, "out of memory");
    } else if (!rvl_path_exists(*path)) {
        rvl_free(*path);
        *path = NULL;
    }
    rvl_free(folder);
    return st;
}

/** Case of the words by the tokenizer_config.json beside `file`; lower without it. */
static rvl_status words_lower(bool *is_lower, const char *file, rvl_error *err)
{
    json_t    *config = NULL;
    char      *path = NULL;
    rvl_status st = beside(&path, file, "tokenizer_config.json", err);

    *is_lower = true;
    if (!st && path)
        st = rvl_json_load(&config, path, err);
    if (config)
        *is_lower = rvl_json_get_bool(config, "do_lower_case", true);
    json_decref(config);
    rvl_free(path);
    return st;
}

/** Vocabulary of --vocabulary, else vocab.txt beside the weights. */
static rvl_status take_vocabulary(rvl_model *m, const char *file, const rvl_text_tower_opts *o, rvl_error *err)
{
    bool       is_lower = true;
    char      *path = NULL;
    rvl_status st = o->vocabulary ? RVL_OK : beside(&path, file, "vocab.txt", err);

    if (!st && !o->vocabulary && !path)
        st = rvl_fail(err, RVL_ERR_USAGE,
                      "'%s' carries no vocabulary and has no vocab.txt beside it\nhint: give it with --vocabulary",
                      file);
    if (!st)
        st = words_lower(&is_lower, o->vocabulary ? o->vocabulary : path, err);
    if (!st)
        st = rvl_tokenizer_load(&m->tokenizer, o->vocabulary ? o->vocabulary : path,
                                (rvl_tokenizer_opts){.lower_case = is_lower}, err);
    rvl_free(path);
    return st;
}

/** A weight file says nothing but shapes: sizes come from config.json beside it, else from the options. */
static rvl_status take_plain(rvl_model *m, const char *file, const rvl_text_tower_opts *o, rvl_error *err)
{
    char      *path = NULL;
    rvl_status st = take_vocabulary(m, file, o, err);

    if (!st)
        st = beside(&path, file, "config.json", err);
    if (!st && !path)
        m->text.vocab_size = rvl_tokenizer_count(m->tokenizer);
    if (!st && path)
        st = rvl_bert_config_read(&m->text, path, err);
    if (!st && path)
        st = check_sizes(&m->text, o, file, err);
    if (!st && rvl_tokenizer_count(m->tokenizer) > m->text.vocab_size)
        st = rvl_fail(err, RVL_ERR_SHAPE, "the vocabulary has %d tokens, '%s' says %d",
                      rvl_tokenizer_count(m->tokenizer), path ? path : file, m->text.vocab_size);
    rvl_free(path);
    return st;
}

static rvl_status take_tower(rvl_model *m, const rvl_text_tower_opts *o, const char *allow_missing, rvl_error *err)
{
    rvl_tower_source source;
    rvl_load_opts    load = {.allow_missing = allow_missing, .embed_dim = m->clip.embed_dim};
    rvl_status       st = rvl__tower_open(&source, o->text_tower, err);

    if (!st && source.bundle)
        st = take_bundle(m, source.bundle, o, source.path, err);
    else if (!st)
        st = take_plain(m, source.path, o, err);
    if (!st)
        st = rvl__tower_load(m, &source, "text", &load, err);
    rvl__tower_close(&source);
    return st;
}

rvl_status rvl__text_tower_add(rvl_training *t, const rvl_text_tower_opts *o, const char *allow_missing,
                               rvl_text_choice choice, rvl_error *err)
{
    rvl_model *m = t->m;
    rvl_status st = RVL_OK;

    m->has_text = true;
    m->max_tok = (int)o->max_tok;
    m->text = (rvl_bert_config){.hidden = (int)o->text_width,
                                .n_layers = (int)o->text_layers,
                                .n_heads = (int)o->text_heads,
                                .intermediate = 4 * (int)o->text_width,
                                .max_positions = (int)o->max_tok,
                                .type_vocab = 2,
                                .layer_norm_eps = 1e-12,
                                .dropout = o->dropout,
                                .pooling = (rvl_pooling)pooling_find(o->pooling)};
    if (o->text_tower)
        return take_tower(m, o, allow_missing, err);
    if (o->vocabulary)
        st = rvl_tokenizer_load(&m->tokenizer, o->vocabulary, (rvl_tokenizer_opts){.lower_case = true}, err);
    else
        st = learn_vocabulary(t, o, choice, err);
    if (!st)
        m->text.vocab_size = rvl_tokenizer_count(m->tokenizer);
    return st;
}
