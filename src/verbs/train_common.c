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
#include "cohort/labels.h"
#include "verbs/train_tower.h"
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
                            .lr_min = 0,
                            .lr_head = -1,
                            .lr_image = -1,
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
        {o->lr_min < 0 || o->lr_min > o->lr, "--lr-min is between 0 and --lr"},
        {o->crop_only && !o->augment, "--crop-only has no effect with --no-augment"},
        {o->steps < 0, "--steps is not negative"},
        {o->weight_decay < 0 || o->clip_grad < 0, "--wd and --clip-grad are not negative"},
        {o->warmup < 0 || o->warmup > 1, "--warmup is a share of all steps, 0 to 1"},
        {o->beta1 < 0 || o->beta1 >= 1 || o->beta2 < 0 || o->beta2 >= 1, "--beta1 and --beta2 are in 0..1"},
        {o->log_every < 1 || o->eval_every < 1 || o->keep_last < 1,
         "--log-every, --eval-every and --keep-last are at least 1"},
        {o->save_every < 0 || o->keep_every < 0, "--save-every and --keep-every are not negative"},
    };
    for (size_t i = 0; i < RVL_ARRAY_LEN(rules); i++)
        if (rules[i].bad)
            return rvl_fail(err, RVL_ERR_USAGE, "%s", rules[i].what);
    return RVL_OK;
}

static const char *const group_names[RVL_N_GROUPS] = {
    [RVL_GROUP_HEAD] = "head", [RVL_GROUP_IMAGE] = "image", [RVL_GROUP_TEXT] = "text"};

rvl_status rvl__training_set_group(rvl_training *t, int group, double lr, bool is_locked, const rvl_train_opts *opts,
                                   rvl_error *err)
{
    const char *name = group_names[group];
    const bool  is_given = lr < -1 || lr > -1;

    if (is_given && !(lr > 0))
        return rvl_fail(err, RVL_ERR_USAGE, "--lr-%s is positive", name);
    if (is_given && is_locked)
        return rvl_fail(err, RVL_ERR_USAGE, "--lr-%s has no effect with --lock-%s", name, name);
    t->lr[group] = is_given ? lr : opts->lr;
    t->is_locked[group] = is_locked;
    return RVL_OK;
}

void rvl__training_mark_weights(rvl_training *t)
{
    for (int i = 0; i < rvl_params_count(t->m->params); i++) {
        rvl_param  *p = rvl_params_at(t->m->params, i);
        const char *name = rvl_param_name(p);
        const int   group = rvl_str_starts(name, "visual.") ? RVL_GROUP_IMAGE
                            : rvl_str_starts(name, "text.") ? RVL_GROUP_TEXT
                                                            : RVL_GROUP_HEAD;
        rvl_param_set_group(p, group);
        rvl_param_set_trainable(p, !t->is_locked[group]);
    }
}

rvl_status rvl__training_begin(rvl_training *t, const rvl_train_opts *opts, rvl_error *err)
{
    rvl_status st = check_options(opts, err);

    memset(t, 0, sizeof *t);
    t->lr[RVL_GROUP_TEXT] = opts->lr;
    if (!st)
        st = rvl__training_set_group(t, RVL_GROUP_HEAD, opts->lr_head, false, opts, err);
    if (!st)
        st = rvl__training_set_group(t, RVL_GROUP_IMAGE, opts->lr_image, opts->lock_image, opts, err);
    if (opts->threads > 0)
        omp_set_num_threads((int)opts->threads);
    return st;
}

