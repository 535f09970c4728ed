/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verbs/bench.c
 * Measure a model on a split of a cohort, or hand files made elsewhere to bench_external.c.
 */
#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "learn/contrast.h"
#include "measure/bootstrap.h"
#include "verbs/bench_audit.h"
#include "verbs/bench_baselines.h"
#include "verbs/bench_group.h"
#include "verbs/bench_map.h"
#include "verbs/bench_parts.h"
#include "verbs/label_policy.h"
#include "verbs/metadata_rows.h"
#include "verbs/model_use.h"
#include "verbs/split_part.h"
#include <math.h>
#include <string.h>

rvl_bench_opts rvl_bench_opts_default(void)
{
    return (rvl_bench_opts){.split = "test",
                            .val_split = "val",
                            .train_split = "train",
                            .uncertain = "ignore",
                            .missing = "absent",
                            .n_bootstrap = 1000};
}

typedef struct {
    const rvl_bench_opts    *opts;
    rvl_use                  use;
    rvl_cohort              *cohort;
    rvl_split_part           test, val;
    bool                     has_val;
    const rvl_class_mapping *mapping; /* NULL: the schema's findings */
    rvl_uncertain_policy     uncertain;
    rvl_missing_policy       missing;
} bench;

static rvl_status no_memory(rvl_error *err)
{
    return rvl_fail(err, RVL_ERR_NOMEM, "out of memory for bench");
}

static rvl_status scores_of(bench *b, rvl_split_part *p, const rvl_schema *schema, bool zeroshot, rvl_error *err)
{
    const char   *output = zeroshot ? "embedding" : "logits";
    const int64_t width = rvl_infer_width(b->use.infer, output, false);
    const int64_t n = p->list.n_cases;
    float        *x = rvl_alloc_array((size_t)(n * width) + 1, sizeof *x);
    rvl_status    st = x ? rvl_infer_cases(x, b->use.infer, output, b->cohort, &p->list, err) : no_memory(err);

    if (!st && zeroshot)
        st = rvl__zeroshot_scores(p->score, &b->use, schema, x, n, err);
    for (int64_t i = 0; !st && !zeroshot && i < n * width; i++)
        p->score[i] = 1 / (1 + exp(-(double)x[i]));
    rvl_free(x);
    return st;
}

/* Findings named "withheld" by the model's training. */
static void mark_withheld(bool *withheld, const rvl_use *u, const rvl_schema *schema)
{
    json_t *names = json_object_get(u->m->extra, "withheld");
    size_t  i;
    json_t *name;
    json_array_foreach(names, i, name)
    {
        int k = json_is_string(name) ? rvl_schema_index(schema, json_string_value(name)) : -1;
        if (k >= 0)
            withheld[k] = true;
    }
}

/* A finding that the cohort does not label has no numbers; the user is told, and nothing at all is an error. */
static rvl_status check_labelled(const bench *b, const char *const *names, const int *column, int k, rvl_error *err)
{
    int n_labelled = 0;

    for (int j = 0; j < k; j++)
        n_labelled += column[j] >= 0;
    if (n_labelled == 0)
        return rvl_fail(err, RVL_ERR_NOT_FOUND,
                        "cohort '%s' (schema '%s') labels none of the findings that are scored, like '%s'\nhint: "
                        "--prompts names other findings for zeroshot",
                        b->opts->cohort, rvl_schema_name(rvl_cohort_schema(b->cohort)), names[0]);
    for (int j = 0; j < k; j++)
        if (column[j] < 0)
            rvl_log(RVL_LOG_WARN, "finding '%s' is not labelled in cohort '%s': no numbers for it", names[j],
                    b->opts->cohort);
    return RVL_OK;
}

