/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cohort/loader.c
 * A ring of prepared batches. A reader takes the next batch number and its case indices under the lock, prepares the
 * images outside of it; what a batch holds depends on its number alone, so the number of readers changes nothing.
 */
#include "cohort/loader.h"
#include "base/alloc.h"
#include "base/rng.h"
#include <math.h>
#include <pthread.h>
#include <string.h>

#define MAX_THREADS 64

typedef enum { SLOT_FREE, SLOT_FILLING, SLOT_READY } slot_state;

typedef struct {
    slot_state state;
    int64_t    i_sequence, epoch;
    int        n;
    int64_t   *i_case;
    float     *images, *image_mask;
    uint8_t   *labels;
    rvl_status status;
    rvl_error  error;
} slot;

/** Per thread: room for augmentation and for drawing images of a study. */
typedef struct {
    float   *scratch;
    int64_t *picks;
} workspace;

struct rvl_loader {
    rvl_cohort          *cohort;
    const rvl_case_list *list;
    rvl_loader_opts      opts;
    rvl_preprocess       spec;
    int64_t              n_batches, image_floats, max_images;
    int                  n_slots, n_findings;
    slot                *slots;
    int64_t             *order; /* cases of epoch `order_epoch` */
    int64_t              order_epoch;
    int64_t              next_fill, next_read; /* batch numbers over all epochs */
    bool                 holds_batch;          /* the caller looks at batch next_read - 1 */
    bool                 is_stopping;
    int                  n_running;
    pthread_t            threads[MAX_THREADS];
    pthread_mutex_t      lock;
    pthread_cond_t       can_fill, can_read;
    workspace            work[MAX_THREADS]; /* of each reader; without readers the first is the caller's */
    int                  n_at_work;         /* readers that have taken theirs */
};

static rvl_status workspace_init(workspace *w, const rvl_loader *l, rvl_error *err)
{
    w->scratch = rvl_alloc_array((size_t)(l->spec.height * l->spec.width), sizeof *w->scratch); /* a slice */
    w->picks = rvl_alloc_array((size_t)l->max_images + 1, sizeof *w->picks);
    return w->scratch && w->picks ? RVL_OK : rvl_fail(err, RVL_ERR_NOMEM, "cannot load batches: out of memory");
}

static void workspace_fini(workspace *w)
{
    rvl_free(w->scratch);
    rvl_free(w->picks);
}

static uint64_t stream_of(const char *what, int64_t epoch)
{
    return rvl_rng_mix(rvl_rng_name(what), (uint64_t)epoch);
}

/** Which images of a study fill the slots this epoch. */
static void pick_images(int64_t *picks, const rvl_loader *l, int64_t i_case, int64_t epoch)
{
    int n = l->list->cases[i_case].n_images;

    for (int i = 0; i < n; i++)
        picks[i] = i;
    if (l->opts.shuffle && n > l->opts.images_per_study) {
        rvl_rng r = rvl_rng_make(l->opts.seed, rvl_rng_mix(stream_of("loader.images", epoch), (uint64_t)i_case));
        rvl_rng_shuffle(&r, picks, n);
    }
}

/** The middle of a pack row, or with augmentation a random crop, turned and scaled slice by slice. */
static void load_volume(float *out, const rvl_loader *l, const void *codes, int64_t row, int64_t epoch, workspace *w)
{
    const rvl_augment *a = &l->opts.augmentation;
    int64_t            first[3];

    if (l->opts.augment)
        rvl_augment_crop(first, &l->spec, a, l->opts.seed, (uint64_t)epoch, (uint64_t)row);
    rvl_preprocess_crop(out, &l->spec, codes, l->opts.augment ? first : NULL);
    if (l->opts.augment)
        rvl_augment_volume(out, w->scratch, &l->spec, a, l->opts.seed, (uint64_t)epoch, (uint64_t)row);
}

