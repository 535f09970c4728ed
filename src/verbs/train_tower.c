/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verbs/train_tower.c
 * Image towers by name or by sizes, and taken over from files.
 */
#include "verbs/train_tower.h"
#include "base/alloc.h"
#include "base/json.h"
#include "base/log.h"
#include "verbs/train_common.h"
#include <stdio.h>
#include <string.h>

#define DEFAULT_PATCH 16

/** Towers with a name: torchvision's and timm's of the same name; r3d_18 and r3d_18_lite with the stem of MPS-CT and
 *  GreenRFM (2 or 4 voxels a side) in place of video's, r3d_18_video with it, i3_resnet152 as Merlin and Astra inflate
 * it. */
static const struct {
    const char             *name;
    rvl_image_kind          kind;
    int                     n_spatial; /* what it reads, 0: either */
    rvl_resnet_config       resnet;
    rvl_vit_config          vit;
    rvl_efficientnet_config efficientnet;
} presets[] = {
    {.name = "resnet18", .resnet = {64, {2, 2, 2, 2}, false, 7, 2, true, 0, 0}},
    {.name = "resnet34", .resnet = {64, {3, 4, 6, 3}, false, 7, 2, true, 0, 0}},
    {.name = "resnet50", .resnet = {64, {3, 4, 6, 3}, true, 7, 2, true, 0, 0}},
    {.name = "r3d_18", .n_spatial = 3, .resnet = {64, {2, 2, 2, 2}, false, 2, 2, false, 0, 0}},
    {.name = "r3d_18_lite", .n_spatial = 3, .resnet = {64, {2, 2, 2, 2}, false, 4, 4, false, 0, 0}},
    {.name = "r3d_18_video", .n_spatial = 3, .resnet = {64, {2, 2, 2, 2}, false, 7, 2, false, 3, 1}},
    {.name = "i3_resnet152", .n_spatial = 3, .resnet = {64, {3, 8, 36, 3}, true, 7, 2, true, 3, 1}},
    {.name = "vit_tiny", .kind = RVL_IMAGE_VIT, .vit = {.hidden = 192, .n_layers = 12, .n_heads = 3}},
    {.name = "vit_small", .kind = RVL_IMAGE_VIT, .vit = {.hidden = 384, .n_layers = 12, .n_heads = 6}},
    {.name = "vit_base", .kind = RVL_IMAGE_VIT, .vit = {.hidden = 768, .n_layers = 12, .n_heads = 12}},
    {.name = "efficientnet_lite0",
     .kind = RVL_IMAGE_EFFICIENTNET,
     .efficientnet = {32, {1, 2, 2, 3, 3, 4, 1}, {16, 24, 40, 80, 112, 192, 320}, 1280}},
};

/** "2,2,2,2" or a name. */
static rvl_status parse_depth(rvl_resnet_config *cfg, const char *text, bool bottleneck, rvl_error *err)
{
    static const struct {
        const char *name;
        int         blocks[4];
        bool        bottleneck;
    } known[] = {{"resnet18", {2, 2, 2, 2}, false},
                 {"resnet34", {3, 4, 6, 3}, false},
                 {"resnet50", {3, 4, 6, 3}, true},
                 {"resnet101", {3, 4, 23, 3}, true}};
    int stage = 0;

    cfg->bottleneck = bottleneck;
    for (size_t i = 0; i < RVL_ARRAY_LEN(known); i++)
        if (strcmp(known[i].name, text) == 0) {
            memcpy(cfg->blocks, known[i].blocks, sizeof cfg->blocks);
            cfg->bottleneck = known[i].bottleneck;
            return RVL_OK;
        }
    for (const char *c = text; stage < 4; stage++) {
        int value = 0;
        int n_digits = 0;
        for (; *c >= '0' && *c <= '9' && n_digits < 3; c++, n_digits++)
            value = 10 * value + (*c - '0');
        if (n_digits == 0 || (*c && *c != ','))
            break;
        cfg->blocks[stage] = value;
        if (*c == '\0')
            return cfg->blocks[0] > 0 ? RVL_OK
                                      : rvl_fail(err, RVL_ERR_USAGE, "--depth needs a block in the first stage");
        c++;
    }
    return rvl_fail(err, RVL_ERR_USAGE,
                    "--depth is up to four counts like 2,2,2,2 or resnet18, resnet34, resnet50, not '%s'", text);
}

