/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file model/arch.c
 * The architecture of a model as JSON. One table a part lists its integer fields: writing, reading and checking
 * follow it.
 */
#include "model/arch.h"
#include "base/json.h"
#include "base/str.h"
#include <stddef.h>

#define MAX_BLOCKS 1000
#define MAX_CHANNELS 8192

typedef struct {
    const char *name;
    size_t      offset;
    int         min, max;
} int_field;

#define IMAGE(field, min, max)                                                                                         \
    {                                                                                                                  \
#field, offsetof(rvl_image_config, field), min, max                                                            \
    }
static const int_field image_fields[] = {IMAGE(in_channels, 1, 1024)};
static const int_field rank_fields[] = {IMAGE(n_spatial, 2, 3)};
#define RESNET(field, min, max)                                                                                        \
    {                                                                                                                  \
#field, offsetof(rvl_resnet_config, field), min, max                                                           \
    }
static const int_field resnet_fields[] = {RESNET(width, 1, 8192), RESNET(stem_kernel, 1, 31),
                                          RESNET(stem_stride, 1, 16)};
static const int_field depth_fields[] = {RESNET(stem_depth_kernel, 0, 31), RESNET(stem_depth_stride, 0, 16)};
#define VIT(field, min, max)                                                                                           \
    {                                                                                                                  \
#field, offsetof(rvl_vit_config, field), min, max                                                              \
    }
static const int_field vit_fields[] = {VIT(image_height, 1, 65535),  VIT(image_width, 1, 65535), VIT(patch, 1, 1024),
                                       VIT(hidden, 1, 65536),        VIT(n_layers, 1, 1000),     VIT(n_heads, 1, 1024),
                                       VIT(intermediate, 1, 1000000)};
#define EFFICIENTNET(field, min, max)                                                                                  \
    {                                                                                                                  \
#field, offsetof(rvl_efficientnet_config, field), min, max                                                     \
    }
static const int_field efficientnet_fields[] = {EFFICIENTNET(stem_channels, 1, 8192),
                                                EFFICIENTNET(head_channels, 1, 65536)};
#define TEXT(field, min, max)                                                                                          \
    {                                                                                                                  \
#field, offsetof(rvl_bert_config, field), min, max                                                             \
    }
static const int_field text_fields[] = {
    TEXT(vocab_size, 5, 4000000),   TEXT(hidden, 1, 65536),          TEXT(n_layers, 1, 1000),  TEXT(n_heads, 1, 1024),
    TEXT(intermediate, 1, 1000000), TEXT(max_positions, 2, 1000000), TEXT(type_vocab, 1, 1024)};
#define CLIP(field, min, max)                                                                                          \
    {                                                                                                                  \
#field, offsetof(rvl_clip_config, field), min, max                                                             \
    }
static const int_field clip_fields[] = {CLIP(embed_dim, 1, 65536)};

static const char *const image_kind_names[] = {"resnet", "vit", "efficientnet"};
static const char *const pooling_names[] = {"cls", "mean", "last4", "pooler"};
#define N_VIT_POOLINGS 2 /* the first ones */
static const char *const similarity_names[] = {"cosine", "dot", "scaled"};

/** Add the fields to `out`; false without memory, or if `out` is NULL. */
static bool fields_format(json_t *out, const void *config, const int_field *fields, size_t n)
{
    bool ok = out != NULL;

    for (size_t i = 0; ok && i < n; i++)
        ok = rvl_json_set(out, fields[i].name, json_integer(*(const int *)((const char *)config + fields[i].offset)));
    return ok;
}

static rvl_status fields_check(const void *config, const char *part, const int_field *fields, size_t n, rvl_error *err)
{
    for (size_t i = 0; i < n; i++) {
        int value = *(const int *)((const char *)config + fields[i].offset);

        if (value < fields[i].min || value > fields[i].max)
            return rvl_fail(err, RVL_ERR_USAGE, "cannot build the model: %s.%s is %d, outside %d..%d", part,
                            fields[i].name, value, fields[i].min, fields[i].max);
    }
    return RVL_OK;
}