/* Whether one of the names of `a`, by commas, is among those of `b`. */
static bool overlaps(const char *a, const char *b)
{
    if (rvl_str_equal(a, "all") || rvl_str_equal(b, "all"))
        return true;
    while (*a) {
        const size_t n = strcspn(a, ",");
        for (const char *at = b; *at;) {
            const size_t word = strcspn(at, ",");
            if (word == n && memcmp(at, a, n) == 0)
                return true;
            at += word + (at[word] == ',');
        }
        a += n + (a[n] == ',');
    }
    return false;
}

static rvl_status read_metadata(rvl_metadata rows[3], rvl_metadata_source *source, const bench *b,
                                const rvl_case_list *train, const rvl_case_list *test, const rvl_case_list *val,
                                rvl_error *err)
{
    rvl_status st = rvl__metadata_open(source, b->opts->metadata, err);

    if (!st)
        st = rvl__metadata_of_cases(&rows[0], source, train, err);
    if (!st)
        st = rvl__metadata_of_cases(&rows[1], source, test, err);
    return st ? st : rvl__metadata_of_cases(&rows[2], source, val, err);
}

/* Fitted on the training split where there is one apart from what is measured; else only the constant, on what labels
 * there are. */
static rvl_status add_baselines(json_t *part, bench *b, const rvl_bench_findings *f, const rvl_case_list *test,
                                const rvl_case_list *val, const int *column, rvl_error *err)
{
    const rvl_bench_opts *o = b->opts;
    rvl_split_part        train = {0};
    rvl_metadata_source   source = {0};
    rvl_metadata          rows[3];
    rvl_bench_fit         fit = {o->split, f->n, f->truth, f->valid, NULL, NULL, NULL};
    rvl_error             none = {0};
    rvl_status            st = RVL_OK;

    if (o->train_split && !overlaps(o->train_split, o->split) &&
        !rvl__part_open(&train, b->cohort, o->train_split, 0, &none)) {
        st = rvl__part_labels(&train, column, f->k, b->uncertain, b->missing, err);
        if (!st)
            st = read_metadata(rows, &source, b, &train.list, test, val, err);
        fit =
            (rvl_bench_fit){o->train_split, train.list.n_cases, train.truth, train.valid, &rows[0], &rows[1], &rows[2]};
    } else if (f->n_val > 0) {
        fit = (rvl_bench_fit){o->val_split, f->n_val, f->val_truth, f->val_valid, NULL, NULL, NULL};
    }
    if (!st)
        st = rvl__bench_baselines(part, f, &fit, o->n_bootstrap, (uint64_t)o->seed, err);
    rvl__metadata_close(&source);
    rvl__part_fini(&train);
    return st;
}

/* Names and label columns of what is measured: the schema's findings, or the classes of a mapping. Returns how many. */
static rvl_status choose_classes(int *k, rvl_class_sources *sources, bench *b, const rvl_schema *schema,
                                 const char **names, bool *withheld, int *column, rvl_error *err)
{
    const rvl_schema *labels = rvl_cohort_schema(b->cohort);
    rvl_status        st = RVL_OK;

    *k = rvl_schema_count(schema);
    mark_withheld(withheld, &b->use, schema);
    if (b->mapping) {
        st = rvl__class_sources(sources, schema, labels, b->mapping, err);
        if (st)
            return st;
        bool mapped[RVL_MAX_SET_CLASSES] = {false};
        for (int j = 0; j < sources->k; j++) {
            names[j] = b->mapping->rules[j].name;
            column[j] = sources->label[j];
            for (int s = 0; s < 2; s++)
                mapped[j] = mapped[j] || (sources->source[j][s] >= 0 && withheld[sources->source[j][s]]);
        }
        memcpy(withheld, mapped, (size_t)sources->k * sizeof *withheld);
        *k = sources->k;
    } else {
        for (int j = 0; j < *k; j++) {
            names[j] = rvl_schema_at(schema, j)->name;
            column[j] = rvl_schema_index(labels, names[j]);
        }
    }
    return check_labelled(b, names, column, *k, err);
}

