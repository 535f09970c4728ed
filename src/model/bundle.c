/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file model/bundle.c
 * Bundles: a model and all that must travel with it in one .safetensors file. Weights and BatchNorm statistics stand
 * under their names (those of a 3-D ResNet that torchvision's VideoResNet takes: model/video_names.h); `__metadata__`
 * holds
 *   rvl.format    "rvl.bundle/1"
 *   architecture  JSON, model/arch.h
 *   preprocess    JSON, imaging/preprocess.h            (absent if the model has none)
 *   tokenizer     JSON: type, lower_case, max_word_chars, max_tok, vocab (one token a line)
 *   schema        the YAML text of the finding schema
 *   extra         JSON, free
 */
#include "model/bundle.h"
#include "base/alloc.h"
#include "base/json.h"
#include "base/str.h"
#include "model/arch.h"
#include "model/load_keys.h"
#include "model/video_names.h"
#include <string.h>

#define BUNDLE_FORMAT "rvl.bundle/1"

/** Add a JSON value as text; false without memory. */
static bool metadata_add_json(json_t *metadata, const char *key, const json_t *value)
{
    char *text = NULL;
    bool  ok = value && !rvl_json_format(&text, value, 0, NULL) && rvl_json_set(metadata, key, json_string(text));

    rvl_free(text);
    return ok;
}

static json_t *tokenizer_format(const rvl_model *m)
{
    rvl_tokenizer_opts opts = rvl_tokenizer_get_opts(m->tokenizer);

    return json_pack("{s:s, s:b, s:i, s:i, s:s}", "type", "wordpiece", "lower_case", opts.lower_case ? 1 : 0,
                     "max_word_chars", opts.max_word_chars, "max_tok", m->max_tok, "vocab",
                     rvl_tokenizer_vocab(m->tokenizer));
}

static json_t *metadata_format(const rvl_model *m)
{
    json_t *metadata = json_object();
    json_t *arch = rvl__arch_format(m);
    json_t *tokenizer = m->tokenizer ? tokenizer_format(m) : NULL;
    bool    ok = metadata && rvl_json_set(metadata, "rvl.format", json_string(BUNDLE_FORMAT)) &&
              metadata_add_json(metadata, "architecture", arch);

    ok = ok && (!m->preprocess || metadata_add_json(metadata, "preprocess", m->preprocess));
    ok = ok && (!m->tokenizer || metadata_add_json(metadata, "tokenizer", tokenizer));
    ok = ok && (!m->schema || rvl_json_set(metadata, "schema", json_string(rvl_schema_yaml(m->schema))));
    ok = ok && (!m->extra || metadata_add_json(metadata, "extra", m->extra));
    json_decref(arch);
    json_decref(tokenizer);
    if (!ok) {
        json_decref(metadata);
        return NULL;
    }
    return metadata;
}

/** The name of a weight in the file: that of a torchvision VideoResNet where the tower is one. `room` holds it then. */
static const char *file_name(char room[RVL__KEY_NAME_BYTES], const rvl_model *m, const char *name)
{
    const size_t n_prefix = strlen(RVL__VISUAL_PREFIX);

    if (!m->has_image || !rvl__video_names_apply(&m->image) || !rvl_str_starts(name, RVL__VISUAL_PREFIX) ||
        strlen(name) >= RVL__KEY_NAME_BYTES)
        return name;
    memcpy(room, name, strlen(name) + 1);
    return rvl__video_name_from_ours(room + n_prefix, RVL__KEY_NAME_BYTES - n_prefix) ? room : name;
}

rvl_status rvl_bundle_save(const rvl_model *m, const char *path, rvl_error *err)
{
    int          n_params = rvl_params_count(m->params);
    int          n = n_params + rvl_state_count(m->state);
    const char **names = rvl_alloc_array((size_t)n + 1, sizeof *names);
    char(*room)[RVL__KEY_NAME_BYTES] = rvl_alloc_array((size_t)n + 1, sizeof *room);
    const rvl_tensor **tensors = rvl_alloc_array((size_t)n + 1, sizeof *tensors);
    json_t            *metadata = metadata_format(m);
    rvl_status         st;

    if (!names || !room || !tensors || !metadata) {
        st = rvl_fail(err, RVL_ERR_NOMEM, "cannot save '%s': out of memory", path);
        goto done;
    }
    for (int i = 0; i < n_params; i++) {
        names[i] = file_name(room[i], m, rvl_param_name(rvl_params_at(m->params, i)));
        tensors[i] = rvl_param_tensor(rvl_params_at(m->params, i));
    }
    for (int i = n_params; i < n; i++) {
        names[i] = file_name(room[i], m, rvl_state_name(m->state, i - n_params));
        tensors[i] = rvl_state_tensor(m->state, i - n_params);
    }
    st = rvl_safetensors_save(path, n, names, tensors, metadata, err);
done:
    json_decref(metadata);
    rvl_free(tensors);
    rvl_free(room);
    rvl_free(names);
    return st;
}

/** Parse the JSON text of a metadata entry; absent leaves `*out` NULL. */
static rvl_status metadata_get_json(json_t **out, const rvl_safetensors *file, const char *key, rvl_error *err)
{
    const char *text = rvl_safetensors_metadata(file, key);

    *out = NULL;
    return text ? rvl_json_parse(out, text, strlen(text), key, err) : RVL_OK;
}

static rvl_status tokenizer_parse(rvl_model *m, const json_t *json, rvl_error *err)
{
    const char        *type = rvl_json_get_string(json, "type", "");
    const char        *vocab = rvl_json_get_string(json, "vocab", NULL);
    int64_t            max_tok = rvl_json_get_i64(json, "max_tok", 0);
    int64_t            max_word_chars = rvl_json_get_i64(json, "max_word_chars", 0);
    rvl_tokenizer_opts opts = {.lower_case = rvl_json_get_bool(json, "lower_case", false)};

    if (!rvl_str_equal(type, "wordpiece"))
        return rvl_fail(err, RVL_ERR_UNSUPPORTED, "tokenizer of the unknown type '%.40s'", type);
    if (!vocab || max_tok < 0 || max_tok > 1000000 || max_word_chars < 0 || max_word_chars > 1000000)
        return rvl_fail(err, RVL_ERR_FORMAT, "tokenizer without a vocabulary, or with sizes out of range");
    m->max_tok = (int)max_tok;
    opts.max_word_chars = (int)max_word_chars;
    return rvl_tokenizer_parse(&m->tokenizer, vocab, strlen(vocab), opts, err);
}

/** All entries; messages without the path. */
static rvl_status metadata_parse(rvl_model *m, const rvl_safetensors *file, rvl_error *err)
{
    const char *schema = rvl_safetensors_metadata(file, "schema");
    json_t     *arch = NULL;
    json_t     *tokenizer = NULL;
    json_t     *extra = NULL;
    rvl_status  st = metadata_get_json(&m->preprocess, file, "preprocess", err);

    if (!st && schema)
        st = rvl_schema_parse(&m->schema, schema, strlen(schema), "schema", err);
    if (!st)
        st = metadata_get_json(&tokenizer, file, "tokenizer", err);
    if (!st && tokenizer)
        st = tokenizer_parse(m, tokenizer, err);
    if (!st)
        st = metadata_get_json(&extra, file, "extra", err);
    if (!st && extra) {
        json_decref(m->extra);
        m->extra = json_incref(extra);
    }
    if (!st)
        st = metadata_get_json(&arch, file, "architecture", err);
    if (!st)
        st = arch ? rvl__arch_parse(m, arch, err) : rvl_fail(err, RVL_ERR_FORMAT, "it has no architecture");
    json_decref(arch);
    json_decref(tokenizer);
    json_decref(extra);
    return st;
}

rvl_status rvl__bundle_metadata_read(rvl_model *m, const rvl_safetensors *file, const char *path, rvl_error *err)
{
    const char *format = file ? rvl_safetensors_metadata(file, "rvl.format") : NULL;
    rvl_status  st;

    if (!format)
        return rvl_fail(err, RVL_ERR_FORMAT,
                        "cannot load '%s': this is no rvl bundle (its metadata has no 'rvl.format')\n"
                        "hint: plain weight files are read with --image-tower or --text-tower",
                        path);
    if (!rvl_str_equal(format, BUNDLE_FORMAT))
        return rvl_fail(err, rvl_str_starts(format, "rvl.bundle/") ? RVL_ERR_UNSUPPORTED : RVL_ERR_FORMAT,
                        "cannot load '%s': its format is '%.40s', this program reads '%s'", path, format,
                        BUNDLE_FORMAT);
    st = metadata_parse(m, file, err);
    if (st)
        rvl_error_prefix(err, "cannot load '%s'", path);
    return st;
}

rvl_status rvl_bundle_load(rvl_model **out, const char *path, rvl_load_report *report, rvl_error *err)
{
    rvl_key_map      map = {.model_prefix = "", .file_prefix = "", .allow_missing = NULL};
    rvl_weight_file *file = NULL;
    rvl_model       *m = NULL;
    rvl_status       st;

    *out = NULL;
    if (report)
        *report = (rvl_load_report){0};
    st = rvl_weight_file_open(&file, path, err);
    if (!st)
        st = rvl_model_new(&m, 0, err);
    if (!st)
        st = rvl__bundle_metadata_read(m, rvl_weight_file_safetensors(file), path, err);
    if (!st)
        map.video_names = rvl_weight_file_find(file, RVL__VISUAL_PREFIX "stem.0.weight") != NULL;
    if (!st)
        st = rvl__load_keys(m, file, path, &map, report, err);
    if (!st)
        st = rvl_model_materialize(m, err);
    if (!st) {
        *out = m;
        m = NULL;
    }
    rvl_model_free(m);
    rvl_weight_file_close(file);
    return st;
}