static rvl_status fields_parse(void *config, const json_t *object, const char *part, const int_field *fields, size_t n,
                               rvl_error *err)
{
    if (!json_is_object(object))
        return rvl_fail(err, RVL_ERR_FORMAT, "architecture: '%s' is not an object", part);
    for (size_t i = 0; i < n; i++) {
        const json_t *value = json_object_get(object, fields[i].name);
        json_int_t    number = json_integer_value(value);

        if (!json_is_integer(value) || number < fields[i].min || number > fields[i].max)
            return rvl_fail(err, RVL_ERR_FORMAT, "architecture: '%s.%s' is absent or not an integer in %d..%d", part,
                            fields[i].name, fields[i].min, fields[i].max);
        *(int *)((char *)config + fields[i].offset) = (int)number;
    }
    return RVL_OK;
}

static rvl_status name_parse(int *out, const json_t *object, const char *part, const char *key,
                             const char *const *names, int n_names, rvl_error *err)
{
    const char *text = rvl_json_get_string(object, key, "");

    for (int i = 0; i < n_names; i++)
        if (rvl_str_equal(text, names[i])) {
            *out = i;
            return RVL_OK;
        }
    return rvl_fail(err, RVL_ERR_FORMAT, "architecture: '%s.%s' has the unknown value '%.40s'", part, key, text);
}

static bool counts_format(json_t *out, const char *name, const int *counts, int n)
{
    json_t *array = json_array();
    bool    ok = array != NULL;

    for (int i = 0; ok && i < n; i++)
        ok = json_array_append_new(array, json_integer(counts[i])) == 0;
    if (!ok)
        json_decref(array);
    return ok && rvl_json_set(out, name, array);
}

/** An array of `n` integers in 0..max. */
static rvl_status counts_parse(int *counts, int n, int max, const json_t *image, const char *name, rvl_error *err)
{
    const json_t *array = json_object_get(image, name);

    if (json_array_size(array) != (size_t)n)
        return rvl_fail(err, RVL_ERR_FORMAT, "architecture: 'image.%s' is not an array of %d", name, n);
    for (int i = 0; i < n; i++) {
        const json_t *value = json_array_get(array, (size_t)i);

        if (!json_is_integer(value) || json_integer_value(value) < 0 || json_integer_value(value) > max)
            return rvl_fail(err, RVL_ERR_FORMAT, "architecture: 'image.%s' holds something outside 0..%d", name, max);
        counts[i] = (int)json_integer_value(value);
    }
    return RVL_OK;
}

/** Blocks a stage: not all 0, none outside 0..1000. */
static rvl_status blocks_check(const int *blocks, int n, const char *name, rvl_error *err)
{
    bool none = true;

    for (int i = 0; i < n; i++) {
        if (blocks[i] < 0 || blocks[i] > MAX_BLOCKS)
            return rvl_fail(err, RVL_ERR_USAGE, "cannot build the model: image.%s[%d] is %d, outside 0..%d", name, i,
                            blocks[i], MAX_BLOCKS);
        none = none && blocks[i] == 0;
    }
    return none ? rvl_fail(err, RVL_ERR_USAGE, "cannot build the model: image.%s leaves every stage out", name)
                : RVL_OK;
}

/** A stem with sizes of its own along D; only then does the architecture name them. */
static bool has_depth_stem(const rvl_resnet_config *cfg)
{
    return cfg->stem_depth_kernel != 0 || cfg->stem_depth_stride != 0;
}

static bool resnet_format(json_t *image, const rvl_resnet_config *cfg)
{
    return fields_format(image, cfg, resnet_fields, RVL_ARRAY_LEN(resnet_fields)) &&
           rvl_json_set(image, "bottleneck", json_boolean(cfg->bottleneck)) &&
           rvl_json_set(image, "stem_pool", json_boolean(cfg->stem_pool)) &&
           (!has_depth_stem(cfg) || fields_format(image, cfg, depth_fields, RVL_ARRAY_LEN(depth_fields))) &&
           counts_format(image, "blocks", cfg->blocks, RVL_ARRAY_LEN(cfg->blocks));
}