static rvl_status load_image(float *out, const rvl_loader *l, const rvl_case *k, int64_t i_image, int64_t epoch,
                             workspace *w, rvl_error *err)
{
    const void *codes;
    int64_t     row = k->image_rows[i_image];
    rvl_status  st = rvl_cohort_pack_row(&codes, l->cohort, row, err);

    if (st) {
        rvl_error_prefix(err, "case '%s'", k->case_id);
        return st;
    }
    if (rvl_preprocess_is_volume(&l->spec))
        load_volume(out, l, codes, row, epoch, w);
    else
        rvl_preprocess_decode(out, &l->spec, codes, l->image_floats);
    rvl_cohort_pack_done(l->cohort, row);
    if (l->opts.augment && !rvl_preprocess_is_volume(&l->spec))
        rvl_augment_apply(out, w->scratch, l->spec.height, l->spec.width, (float)l->spec.out_low, &l->opts.augmentation,
                          l->opts.seed, (uint64_t)epoch, (uint64_t)row);
    for (int64_t i = 0; i < l->image_floats; i++) {
        if (!isfinite(out[i]))
            return rvl_fail(err, RVL_ERR_NUMERIC,
                            "an image of case '%s' (pack row %lld) holds a value that is no number", k->case_id,
                            (long long)row);
    }
    return RVL_OK;
}

/** Images, mask and labels of the cases in s->i_case. */
static rvl_status fill_slot(slot *s, const rvl_loader *l, workspace *w, rvl_error *err)
{
    int n_images = l->opts.images_per_study;

    memset(s->images, 0, (size_t)l->opts.batch_size * (size_t)n_images * (size_t)l->image_floats * sizeof *s->images);
    memset(s->image_mask, 0, (size_t)l->opts.batch_size * (size_t)n_images * sizeof *s->image_mask);
    if (s->labels)
        memset(s->labels, 0, (size_t)l->opts.batch_size * (size_t)l->n_findings);
    for (int i = 0; i < s->n; i++) {
        const rvl_case *k = &l->list->cases[s->i_case[i]];

        if (!l->cohort)
            continue;
        pick_images(w->picks, l, s->i_case[i], s->epoch);
        for (int j = 0; j < n_images && j < k->n_images; j++) {
            int64_t    at = (int64_t)i * n_images + j;
            rvl_status st = load_image(s->images + at * l->image_floats, l, k, w->picks[j], s->epoch, w, err);
            if (st)
                return st;
            s->image_mask[at] = 1;
        }
        if (s->labels && k->labels)
            memcpy(s->labels + (size_t)i * (size_t)l->n_findings, k->labels, (size_t)l->n_findings);
    }
    return RVL_OK;
}

static void order_epoch(rvl_loader *l, int64_t epoch)
{
    if (l->order_epoch == epoch)
        return;
    for (int64_t i = 0; i < l->list->n_cases; i++)
        l->order[i] = i;
    if (l->opts.shuffle) {
        rvl_rng r = rvl_rng_make(l->opts.seed, stream_of("loader.order", epoch));
        rvl_rng_shuffle(&r, l->order, l->list->n_cases);
    }
    l->order_epoch = epoch;
}

/** Give batch number next_fill to its slot. Called with the lock held. */
static slot *take_ticket(rvl_loader *l)
{
    slot   *s = &l->slots[l->next_fill % l->n_slots];
    int64_t first;

    s->state = SLOT_FILLING;
    s->i_sequence = l->next_fill++;
    s->epoch = s->i_sequence / l->n_batches;
    s->status = RVL_OK;
    order_epoch(l, s->epoch);
    first = s->i_sequence % l->n_batches * l->opts.batch_size;
    s->n = 0;
    for (int i = 0; i < l->opts.batch_size; i++) {
        bool is_real = first + i < l->list->n_cases;
        s->i_case[i] = is_real ? l->order[first + i] : -1;
        s->n += is_real;
    }
    return s;
}

