/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file model/bert_config.c
 * Sizes of a BERT from the config.json of its authors.
 */
#include "model/bert_config.h"
#include "base/json.h"
#include "base/str.h"
#include <stddef.h>

typedef struct {
    const char *key;
    size_t      offset;
    int         fallback; /* 0: the key must be there */
} size_row;

static const size_row sizes[] = {
    {"vocab_size", offsetof(rvl_bert_config, vocab_size), 0},
    {"hidden_size", offsetof(rvl_bert_config, hidden), 0},
    {"num_hidden_layers", offsetof(rvl_bert_config, n_layers), 0},
    {"num_attention_heads", offsetof(rvl_bert_config, n_heads), 0},
    {"intermediate_size", offsetof(rvl_bert_config, intermediate), 0},
    {"max_position_embeddings", offsetof(rvl_bert_config, max_positions), 0},
    {"type_vocab_size", offsetof(rvl_bert_config, type_vocab), 2},
};

/* What rvl's BERT is; other values make other numbers of the same weights. */
static rvl_status kind_check(const json_t *object, const char *path, rvl_error *err)
{
    static const char *const must[][2] = {{"hidden_act", "gelu"}, {"position_embedding_type", "absolute"}};
    const char              *type = rvl_json_get_string(object, "model_type", "bert");

    if (!rvl_str_equal(type, "bert") && !rvl_str_equal(type, "cxr-bert")) /* CXR-BERT: a BERT with heads of its own */
        return rvl_fail(err, RVL_ERR_UNSUPPORTED, "'%s': model_type is '%.40s', text towers have 'bert'", path, type);
    for (size_t i = 0; i < RVL_ARRAY_LEN(must); i++) {
        const char *has = rvl_json_get_string(object, must[i][0], must[i][1]);
        if (!rvl_str_equal(has, must[i][1]))
            return rvl_fail(err, RVL_ERR_UNSUPPORTED, "'%s': %s is '%.40s', text towers have '%s'", path, must[i][0],
                            has, must[i][1]);
    }
    return RVL_OK;
}

static rvl_status sizes_take(rvl_bert_config *cfg, const json_t *object, const char *path, rvl_error *err)
{
    for (size_t i = 0; i < RVL_ARRAY_LEN(sizes); i++) {
        const int64_t value = rvl_json_get_i64(object, sizes[i].key, sizes[i].fallback);
        if (value < 1 || value > 4000000)
            return rvl_fail(err, RVL_ERR_FORMAT, "'%s' has no %s that is a size", path, sizes[i].key);
        *(int *)((char *)cfg + sizes[i].offset) = (int)value;
    }
    cfg->layer_norm_eps = rvl_json_get_f64(object, "layer_norm_eps", 1e-12);
    if (!(cfg->layer_norm_eps > 0))
        return rvl_fail(err, RVL_ERR_FORMAT, "'%s': layer_norm_eps is not positive", path);
    if (cfg->hidden % cfg->n_heads != 0)
        return rvl_fail(err, RVL_ERR_FORMAT, "'%s': %d heads do not divide a width of %d", path, cfg->n_heads,
                        cfg->hidden);
    return RVL_OK;
}

rvl_status rvl_bert_config_read(rvl_bert_config *cfg, const char *path, rvl_error *err)
{
    rvl_bert_config taken = *cfg;
    json_t         *object = NULL;
    rvl_status      st = rvl_json_load(&object, path, err);

    if (!st && !json_is_object(object))
        st = rvl_fail(err, RVL_ERR_FORMAT, "'%s' is not a JSON object", path);
    if (!st)
        st = kind_check(object, path, err);
    if (!st)
        st = sizes_take(&taken, object, path, err);
    if (!st)
        *cfg = taken;
    json_decref(object);
    return st;
}