/* Scores by the schema, then labels of the measured classes, then a row per scan where that is asked for. */
static rvl_status measure_part(rvl_grouped_part *out, bench *b, rvl_split_part *p, const rvl_schema *schema,
                               bool zeroshot, const rvl_class_sources *sources, int k, const int *column,
                               rvl_error *err)
{
    const int  n_scored = rvl_schema_count(schema);
    int       *none = rvl_alloc_array((size_t)n_scored + 1, sizeof *none); /* the scored findings' own labels */
    rvl_status st = none ? RVL_OK : no_memory(err);

    for (int j = 0; !st && j < n_scored; j++)
        none[j] = -1;
    if (!st) /* makes room for what is scored, which is no less than what is measured */
        st = rvl__part_labels(p, none, n_scored, b->uncertain, b->missing, err);
    if (!st)
        st = scores_of(b, p, schema, zeroshot, err);
    if (!st && b->mapping)
        rvl__map_scores(p->score, p->list.n_cases, n_scored, sources);
    if (!st)
        st = rvl__part_labels(p, column, k, b->uncertain, b->missing, err);
    rvl_free(none);
    return st ? st : rvl__group_part(out, p, k, b->opts->group, err);
}

static rvl_status measure_findings(json_t **out, bench *b, const rvl_schema *schema, bool zeroshot, const char **names,
                                   bool *withheld, int *column, rvl_error *err)
{
    rvl_class_sources sources;
    int               k = 0;
    rvl_grouped_part  test = {0};
    rvl_grouped_part  val = {0};
    rvl_status        st = choose_classes(&k, &sources, b, schema, names, withheld, column, err);

    if (!st)
        st = measure_part(&test, b, &b->test, schema, zeroshot, &sources, k, column, err);
    if (!st && b->has_val)
        st = measure_part(&val, b, &b->val, schema, zeroshot, &sources, k, column, err);
    rvl_bench_findings f = {.n = test.n,
                            .k = k,
                            .names = names,
                            .withheld = withheld,
                            .score = test.score,
                            .truth = test.truth,
                            .valid = test.valid,
                            .patient = test.patient,
                            .n_patients = test.n_patients,
                            .n_val = val.n,
                            .val_score = val.score,
                            .val_valid = val.valid,
                            .val_truth = val.truth,
                            .is_probability = true,
                            .class_set = b->mapping ? b->mapping->name : NULL};
    if (!st)
        st = rvl__bench_findings(out, &f, b->opts->n_bootstrap, (uint64_t)b->opts->seed, err);
    if (!st)
        st = add_baselines(*out, b, &f, &test.list, &val.list, column, err);
    if (!st && b->opts->predictions_out)
        st = rvl__part_save(b->opts->predictions_out, &b->test, k, names, err);
    rvl__grouped_part_fini(&test);
    rvl__grouped_part_fini(&val);
    return st;
}

static rvl_status bench_findings(json_t *root, bench *b, bool zeroshot, rvl_error *err)
{
    const rvl_schema *schema = b->use.m->schema;
    rvl_schema       *owned = NULL;
    json_t           *part_json = NULL;
    rvl_status        st = RVL_OK;

    if (!rvl_cohort_schema(b->cohort))
        return rvl_fail(err, RVL_ERR_NOT_FOUND, "cohort '%s' has no labels to compare with", b->opts->cohort);
    if (zeroshot)
        st = rvl__use_schema(&schema, &owned, &b->use, b->opts->prompts, err);
    else if (rvl_infer_width(b->use.infer, "logits", false) == 0)
        st = rvl_fail(err, RVL_ERR_USAGE,
                      "suite supervised: '%s' has no classifier head (it is neither from `rvl pretrain` nor from `rvl "
                      "align --label-loss`)",
                      b->use.path);
    if (st)
        return st;
    const size_t k = (size_t)rvl_schema_count(schema);
    const char **names = rvl_alloc_array(k, sizeof *names);
    bool        *withheld = rvl_alloc_array(k, sizeof *withheld);
    int         *column = rvl_alloc_array(k, sizeof *column);
    st = names && withheld && column ? measure_findings(&part_json, b, schema, zeroshot, names, withheld, column, err)
                                     : no_memory(err);
    if (!st)
        rvl_json_set(root, zeroshot ? "zeroshot" : "supervised", part_json);
    rvl_free(names);
    rvl_free(withheld);
    rvl_free(column);
    rvl_schema_free(owned);
    return st;
}

