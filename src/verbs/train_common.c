/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verbs/train_common.c
 * The parts of a training run that do not depend on what is learned.
 */
#include "verbs/train_common.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "base/util.h"
#include <omp.h>
#include <stdio.h>
#include <string.h>

rvl_train_opts rvl__train_opts_default(void)
{
    return (rvl_train_opts){.split = "train",
                            .val_split = "val",
                            .runs = "runs",
                            .epochs = 30,
                            .batch_size = 16,
                            .lr = 3e-4,
                            .weight_decay = 0.05,
                            .beta1 = 0.9,
                            .beta2 = 0.98,
                            .warmup = 0.05,
                            .clip_grad = 1,
                            .augment = true,
                            .log_every = 10,
                            .keep_last = 3,
                            .eval_every = 1,
                            .in_channels = 1,
                            .width = 16,
                            .depth = "2,2,2,2",
                            .stem_kernel = 7,
                            .stem_stride = 2,
                            .stem_pool = true};
}

static rvl_status check_options(const rvl_train_opts *o, rvl_error *err)
{
    const struct {
        bool        bad;
        const char *what;
    } rules[] = {
        {o->epochs < 1, "--epochs is at least 1"},
        {o->batch_size < 1 || o->micro_batch < 0, "--batch-size is at least 1"},
        {o->micro_batch > 0 && o->batch_size % o->micro_batch != 0, "--micro-batch must divide --batch-size"},
        {!(o->lr > 0), "--lr is positive"},
        {o->weight_decay < 0 || o->clip_grad < 0, "--wd and --clip-grad are not negative"},
        {o->warmup < 0 || o->warmup > 1, "--warmup is a share of all steps, 0 to 1"},
        {o->beta1 < 0 || o->beta1 >= 1 || o->beta2 < 0 || o->beta2 >= 1, "--beta1 and --beta2 are in 0..1"},
        {o->log_every < 1 || o->eval_every < 1 || o->keep_last < 1,
         "--log-every, --eval-every and --keep-last are at least 1"},
        {o->save_every < 0 || o->keep_every < 0, "--save-every and --keep-every are not negative"},
        {o->in_channels != 1 && o->in_channels != 3, "--in-channels is 1 or 3"},
        {o->sum_channels && (o->in_channels != 1 || !o->image_tower),
         "--sum-channels is for an --image-tower of several channels that is to read one"},
        {o->width < 1 || o->stem_kernel < 1 || o->stem_stride < 1, "--width and the stem's sizes are at least 1"},
    };
    for (size_t i = 0; i < RVL_ARRAY_LEN(rules); i++)
        if (rules[i].bad)
            return rvl_fail(err, RVL_ERR_USAGE, "%s", rules[i].what);
    return RVL_OK;
}

rvl_status rvl__training_open(rvl_training *t, const rvl_train_opts *opts, rvl_error *err)
{
    rvl_status st = check_options(opts, err);

    memset(t, 0, sizeof *t);
    if (opts->threads > 0)
        omp_set_num_threads((int)opts->threads);
    if (!st)
        st = rvl_cohort_open(&t->cohort, opts->cohort, err);
    if (!st)
        st = rvl_cohort_cases(&t->train, t->cohort, opts->split, err);
    if (!st && opts->limit > 0 && t->train.n_cases > opts->limit)
        t->train.n_cases = opts->limit;
    t->has_validation = opts->val_split && *opts->val_split;
    if (!st && t->has_validation) {
        st = rvl_cohort_cases(&t->val, t->cohort, opts->val_split, err);
        if (st)
            rvl_error_prefix(err, "validation (--val-split \"\" trains without)");
    }
    return st;
}

void rvl__training_close(rvl_training *t)
{
    rvl_run_close(t->run);
    rvl_loader_free(t->loader);
    rvl_adamw_free(t->optimizer);
    rvl_model_free(t->m);
    rvl_case_list_fini(&t->train);
    rvl_case_list_fini(&t->val);
    rvl_cohort_close(t->cohort);
}

/* "2,2,2,2" or a name. */
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
    cfg->bottleneck = bottleneck;
    for (size_t i = 0; i < RVL_ARRAY_LEN(known); i++)
        if (strcmp(known[i].name, text) == 0) {
            memcpy(cfg->blocks, known[i].blocks, sizeof cfg->blocks);
            cfg->bottleneck = known[i].bottleneck;
            return RVL_OK;
        }
    int stage = 0;
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