static rvl_status check_options(const rvl_train_opts *o, bool is_vit, rvl_error *err)
{
    const struct {
        bool        bad;
        const char *what;
    } rules[] = {
        {o->width < 1 || o->stem_kernel < 1 || o->stem_stride < 1, "--width and the stem's sizes are at least 1"},
        {o->in_channels != 1 && o->in_channels != 3, "--in-channels is 1 or 3"},
        {o->sum_channels && (o->in_channels != 1 || !o->image_tower),
         "--sum-channels is for an --image-tower of several channels that is to read one"},
        {!is_vit && (o->patch || o->image_pooling),
         "--patch and --image-pooling are for a vision transformer (--arch vit_tiny)"},
        {o->patch < 0 || o->patch > 1024, "--patch is 1 to 1024"},
        {o->image_pooling && !rvl_str_equal(o->image_pooling, "cls") && !rvl_str_equal(o->image_pooling, "mean"),
         "--image-pooling is cls or mean"},
    };
    for (size_t i = 0; i < RVL_ARRAY_LEN(rules); i++)
        if (rules[i].bad)
            return rvl_fail(err, RVL_ERR_USAGE, "%s", rules[i].what);
    return RVL_OK;
}

/** What of a vision transformer does not stand in the preset. */
static rvl_status vit_complete(rvl_vit_config *cfg, const rvl_train_opts *o, const rvl_preprocess *grid, rvl_error *err)
{
    cfg->patch = o->patch ? (int)o->patch : DEFAULT_PATCH;
    cfg->intermediate = 4 * cfg->hidden;
    cfg->image_height = (int)grid->height;
    cfg->image_width = (int)grid->width;
    cfg->pooling = rvl_str_equal(o->image_pooling, "mean") ? RVL_POOLING_MEAN : RVL_POOLING_CLS;
    if (cfg->image_height % cfg->patch || cfg->image_width % cfg->patch)
        return rvl_fail(err, RVL_ERR_USAGE,
                        "the cohort's images of %d x %d do not divide into patches of side %d\nhint: give another "
                        "--patch, or ingest with another grid",
                        cfg->image_height, cfg->image_width, cfg->patch);
    return RVL_OK;
}

rvl_status rvl__tower_configure(rvl_image_config *out, const rvl_train_opts *o, const rvl_preprocess *grid,
                                rvl_error *err)
{
    const bool has_arch = o->arch && *o->arch;
    size_t     i = 0;
    rvl_status st;

    *out = (rvl_image_config){.n_spatial = grid->depth > 1 ? 3 : 2, .in_channels = (int)o->in_channels};
    while (has_arch && i < RVL_ARRAY_LEN(presets) && !rvl_str_equal(presets[i].name, o->arch))
        i++;
    if (i == RVL_ARRAY_LEN(presets))
        return rvl_fail(err, RVL_ERR_USAGE,
                        "--arch is resnet18, resnet34, resnet50, r3d_18, r3d_18_lite, r3d_18_video, i3_resnet152, "
                        "vit_tiny, vit_small, vit_base "
                        "or efficientnet_lite0, not '%s'",
                        o->arch);
    st = check_options(o, has_arch && presets[i].kind == RVL_IMAGE_VIT, err);
    if (st)
        return st;
    if (!has_arch) {
        out->resnet = (rvl_resnet_config){.width = (int)o->width,
                                          .stem_kernel = (int)o->stem_kernel,
                                          .stem_stride = (int)o->stem_stride,
                                          .stem_pool = o->stem_pool};
        return parse_depth(&out->resnet, o->depth, o->bottleneck, err);
    }
    out->kind = presets[i].kind;
    if (out->n_spatial == 3 && out->kind != RVL_IMAGE_RESNET)
        return rvl_fail(err, RVL_ERR_USAGE,
                        "--arch %s reads images, the cohort holds volumes\nhint: a ResNet reads both", o->arch);
    if (out->n_spatial == 2 && presets[i].n_spatial == 3)
        return rvl_fail(err, RVL_ERR_USAGE,
                        "--arch %s reads volumes, the cohort holds images\nhint: resnet18 is its like in 2-D", o->arch);
    out->resnet = presets[i].resnet;
    out->vit = presets[i].vit;
    out->efficientnet = presets[i].efficientnet;
    return out->kind == RVL_IMAGE_VIT ? vit_complete(&out->vit, o, grid, err) : RVL_OK;
}

/** A tower in a few words. */
static void tower_text(char out[128], const rvl_image_config *cfg)
{
    const rvl_resnet_config *r = &cfg->resnet;

    if (cfg->kind == RVL_IMAGE_VIT)
        snprintf(out, 128, "is a vision transformer of %d layers and width %d on patches of %d", cfg->vit.n_layers,
                 cfg->vit.hidden, cfg->vit.patch);
    else if (cfg->kind == RVL_IMAGE_EFFICIENTNET)
        snprintf(out, 128, "is an EfficientNet of width %d", cfg->efficientnet.head_channels);
    else
        snprintf(out, 128, "has width %d and depth %d,%d,%d,%d", r->width, r->blocks[0], r->blocks[1], r->blocks[2],
                 r->blocks[3]);
}

