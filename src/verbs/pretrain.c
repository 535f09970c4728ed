/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verbs/pretrain.c
 * Supervised pre-training of the image tower.
 */
#include "base/alloc.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "learn/report.h"
#include "learn/supervise.h"
#include "verbs/label_policy.h"
#include "verbs/train_common.h"
#include <math.h>
#include <string.h>

rvl_pretrain_opts rvl_pretrain_opts_default(void)
{
    return (rvl_pretrain_opts){.train = rvl__train_opts_default(), .uncertain = "ignore", .missing = "absent"};
}

/* Every finding of the training split must have both classes, or the user is told. */
static void warn_one_sided(const rvl_training *t, const rvl_supervise_opts *s)
{
    const int k = rvl_schema_count(t->m->schema);
    for (int j = 0; j < k; j++) {
        double  sums[2] = {0, 0};
        int64_t i;
        for (i = 0; i < t->train.n_cases; i++) {
            float target = 0;
            float weight = 0;
            if (t->train.cases[i].labels)
                rvl_label_target((rvl_label_state)t->train.cases[i].labels[j], s->uncertain, s->missing, &target,
                                 &weight);
            sums[0] += (double)(weight * (1 - target));
            sums[1] += (double)(weight * target);
        }
        if ((sums[0] == 0 || sums[1] == 0) && !(s->withheld && s->withheld[j]))
            rvl_log(RVL_LOG_WARN, "finding '%s' is %s in the training split: nothing can be learned about it",
                    rvl_schema_at(t->m->schema, j)->name, sums[1] == 0 ? "never present" : "never absent");
    }
}

static void note_withheld(rvl_training *t, const bool *withheld)
{
    json_t *names = json_array();
    for (int j = 0; withheld && j < rvl_schema_count(t->m->schema); j++)
        if (withheld[j])
            json_array_append_new(names, json_string(rvl_schema_at(t->m->schema, j)->name));
    rvl_json_set(t->m->extra, "withheld", names);
}

/* Some validation cases with their probabilities, for the report. */
static rvl_status sample_predictions(json_t **out, rvl_training *t, rvl_error *err)
{
    const int64_t n = t->val.n_cases < 6 ? t->val.n_cases : 6;
    const int     k = rvl_schema_count(t->m->schema);
    rvl_case_list some = {.cases = t->val.cases, .n_cases = n};
    rvl_infer    *infer = NULL;
    float        *logits = rvl_alloc_array((size_t)(n * k) + 1, sizeof *logits);
    rvl_status    st = logits ? rvl_infer_new(&infer, t->m, err) : rvl_fail(err, RVL_ERR_NOMEM, "out of memory");

    *out = json_array();
    if (!st && n > 0)
        st = rvl_infer_cases(logits, infer, "logits", t->cohort, &some, err);
    for (int64_t i = 0; !st && i < n; i++) {
        json_t *rows = json_array();
        json_t *sample = json_object();
        for (int j = 0; j < k; j++) {
            json_t *row = json_object();
            rvl_json_set(row, "name", json_string(rvl_schema_at(t->m->schema, j)->title));
            rvl_json_set(
                row, "truth",
                json_string(some.cases[i].labels ? rvl_label_text((rvl_label_state)some.cases[i].labels[j]) : ""));
            rvl_json_set(row, "score", rvl_json_real(1 / (1 + exp(-(double)logits[i * k + j]))));
            json_array_append_new(rows, row);
        }
        rvl_json_set(sample, "case", json_string(some.cases[i].case_id));
        rvl_json_set(sample, "rows", rows);
        json_array_append_new(*out, sample);
    }
    rvl_infer_free(infer);
    rvl_free(logits);
    return st;
}

static rvl_status write_report(rvl_training *t, const rvl_train_opts *opts, rvl_error *err)
{
    json_t    *samples = NULL;
    rvl_str    next = {0};
    rvl_status st = t->has_validation ? sample_predictions(&samples, t, err) : RVL_OK;

    rvl_str_addf(&next, "rvl align %s --image-tower %s", opts->cohort, rvl_run_path(t->run));
    if (!st)
        st = rvl_run_report(t->run, "Supervised pre-training", samples, next.ptr ? next.ptr : "", err);
    rvl_str_free(&next);
    json_decref(samples);
    return st;
}

