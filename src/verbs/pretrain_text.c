/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verbs/pretrain_text.c
 * Supervised training of a text tower: a classifier of reports.
 */
#include "base/alloc.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "base/util.h"
#include "learn/report.h"
#include "verbs/label_policy.h"
#include "verbs/report_set.h"
#include "verbs/text_tower.h"
#include <string.h>

rvl_pretrain_text_opts rvl_pretrain_text_opts_default(void)
{
    return (rvl_pretrain_text_opts){.train = rvl__train_opts_default(),
                                    .tower = rvl__text_tower_opts_default(),
                                    .text = "both",
                                    .text_columns = "report",
                                    .uncertain = "ignore",
                                    .missing = "absent"};
}

typedef struct {
    rvl_training            t;
    rvl__report_set         set;
    rvl__report_source      source;
    rvl_supervise_text_opts task;
    bool                   *withheld;
} job;

static rvl_status read_source(job *j, const rvl_pretrain_text_opts *o, rvl_error *err)
{
    static const char *const texts[] = {"findings", "impression", "both"};
    size_t                   i = 0;

    while (i < 3 && !rvl_str_equal(o->text, texts[i]))
        i++;
    if (i == 3)
        return rvl_fail(err, RVL_ERR_USAGE, "--text is findings, impression or both, not '%s'", o->text);
    j->source.text = (rvl_text_choice)i;
    j->source.text_columns = o->text_columns;
    j->source.split_column = o->split_column;
    j->source.schema = o->schema;
    rvl_status st = rvl__uncertain_parse(&j->source.uncertain, o->uncertain, err);
    return st ? st : rvl__missing_parse(&j->source.missing, o->missing, err);
}

static rvl_status open_table(job *j, const rvl_pretrain_text_opts *o, rvl_error *err)
{
    rvl_status st = rvl__training_begin(&j->t, &o->train, err);

    if (!st && o->train.labels)
        st = rvl_fail(err, RVL_ERR_USAGE, "--labels is for a cohort: a table holds its own");
    if (!st)
        st = rvl_model_new(&j->t.m, (uint64_t)o->train.seed, err);
    if (!st)
        st = rvl__report_set_read(&j->set, &j->t.m->schema, &j->t, &o->train, &j->source, err);
    j->source.text = RVL_TEXT_BOTH;
    return st;
}

static rvl_status open_cohort(job *j, const rvl_pretrain_text_opts *o, rvl_error *err)
{
    rvl_status st = rvl__training_open(&j->t, &o->train, err);

    if (!st && !rvl_cohort_schema(j->t.cohort))
        st = rvl_fail(err, RVL_ERR_NOT_FOUND, "cohort '%s' has no labels\nhint: rvl label reads them from its reports",
                      o->train.cohort);
    if (!st && o->schema)
        st = rvl_fail(err, RVL_ERR_USAGE, "--schema is for a table: the cohort '%s' has its own", o->train.cohort);
    if (!st)
        st = rvl_model_new(&j->t.m, (uint64_t)o->train.seed, err);
    if (st)
        return st;
    const char *yaml = rvl_schema_yaml(rvl_cohort_schema(j->t.cohort));
    st = rvl_schema_parse(&j->t.m->schema, yaml, strlen(yaml), "cohort schema", err);
    if (!st)
        st = rvl__report_set_of_cohort(&j->set, &j->t, &j->source, err);
    if (!st && j->t.train.n_cases == 0)
        st = rvl_fail(err, RVL_ERR_NOT_FOUND, "cohort '%s' has no reports in split '%s'", o->train.cohort,
                      o->train.split);
    return st;
}

static rvl_status prepare(job *j, const rvl_pretrain_text_opts *o, rvl_error *err)
{
    rvl_status st = read_source(j, o, err);

    if (!st)
        st = rvl__text_tower_check(&o->tower, err);
    if (!st)
        st = rvl__is_table(o->train.cohort) ? open_table(j, o, err) : open_cohort(j, o, err);
    if (!st)
        st = rvl__training_set_group(&j->t, RVL_GROUP_TEXT, o->tower.lr_text, o->tower.lock_text, &o->train, err);
    if (!st)
        st = rvl__training_sizes(&j->t, &o->train, err);
    if (!st)
        st = rvl__findings_mask(&j->withheld, j->t.m->schema, o->without, err);
    if (!st)
        st = rvl__text_tower_add(&j->t, &o->tower, o->train.allow_missing, j->source.text, err);
    if (st)
        return st;
    j->t.m->has_head = true;
    if (j->t.has_validation && j->t.val.n_cases == 0)
        j->t.has_validation = false;
    st = rvl_model_materialize(j->t.m, err);
    if (st)
        return st;
    rvl__training_mark_weights(&j->t);
    j->task = (rvl_supervise_text_opts){.batch = j->t.batch,
                                        .micro_batch = j->t.micro,
                                        .withheld = j->withheld,
                                        .lock_text = o->tower.lock_text,
                                        .seed = (uint64_t)o->train.seed,
                                        .plan = {.memory_limit_bytes = (size_t)o->train.memory_limit_mib << 20,
                                                 .deterministic = o->train.deterministic}};
    rvl__training_note(&j->t, &o->train, "pretrain");
    rvl_json_set(j->t.m->extra, "text", json_string(rvl__is_table(o->train.cohort) ? o->text_columns : o->text));
    return RVL_OK;
}