static bool vit_format(json_t *image, const rvl_vit_config *cfg)
{
    return fields_format(image, cfg, vit_fields, RVL_ARRAY_LEN(vit_fields)) &&
           rvl_json_set(image, "pooling", json_string(pooling_names[cfg->pooling]));
}

static bool efficientnet_format(json_t *image, const rvl_efficientnet_config *cfg)
{
    return fields_format(image, cfg, efficientnet_fields, RVL_ARRAY_LEN(efficientnet_fields)) &&
           counts_format(image, "repeats", cfg->repeats, RVL_EFFICIENTNET_STAGES) &&
           counts_format(image, "channels", cfg->channels, RVL_EFFICIENTNET_STAGES);
}

static bool kind_format(json_t *image, const rvl_image_config *cfg)
{
    switch (cfg->kind) {
    case RVL_IMAGE_VIT:
        return vit_format(image, &cfg->vit);
    case RVL_IMAGE_EFFICIENTNET:
        return efficientnet_format(image, &cfg->efficientnet);
    case RVL_IMAGE_RESNET:
        break;
    }
    return resnet_format(image, &cfg->resnet);
}

static bool image_format(json_t *arch, const rvl_image_config *cfg)
{
    json_t *image = json_object();
    bool    ok = image && rvl_json_set(image, "type", json_string(image_kind_names[cfg->kind])) &&
              fields_format(image, cfg, rank_fields, RVL_ARRAY_LEN(rank_fields)) &&
              fields_format(image, cfg, image_fields, RVL_ARRAY_LEN(image_fields)) && kind_format(image, cfg);

    if (!ok)
        json_decref(image);
    return ok && rvl_json_set(arch, "image", image);
}

static bool text_format(json_t *arch, const rvl_bert_config *cfg)
{
    json_t *text = json_object();
    bool    ok = fields_format(text, cfg, text_fields, RVL_ARRAY_LEN(text_fields)) &&
              rvl_json_set(text, "type", json_string("bert")) &&
              rvl_json_set(text, "layer_norm_eps", rvl_json_real(cfg->layer_norm_eps)) &&
              rvl_json_set(text, "dropout", rvl_json_real(cfg->dropout)) &&
              rvl_json_set(text, "pooling", json_string(pooling_names[cfg->pooling]));

    if (!ok)
        json_decref(text);
    return ok && rvl_json_set(arch, "text", text);
}

static bool clip_format(json_t *arch, const rvl_clip_config *cfg)
{
    json_t *clip = json_object();
    bool    ok = fields_format(clip, cfg, clip_fields, RVL_ARRAY_LEN(clip_fields)) &&
              rvl_json_set(clip, "similarity", json_string(similarity_names[cfg->similarity])) &&
              rvl_json_set(clip, "learn_temperature", json_boolean(cfg->learn_temperature)) &&
              rvl_json_set(clip, "temperature", rvl_json_real(cfg->temperature)) &&
              (!cfg->label_head || rvl_json_set(clip, "label_head", json_true()));

    if (!ok)
        json_decref(clip);
    return ok && rvl_json_set(arch, "clip", clip);
}

json_t *rvl__arch_format(const rvl_model *m)
{
    json_t *arch = json_object();
    bool    ok = arch != NULL;

    ok = ok && (!m->has_image || image_format(arch, &m->image));
    ok = ok && (!m->has_text || text_format(arch, &m->text));
    ok = ok && (!m->has_head || rvl_json_set(arch, "head", json_true()));
    ok = ok && (!m->has_clip || clip_format(arch, &m->clip));
    if (!ok) {
        json_decref(arch);
        return NULL;
    }
    return arch;
}