/* Cases with a text, their texts and both embeddings. */
static rvl_status bench_pairs(json_t *root, bench *b, rvl_error *err)
{
    const int64_t   n_all = b->test.list.n_cases;
    const int64_t   e = b->use.m->clip.embed_dim;
    rvl_case_list   some = {0};
    rvl_bench_pairs p = {.e = e, .cosine = b->use.m->clip.similarity == RVL_SIMILARITY_COSINE};
    char          **texts = rvl_alloc_array((size_t)n_all + 1, sizeof *texts);
    float          *x = rvl_alloc_array((size_t)(2 * n_all * e) + 1, sizeof *x);
    int64_t        *numbers = rvl_alloc_array((size_t)(2 * n_all) + 1, sizeof *numbers);
    json_t         *part_json = NULL;
    int64_t         n_cut = 0;
    rvl_status      st = texts && x && numbers ? RVL_OK : no_memory(err);

    some.cases = rvl_alloc_array((size_t)n_all + 1, sizeof *some.cases);
    if (!st && !some.cases)
        st = no_memory(err);
    for (int64_t i = 0; !st && i < n_all; i++) {
        char *text = rvl_case_text(&b->test.list.cases[i], RVL_TEXT_BOTH);
        if (!text)
            continue;
        texts[some.n_cases] = text;
        numbers[some.n_cases] = b->test.patient[i];
        some.cases[some.n_cases++] = b->test.list.cases[i];
    }
    if (!st && some.n_cases < 2)
        st = rvl_fail(err, RVL_ERR_NOT_FOUND, "suite retrieval: split '%s' has no reports", b->opts->split);
    const int64_t n = some.n_cases;
    p.n = n;
    if (!st)
        st = rvl_infer_cases(x, b->use.infer, "embedding", b->cohort, &some, err);
    if (!st)
        st = rvl_infer_texts(x + n * e, b->use.infer, "embedding", (const char *const *)texts, n, &n_cut, err);
    if (!st)
        st = rvl_number_groups(numbers + n_all, &p.n_groups, (const char *const *)texts, n, err);
    if (!st)
        st = rvl__group_embeddings(&p.n, x, x + n * e, e, p.cosine, numbers + n_all, sizeof *numbers, numbers, &some,
                                   b->opts->group, err);
    if (!st) {
        p.image = x;
        p.text = x + n * e;
        p.patient = numbers;
        p.n_patients = b->test.n_patients;
        p.group = numbers + n_all;
        st = rvl__bench_retrieval(&part_json, &p, b->opts->n_bootstrap, (uint64_t)b->opts->seed, err);
    }
    if (!st) {
        rvl_json_set(part_json, "n_truncated_reports", json_integer(n_cut));
        rvl_json_set(root, "retrieval", part_json);
    }
    for (int64_t i = 0; texts && i < n_all; i++)
        rvl_free(texts[i]);
    rvl_free(texts);
    rvl_free(x);
    rvl_free(numbers);
    rvl_free(some.cases);
    return st;
}