static bool resnets_equal(const rvl_resnet_config *a, const rvl_resnet_config *b)
{
    return a->width == b->width && memcmp(a->blocks, b->blocks, sizeof a->blocks) == 0 &&
           a->bottleneck == b->bottleneck && a->stem_kernel == b->stem_kernel && a->stem_stride == b->stem_stride &&
           a->stem_pool == b->stem_pool && a->stem_depth_kernel == b->stem_depth_kernel &&
           a->stem_depth_stride == b->stem_depth_stride;
}

static bool towers_equal(const rvl_image_config *a, const rvl_image_config *b)
{
    if (a->kind != b->kind)
        return false;
    switch (a->kind) {
    case RVL_IMAGE_VIT:
        return a->vit.hidden == b->vit.hidden && a->vit.n_layers == b->vit.n_layers && a->vit.n_heads == b->vit.n_heads;
    case RVL_IMAGE_EFFICIENTNET:
        return memcmp(&a->efficientnet, &b->efficientnet, sizeof a->efficientnet) == 0; /* integers: no padding */
    case RVL_IMAGE_RESNET:
        break;
    }
    return resnets_equal(&a->resnet, &b->resnet);
}

/** A shape that was asked for and is not the bundle's must not be passed over: the default asks for nothing. */
static rvl_status check_shape(const rvl_image_config *ours, const rvl_image_config *theirs, const rvl_train_opts *o,
                              const char *path, rvl_error *err)
{
    const rvl_train_opts     d = rvl__train_opts_default();
    const rvl_resnet_config *has = &theirs->resnet; /* zeros if they have another kind: no size is equal */
    const bool               is_vit = theirs->kind == RVL_IMAGE_VIT;
    const bool               has_arch = o->arch && *o->arch;
    const bool               is_resnet = theirs->kind == RVL_IMAGE_RESNET;
    const bool same_depth = is_resnet && memcmp(ours->resnet.blocks, has->blocks, sizeof has->blocks) == 0;
    const bool pools_mean = theirs->vit.pooling == RVL_POOLING_MEAN;
    char       text[128];
    const struct {
        const char *option;
        bool        differs;
    } rows[] = {
        {"--arch", has_arch && !towers_equal(ours, theirs)},
        {"--width", o->width != d.width && o->width != has->width},
        {"--depth", !has_arch && !rvl_str_equal(o->depth, d.depth) && !same_depth},
        {"--bottleneck", o->bottleneck && !has->bottleneck},
        {"--stem-kernel", o->stem_kernel != d.stem_kernel && o->stem_kernel != has->stem_kernel},
        {"--stem-stride", o->stem_stride != d.stem_stride && o->stem_stride != has->stem_stride},
        {"--no-stem-pool", !o->stem_pool && (!is_resnet || has->stem_pool)},
        {"--patch", o->patch && (!is_vit || o->patch != theirs->vit.patch)},
        {"--image-pooling", o->image_pooling && (!is_vit || rvl_str_equal(o->image_pooling, "mean") != pools_mean)},
        {"--in-channels", o->in_channels != d.in_channels && o->in_channels != theirs->in_channels},
    };

    tower_text(text, theirs);
    for (size_t i = 0; i < RVL_ARRAY_LEN(rows); i++)
        if (rows[i].differs)
            return rvl_fail(err, RVL_ERR_SHAPE,
                            "the image tower '%s' %s and reads %d channel%s, %s asks for another\nhint: leave %s out, "
                            "the file says its shape",
                            path, text, theirs->in_channels, theirs->in_channels == 1 ? "" : "s", rows[i].option,
                            rows[i].option);
    if (theirs->n_spatial != ours->n_spatial)
        return rvl_fail(err, RVL_ERR_SHAPE, "the image tower '%s' reads images of %d axes, the cohort's have %d", path,
                        theirs->n_spatial, ours->n_spatial);
    return RVL_OK;
}

/** The tower is what its bundle says; with --sum-channels it reads one channel all the same. */
static rvl_status take_bundle(rvl_model *m, const rvl_model *source, const rvl_train_opts *opts, const char *path,
                              rvl_error *err)
{
    json_t    *withheld = json_object_get(source->extra, "withheld");
    rvl_status st;

    if (!source->has_image)
        return rvl_fail(err, RVL_ERR_FORMAT, "'%s' has no image tower", path);
    st = check_shape(&m->image, &source->image, opts, path, err);
    if (st)
        return st;
    m->image = source->image;
    if (opts->sum_channels)
        m->image.in_channels = (int)opts->in_channels;
    if (withheld) {
        m->extra = m->extra ? m->extra : json_object();
        rvl_json_set(m->extra, "withheld", json_incref(withheld));
    }
    if (source->preprocess && !json_equal(source->preprocess, m->preprocess))
        return rvl_fail(err, RVL_ERR_STATE,
                        "the image tower '%s' was trained on images prepared differently than the cohort's\nhint: "
                        "rvl inspect shows both; ingest with the tower's grid and window",
                        path);
    return RVL_OK;
}