static void *reader_main(void *context)
{
    rvl_loader *l = context;
    workspace  *w;

    pthread_mutex_lock(&l->lock);
    w = &l->work[l->n_at_work++];
    while (!l->is_stopping) {
        if (l->slots[l->next_fill % l->n_slots].state != SLOT_FREE) {
            pthread_cond_wait(&l->can_fill, &l->lock);
            continue;
        }
        slot *s = take_ticket(l);
        pthread_mutex_unlock(&l->lock);
        s->error = (rvl_error){0};
        s->status = fill_slot(s, l, w, &s->error);
        pthread_mutex_lock(&l->lock);
        s->state = SLOT_READY;
        pthread_cond_broadcast(&l->can_read);
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

static rvl_status start_readers(rvl_loader *l, rvl_error *err)
{
    while (l->n_running < l->opts.n_threads) {
        if (pthread_create(&l->threads[l->n_running], NULL, reader_main, l)) {
            if (l->n_running > 0)
                return RVL_OK;
            return rvl_fail(err, RVL_ERR_NOMEM, "cannot start a reader thread");
        }
        l->n_running++;
    }
    return RVL_OK;
}

static rvl_status slots_new(rvl_loader *l, rvl_error *err)
{
    size_t n = (size_t)l->opts.batch_size, s = (size_t)l->opts.images_per_study, bytes;
    bool   is_ok = rvl_mul_size(&bytes, n * s, (size_t)l->image_floats * sizeof(float));

    l->slots = rvl_alloc_array((size_t)l->n_slots, sizeof *l->slots);
    for (int i = 0; is_ok && l->slots && i < l->n_slots; i++) {
        slot *x = &l->slots[i];
        x->i_case = rvl_alloc_array(n, sizeof *x->i_case);
        x->images = rvl_alloc_aligned(bytes ? bytes : 1);
        x->image_mask = rvl_alloc_array(n * s, sizeof *x->image_mask);
        x->labels = l->n_findings ? rvl_alloc_array(n, (size_t)l->n_findings) : NULL;
        is_ok = x->i_case && x->images && x->image_mask && (x->labels || !l->n_findings);
    }
    return is_ok && l->slots ? RVL_OK
                             : rvl_fail(err, RVL_ERR_NOMEM, "cannot hold %d batches of %d cases: out of memory",
                                        l->n_slots, l->opts.batch_size);
}

static rvl_status opts_check(const rvl_loader_opts *o, const rvl_case_list *list, rvl_error *err)
{
    if (o->batch_size < 1 || o->batch_size > 1 << 20)
        return rvl_fail(err, RVL_ERR_USAGE, "batch size must be 1 to %d, not %d", 1 << 20, o->batch_size);
    if (o->images_per_study < 0 || o->images_per_study > 1024)
        return rvl_fail(err, RVL_ERR_USAGE, "images per study must be 1 to 1024, not %d", o->images_per_study);
    if (o->n_threads < 0 || o->n_threads > MAX_THREADS)
        return rvl_fail(err, RVL_ERR_USAGE, "reader threads must be 0 to %d, not %d", MAX_THREADS, o->n_threads);
    if (list->n_cases < 1)
        return rvl_fail(err, RVL_ERR_NOT_FOUND, "cannot load batches: there are no cases");
    if (o->drop_last && list->n_cases < o->batch_size)
        return rvl_fail(err, RVL_ERR_USAGE, "cannot fill one batch of %d from %lld cases", o->batch_size,
                        (long long)list->n_cases);
    return RVL_OK;
}

static void loader_measure(rvl_loader *l)
{
    const rvl_schema *schema = l->cohort ? rvl_cohort_schema(l->cohort) : NULL;
    int64_t           n = l->list->n_cases, size = l->opts.batch_size;

    if (l->cohort) {
        l->spec = *rvl_cohort_preprocess(l->cohort);
        l->image_floats = rvl_preprocess_count(&l->spec);
    }
    l->n_findings = schema ? rvl_schema_count(schema) : 0;
    l->n_batches = l->opts.drop_last ? n / size : (n + size - 1) / size;
    l->n_slots = l->opts.n_threads ? l->opts.n_threads + 2 : 1;
    l->order_epoch = -1;
    for (int64_t i = 0; i < n; i++) {
        if (l->list->cases[i].n_images > l->max_images)
            l->max_images = l->list->cases[i].n_images;
    }
}

rvl_status rvl_loader_new(rvl_loader **out, rvl_cohort *c, const rvl_case_list *list, rvl_loader_opts opts,
                          rvl_error *err)
{
    rvl_loader *l;
    rvl_status  st;

    *out = NULL;
    if (opts.images_per_study == 0)
        opts.images_per_study = 1;
    st = opts_check(&opts, list, err);
    if (st)
        return st;
    l = rvl_alloc_array(1, sizeof *l);
    if (!l)
        return rvl_fail(err, RVL_ERR_NOMEM, "cannot load batches: out of memory");
    l->cohort = c;
    l->list = list;
    l->opts = opts;
    loader_measure(l);
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->can_fill, NULL);
    pthread_cond_init(&l->can_read, NULL);
    l->order = rvl_alloc_array((size_t)list->n_cases, sizeof *l->order);
    st = l->order ? slots_new(l, err) : rvl_fail(err, RVL_ERR_NOMEM, "cannot load batches: out of memory");
    for (int i = 0; !st && (i < opts.n_threads || i == 0); i++)
        st = workspace_init(&l->work[i], l, err);
    if (st) {
        rvl_loader_free(l);
        return st;
    }
    *out = l;
    return RVL_OK;
}

void rvl_loader_free(rvl_loader *l)
{
    if (!l)
        return;
    pthread_mutex_lock(&l->lock);
    l->is_stopping = true;
    pthread_cond_broadcast(&l->can_fill);
    pthread_mutex_unlock(&l->lock);
    for (int i = 0; i < l->n_running; i++)
        pthread_join(l->threads[i], NULL);
    for (int i = 0; l->slots && i < l->n_slots; i++) {
        rvl_free(l->slots[i].i_case);
        rvl_free(l->slots[i].images);
        rvl_free(l->slots[i].image_mask);
        rvl_free(l->slots[i].labels);
    }
    pthread_cond_destroy(&l->can_read);
    pthread_cond_destroy(&l->can_fill);
    pthread_mutex_destroy(&l->lock);
    for (int i = 0; i < MAX_THREADS; i++)
        workspace_fini(&l->work[i]);
    rvl_free(l->slots);
    rvl_free(l->order);
    rvl_free(l);
}

int64_t rvl_loader_n_batches(const rvl_loader *l)
{
    return l->n_batches;
}

static bool is_any_filling(const rvl_loader *l)
{
    for (int i = 0; i < l->n_slots; i++) {
        if (l->slots[i].state == SLOT_FILLING)
            return true;
    }
    return false;
}

rvl_status rvl_loader_seek(rvl_loader *l, int64_t epoch, int64_t i_batch, rvl_error *err)
{
    if (epoch < 0 || i_batch < 0 || i_batch >= l->n_batches || epoch > INT64_MAX / l->n_batches - 1)
        return rvl_fail(err, RVL_ERR_USAGE, "cannot go to batch %lld of epoch %lld: an epoch has %lld batches",
                        (long long)i_batch, (long long)epoch, (long long)l->n_batches);
    pthread_mutex_lock(&l->lock);
    for (int i = 0; i < l->n_slots; i++) { /* nothing new begins while the readers end what they have */
        if (l->slots[i].state == SLOT_FREE)
            l->slots[i].state = SLOT_READY;
    }
    while (is_any_filling(l))
        pthread_cond_wait(&l->can_read, &l->lock);
    for (int i = 0; i < l->n_slots; i++)
        l->slots[i].state = SLOT_FREE;
    l->next_fill = l->next_read = epoch * l->n_batches + i_batch;
    l->holds_batch = false;
    pthread_cond_broadcast(&l->can_fill);
    pthread_mutex_unlock(&l->lock);
    return RVL_OK;
}

/** The slot of batch next_read, filled here or by a reader. */
static rvl_status wait_batch(slot **out, rvl_loader *l, rvl_error *err)
{
    slot *s = &l->slots[l->next_read % l->n_slots];

    *out = s;
    if (l->opts.n_threads) {
        rvl_status st = start_readers(l, err);
        if (st)
            return st;
        pthread_mutex_lock(&l->lock);
        while (s->state != SLOT_READY || s->i_sequence != l->next_read)
            pthread_cond_wait(&l->can_read, &l->lock);
        pthread_mutex_unlock(&l->lock);
    } else if (s->state == SLOT_FREE) {
        s = take_ticket(l);
        s->error = (rvl_error){0};
        s->status = fill_slot(s, l, &l->work[0], &s->error);
        s->state = SLOT_READY;
    }
    return s->status ? rvl_fail(err, s->status, "%s", s->error.text) : RVL_OK;
}

rvl_status rvl_loader_next(rvl_loader *l, rvl_batch *out, rvl_error *err)
{
    slot      *s;
    rvl_status st;

    *out = (rvl_batch){0};
    if (l->holds_batch) {
        pthread_mutex_lock(&l->lock);
        l->slots[(l->next_read - 1) % l->n_slots].state = SLOT_FREE;
        l->holds_batch = false;
        pthread_cond_broadcast(&l->can_fill);
        pthread_mutex_unlock(&l->lock);
    }
    st = wait_batch(&s, l, err);
    if (st)
        return st;
    *out = (rvl_batch){s->n, s->i_case, s->images, s->image_mask, s->labels};
    l->next_read++;
    l->holds_batch = true;
    return RVL_OK;
}
