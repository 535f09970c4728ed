/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verbs/align.c
 * Contrastive alignment of an image tower and a text tower.
 */
#include "base/alloc.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "learn/contrast.h"
#include "learn/report.h"
#include "verbs/text_tower.h"
#include "verbs/train_common.h"
#include <string.h>

rvl_align_opts rvl_align_opts_default(void)
{
    return (rvl_align_opts){.train = rvl__train_opts_default(),
                            .tower = rvl__text_tower_opts_default(),
                            .embed_dim = 128,
                            .similarity = "cosine",
                            .temperature = 0.07,
                            .learn_temperature = true,
                            .text = "both",
                            .sample_sentences = true,
                            .duplicates = "share"};
}

static rvl_status check_options(const rvl_align_opts *o, rvl_contrast_opts *c, rvl_error *err)
{
    static const char *const texts[] = {"findings", "impression", "both"};
    size_t                   i = 0;

    while (i < 3 && !rvl_str_equal(o->text, texts[i]))
        i++;
    if (i == 3)
        return rvl_fail(err, RVL_ERR_USAGE, "--text is findings, impression or both, not '%s'", o->text);
    c->text = (rvl_text_choice)i;
    if (!rvl_str_equal(o->duplicates, "share") && !rvl_str_equal(o->duplicates, "ignore"))
        return rvl_fail(err, RVL_ERR_USAGE, "--duplicates is share or ignore, not '%s'", o->duplicates);
    if (o->label_loss < 0)
        return rvl_fail(err, RVL_ERR_USAGE, "--label-loss is not negative");
    c->label_loss = o->label_loss;
    c->uncertain = RVL_UNCERTAIN_IGNORE;
    c->missing = RVL_MISSING_ABSENT;
    c->duplicates = rvl_str_equal(o->duplicates, "share") ? RVL_DUPLICATES_SHARE : RVL_DUPLICATES_IGNORE;
    if (!rvl_str_equal(o->similarity, "cosine") && !rvl_str_equal(o->similarity, "dot"))
        return rvl_fail(err, RVL_ERR_USAGE, "--similarity is cosine or dot, not '%s'", o->similarity);
    if (o->embed_dim < 1 || !(o->temperature > 0))
        return rvl_fail(err, RVL_ERR_USAGE, "--embed-dim and --temperature are positive");
    if (o->train.lock_image && o->tower.lock_text)
        rvl_log(RVL_LOG_INFO, "both towers are locked: only the projections are trained");
    return rvl__text_tower_check(&o->tower, err);
}

/* Only cases with a report can be aligned. */
static int64_t keep_with_text(rvl_case_list *list, rvl_text_choice choice)
{
    int64_t n = 0;
    int64_t n_before = list->n_cases;
    for (int64_t i = 0; i < n_before; i++) {
        char *text = rvl_case_text(&list->cases[i], choice);
        if (text && list->cases[i].n_images > 0)
            list->cases[n++] = list->cases[i];
        rvl_free(text);
    }
    list->n_cases = n;
    return n_before - n;
}

static rvl_status prepare_model(rvl_training *t, const rvl_align_opts *o, rvl_contrast_opts *c, rvl_error *err)
{
    rvl_status st = check_options(o, c, err);

    if (!st)
        st = rvl__training_open(t, &o->train, err);
    if (!st)
        st = rvl__training_set_group(t, RVL_GROUP_TEXT, o->tower.lr_text, o->tower.lock_text, &o->train, err);
    if (st)
        return st;
    int64_t n_dropped = keep_with_text(&t->train, c->text);
    if (t->has_validation)
        keep_with_text(&t->val, c->text);
    if (n_dropped > 0)
        rvl_log(RVL_LOG_WARN, "%lld of %lld training cases have no report and are left out", (long long)n_dropped,
                (long long)(n_dropped + t->train.n_cases));
    if (t->train.n_cases == 0)
        return rvl_fail(err, RVL_ERR_NOT_FOUND, "cohort '%s' has no reports in split '%s': nothing to align with",
                        o->train.cohort, o->train.split);
    if (t->val.n_cases == 0)
        t->has_validation = false;
    st = rvl__training_new_model(t, &o->train, (int)o->embed_dim, o->label_loss > 0, err);
    if (!st)
        st = rvl__training_sizes(t, &o->train, err);
    if (!st)
        t->m->clip.embed_dim = (int)o->embed_dim;
    if (!st)
        st = rvl__text_tower_add(t, &o->tower, o->train.allow_missing, c->text, err);
    if (!st && o->label_loss > 0 && !t->m->schema)
        st = rvl_fail(
            err, RVL_ERR_NOT_FOUND,
            "cohort '%s' has no labels for --label-loss\nhint: name label columns under `labels:` in its map and "
            "ingest again, or give --label-loss 0",
            o->train.cohort);
    t->m->has_clip = true;
    t->m->clip = (rvl_clip_config){.embed_dim = (int)o->embed_dim,
                                   .similarity =
                                       rvl_str_equal(o->similarity, "dot") ? RVL_SIMILARITY_DOT : RVL_SIMILARITY_COSINE,
                                   .learn_temperature = o->learn_temperature,
                                   .label_head = o->label_loss > 0,
                                   .temperature = o->temperature};
    if (!st)
        st = rvl_model_materialize(t->m, err);
    if (st)
        return st;
    rvl__training_mark_weights(t);
    c->batch = t->batch;
    c->micro_batch = t->micro;
    c->lock_image = o->train.lock_image;
    c->lock_text = o->tower.lock_text;
    c->keep_features = t->keeps_features = o->train.lock_image && !o->train.augment;
    c->sample_sentences = o->sample_sentences;
    c->seed = (uint64_t)o->train.seed;
    c->plan.memory_limit_bytes = (size_t)o->train.memory_limit_mib << 20;
    c->plan.deterministic = o->train.deterministic;
    rvl__training_note(t, &o->train, "align");
    rvl_json_set(t->m->extra, "text", json_string(o->text));
    return RVL_OK;
}