/* Images by images, where the cohort says what is in them. */
static rvl_status bench_images(json_t *root, bench *b, rvl_error *err)
{
    const rvl_case_list *list = &b->test.list;
    const rvl_schema    *labels = rvl_cohort_schema(b->cohort);
    const int            k = labels ? rvl_schema_count(labels) : 0;
    const int64_t        n = list->n_cases;
    const int64_t        e = b->use.m->clip.embed_dim;
    float               *x = rvl_alloc_array((size_t)(n * e) + 1, sizeof *x);
    uint8_t             *present = rvl_alloc_array((size_t)(n * k) + 1, sizeof *present);
    int64_t             *patient = rvl_alloc_array((size_t)n + 1, sizeof *patient);
    json_t              *part_json = NULL;
    rvl_status           st = x && present && patient ? RVL_OK : no_memory(err);

    if (!st && k > 0)
        st = rvl_infer_cases(x, b->use.infer, "embedding", b->cohort, list, err);
    for (int64_t i = 0; !st && i < n * k; i++) {
        float target = 0;
        float weight = 0;
        if (list->cases[i / k].labels)
            rvl_label_target((rvl_label_state)list->cases[i / k].labels[i % k], b->uncertain, b->missing, &target,
                             &weight);
        present[i] = weight > 0 && target > 0.5F;
    }
    if (!st && k > 0) {
        rvl_bench_images p = {.n = n,
                              .e = e,
                              .image = x,
                              .k = k,
                              .present = present,
                              .patient = patient,
                              .n_patients = b->test.n_patients,
                              .cosine = b->use.m->clip.similarity == RVL_SIMILARITY_COSINE};
        memcpy(patient, b->test.patient, (size_t)n * sizeof *patient);
        st = rvl__group_embeddings(&p.n, x, NULL, e, p.cosine, present, (size_t)k, patient, list, b->opts->group, err);
        if (!st)
            st = rvl__bench_images(&part_json, &p, b->opts->n_bootstrap, (uint64_t)b->opts->seed, err);
        if (!st)
            rvl_json_set(json_object_get(root, "retrieval"), "image_to_image", part_json);
    }
    rvl_free(x);
    rvl_free(present);
    rvl_free(patient);
    return st;
}

static rvl_status open_parts(bench *b, rvl_error *err)
{
    const rvl_bench_opts *o = b->opts;
    rvl_status            st = rvl__scan_groups_check(o->group, err);

    if (!st)
        st = rvl__mapping_parse(&b->mapping, o->map, err);
    if (!st)
        st = rvl__uncertain_parse(&b->uncertain, o->uncertain, err);
    if (!st)
        st = rvl__missing_parse(&b->missing, o->missing, err);
    if (!st)
        st = rvl__use_open(&b->use, o->model, o->threads, err);
    if (!st)
        st = rvl_cohort_open(&b->cohort, o->cohort, err);
    if (!st)
        st = rvl__part_open(&b->test, b->cohort, o->split, o->limit, err);
    b->has_val = o->val_split && *o->val_split && !rvl_str_equal(o->val_split, o->split);
    if (!st && b->has_val) {
        rvl_error none = {0};
        b->has_val = rvl__part_open(&b->val, b->cohort, o->val_split, 0, &none) == RVL_OK;
        if (!b->has_val)
            rvl_log(RVL_LOG_WARN, "no split '%s' to choose thresholds on: F1, precision and recall are left out",
                    o->val_split);
    }
    return st;
}

static bool wants(const char *suite, const char *name)
{
    const size_t n = strlen(name);
    for (const char *at = suite; at && *at;) {
        size_t word = strcspn(at, ",");
        if (word == n && memcmp(at, name, n) == 0)
            return true;
        at += word + (at[word] == ',');
    }
    return false;
}

static rvl_status check_suite(const char *suite, rvl_error *err)
{
    for (const char *at = suite; at && *at;) {
        size_t n = strcspn(at, ",");
        bool   known = (n == 8 && memcmp(at, "zeroshot", 8) == 0) || (n == 9 && memcmp(at, "retrieval", 9) == 0) ||
                     (n == 10 && memcmp(at, "supervised", 10) == 0);
        if (!known)
            return rvl_fail(err, RVL_ERR_USAGE, "unknown suite '%.*s'\nhint: supervised, zeroshot, retrieval", (int)n,
                            at);
        at += n + (at[n] == ',');
    }
    return RVL_OK;
}