static rvl_status resnet_parse(rvl_resnet_config *cfg, const json_t *image, rvl_error *err)
{
    rvl_status st = fields_parse(cfg, image, "image", resnet_fields, RVL_ARRAY_LEN(resnet_fields), err);

    if (!st)
        st = counts_parse(cfg->blocks, RVL_ARRAY_LEN(cfg->blocks), MAX_BLOCKS, image, "blocks", err);
    cfg->stem_depth_kernel = cfg->stem_depth_stride = 0;
    if (!st && json_object_get(image, depth_fields[0].name))
        st = fields_parse(cfg, image, "image", depth_fields, RVL_ARRAY_LEN(depth_fields), err);
    cfg->bottleneck = rvl_json_get_bool(image, "bottleneck", false);
    cfg->stem_pool = rvl_json_get_bool(image, "stem_pool", false);
    return st;
}

static rvl_status vit_parse(rvl_vit_config *cfg, const json_t *image, rvl_error *err)
{
    int        pooling = 0;
    rvl_status st = fields_parse(cfg, image, "image", vit_fields, RVL_ARRAY_LEN(vit_fields), err);

    if (!st)
        st = name_parse(&pooling, image, "image", "pooling", pooling_names, N_VIT_POOLINGS, err);
    cfg->pooling = (rvl_pooling)pooling;
    return st;
}

static rvl_status efficientnet_parse(rvl_efficientnet_config *cfg, const json_t *image, rvl_error *err)
{
    rvl_status st = fields_parse(cfg, image, "image", efficientnet_fields, RVL_ARRAY_LEN(efficientnet_fields), err);

    if (!st)
        st = counts_parse(cfg->repeats, RVL_EFFICIENTNET_STAGES, MAX_BLOCKS, image, "repeats", err);
    return st ? st : counts_parse(cfg->channels, RVL_EFFICIENTNET_STAGES, MAX_CHANNELS, image, "channels", err);
}

/** Bundles of the first versions name no rank (2), and a tower without a type is a ResNet. */
static rvl_status image_parse(rvl_image_config *cfg, const json_t *image, rvl_error *err)
{
    const char *type = rvl_json_get_string(image, "type", image_kind_names[RVL_IMAGE_RESNET]);
    int         kind = -1;
    rvl_status  st = fields_parse(cfg, image, "image", image_fields, RVL_ARRAY_LEN(image_fields), err);

    cfg->n_spatial = 2;
    if (!st && json_object_get(image, "n_spatial"))
        st = fields_parse(cfg, image, "image", rank_fields, RVL_ARRAY_LEN(rank_fields), err);
    for (int i = 0; i < (int)RVL_ARRAY_LEN(image_kind_names); i++)
        if (rvl_str_equal(type, image_kind_names[i]))
            kind = i;
    if (!st && kind < 0)
        st = rvl_fail(err, RVL_ERR_UNSUPPORTED, "architecture: image tower of the unknown type '%.40s'", type);
    if (st)
        return st;
    cfg->kind = (rvl_image_kind)kind;
    switch (cfg->kind) {
    case RVL_IMAGE_VIT:
        return vit_parse(&cfg->vit, image, err);
    case RVL_IMAGE_EFFICIENTNET:
        return efficientnet_parse(&cfg->efficientnet, image, err);
    case RVL_IMAGE_RESNET:
        break;
    }
    return resnet_parse(&cfg->resnet, image, err);
}

static rvl_status text_parse(rvl_bert_config *cfg, const json_t *text, rvl_error *err)
{
    int        pooling = 0;
    rvl_status st = fields_parse(cfg, text, "text", text_fields, RVL_ARRAY_LEN(text_fields), err);

    if (!st && !rvl_str_equal(rvl_json_get_string(text, "type", ""), "bert"))
        return rvl_fail(err, RVL_ERR_UNSUPPORTED, "architecture: text tower of the unknown type '%.40s'",
                        rvl_json_get_string(text, "type", ""));
    if (!st)
        st = name_parse(&pooling, text, "text", "pooling", pooling_names, RVL_ARRAY_LEN(pooling_names), err);
    cfg->pooling = (rvl_pooling)pooling;
    cfg->layer_norm_eps = rvl_json_get_f64(text, "layer_norm_eps", 0);
    cfg->dropout = rvl_json_get_f64(text, "dropout", 0);
    return st;
}