rvl_status rvl__tower_open(rvl_tower_source *out, const char *run_or_file, rvl_error *err)
{
    rvl_load_report report;
    rvl_error       ignored = {0};

    *out = (rvl_tower_source){0};
    rvl_status st = rvl_bundle_resolve(&out->path, &out->which, run_or_file, err);
    if (!st && rvl_bundle_load(&out->bundle, out->path, &report, &ignored) == RVL_ERR_NOMEM)
        st = rvl_fail(err, RVL_ERR_NOMEM, "%s", ignored.text);
    return st;
}

void rvl__tower_close(rvl_tower_source *source)
{
    rvl_model_free(source->bundle);
    rvl_free(source->path);
    rvl_free(source->which);
}

rvl_status rvl__tower_load(rvl_model *m, const rvl_tower_source *source, const char *part, const rvl_load_opts *load,
                           rvl_error *err)
{
    rvl_load_report report = {0};
    rvl_status      st = rvl_model_load_tower(m, source->path, part, load, &report, err);

    if (!st)
        rvl_log(RVL_LOG_INFO, "%s tower from %s: %d keys matched, %d missing, %d unexpected%s%s%s%s%s%s%s%s%s%s",
                rvl_str_equal(part, "visual") ? "image" : part, source->which, report.n_matched, report.n_missing,
                report.n_unexpected, report.n_summed ? ", summed over its input channels: " : "", report.first_summed,
                report.n_resampled ? ", resampled: " : "", report.resampled,
                report.n_dropped ? ", made for color video and left out, it starts fresh: " : "", report.first_dropped,
                report.has_projection ? ", with its projection" : "",
                report.has_classifier ? ", with its classifier, whose findings are taken to be in the schema's order"
                                      : "",
                report.n_dead ? ", unused copies and empty tensors skipped, first " : "", report.first_dead);
    return st;
}

rvl_status rvl__tower_take(rvl_model *m, const rvl_train_opts *opts, int embed_dim, bool wants_classifier,
                           rvl_error *err)
{
    rvl_tower_source source;
    rvl_load_opts    load = {.allow_missing = opts->allow_missing,
                             .sum_channels = opts->sum_channels,
                             .embed_dim = embed_dim,
                             .n_classes = wants_classifier && m->schema ? rvl_schema_count(m->schema) : 0};
    rvl_status       st = rvl__tower_open(&source, opts->image_tower, err);

    if (!st && source.bundle)
        st = take_bundle(m, source.bundle, opts, source.path, err);
    if (!st)
        st = rvl__tower_load(m, &source, "visual", &load, err);
    rvl__tower_close(&source);
    return st;
}

static void efficientnet_print(rvl_str *out, const rvl_efficientnet_config *cfg)
{
    rvl_str_addf(out, "efficientnet,%d,%d", cfg->stem_channels, cfg->head_channels);
    for (int i = 0; i < RVL_EFFICIENTNET_STAGES; i++)
        rvl_str_addf(out, ",%d,%d", cfg->repeats[i], cfg->channels[i]);
    rvl_str_add(out, "|");
}

void rvl__tower_print(rvl_str *out, const rvl_image_config *cfg)
{
    const rvl_resnet_config *r = &cfg->resnet;
    const rvl_vit_config    *v = &cfg->vit;

    /* a tower of one channel prints as it did before there were others: older runs resume */
    if (cfg->in_channels != 1 || cfg->n_spatial != 2)
        rvl_str_addf(out, "%d,%d|", cfg->n_spatial, cfg->in_channels);
    if (cfg->kind == RVL_IMAGE_VIT)
        rvl_str_addf(out, "vit,%d,%d,%d,%d,%d,%d,%d,%d|", v->image_height, v->image_width, v->patch, v->hidden,
                     v->n_layers, v->n_heads, v->intermediate, v->pooling);
    else if (cfg->kind == RVL_IMAGE_EFFICIENTNET)
        efficientnet_print(out, &cfg->efficientnet);
    else
        rvl_str_addf(out, "%d,%d,%d,%d,%d,%d,%d,%d,%d|", r->width, r->blocks[0], r->blocks[1], r->blocks[2],
                     r->blocks[3], r->bottleneck, r->stem_kernel, r->stem_stride, r->stem_pool);
    if (r->stem_depth_kernel || r->stem_depth_stride)
        rvl_str_addf(out, "%d,%d|", r->stem_depth_kernel, r->stem_depth_stride);
}