/* With the parts that the cohort has and that lie apart from the measured one. */
static rvl_status audit(json_t *root, const bench *b, rvl_error *err)
{
    const rvl_bench_opts *o = b->opts;
    const char           *others[2] = {o->train_split, b->has_val ? o->val_split : NULL};
    rvl_case_list         train = {0};
    rvl_error             none = {0};

    if (others[0] && rvl_cohort_cases(&train, b->cohort, others[0], &none))
        others[0] = NULL;
    rvl_case_list_fini(&train);
    for (int i = 0; i < 2; i++)
        if (others[i] && overlaps(others[i], o->split))
            others[i] = NULL;
    return rvl__audit_cohort(root, b->cohort, o->split, others, 2, err);
}

static rvl_status bench_cohort(json_t *root, const rvl_bench_opts *o, rvl_error *err)
{
    bench       b = {.opts = o};
    const char *suite = o->suite;
    rvl_status  st = check_suite(suite, err);

    if (!st)
        st = open_parts(&b, err);
    if (!st) {
        if (!suite)
            suite = b.use.m->has_clip ? "zeroshot,retrieval" : "supervised";
        json_t *model = json_object();
        rvl_json_set(model, "path", json_string(b.use.path));
        rvl_json_set(model, "id", json_string(b.use.id));
        rvl_json_set(root, "model", model);
        rvl_json_set(root, "cohort", json_string(o->cohort));
        rvl_json_set(root, "split", json_string(o->split));
        rvl_json_set(root, "uncertain", json_string(o->uncertain));
        rvl_json_set(root, "missing", json_string(o->missing));
        if (o->group)
            rvl_json_set(root, "group", json_string(o->group));
        if (o->map)
            rvl_json_set(root, "map", json_string(o->map));
    }
    if (!st)
        st = audit(root, &b, err);
    if (!st && wants(suite, "supervised"))
        st = bench_findings(root, &b, false, err);
    if (!st && wants(suite, "zeroshot"))
        st = bench_findings(root, &b, true, err);
    if (!st && wants(suite, "retrieval"))
        st = b.use.m->has_clip && b.use.m->has_text
                 ? bench_pairs(root, &b, err)
                 : rvl_fail(err, RVL_ERR_USAGE, "suite retrieval: '%s' has no text tower", b.use.path);
    if (!st && wants(suite, "retrieval"))
        st = bench_images(root, &b, err);
    rvl__part_fini(&b.test);
    rvl__part_fini(&b.val);
    rvl_cohort_close(b.cohort);
    rvl__use_close(&b.use);
    return st;
}

rvl_status rvl_bench_run(char **json, const rvl_bench_opts *o, rvl_error *err)
{
    json_t    *root = json_object();
    rvl_status st = root ? RVL_OK : no_memory(err);

    *json = NULL;
    rvl_json_set(root, "schema", json_string("rvl.bench/1"));
    rvl_json_set(root, "version", json_string(RVL_VERSION));
    rvl_json_set(root, "seed", json_integer(o->seed));
    rvl_json_set(root, "n_bootstrap", json_integer(o->n_bootstrap));
    if (!st && (o->predictions || o->image_embeddings))
        st = rvl__bench_external(root, o, err);
    else if (!st && o->cohort)
        st = bench_cohort(root, o, err);
    else if (!st)
        st = rvl_fail(err, RVL_ERR_USAGE,
                      "nothing to measure\nhint: give COHORT and -m RUN, or --predictions and --labels, or "
                      "--image-embeddings and --text-embeddings");
    if (!st && o->html)
        st = rvl__bench_html(o->html, root, err);
    if (!st)
        st = rvl_json_format(json, root, 2, err);
    json_decref(root);
    return st;
}