static rvl_status clip_parse(rvl_clip_config *cfg, const json_t *clip, rvl_error *err)
{
    int        similarity = 0;
    rvl_status st = fields_parse(cfg, clip, "clip", clip_fields, RVL_ARRAY_LEN(clip_fields), err);

    if (!st)
        st =
            name_parse(&similarity, clip, "clip", "similarity", similarity_names, RVL_ARRAY_LEN(similarity_names), err);
    cfg->similarity = (rvl_similarity)similarity;
    cfg->label_head = rvl_json_get_bool(clip, "label_head", false);
    cfg->learn_temperature = rvl_json_get_bool(clip, "learn_temperature", false);
    cfg->temperature = rvl_json_get_f64(clip, "temperature", 0);
    return st;
}

rvl_status rvl__arch_parse(rvl_model *m, const json_t *arch, rvl_error *err)
{
    const json_t *image = json_object_get(arch, "image");
    const json_t *text = json_object_get(arch, "text");
    const json_t *clip = json_object_get(arch, "clip");
    rvl_status    st = RVL_OK;

    if (!json_is_object(arch))
        return rvl_fail(err, RVL_ERR_FORMAT, "architecture: not a JSON object");
    m->has_image = image != NULL;
    m->has_text = text != NULL;
    m->has_clip = clip != NULL;
    m->has_head = rvl_json_get_bool(arch, "head", false);
    if (image)
        st = image_parse(&m->image, image, err);
    if (!st && text)
        st = text_parse(&m->text, text, err);
    if (!st && clip)
        st = clip_parse(&m->clip, clip, err);
    return st ? st : rvl__arch_check(m, err);
}

static rvl_status text_check(const rvl_bert_config *cfg, rvl_error *err)
{
    rvl_status st = fields_check(cfg, "text", text_fields, RVL_ARRAY_LEN(text_fields), err);

    if (st)
        return st;
    if (cfg->hidden % cfg->n_heads)
        return rvl_fail(err, RVL_ERR_USAGE, "cannot build the model: text.hidden %d is no multiple of text.n_heads %d",
                        cfg->hidden, cfg->n_heads);
    if (cfg->pooling == RVL_POOLING_LAST4 && cfg->n_layers < 4)
        return rvl_fail(err, RVL_ERR_USAGE,
                        "cannot build the model: pooling over the last four layers needs four, text.n_layers is %d",
                        cfg->n_layers);
    if (!(cfg->layer_norm_eps > 0 && cfg->layer_norm_eps < 1))
        return rvl_fail(err, RVL_ERR_USAGE, "cannot build the model: text.layer_norm_eps %g is outside (0, 1)",
                        cfg->layer_norm_eps);
    if (!(cfg->dropout >= 0 && cfg->dropout < 1))
        return rvl_fail(err, RVL_ERR_USAGE, "cannot build the model: text.dropout %g is outside [0, 1)", cfg->dropout);
    return RVL_OK;
}

static rvl_status resnet_check(const rvl_resnet_config *cfg, rvl_error *err)
{
    rvl_status st = fields_check(cfg, "image", resnet_fields, RVL_ARRAY_LEN(resnet_fields), err);

    if (!st)
        st = fields_check(cfg, "image", depth_fields, RVL_ARRAY_LEN(depth_fields), err);
    return st ? st : blocks_check(cfg->blocks, RVL_ARRAY_LEN(cfg->blocks), "blocks", err);
}

