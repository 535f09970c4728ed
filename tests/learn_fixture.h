/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/learn_fixture.h
 * What tests of training share: a cohort of few small phantoms, and a tiny model over it.
 */
#ifndef RVL_TESTS_LEARN_FIXTURE_H
#define RVL_TESTS_LEARN_FIXTURE_H
#include "base/str.h"
#include "cohort_fixture.h"
#include "learn/contrast.h"
#include "learn/supervise.h"
#include "synth/phantom.h"

enum { SIDE = 24, BATCH = 8 };

/** A small cohort with a model, its optimizer and a loader of batches of BATCH. */
typedef struct {
    rvl_cohort   *cohort;
    rvl_case_list list;
    rvl_model    *m;
    rvl_adamw    *o;
    rvl_loader   *loader;
} bed;

static inline int cohort_make(void **state)
{
    if (folder_make(state))
        return -1;
    rvl_phantom_opts   p = {.n = 48, .seed = 2, .height = 48, .width = 48};
    rvl_phantom_result pr;
    rvl_ingest_opts    i = {.height = SIDE, .width = SIDE};
    rvl_ingest_result  ir;
    char               raw[PATH_BYTES];
    char               out[PATH_BYTES];

    p.out_path = i.folder = path_in(raw, *state, "raw");
    i.out_path = path_in(out, *state, "cohort");
    return rvl_phantom_run(&pr, &p, NULL) || rvl_cohort_ingest(&ir, &i, NULL);
}

static inline void configure(rvl_model *m, bool clip, int n_spatial)
{
    m->has_image = true;
    m->image = (rvl_image_config){.n_spatial = n_spatial,
                                  .in_channels = 1,
                                  .resnet = {.width = 4, .blocks = {1, 1}, .stem_kernel = 3, .stem_stride = 2}};
    m->has_head = !clip;
    m->has_text = m->has_clip = clip;
    m->max_tok = 48;
    m->text = (rvl_bert_config){.vocab_size = 0,
                                .hidden = 16,
                                .n_layers = 1,
                                .n_heads = 2,
                                .intermediate = 32,
                                .max_positions = 48,
                                .type_vocab = 2,
                                .layer_norm_eps = 1e-12,
                                .pooling = RVL_POOLING_MEAN};
    m->clip = (rvl_clip_config){.embed_dim = 8, .learn_temperature = true, .temperature = 0.07};
}

static inline void bed_open(bed *b, const char *folder, bool clip)
{
    char path[PATH_BYTES];

    memset(b, 0, sizeof *b);
    OK(rvl_cohort_open(&b->cohort, path_in(path, folder, "cohort"), &err));
    OK(rvl_cohort_cases(&b->list, b->cohort, "train", &err));
    OK(rvl_model_new(&b->m, 5, &err));
    configure(b->m, clip, rvl_preprocess_is_volume(rvl_cohort_preprocess(b->cohort)) ? 3 : 2);
    OK(rvl_preprocess_to_json(&b->m->preprocess, rvl_cohort_preprocess(b->cohort), &err));
    const char *yaml = rvl_schema_yaml(rvl_cohort_schema(b->cohort));
    OK(rvl_schema_parse(&b->m->schema, yaml, strlen(yaml), "schema", &err));
    if (clip) {
        const char *texts[] = {"pleural effusion pneumothorax consolidation nodule",
                               "no left right small large heart lung"};
        char       *vocab = NULL;
        OK(rvl_wordpiece_train(&vocab, texts, 2, 120, 1, true, &err));
        OK(rvl_tokenizer_parse(&b->m->tokenizer, vocab, strlen(vocab), (rvl_tokenizer_opts){.lower_case = true}, &err));
        rvl_free(vocab);
        b->m->text.vocab_size = rvl_tokenizer_count(b->m->tokenizer);
    }
    OK(rvl_model_materialize(b->m, &err));
    OK(rvl_adamw_new(
        &b->o, b->m->params,
        (rvl_adamw_opts){.beta1 = 0.9, .beta2 = 0.98, .eps = 1e-8, .n_groups = 1, .groups = {{1, 0.05, NULL}}}, &err));
    OK(rvl_loader_new(
        &b->loader, b->cohort, &b->list,
        (rvl_loader_opts){.batch_size = BATCH, .images_per_study = 1, .shuffle = true, .drop_last = true, .seed = 1},
        &err));
    rvl_adamw_zero_grad(b->o);
}

static inline void bed_close(bed *b)
{
    rvl_loader_free(b->loader);
    rvl_adamw_free(b->o);
    rvl_model_free(b->m);
    rvl_case_list_fini(&b->list);
    rvl_cohort_close(b->cohort);
}

/** The sentences of `text` that rvl_draw_sentences takes, joined by blanks, or all of `text`; caller frees. */
static inline char *drawn_text(const char *text, uint64_t seed, uint64_t epoch, uint64_t case_key)
{
    size_t  at[RVL_SENTENCES_MAX];
    size_t  length[RVL_SENTENCES_MAX];
    bool    take[RVL_SENTENCES_MAX];
    size_t  n = rvl_sentences(text, at, length, RVL_SENTENCES_MAX);
    rvl_str s = {0};

    if (n > RVL_SENTENCES_MAX)
        n = RVL_SENTENCES_MAX;
    if (!rvl_draw_sentences(take, (int64_t)n, seed, epoch, case_key))
        return rvl_strdup(text);
    for (size_t i = 0; i < n; i++) {
        if (!take[i])
            continue;
        if (s.n_bytes)
            rvl_str_add(&s, " ");
        rvl_str_add_n(&s, text + at[i], length[i]);
    }
    return rvl_str_take(&s);
}

#endif /* RVL_TESTS_LEARN_FIXTURE_H */