static rvl_status train(rvl_train_result *out, rvl_training *t, const rvl_align_opts *o, const rvl_contrast_opts *c,
                        rvl_error *err)
{
    rvl_contrast *s = NULL;
    rvl_str       next = {0};
    rvl_status    st = rvl_contrast_new(&s, t->m, t->cohort, &t->train, t->has_validation ? &t->val : NULL, c, err);

    if (!st)
        st = rvl__training_prepare(t, &o->train, err);
    if (!st) {
        rvl_task task = rvl_contrast_task(s);
        rvl_contrast_set_optimizer(s, t->optimizer, rvl_loader_n_batches(t->loader));
        st = rvl__training_run(out, t, &o->train, &task, err);
    }
    if (!st && rvl_contrast_n_cut(s) > 0)
        rvl_log(RVL_LOG_WARN, "%lld drawn texts were longer than %d tokens and were cut\nhint: raise --max-tok",
                (long long)rvl_contrast_n_cut(s), t->m->max_tok);
    if (!st && rvl_contrast_n_shared(s) > 0)
        rvl_log(RVL_LOG_INFO, "%.1f%% of the drawn texts were equal to another of their batch and shared its target",
                100.0 * (double)rvl_contrast_n_shared(s) / (double)rvl_contrast_n_texts(s));
    if (!st)
        rvl__training_log_plan(t, rvl_contrast_plan_stats(s));
    if (!st) {
        rvl_str_addf(&next, "rvl bench %s -m %s --suite zeroshot,retrieval", o->train.cohort, rvl_run_path(t->run));
        st = rvl_run_report(t->run, "Image-text alignment", NULL, next.ptr ? next.ptr : "", err);
    }
    rvl_str_free(&next);
    rvl_contrast_free(s);
    return st;
}

rvl_status rvl_align_run(rvl_train_result *out, const rvl_align_opts *opts, rvl_error *err)
{
    rvl_training      t = {0};
    rvl_contrast_opts c = {0};
    rvl_str           recipe = {0};
    rvl_status        st = prepare_model(&t, opts, &c, err);

    memset(out, 0, sizeof *out);
    rvl_str_addf(&recipe, "align|%s|%d%d%d|%s|%lld|%lld|%lld|%lld|%lld|%.9g|%s|%lld|%s|%.9g|%d", opts->text,
                 opts->train.lock_image, opts->tower.lock_text, opts->sample_sentences,
                 opts->tower.text_tower ? opts->tower.text_tower : "", (long long)opts->tower.vocabulary_size,
                 (long long)opts->tower.text_layers, (long long)opts->tower.text_width,
                 (long long)opts->tower.text_heads, (long long)opts->tower.max_tok, opts->tower.dropout,
                 opts->tower.pooling, (long long)opts->embed_dim, opts->similarity, opts->temperature,
                 opts->learn_temperature);
    if (c.duplicates == RVL_DUPLICATES_SHARE) /* without it a recipe reads as it did before there was a choice */
        rvl_str_add(&recipe, "|share");
    if (opts->label_loss > 0)
        rvl_str_addf(&recipe, "|labels:%.9g", opts->label_loss);
    if (!st && opts->train.dry_run) {
        rvl_log(RVL_LOG_INFO, "dry run: %lld training pairs, %lld validation pairs, vocabulary of %d tokens",
                (long long)t.train.n_cases, (long long)t.val.n_cases, rvl_tokenizer_count(t.m->tokenizer));
    } else if (!st) {
        st = rvl__training_open_run(&t, &opts->train, "align", recipe.ptr, err);
        if (!st)
            st = train(out, &t, opts, &c, err);
    }
    rvl_str_free(&recipe);
    rvl__training_close(&t);
    return st;
}
