/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/unit/test_imaging_augment.c
 * Augmentation: off by zeros, repeatable, different for every epoch, sample and seed, never larger than asked.
 */
#include "support.h"
#include "imaging/preprocess.h"

#include <math.h>

#define HEIGHT 24
#define WIDTH 31
#define N (HEIGHT * WIDTH)
#define PAD (-1.0F)

/* A smooth picture without symmetry, within -0.9 .. 0.9. */
static void fill(float *image)
{
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++)
            image[y * WIDTH + x] = (float)(0.6 * sin(0.31 * y + 0.2 * x) + 0.3 * cos(0.07 * x * (y + 1)));
}

static void run(float *image, const rvl_augment *a, uint64_t seed, uint64_t epoch, uint64_t key)
{
    float scratch[N];

    fill(image);
    rvl_augment_apply(image, scratch, HEIGHT, WIDTH, PAD, a, seed, epoch, key);
}

static double difference(const float *a, const float *b)
{
    double most = 0;

    for (int i = 0; i < N; i++)
        most = fmax(most, fabs((double)a[i] - (double)b[i]));
    return most;
}

static void zeros__change_nothing(void **state)
{
    const rvl_augment off = {0};
    float             was[N], got[N];

    (void)state;
    fill(was);
    for (uint64_t i = 0; i < 50; i++) {
        run(got, &off, i, i * 3, i * 7);
        assert_memory_equal(got, was, sizeof was);
    }
}

static void result__is_a_function_of_seed_epoch_and_sample(void **state)
{
    const rvl_augment a = rvl_augment_default(NULL);
    float             first[N], again[N], other[N];

    (void)state;
    assert_false(a.flip);
    run(first, &a, 1, 2, 3);
    run(other, &a, 9, 9, 9);
    run(again, &a, 1, 2, 3);
    assert_memory_equal(first, again, sizeof first);
    static const uint64_t others[][3] = {{2, 2, 3}, {1, 3, 3}, {1, 2, 4}, {1, 3, 2}, {2, 1, 3}, {3, 2, 1}};
    for (size_t i = 0; i < RVL_ARRAY_LEN(others); i++) {
        run(other, &a, others[i][0], others[i][1], others[i][2]);
        assert_true(difference(first, other) > 0.05);
    }
}

/* Each magnitude alone changes the image. */
static void magnitude__works_alone(void **state)
{
    static const rvl_augment alone[] = {
        {.rotate_deg = 10}, {.scale = 0.1}, {.shift = 0.1}, {.gain = 0.2}, {.noise = 0.05}};
    float was[N], got[N];

    (void)state;
    fill(was);
    for (size_t i = 0; i < RVL_ARRAY_LEN(alone); i++) {
        double most = 0;
        for (uint64_t key = 0; key < 20; key++) {
            run(got, &alone[i], 5, 0, key);
            most = fmax(most, difference(was, got));
        }
        assert_true(most > 0.05);
    }
}

static bool is_flipped(const float *got, const float *was)
{
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++)
            if (fabsf(got[y * WIDTH + x] - was[y * WIDTH + WIDTH - 1 - x]) > 1e-6F)
                return false;
    return true;
}

static void flip__only_when_asked_and_then_for_half(void **state)
{
    const rvl_augment only = {.flip = true};
    rvl_augment       small = {.shift = 0.001};
    float             was[N], got[N];
    int               n_flipped = 0;

    (void)state;
    fill(was);
    for (uint64_t key = 0; key < 400; key++) {
        run(got, &only, 7, 0, key);
        bool flipped = is_flipped(got, was);
        assert_true(flipped || memcmp(got, was, sizeof was) == 0);
        n_flipped += flipped;
        run(got, &small, 7, 0, key); /* 0.03 of a pixel: a flip would show */
        assert_true(difference(got, was) < 0.1);
    }
    assert_in_range(n_flipped, 160, 240); /* four standard deviations */
}

/* What comes in from outside is the padding value: a shift of nearly half the image shows it, and nothing else new. */
static void outside__is_padding(void **state)
{
    const rvl_augment shift = {.shift = 0.45};
    float             scratch[N], got[N];
    int               n_pad = 0;

    (void)state;
    for (uint64_t key = 0; key < 20; key++) {
        for (int i = 0; i < N; i++)
            got[i] = 0.5F;
        rvl_augment_apply(got, scratch, HEIGHT, WIDTH, -3.0F, &shift, 1, 0, key);
        for (int i = 0; i < N; i++) {
            n_pad += got[i] == -3.0F;
            assert_true(got[i] >= -3.0F && got[i] <= 0.5F);
        }
        assert_true(got[HEIGHT / 2 * WIDTH + WIDTH / 2] == 0.5F); /* the centre stays inside */
    }
    assert_true(n_pad > 20 * N / 10);
}