rvl_status rvl__training_open(rvl_training *t, const rvl_train_opts *opts, rvl_error *err)
{
    rvl_status st = rvl__training_begin(t, opts, err);

    if (!st)
        st = rvl_cohort_open(&t->cohort, opts->cohort, err);
    if (!st && opts->labels)
        st = rvl_cohort_use_labels(t->cohort, opts->labels, err);
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

rvl_status rvl__training_new_model(rvl_training *t, const rvl_train_opts *opts, int embed_dim, bool wants_classifier,
                                   rvl_error *err)
{
    rvl_status st = rvl_model_new(&t->m, (uint64_t)opts->seed, err);

    if (st)
        return st;
    t->m->has_image = true;
    st = rvl__tower_configure(&t->m->image, opts, rvl_cohort_preprocess(t->cohort), err);
    if (!st)
        st = rvl_preprocess_to_json(&t->m->preprocess, rvl_cohort_preprocess(t->cohort), err);
    if (!st && rvl_cohort_schema(t->cohort))
        st = rvl_schema_parse(&t->m->schema, rvl_schema_yaml(rvl_cohort_schema(t->cohort)),
                              strlen(rvl_schema_yaml(rvl_cohort_schema(t->cohort))), "cohort schema", err);
    if (!st && opts->image_tower)
        st = rvl__tower_take(t->m, opts, embed_dim, wants_classifier, err);
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

static rvl_status fingerprint(char out[33], const rvl_training *t, const rvl_train_opts *o, const char *recipe,
                              rvl_error *err)
{
    rvl_str    s = {0};
    char       grid[17] = "text";
    rvl_status st = t->m->has_image ? rvl_preprocess_hash(grid, rvl_cohort_preprocess(t->cohort), err) : RVL_OK;

    if (st)
        return st;
    rvl_str_addf(&s, "%s|%s|%s|%lld|%lld|%lld|%.9g|%.9g|%.9g|%.9g|%.9g|%.9g|%lld|%d|%s|", recipe, grid, o->split,
                 (long long)o->epochs, (long long)t->batch, (long long)t->micro, o->lr, o->weight_decay, o->beta1,
                 o->beta2, o->warmup, o->clip_grad, (long long)o->seed, o->augment,
                 o->image_tower ? o->image_tower : "");
    if (t->m->has_image)
        rvl__tower_print(&s, &t->m->image);
    if (o->lr_min > 0 || o->steps > 0) /* runs of before have neither */
        rvl_str_addf(&s, "min:%.9g,steps:%lld|", o->lr_min, (long long)o->steps);
    if (o->crop_only)
        rvl_str_add(&s, "crop-only|");
    for (int i = 0; i < RVL_N_GROUPS; i++) /* only where it differs: runs of before go on */
        if (t->lr[i] < o->lr || t->lr[i] > o->lr)
            rvl_str_addf(&s, "%s:%.9g|", group_names[i], t->lr[i]);
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
    rvl_model_free(t->m);
    t->m = restored;
    rvl__training_mark_weights(t);
    return RVL_OK;
}

rvl_status rvl__training_prepare(rvl_training *t, const rvl_train_opts *opts, rvl_error *err)
{
    rvl_adamw_opts  adamw = {.beta1 = opts->beta1,
                             .beta2 = opts->beta2,
                             .eps = 1e-8,
                             .n_groups = RVL_N_GROUPS,
                             .no_sum = t->micro == t->batch};
    rvl_loader_opts loader = {.batch_size = (int)t->batch,
                              .images_per_study = 1,
                              .shuffle = true,
                              .drop_last = true,
                              .augment = opts->augment,
                              .augmentation = rvl_augment_default(t->cohort ? rvl_cohort_preprocess(t->cohort) : NULL),
                              .seed = (uint64_t)opts->seed,
                              .n_threads = 1};
    if (opts->crop_only)
        loader.augmentation = (rvl_augment){0};
    for (int i = 0; i < RVL_N_GROUPS; i++)
        adamw.groups[i] = (rvl_adamw_group){t->lr[i] / opts->lr, opts->weight_decay, group_names[i]};
    rvl_status  st = rvl_adamw_new(&t->optimizer, t->m->params, adamw, err);
    const char *from = rvl_run_resume_from(t->run, NULL);

    if (!st && from) {
        char *path = rvl_path_join(from, "optimizer.safetensors");
        st = path ? rvl_adamw_load(t->optimizer, path, err) : rvl_fail(err, RVL_ERR_NOMEM, "out of memory");
        rvl_free(path);
    }
    if (!st)
        st = rvl_loader_new(&t->loader, t->m->has_image && !t->keeps_features ? t->cohort : NULL, &t->train, loader,
                            err);
    return st;
}

rvl_status rvl__training_run(rvl_train_result *out, rvl_training *t, const rvl_train_opts *opts, const rvl_task *task,
                             rvl_error *err)
{
    rvl_loop_opts   loop = {.n_epochs = opts->epochs,
                            .n_steps = opts->steps,
                            .lr = opts->lr,
                            .lr_min = opts->lr_min,
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
