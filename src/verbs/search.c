/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verbs/search.c
 * Nearest cases of an index to a text, an image or another case.
 */
#include "base/alloc.h"
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "rvl/verbs.h"
#include "search/index.h"
#include "search/sheet.h"
#include "verbs/model_use.h"
#include <stdio.h>
#include <string.h>

typedef struct {
    const rvl_search_opts *o;
    rvl_index             *index;
    const rvl_index_data  *data;
    float                 *query;        /* (E) */
    int64_t                exclude;      /* the case itself, or -1 */
    uint8_t               *query_pixels; /* of --image, for the sheet */
    int64_t                query_height, query_width;
    rvl_hit               *hits;
    int                    n_hits;
} search;

static rvl_status no_memory(rvl_error *err)
{
    return rvl_fail(err, RVL_ERR_NOMEM, "out of memory for the search");
}

void rvl_hits_free(rvl_hits *h)
{
    if (!h)
        return;
    for (int i = 0; i < h->n; i++) {
        rvl_free(h->case_ids[i]);
        rvl_free(h->snippets[i]);
    }
    rvl_free(h->case_ids);
    rvl_free(h->snippets);
    rvl_free(h->scores);
    rvl_free(h);
}

static rvl_status query_from_image(search *s, rvl_use *u, rvl_error *err)
{
    rvl_preprocess spec;
    rvl_volume    *v = NULL;
    float         *image = NULL;
    rvl_status     st = rvl_model_preprocess(&spec, u->m, err);

    if (!st)
        st = rvl__use_load_image(&v, &spec, s->o->image, err);
    if (st)
        return st;
    const int64_t n = spec.height * spec.width;
    const int64_t first = spec.depth / 2 * n; /* a volume is shown by its middle slice */
    image = rvl_alloc_array((size_t)rvl_preprocess_count(&spec), sizeof *image);
    s->query_pixels = rvl_alloc_array((size_t)n, 1);
    st = image && s->query_pixels ? rvl_preprocess_apply(image, &spec, v, s->o->force, NULL, err) : no_memory(err);
    if (!st) {
        for (int64_t i = 0; i < n; i++)
            s->query_pixels[i] =
                (uint8_t)(((double)image[first + i] - spec.out_low) / (spec.out_high - spec.out_low) * 255 + 0.5);
        s->query_height = spec.height;
        s->query_width = spec.width;
        st = rvl_infer_image(s->query, u->infer, "embedding", image, err);
    }
    rvl_free(image);
    rvl_volume_free(v);
    return st;
}

static rvl_status query_from_model(search *s, rvl_error *err)
{
    rvl_use     u;
    int64_t     n_cut = 0;
    const char *model = s->o->model ? s->o->model : s->data->model_path;
    rvl_status  st = rvl__use_open(&u, model, 0, err);

    if (st) {
        if (!s->o->model)
            rvl_error_prefix(err, "the index names the model '%s' (give it with -m if it moved)", model);
        return st;
    }
    st = rvl_index_check_model(s->index, u.id, err);
    if (!st)
        st = s->o->text ? rvl_infer_texts(s->query, u.infer, "embedding", &s->o->text, 1, &n_cut, err)
                        : query_from_image(s, &u, err);
    if (!st && n_cut > 0)
        rvl_log(RVL_LOG_WARN, "the text is longer than the model's %d tokens and was cut", u.m->max_tok);
    rvl__use_close(&u);
    return st;
}

static rvl_status make_query(search *s, rvl_error *err)
{
    const rvl_search_opts *o = s->o;
    const bool             images = !rvl_str_equal(o->target, "text");

    s->exclude = -1;
    s->query = rvl_alloc_array((size_t)s->data->n_embed, sizeof *s->query);
    if (!s->query)
        return no_memory(err);
    if (!o->like)
        return query_from_model(s, err);
    s->exclude = rvl_index_find(s->index, o->like);
    if (s->exclude < 0)
        return rvl_fail(err, RVL_ERR_NOT_FOUND, "the index has no case '%s'", o->like);
    const float *from = images && s->data->image ? s->data->image : s->data->text;
    if (!from)
        return rvl_fail(err, RVL_ERR_NOT_FOUND, "the index has no vector for case '%s'", o->like);
    memcpy(s->query, from + s->exclude * s->data->n_embed, (size_t)s->data->n_embed * sizeof *s->query);
    return RVL_OK;
}

static rvl_status run_query(search *s, rvl_error *err)
{
    const int64_t   k = s->o->k < s->data->n_cases ? s->o->k : s->data->n_cases;
    rvl_index_query q = {.vectors = s->query,
                         .n_queries = 1,
                         .n_embed = s->data->n_embed,
                         .k = (int)k,
                         .modality = rvl_str_equal(s->o->target, "text") ? RVL_INDEX_TEXT : RVL_INDEX_IMAGE,
                         .exclude = &s->exclude};
    s->hits = rvl_alloc_array((size_t)k + 1, sizeof *s->hits);
    return s->hits ? rvl_index_search(s->hits, &s->n_hits, s->index, &q, err) : no_memory(err);
}