/* A shape that was asked for and is not the bundle's must not be passed over: the default asks for nothing. */
static rvl_status check_shape(const rvl_resnet_config *asked, const rvl_resnet_config *has, const char *path,
                              rvl_error *err)
{
    const rvl_train_opts d = rvl__train_opts_default();
    rvl_resnet_config    def = {.width = (int)d.width,
                                .stem_kernel = (int)d.stem_kernel,
                                .stem_stride = (int)d.stem_stride,
                                .stem_pool = d.stem_pool};
    rvl_status           st = parse_depth(&def, d.depth, d.bottleneck, err);

    if (st)
        return st;
    const struct {
        const char *option;
        bool        differs;
    } rows[] = {
        {"--width", asked->width != def.width && asked->width != has->width},
        {"--depth", memcmp(asked->blocks, def.blocks, sizeof def.blocks) != 0 &&
                        memcmp(asked->blocks, has->blocks, sizeof def.blocks) != 0},
        {"--bottleneck", asked->bottleneck && !has->bottleneck},
        {"--stem-kernel", asked->stem_kernel != def.stem_kernel && asked->stem_kernel != has->stem_kernel},
        {"--stem-stride", asked->stem_stride != def.stem_stride && asked->stem_stride != has->stem_stride},
        {"--no-stem-pool", !asked->stem_pool && has->stem_pool},
    };
    for (size_t i = 0; i < RVL_ARRAY_LEN(rows); i++)
        if (rows[i].differs)
            return rvl_fail(err, RVL_ERR_SHAPE,
                            "the image tower '%s' has width %d and depth %d,%d,%d,%d, %s asks for another\nhint: leave "
                            "%s out, the file says its shape",
                            path, has->width, has->blocks[0], has->blocks[1], has->blocks[2], has->blocks[3],
                            rows[i].option, rows[i].option);
    return RVL_OK;
}

/* The tower is what its bundle says; with --sum-channels it reads one channel all the same. */
static rvl_status take_shape(rvl_image_config *ours, const rvl_image_config *theirs, const rvl_train_opts *opts,
                             const char *path, rvl_error *err)
{
    rvl_status st;

    if (theirs->n_spatial != ours->n_spatial)
        return rvl_fail(err, RVL_ERR_SHAPE, "the image tower '%s' reads images of %d axes, the cohort's have %d", path,
                        theirs->n_spatial, ours->n_spatial);
    if (opts->in_channels != rvl__train_opts_default().in_channels && opts->in_channels != theirs->in_channels)
        return rvl_fail(err, RVL_ERR_SHAPE,
                        "the image tower '%s' has in_channels %d, --in-channels asks for %d\nhint: leave --in-channels "
                        "out, the file says its shape",
                        path, theirs->in_channels, (int)opts->in_channels);
    st = check_shape(&ours->resnet, &theirs->resnet, path, err);
    if (st)
        return st;
    *ours = *theirs;
    if (opts->sum_channels)
        ours->in_channels = (int)opts->in_channels;
    return RVL_OK;
}

/* The tower's shape is the file's where the file is a bundle. */
static rvl_status take_tower(rvl_training *t, const rvl_train_opts *opts, rvl_error *err)
{
    char           *path = NULL;
    char           *which = NULL;
    rvl_model      *source = NULL;
    rvl_load_opts   load = {.allow_missing = opts->allow_missing, .sum_channels = opts->sum_channels};
    rvl_load_report report = {0};
    rvl_error       ignored = {0};
    rvl_status      st = rvl_bundle_resolve(&path, &which, opts->image_tower, err);

    if (!st && rvl_bundle_load(&source, path, &report, &ignored) == RVL_OK) {
        if (!source->has_image)
            st = rvl_fail(err, RVL_ERR_FORMAT, "'%s' has no image tower", path);
        else
            st = take_shape(&t->m->image, &source->image, opts, path, err);
        json_t *withheld = json_object_get(source->extra, "withheld");
        if (!st && withheld) {
            t->m->extra = t->m->extra ? t->m->extra : json_object();
            rvl_json_set(t->m->extra, "withheld", json_incref(withheld));
        }
        if (!st && source->preprocess && !json_equal(source->preprocess, t->m->preprocess))
            st = rvl_fail(err, RVL_ERR_STATE,
                          "the image tower '%s' was trained on images prepared differently than the cohort's\nhint: "
                          "rvl inspect shows both; ingest with the tower's grid and window",
                          path);
    }
    if (!st)
        st = rvl_model_load_tower(t->m, path, "visual", &load, &report, err);
    if (!st)
        rvl_log(RVL_LOG_INFO, "image tower from %s: %d keys matched, %d missing, %d unexpected%s%s",
                which ? which : path, report.n_matched, report.n_missing, report.n_unexpected,
                report.n_summed ? ", summed over its input channels: " : "", report.first_summed);
    rvl_model_free(source);
    rvl_free(path);
    rvl_free(which);
    return st;
}

