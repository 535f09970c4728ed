/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/unit/test_learn_no_alloc.c
 * Training steps 3 to 10 take no memory: malloc and its kin are replaced here and count every call, from any library
 * and any thread. The first two steps may fill what is kept (statistics' shadows, bindings, thread pools).
 */
#include "learn_fixture.h"
#include "volume_fixture.h"
#include <errno.h>
#include <stdatomic.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HAS_SANITIZER 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HAS_SANITIZER 1
#endif

#if defined(__GLIBC__) && !defined(HAS_SANITIZER)
static atomic_int  n_calls;
static atomic_bool is_counting;

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t alignment, size_t n);

static void count(void)
{
    if (atomic_load(&is_counting))
        atomic_fetch_add(&n_calls, 1);
}

void *malloc(size_t n)
{
    count();
    return __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
    count();
    return __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
    count();
    return __libc_realloc(p, n);
}

void *aligned_alloc(size_t alignment, size_t n)
{
    count();
    return __libc_memalign(alignment, n);
}

int posix_memalign(void **out, size_t alignment, size_t n)
{
    count();
    *out = __libc_memalign(alignment, n);
    return *out ? 0 : ENOMEM;
}

/* What rvl_loop_run does in a step. */
static void take_steps(bed *b, rvl_task task)
{
    rvl_batch batch;
    double    loss;

    for (int step = 1; step <= 10; step++) {
        if (step == 3)
            atomic_store(&is_counting, true);
        OK(rvl_loader_next(b->loader, &batch, &err));
        rvl_adamw_zero_grad(b->o);
        OK(task.step(task.self, &batch, step, &loss, &err));
        assert_true(rvl_adamw_grad_norm(b->o) > 0);
        rvl_adamw_step(b->o, 1e-3, 1);
        rvl_state_commit(b->m->state);
    }
    atomic_store(&is_counting, false);
    assert_int_equal(atomic_exchange(&n_calls, 0), 0);
}

static void supervised_steps__allocate_nothing(void **folder)
{
    const rvl_supervise_opts opts = {.batch = BATCH, .micro_batch = BATCH / 2};
    rvl_supervise           *s = NULL;
    bed                      b;

    bed_open(&b, *folder, false);
    OK(rvl_supervise_new(&s, b.m, b.cohort, NULL, &opts, &err));
    rvl_supervise_set_optimizer(s, b.o);
    take_steps(&b, rvl_supervise_task(s));
    rvl_supervise_free(s);
    bed_close(&b);
}

static void steps_with_readers(const char *folder)
{
    const rvl_supervise_opts opts = {.batch = BATCH, .micro_batch = BATCH};
    rvl_loader_opts          loading = {.batch_size = BATCH, .shuffle = true, .drop_last = true, .n_threads = 2};
    rvl_supervise           *s = NULL;
    bed                      b;

    bed_open(&b, folder, false);
    rvl_loader_free(b.loader);
    loading.augment = true;
    loading.augmentation = rvl_augment_default(NULL);
    OK(rvl_loader_new(&b.loader, b.cohort, &b.list, loading, &err));
    OK(rvl_supervise_new(&s, b.m, b.cohort, NULL, &opts, &err));
    rvl_supervise_set_optimizer(s, b.o);
    take_steps(&b, rvl_supervise_task(s));
    rvl_supervise_free(s);
    bed_close(&b);
}

static void steps_with_readers__allocate_nothing(void **folder)
{
    steps_with_readers(*folder);
}

/* Crops moved along depth, slices turned alike, a tower of rank 3. */
static void steps_on_volumes__allocate_nothing(void **folder)
{
    char            raw[PATH_BYTES], place[PATH_BYTES], out[PATH_BYTES];
    rvl_ingest_opts opts = {.folder = path_in(raw, *folder, "volumes"), .out_path = out};

    path_in(place, *folder, "of_volumes");
    path_in(out, place, "cohort");
    OK(rvl_dir_make(raw, &err));
    assert_true(chest_folder(raw, 24));
    OK(rvl_dir_make(place, &err));
    opts.preset = "ct-tiny";
    opts.depth = 12;
    opts.height = opts.width = 24;
    ingest_ok(opts);
    steps_with_readers(place);
}

/* Rows of 16 tokens, whatever is drawn: one length, one set of plans. */
static void contrastive_steps(const char *folder, rvl_contrast_opts opts)
{
    rvl_contrast *s = NULL;
    bed           b;

    bed_open(&b, folder, true);
    b.m->max_tok = 16;
    opts.batch = BATCH;
    opts.text = RVL_TEXT_BOTH;
    OK(rvl_contrast_new(&s, b.m, b.cohort, &b.list, NULL, &opts, &err));
    rvl_contrast_set_optimizer(s, b.o, rvl_loader_n_batches(b.loader));
    take_steps(&b, rvl_contrast_task(s));
    assert_true(rvl_contrast_n_cut(s) > 0);
    rvl_contrast_free(s);
    bed_close(&b);
}

static void contrastive_steps__allocate_nothing(void **folder)
{
    const int64_t micro[] = {BATCH, BATCH / 2, 2};

    for (size_t i = 0; i < RVL_ARRAY_LEN(micro); i++) {
        contrastive_steps(*folder, (rvl_contrast_opts){.micro_batch = micro[i], .sample_sentences = true});
        contrastive_steps(*folder, (rvl_contrast_opts){.micro_batch = micro[i], .duplicates = RVL_DUPLICATES_SHARE});
    }
}

static void the_count__notices_an_allocation(void **folder)
{
    (void)folder;
    atomic_store(&is_counting, true);
    void *volatile p = malloc(7);
    atomic_store(&is_counting, false);
    free(p);
    assert_int_equal(atomic_exchange(&n_calls, 0), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_count__notices_an_allocation),     cmocka_unit_test(supervised_steps__allocate_nothing),
        cmocka_unit_test(steps_with_readers__allocate_nothing), cmocka_unit_test(steps_on_volumes__allocate_nothing),
        cmocka_unit_test(contrastive_steps__allocate_nothing),
    };
    return cmocka_run_group_tests(tests, cohort_make, folder_remove);
}
#else
int main(void)
{
    printf("SKIP: a sanitizer owns malloc\n");
    return 77;
}
#endif