/* Pack pixels of a hit as 8-bit gray; `cohort` is kept open between hits of one cohort. */
static void load_thumbnail(rvl_thumbnail *out, uint8_t **owned, rvl_cohort **cohort, const rvl_index_case *c)
{
    rvl_error   ignored = {0};
    const void *codes = NULL;

    if (!*c->cohort || c->pack_row < 0)
        return;
    if (*cohort && strcmp(rvl_cohort_path(*cohort), c->cohort) != 0) {
        rvl_cohort_close(*cohort);
        *cohort = NULL;
    }
    if (!*cohort && rvl_cohort_open(cohort, c->cohort, &ignored) != RVL_OK)
        return;
    const rvl_preprocess *p = rvl_cohort_preprocess(*cohort);
    int64_t               side[3];
    rvl_preprocess_load_sides(side, p);
    const int64_t n = side[1] * side[2];
    const int64_t first = side[0] / 2 * n; /* of a volume the middle slice */
    if (rvl_cohort_pack_row(&codes, *cohort, c->pack_row, &ignored) != RVL_OK)
        return;
    *owned = rvl_alloc_array((size_t)n, 1);
    if (!*owned)
        return;
    for (int64_t i = 0; i < n; i++)
        (*owned)[i] =
            p->bits == 16 ? (uint8_t)(((const uint16_t *)codes)[first + i] >> 8) : ((const uint8_t *)codes)[first + i];
    *out = (rvl_thumbnail){*owned, side[1], side[2]};
}

static rvl_status write_sheet(search *s, rvl_error *err)
{
    rvl_thumbnail *thumbnails = rvl_alloc_array((size_t)s->n_hits + 1, sizeof *thumbnails);
    uint8_t      **owned = rvl_alloc_array((size_t)s->n_hits + 1, sizeof *owned);
    rvl_cohort    *cohort = NULL;
    rvl_str        page = {0};
    rvl_status     st = thumbnails && owned ? RVL_OK : no_memory(err);

    for (int i = 0; !st && i < s->n_hits; i++)
        load_thumbnail(&thumbnails[i], &owned[i], &cohort, &s->data->cases[s->hits[i].i_case]);
    rvl_sheet sheet = {.query = s->o->text   ? s->o->text
                                : s->o->like ? s->o->like
                                             : rvl_path_base(s->o->image),
                       .query_image = {s->query_pixels, s->query_height, s->query_width},
                       .data = s->data,
                       .n_hits = s->n_hits,
                       .hits = s->hits,
                       .thumbnails = thumbnails};
    if (!st)
        st = rvl_search_html(&page, &sheet, err);
    if (!st && page.failed)
        st = no_memory(err);
    if (!st)
        st = rvl_file_write(s->o->html, page.ptr, page.n_bytes, err);
    for (int i = 0; owned && i < s->n_hits; i++)
        rvl_free(owned[i]);
    rvl_free(thumbnails);
    rvl_free(owned);
    rvl_cohort_close(cohort);
    rvl_str_free(&page);
    return st;
}

static rvl_status make_hits(rvl_hits **out, const search *s, rvl_error *err)
{
    static const char *const names[] = {"cosine", "dot", "scaled"};
    rvl_hits                *h = rvl_alloc_array(1, sizeof *h);

    *out = h;
    if (!h)
        return no_memory(err);
    h->case_ids = rvl_alloc_array((size_t)s->n_hits + 1, sizeof *h->case_ids);
    h->snippets = rvl_alloc_array((size_t)s->n_hits + 1, sizeof *h->snippets);
    h->scores = rvl_alloc_array((size_t)s->n_hits + 1, sizeof *h->scores);
    if (!h->case_ids || !h->snippets || !h->scores)
        return no_memory(err);
    snprintf(h->similarity, sizeof h->similarity, "%s", names[s->data->similarity]);
    for (int i = 0; i < s->n_hits; i++) {
        const rvl_index_case *c = &s->data->cases[s->hits[i].i_case];
        h->case_ids[i] = rvl_strdup(c->case_id);
        h->snippets[i] = rvl_strdup(c->snippet);
        h->scores[i] = s->hits[i].score;
        h->n++;
        if (!h->case_ids[i] || !h->snippets[i])
            return no_memory(err);
    }
    return RVL_OK;
}

rvl_status rvl_search_run(rvl_hits **out, const rvl_search_opts *o, rvl_error *err)
{
    search     s = {.o = o};
    rvl_status st = RVL_OK;

    *out = NULL;
    if ((o->text != NULL) + (o->image != NULL) + (o->like != NULL) != 1)
        return rvl_fail(err, RVL_ERR_USAGE, "give exactly one of --text, --image and --like");
    if (!rvl_str_equal(o->target, "image") && !rvl_str_equal(o->target, "text"))
        return rvl_fail(err, RVL_ERR_USAGE, "--target is image or text, not '%s'", o->target);
    if (o->k < 1 || o->k > 100000)
        return rvl_fail(err, RVL_ERR_USAGE, "-k is 1 to 100000");
    st = rvl_index_open(&s.index, o->index, err);
    if (!st) {
        s.data = rvl_index_get(s.index);
        st = make_query(&s, err);
    }
    if (!st)
        st = run_query(&s, err);
    if (!st)
        st = make_hits(out, &s, err);
    if (!st && o->html)
        st = write_sheet(&s, err);
    if (st) {
        rvl_hits_free(*out);
        *out = NULL;
    }
    rvl_free(s.query);
    rvl_free(s.query_pixels);
    rvl_free(s.hits);
    rvl_index_close(s.index);
    return st;
}