static rvl_status vit_check(const rvl_vit_config *cfg, rvl_error *err)
{
    rvl_status st = fields_check(cfg, "image", vit_fields, RVL_ARRAY_LEN(vit_fields), err);

    if (st)
        return st;
    if (cfg->image_height % cfg->patch || cfg->image_width % cfg->patch)
        return rvl_fail(err, RVL_ERR_USAGE,
                        "cannot build the model: images of %d x %d do not divide into patches of side %d",
                        cfg->image_height, cfg->image_width, cfg->patch);
    if (cfg->hidden % cfg->n_heads)
        return rvl_fail(err, RVL_ERR_USAGE,
                        "cannot build the model: image.hidden %d is no multiple of image.n_heads %d", cfg->hidden,
                        cfg->n_heads);
    if ((int)cfg->pooling >= N_VIT_POOLINGS)
        return rvl_fail(err, RVL_ERR_USAGE, "cannot build the model: a vision transformer has no pooling '%s'",
                        pooling_names[cfg->pooling]);
    return RVL_OK;
}

static rvl_status efficientnet_check(const rvl_efficientnet_config *cfg, rvl_error *err)
{
    rvl_status st = fields_check(cfg, "image", efficientnet_fields, RVL_ARRAY_LEN(efficientnet_fields), err);

    if (!st)
        st = blocks_check(cfg->repeats, RVL_EFFICIENTNET_STAGES, "repeats", err);
    for (int i = 0; !st && i < RVL_EFFICIENTNET_STAGES; i++)
        if (cfg->repeats[i] > 0 && (cfg->channels[i] < 1 || cfg->channels[i] > MAX_CHANNELS))
            st = rvl_fail(err, RVL_ERR_USAGE, "cannot build the model: image.channels[%d] is %d, outside 1..%d", i,
                          cfg->channels[i], MAX_CHANNELS);
    return st;
}

static rvl_status image_check(const rvl_image_config *cfg, rvl_error *err)
{
    rvl_status st = fields_check(cfg, "image", image_fields, RVL_ARRAY_LEN(image_fields), err);

    if (!st)
        st = fields_check(cfg, "image", rank_fields, RVL_ARRAY_LEN(rank_fields), err);
    if (!st && cfg->kind != RVL_IMAGE_RESNET && cfg->n_spatial != 2)
        st = rvl_fail(err, RVL_ERR_USAGE, "cannot build the model: %s reads images of 2 axes, not %d",
                      cfg->kind == RVL_IMAGE_VIT ? "a vision transformer" : "an EfficientNet", cfg->n_spatial);
    if (st)
        return st;
    switch (cfg->kind) {
    case RVL_IMAGE_VIT:
        return vit_check(&cfg->vit, err);
    case RVL_IMAGE_EFFICIENTNET:
        return efficientnet_check(&cfg->efficientnet, err);
    case RVL_IMAGE_RESNET:
        break;
    }
    return resnet_check(&cfg->resnet, err);
}

rvl_status rvl__arch_check(const rvl_model *m, rvl_error *err)
{
    rvl_status st = RVL_OK;

    if (m->has_image)
        st = image_check(&m->image, err);
    if (!st && m->has_text)
        st = text_check(&m->text, err);
    if (!st && m->has_clip)
        st = fields_check(&m->clip, "clip", clip_fields, RVL_ARRAY_LEN(clip_fields), err);
    if (!st && m->has_clip && !(m->clip.temperature > 0 && m->clip.temperature < 1e6))
        st = rvl_fail(err, RVL_ERR_USAGE, "cannot build the model: clip.temperature %g is not positive",
                      m->clip.temperature);
    if (!st && m->has_clip && m->clip.label_head && !m->schema)
        st = rvl_fail(err, RVL_ERR_USAGE, "cannot build the model: a label head needs a finding schema");
    if (!st && m->has_head && ((!m->has_image && !m->has_text) || !m->schema))
        st = rvl_fail(err, RVL_ERR_USAGE, "cannot build the model: a head needs a tower and a finding schema");
    return st;
}