static rvl_status prepare_model(rvl_training *t, const rvl_pretrain_opts *opts, rvl_supervise_opts *s, bool **withheld,
                                rvl_error *err)
{
    rvl_status st = rvl__training_open(t, &opts->train, err);

    if (!st && !rvl_cohort_schema(t->cohort))
        st = rvl_fail(err, RVL_ERR_NOT_FOUND,
                      "cohort '%s' has no labels\nhint: name label columns under `labels:` in its "
                      "map and ingest again",
                      opts->train.cohort);
    if (!st)
        st = rvl__training_new_model(t, &opts->train, 0, true, err);
    if (!st)
        st = rvl__training_sizes(t, &opts->train, err);
    if (!st)
        st = rvl__uncertain_parse(&s->uncertain, opts->uncertain, err);
    if (!st)
        st = rvl__missing_parse(&s->missing, opts->missing, err);
    if (!st)
        st = rvl__findings_mask(withheld, t->m->schema, opts->without, err);
    if (st)
        return st;
    t->m->has_head = true;
    st = rvl_model_materialize(t->m, err);
    if (st)
        return st;
    rvl__training_mark_weights(t);
    s->lock_image = opts->train.lock_image;
    s->withheld = *withheld;
    s->batch = t->batch;
    s->micro_batch = t->micro;
    s->seed = (uint64_t)opts->train.seed;
    s->plan.memory_limit_bytes = (size_t)opts->train.memory_limit_mib << 20;
    s->plan.deterministic = opts->train.deterministic;
    rvl__training_note(t, &opts->train, "pretrain");
    note_withheld(t, *withheld);
    warn_one_sided(t, s);
    return RVL_OK;
}

rvl_status rvl_pretrain_run(rvl_train_result *out, const rvl_pretrain_opts *opts, rvl_error *err)
{
    rvl_training       t = {0};
    rvl_supervise     *s = NULL;
    rvl_supervise_opts so = {0};
    bool              *withheld = NULL;
    rvl_str            recipe = {0};
    rvl_status         st = prepare_model(&t, opts, &so, &withheld, err);

    memset(out, 0, sizeof *out);
    rvl_str_addf(&recipe, "pretrain|%s|%s|%s%s", opts->uncertain, opts->missing, opts->without ? opts->without : "",
                 opts->train.lock_image ? "|locked" : "");
    if (opts->train.labels)
        rvl_str_addf(&recipe, "|labels %s", opts->train.labels);
    const rvl_case_list *val = t.has_validation ? &t.val : NULL;
    if (!st)
        st = rvl_supervise_new(&s, t.m, t.cohort, val, &so, err);
    if (!st && opts->train.dry_run) {
        rvl_log(RVL_LOG_INFO, "dry run: %lld training cases, %lld validation cases, step arena %.1f MiB",
                (long long)t.train.n_cases, (long long)t.val.n_cases,
                (double)rvl_supervise_plan_stats(s).arena_bytes / 1048576.0);
    } else if (!st) {
        st = rvl__training_open_run(&t, &opts->train, "pretrain", recipe.ptr, err);
        if (!st && rvl_run_resume_from(t.run, NULL)) { /* the model came from the checkpoint */
            rvl_supervise_free(s);
            s = NULL;
            st = rvl_supervise_new(&s, t.m, t.cohort, val, &so, err);
        }
        if (!st)
            st = rvl__training_prepare(&t, &opts->train, err);
        if (!st) {
            rvl_task task = rvl_supervise_task(s);
            rvl_supervise_set_optimizer(s, t.optimizer);
            rvl__training_log_plan(&t, rvl_supervise_plan_stats(s));
            st = rvl__training_run(out, &t, &opts->train, &task, err);
        }
        if (!st)
            st = write_report(&t, &opts->train, err);
    }
    rvl_str_free(&recipe);
    rvl_supervise_free(s);
    rvl_free(withheld);
    rvl__training_close(&t);
    return st;
}