/** Texts and targets: what a resumed run must find again. NOMEM. */
static rvl_status add_data_hash(rvl_str *recipe, const rvl_text_examples *x, int k, rvl_error *err)
{
    rvl_hasher *h = rvl_hasher_new();
    char        hex[33];

    if (!h)
        return rvl_fail(err, RVL_ERR_NOMEM, "out of memory");
    for (int64_t i = 0; i < x->n; i++)
        rvl_hasher_add(h, x->texts[i], strlen(x->texts[i]) + 1);
    rvl_hasher_add(h, x->targets, (size_t)(x->n * k) * sizeof *x->targets);
    rvl_hasher_add(h, x->weights, (size_t)(x->n * k) * sizeof *x->weights);
    rvl_hasher_hex(h, hex);
    rvl_hasher_free(h);
    rvl_str_addf(recipe, "|%s", hex);
    return RVL_OK;
}

static rvl_status train(rvl_train_result *out, job *j, const rvl_pretrain_text_opts *o, rvl_error *err)
{
    rvl_supervise_text *s = NULL;
    rvl_str             next = {0};
    rvl_status          st =
        rvl_supervise_text_new(&s, j->t.m, &j->set.train, j->t.has_validation ? &j->set.val : NULL, &j->task, err);

    if (!st && rvl_supervise_text_n_cut(s) > 0)
        rvl_log(RVL_LOG_WARN, "%lld of %lld texts are longer than %d tokens and are cut\nhint: raise --max-tok",
                (long long)rvl_supervise_text_n_cut(s), (long long)j->set.train.n, j->t.m->max_tok);
    if (!st)
        st = rvl__training_prepare(&j->t, &o->train, err);
    if (!st) {
        rvl_task task = rvl_supervise_text_task(s);
        rvl_supervise_text_set_optimizer(s, j->t.optimizer);
        st = rvl__training_run(out, &j->t, &o->train, &task, err);
    }
    if (!st) {
        rvl__training_log_plan(&j->t, rvl_supervise_text_plan_stats(s));
        rvl_str_addf(&next, "rvl label REPORTS.csv -m %s", rvl_run_path(j->t.run));
        st = rvl_run_report(j->t.run, "Report classifier", NULL, next.ptr ? next.ptr : "", err);
    }
    rvl_str_free(&next);
    rvl_supervise_text_free(s);
    return st;
}

rvl_status rvl_pretrain_text_run(rvl_train_result *out, const rvl_pretrain_text_opts *o, rvl_error *err)
{
    job        j = {0};
    rvl_str    recipe = {0};
    rvl_status st = prepare(&j, o, err);

    memset(out, 0, sizeof *out);
    rvl_str_addf(&recipe, "pretrain text|%s|%s|%s|%s|%s|%s|%s|%d|%s|%lld|%lld|%lld|%lld|%lld|%.9g|%s", o->text,
                 o->text_columns, o->split_column ? o->split_column : "", o->schema ? o->schema : "", o->uncertain,
                 o->missing, o->without ? o->without : "", o->tower.lock_text,
                 o->tower.text_tower ? o->tower.text_tower : "", (long long)o->tower.vocabulary_size,
                 (long long)o->tower.text_layers, (long long)o->tower.text_width, (long long)o->tower.text_heads,
                 (long long)o->tower.max_tok, o->tower.dropout, o->tower.pooling);
    if (!st)
        st = add_data_hash(&recipe, &j.set.train, rvl_schema_count(j.t.m->schema), err);
    if (!st && o->train.dry_run) {
        rvl_log(RVL_LOG_INFO, "dry run: %lld training reports, %lld validation reports, vocabulary of %d tokens",
                (long long)j.set.train.n, (long long)j.set.val.n, rvl_tokenizer_count(j.t.m->tokenizer));
    } else if (!st) {
        st = rvl__training_open_run(&j.t, &o->train, "pretrain", recipe.ptr, err);
        if (!st)
            st = train(out, &j, o, err);
    }
    rvl_str_free(&recipe);
    rvl_free(j.withheld);
    rvl__training_close(&j.t);
    rvl__report_set_fini(&j.set);
    return st;
}