rvl_status rvl__training_new_model(rvl_training *t, const rvl_train_opts *opts, rvl_error *err)
{
    rvl_status st = rvl_model_new(&t->m, (uint64_t)opts->seed, err);

    if (st)
        return st;
    t->m->has_image = true;
    t->m->image = (rvl_image_config){.n_spatial = rvl_cohort_preprocess(t->cohort)->depth > 1 ? 3 : 2,
                                     .in_channels = (int)opts->in_channels,
                                     .resnet = {.width = (int)opts->width,
                                                .stem_kernel = (int)opts->stem_kernel,
                                                .stem_stride = (int)opts->stem_stride,
                                                .stem_pool = opts->stem_pool}};
    st = parse_depth(&t->m->image.resnet, opts->depth, opts->bottleneck, err);
    if (!st)
        st = rvl_preprocess_to_json(&t->m->preprocess, rvl_cohort_preprocess(t->cohort), err);
    if (!st && rvl_cohort_schema(t->cohort))
        st = rvl_schema_parse(&t->m->schema, rvl_schema_yaml(rvl_cohort_schema(t->cohort)),
                              strlen(rvl_schema_yaml(rvl_cohort_schema(t->cohort))), "cohort schema", err);
    if (!st && opts->image_tower)
        st = take_tower(t, opts, err);
    return st;
}

rvl_status rvl__training_sizes(rvl_training *t, const rvl_train_opts *opts, rvl_error *err)
{
    t->batch = opts->batch_size;
    t->micro = opts->micro_batch > 0 ? opts->micro_batch : opts->batch_size;
    if (t->train.n_cases < t->batch)
        return rvl_fail(err, RVL_ERR_USAGE,
                        "split '%s' has %lld usable cases, fewer than one batch of %lld\nhint: give a "
                        "smaller --batch-size",
                        opts->split, (long long)t->train.n_cases, (long long)t->batch);
    return RVL_OK;
}

/* What a run must find again to be resumed; a tower of one channel prints as it did before there were others. */
static void tower_print(rvl_str *s, const rvl_image_config *image)
{
    const rvl_resnet_config *r = &image->resnet;

    if (image->in_channels != 1 || image->n_spatial != 2)
        rvl_str_addf(s, "%d,%d|", image->n_spatial, image->in_channels);
    rvl_str_addf(s, "%d,%d,%d,%d,%d,%d,%d,%d,%d|", r->width, r->blocks[0], r->blocks[1], r->blocks[2], r->blocks[3],
                 r->bottleneck, r->stem_kernel, r->stem_stride, r->stem_pool);
}

static rvl_status fingerprint(char out[33], const rvl_training *t, const rvl_train_opts *o, const char *recipe,
                              rvl_error *err)
{
    rvl_str    s = {0};
    char       grid[17];
    rvl_status st = rvl_preprocess_hash(grid, rvl_cohort_preprocess(t->cohort), err);

    if (st)
        return st;
    rvl_str_addf(&s, "%s|%s|%s|%lld|%lld|%lld|%.9g|%.9g|%.9g|%.9g|%.9g|%.9g|%lld|%d|%s|", recipe, grid, o->split,
                 (long long)o->epochs, (long long)t->batch, (long long)t->micro, o->lr, o->weight_decay, o->beta1,
                 o->beta2, o->warmup, o->clip_grad, (long long)o->seed, o->augment,
                 o->image_tower ? o->image_tower : "");
    tower_print(&s, &t->m->image);
    for (int64_t i = 0; i < t->train.n_cases; i++)
        rvl_str_addf(&s, "%s\n", t->train.cases[i].case_id);
    if (s.failed)
        st = rvl_fail(err, RVL_ERR_NOMEM, "cannot open a run: out of memory");
    else
        rvl_hash128_hex(out, s.ptr, s.n_bytes);
    rvl_str_free(&s);
    return st;
}

