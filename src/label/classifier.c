/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file label/classifier.c
 * A text tower's logits as labels.
 */
#include "label/classifier.h"
#include "base/alloc.h"
#include "base/log.h"
#include "learn/infer.h"
#include <math.h>
#include <stdio.h>

enum { TOGETHER = 32 };

typedef struct {
    rvl_labeller base;
    rvl_model   *m;
    rvl_infer   *infer;
    int         *logit_of; /* (K) the model's finding of each of the schema's */
    int          n_logits;
    char         version[64];
    bool         has_told; /* that a text was cut */
} classifier;

static void classifier_free(rvl_labeller *self)
{
    classifier *c = (classifier *)self;

    rvl_infer_free(c->infer);
    rvl_model_free(c->m);
    rvl_free(c->logit_of);
    rvl_free(c);
}

/** Copies of the texts, which end with a NUL. */
static char **copies(const rvl_label_batch *batch)
{
    char **texts = rvl_alloc_array((size_t)batch->n + 1, sizeof *texts);

    for (int i = 0; texts && i < batch->n; i++)
        texts[i] = rvl_strndup((const char *)batch->texts[i].ptr, batch->texts[i].n_bytes);
    return texts;
}

static void put_rows(const classifier *c, rvl_label_row *rows, const float *logits, const bool *wanted)
{
    for (int k = 0; k < rvl_schema_count(c->base.schema); k++) {
        const double p = 1 / (1 + exp(-(double)logits[c->logit_of[k]]));

        if (!wanted || wanted[k])
            rows[k] = (rvl_label_row){.state = p >= 0.5 ? RVL_LABEL_PRESENT : RVL_LABEL_ABSENT,
                                      .probability = p,
                                      .source = c->base.source,
                                      .version = c->base.version};
    }
}

/** Logits of one text. Only what is no fault of the text ends the run. */
static rvl_status label_one(classifier *c, float *logits, rvl_label_outcome *outcome, const char *text, rvl_error *err)
{
    int64_t    n_cut = 0;
    rvl_error  why = {0};
    rvl_status st = rvl_infer_texts(logits, c->infer, "logits", &text, 1, &n_cut, &why);

    if (st == RVL_ERR_FORMAT) {
        outcome->outcome = RVL_LABELLED_FAILED;
        snprintf(outcome->reason, sizeof outcome->reason, "the text is not UTF-8");
        return RVL_OK;
    }
    if (st)
        return rvl_fail(err, st, "%s", why.text);
    if (n_cut > 0 && !c->has_told)
        rvl_log(RVL_LOG_WARN, "some texts are longer than the model's %d tokens: it reads their beginning",
                c->m->max_tok);
    c->has_told = c->has_told || n_cut > 0;
    outcome->outcome = RVL_LABELLED;
    return RVL_OK;
}

static rvl_status classifier_label(rvl_labeller *self, rvl_label_row *rows, rvl_label_outcome *outcomes,
                                   const rvl_label_batch *batch, rvl_error *err)
{
    classifier *c = (classifier *)self;
    const int   k = rvl_schema_count(self->schema);
    float      *logits = rvl_alloc_array((size_t)c->n_logits, sizeof *logits);
    char      **texts = copies(batch);
    rvl_status  st = logits && texts ? RVL_OK : rvl_fail(err, RVL_ERR_NOMEM, "out of memory for labels");

    for (int i = 0; i < batch->n; i++)
        outcomes[i] = (rvl_label_outcome){RVL_LABELLED_NOT, ""};
    for (int i = 0; !st && i < batch->n; i++) {
        st = texts[i] ? label_one(c, logits, &outcomes[i], texts[i], err)
                      : rvl_fail(err, RVL_ERR_NOMEM, "out of memory for labels");
        if (outcomes[i].outcome == RVL_LABELLED)
            put_rows(c, rows + (size_t)i * (size_t)k, logits, batch->wanted ? batch->wanted + i * k : NULL);
    }
    for (int i = 0; texts && i < batch->n; i++)
        rvl_free(texts[i]);
    rvl_free(texts);
    rvl_free(logits);
    return st;
}

/** Which of the model's findings each of the schema's is. */
static rvl_status match_findings(classifier *c, const rvl_schema *schema, rvl_error *err)
{
    const int k = rvl_schema_count(schema);

    if (!c->m->has_text || !c->m->has_head || c->m->has_image || !c->m->schema)
        return rvl_fail(err, RVL_ERR_STATE,
                        "the model classifies no texts\nhint: rvl pretrain --tower text makes one that does");
    c->n_logits = rvl_schema_count(c->m->schema);
    c->logit_of = rvl_alloc_array((size_t)k, sizeof *c->logit_of);
    if (!c->logit_of)
        return rvl_fail(err, RVL_ERR_NOMEM, "out of memory for a labeller");
    for (int j = 0; j < k; j++) {
        c->logit_of[j] = rvl_schema_index(c->m->schema, rvl_schema_at(schema, j)->name);
        if (c->logit_of[j] < 0)
            return rvl_fail(err, RVL_ERR_STATE, "the model was trained for schema '%s', which has no finding '%s'",
                            rvl_schema_name(c->m->schema), rvl_schema_at(schema, j)->name);
    }
    return RVL_OK;
}

rvl_status rvl_classifier_open(rvl_labeller **out, rvl_model *m, const char *id, const rvl_schema *schema,
                               rvl_error *err)
{
    classifier *c = rvl_alloc_array(1, sizeof *c);

    *out = NULL;
    if (!c) {
        rvl_model_free(m);
        return rvl_fail(err, RVL_ERR_NOMEM, "out of memory for a labeller");
    }
    snprintf(c->version, sizeof c->version, "%.40s", id);
    c->m = m;
    c->base = (rvl_labeller){.source = "classifier",
                             .version = c->version,
                             .schema = schema,
                             .n_together = TOGETHER,
                             .label = classifier_label,
                             .free = classifier_free};
    rvl_status st = match_findings(c, schema, err);
    if (!st)
        st = rvl_infer_new(&c->infer, m, err);
    if (st) {
        classifier_free(&c->base);
        return st;
    }
    *out = &c->base;
    return RVL_OK;
}