/* A bright dot moves no further than the shift, and turns no further than the rotation. */
static void dot__moves_as_far_as_allowed(void **state)
{
    const rvl_augment shift = {.shift = 0.1}, rotate = {.rotate_deg = 10};
    double            far_y = 0, far_x = 0, far_turn = 0;

    (void)state;
    for (uint64_t key = 0; key < 200; key++) {
        for (int is_turn = 0; is_turn < 2; is_turn++) {
            float  image[N] = {0}, scratch[N];
            double mass = 0, y = 0, x = 0;
            int    at_x = is_turn ? 25 : 15;
            image[12 * WIDTH + at_x] = 1;
            rvl_augment_apply(image, scratch, HEIGHT, WIDTH, 0, is_turn ? &rotate : &shift, 3, 1, key);
            for (int i = 0; i < N; i++) {
                mass += image[i];
                y += image[i] * (double)(i / WIDTH);
                x += image[i] * (double)(i % WIDTH);
            }
            assert_true(mass > 0.5);
            if (is_turn) {
                double angle = atan2(y / mass - 11.5, x / mass - 15) - atan2(0.5, 10);
                far_turn = fmax(far_turn, fabs(angle) * 180 / 3.14159265358979);
            } else {
                far_y = fmax(far_y, fabs(y / mass - 12));
                far_x = fmax(far_x, fabs(x / mass - 15));
            }
        }
    }
    assert_true(far_y > 2.2 && far_y < 2.4 + 1e-4); /* 0.1 of 24 rows */
    assert_true(far_x > 2.9 && far_x < 3.1 + 1e-4); /* 0.1 of 31 columns */
    assert_true(far_turn > 8 && far_turn < 12);     /* the dot is a pixel wide */
}

static void gain_and_noise__have_the_size_asked_for(void **state)
{
    const rvl_augment gain = {.gain = 0.2}, noise = {.noise = 0.05};
    float             was[N], got[N];
    double            square = 0, least = 2, most = 0;
    int               n_clean = 0;

    (void)state;
    fill(was);
    for (uint64_t key = 0; key < 200; key++) {
        run(got, &gain, 1, 0, key);
        double slope = ((double)got[0] - got[N / 2]) / ((double)was[0] - was[N / 2]); /* the offset falls out */
        least = fmin(least, slope);
        most = fmax(most, slope);
        run(got, &noise, 1, 0, key);
        n_clean += memcmp(got, was, sizeof was) == 0;
        for (int i = 0; i < N; i++)
            square += ((double)got[i] - was[i]) * ((double)got[i] - was[i]) / (200.0 * N);
    }
    assert_true(least > 0.8 - 1e-4 && least < 0.82);
    assert_true(most < 1.2 + 1e-4 && most > 1.18);
    assert_in_range(n_clean, 80, 120); /* every second image */
    /* the others' standard deviation is uniform over 0 .. 0.05: mean square 0.05^2 / 3 */
    assert_true(fabs(sqrt(2 * square) - 0.05 / sqrt(3.0)) < 0.003);
}

static void ct__keeps_its_hu(void **state)
{
    rvl_preprocess spec;
    double         most = 0;

    (void)state;
    assert_int_equal(rvl_preprocess_preset(&spec, "ct-tiny", NULL), RVL_OK);
    const rvl_augment of_ct = rvl_augment_default(&spec), of_images = rvl_augment_default(NULL);
    const rvl_augment values = {.gain = of_ct.gain};
    float             got[N], was[N];
    fill(was);
    for (uint64_t key = 0; key < 200; key++) {
        run(got, &values, 1, 0, key);
        most = fmax(most, difference(got, was));
    }
    assert_true(most > 0 && most * (spec.window_b - spec.window_a) / (spec.out_high - spec.out_low) < 25); /* HU */
    assert_true(of_ct.noise < of_images.noise && of_ct.shift == of_images.shift);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zeros__change_nothing),
        cmocka_unit_test(result__is_a_function_of_seed_epoch_and_sample),
        cmocka_unit_test(magnitude__works_alone),
        cmocka_unit_test(flip__only_when_asked_and_then_for_half),
        cmocka_unit_test(outside__is_padding),
        cmocka_unit_test(dot__moves_as_far_as_allowed),
        cmocka_unit_test(gain_and_noise__have_the_size_asked_for),
        cmocka_unit_test(ct__keeps_its_hu),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