rvl_status rvl__training_open_run(rvl_training *t, const rvl_train_opts *opts, const char *verb, const char *recipe,
                                  rvl_error *err)
{
    char         print[33];
    rvl_run_opts run = {.runs = opts->runs,
                        .name = opts->name,
                        .verb = verb,
                        .resume = opts->resume,
                        .config_json = opts->config_json,
                        .argv_text = opts->argv_text,
                        .fingerprint = print,
                        .seed = (uint64_t)opts->seed};
    rvl_status   st = fingerprint(print, t, opts, recipe, err);
    if (!st)
        st = rvl_run_open(&t->run, &run, err);
    if (st)
        return st;
    const char *from = rvl_run_resume_from(t->run, NULL);
    if (!from)
        return RVL_OK;
    char           *path = rvl_path_join(from, "model.safetensors");
    rvl_model      *restored = NULL;
    rvl_load_report report;
    st = path ? rvl_bundle_load(&restored, path, &report, err) : rvl_fail(err, RVL_ERR_NOMEM, "out of memory");
    rvl_free(path);
    if (st)
        return st;
    for (int i = 0; i < rvl_params_count(restored->params); i++) { /* frozen stays frozen */
        rvl_param *p = rvl_params_at(restored->params, i);
        rvl_param *was = rvl_params_find(t->m->params, rvl_param_name(p));
        if (was)
            rvl_param_set_trainable(p, rvl_param_trainable(was));
    }
    rvl_model_free(t->m);
    t->m = restored;
    return RVL_OK;
}

rvl_status rvl__training_prepare(rvl_training *t, const rvl_train_opts *opts, rvl_error *err)
{
    rvl_adamw_opts  adamw = {opts->beta1, opts->beta2, 1e-8, 1, {{1, opts->weight_decay}}};
    rvl_loader_opts loader = {.batch_size = (int)t->batch,
                              .images_per_study = 1,
                              .shuffle = true,
                              .drop_last = true,
                              .augment = opts->augment,
                              .augmentation = rvl_augment_default(),
                              .seed = (uint64_t)opts->seed,
                              .n_threads = 1};
    rvl_status      st = rvl_adamw_new(&t->optimizer, t->m->params, adamw, err);
    const char     *from = rvl_run_resume_from(t->run, NULL);

    if (!st && from) {
        char *path = rvl_path_join(from, "optimizer.safetensors");
        st = path ? rvl_adamw_load(t->optimizer, path, err) : rvl_fail(err, RVL_ERR_NOMEM, "out of memory");
        rvl_free(path);
    }
    if (!st)
        st = rvl_loader_new(&t->loader, t->cohort, &t->train, loader, err);
    return st;
}

rvl_status rvl__training_run(rvl_train_result *out, rvl_training *t, const rvl_train_opts *opts, const rvl_task *task,
                             rvl_error *err)
{
    rvl_loop_opts   loop = {.n_epochs = opts->epochs,
                            .lr = opts->lr,
                            .warmup = opts->warmup,
                            .clip_grad = opts->clip_grad,
                            .log_every = opts->log_every,
                            .eval_every = opts->eval_every,
                            .save_every = opts->save_every,
                            .keep_last = opts->keep_last,
                            .keep_every = opts->keep_every,
                            .has_validation = t->has_validation};
    rvl_loop_result result = {0};
    rvl_status      st = rvl_loop_run(&result, task, t->m, t->optimizer, t->loader, t->run, &loop, err);

    snprintf(out->run, sizeof out->run, "%s", rvl_run_path(t->run));
    snprintf(out->metric, sizeof out->metric, "%s", task->metric);
    out->n_steps = result.n_steps;
    out->n_epochs = result.n_epochs;
    out->best_step = result.best_step;
    out->best_value = result.best_value;
    out->last_loss = result.last_loss;
    out->seconds = result.seconds;
    return st;
}

void rvl__training_log_plan(const rvl_training *t, rvl_plan_stats s)
{
    const double mib = 1048576.0;
    rvl_log(RVL_LOG_INFO, "plan: weights %.1f MiB, gradients and optimizer %.1f, activations %.1f (%.1f without reuse)",
            (double)s.weight_bytes / mib, (double)rvl_adamw_bytes(t->optimizer) / mib, (double)s.arena_bytes / mib,
            (double)s.unshared_bytes / mib);
}

void rvl__training_note(rvl_training *t, const rvl_train_opts *opts, const char *verb)
{
    json_t *extra = t->m->extra ? t->m->extra : json_object();
    t->m->extra = extra;
    rvl_json_set(extra, "verb", json_string(verb));
    rvl_json_set(extra, "version", json_string(RVL_VERSION));
    rvl_json_set(extra, "seed", json_integer(opts->seed));
    rvl_json_set(extra, "bn_group", json_integer(t->micro));
    rvl_json_set(extra, "train_cases", json_integer(t->train.n_cases));
    rvl_json_set(extra, "split", json_string(opts->split));
}
