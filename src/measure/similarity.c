/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file measure/similarity.c
 * Blocks of queries against a packed gallery.
 *
 * The gallery is packed in panels of LANES items, component by component, so that vectors hold one component of LANES
 * items; a tile is ROWS queries by one panel. The tile is compiled for the instruction sets of x86-64 and one is chosen
 * at run time.
 */
#include "measure/similarity.h"
#include "base/alloc.h"
#include "measure/rows.h"
#include <stdlib.h>
#include <string.h>

enum { LANES = 8, ROWS = 6, BLOCK = 4 * ROWS };

/* out[r * m + lane] of ROWS queries (e, ROWS) and one panel (e, LANES). */
typedef void (*tile_fn)(double *out, int64_t m, const double *query, const float *panel, int64_t e);

#define TILE tile_plain
#define TILE_TARGET
#define TILE_WIDTH 2
#define TILE_ROWS 3
#include "measure/similarity_tile.inc"

#if defined(__x86_64__)
#define TILE tile_avx2
#define TILE_TARGET __attribute__((target("avx2")))
#define TILE_WIDTH 4
#define TILE_ROWS 6
#include "measure/similarity_tile.inc"

#define TILE tile_avx512
#define TILE_TARGET __attribute__((target("avx512f")))
#define TILE_WIDTH 8
#define TILE_ROWS 6
#include "measure/similarity_tile.inc"
#endif

/* The best tile that the processor has, or the one that RVL_CPU_ISA asks for; all give the same bits. */
static tile_fn choose_tile(void)
{
#if defined(__x86_64__)
    const char *want = getenv("RVL_CPU_ISA");
    const bool  is_any = !want || (strcmp(want, "scalar") != 0 && strcmp(want, "avx2") != 0);

    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && is_any)
        return tile_avx512;
    if (__builtin_cpu_supports("avx2") && (is_any || strcmp(want, "avx2") == 0))
        return tile_avx2;
#endif
    return tile_plain;
}

typedef struct {
    const rvl_similarity *s;
    const double         *scale;  /* (m) */
    const float          *panels; /* (m_wide / LANES, e, LANES) */
    int64_t               m_wide; /* m rounded up to LANES */
    tile_fn               tile;
} packed_gallery;

static void pack(float *panels, const rvl_similarity *s)
{
    for (int64_t j = 0; j < s->m; j++)
        for (int64_t d = 0; d < s->e; d++)
            panels[(j / LANES * s->e + d) * LANES + j % LANES] = s->gallery[j * s->e + d];
}

/* Similarities of queries first..first+BLOCK-1 into rows of m_wide. */
static void fill_block(double *rows, double *query, const packed_gallery *g, int64_t first)
{
    const int64_t e = g->s->e;

    for (int64_t r0 = 0; r0 < BLOCK && first + r0 < g->s->n; r0 += ROWS) {
        for (int r = 0; r < ROWS; r++) {
            const int64_t i = first + r0 + r;
            for (int64_t d = 0; d < e; d++)
                query[d * ROWS + r] = i < g->s->n ? (double)g->s->query[i * e + d] : 0;
        }
        for (int64_t p = 0; p < g->m_wide / LANES; p++)
            g->tile(rows + r0 * g->m_wide + p * LANES, g->m_wide, query, g->panels + p * e * LANES, e);
        for (int r = 0; r < ROWS; r++)
            for (int64_t j = 0; j < g->s->m; j++)
                rows[(r0 + r) * g->m_wide + j] *= g->scale[j];
    }
}

static rvl_status visit_all(const packed_gallery *g, rvl_similarity_fn visit, void *context, size_t n_scratch_bytes,
                            rvl_error *err)
{
    const int64_t n = g->s->n;
    bool          ok = true;

#pragma omp parallel reduction(&& : ok)
    {
        double *rows = rvl_alloc_array((size_t)g->m_wide + 1, BLOCK * sizeof *rows);
        double *query = rvl_alloc_array((size_t)g->s->e + 1, ROWS * sizeof *query);
        void   *scratch = rvl_alloc_aligned(n_scratch_bytes + 1);
        ok = rows && query && scratch;
#pragma omp for schedule(dynamic)
        for (int64_t first = 0; first < n; first += BLOCK) {
            if (!ok)
                continue;
            fill_block(rows, query, g, first);
            for (int64_t i = first; i < first + BLOCK && i < n; i++)
                visit(context, i, rows + (i - first) * g->m_wide, scratch);
        }
        rvl_free(rows);
        rvl_free(query);
        rvl_free(scratch);
    }
    return ok ? RVL_OK : rvl_fail(err, RVL_ERR_NOMEM, "out of memory for similarities");
}

rvl_status rvl_similarity_each(const rvl_similarity *s, rvl_similarity_fn visit, void *context, size_t n_scratch_bytes,
                               rvl_error *err)
{
    const int64_t  m_wide = (s->m + LANES - 1) / LANES * LANES;
    double        *scale = rvl_alloc_array((size_t)(s->m > s->n ? s->m : s->n) + 1, sizeof *scale);
    size_t         n_panels = 0;
    const bool     fits = rvl_mul_size(&n_panels, (size_t)m_wide, (size_t)s->e);
    float         *panels = fits ? rvl_alloc_array(n_panels + 1, sizeof *panels) : NULL;
    packed_gallery g = {s, scale, panels, m_wide, choose_tile()};
    rvl_status     st = scale && panels ? RVL_OK : rvl_fail(err, RVL_ERR_NOMEM, "out of memory for similarities");

    if (!st) /* a query's own scale does not change its order, but a bad query must be told */
        st = rvl__row_scales(scale, s->query, s->n, s->e, s->cosine, "query", err);
    if (!st)
        st = rvl__row_scales(scale, s->gallery, s->m, s->e, s->cosine, "gallery", err);
    if (!st) {
        pack(panels, s);
        st = visit_all(&g, visit, context, n_scratch_bytes, err);
    }
    rvl_free(scale);
    rvl_free(panels);
    return st;
}

/* Whether place a stands behind place b. */
static bool is_worse(const rvl_places *p, int64_t a, int64_t b)
{
    if (p->similarity[a] != p->similarity[b])
        return p->similarity[a] < p->similarity[b];
    if (p->behind && p->behind[a] != p->behind[b])
        return p->behind[a];
    return a > b;
}

/* Heap with the worst at its root: let `place` sink from `at`. */
static void sink(int64_t *heap, int64_t n, int64_t at, int64_t place, const rvl_places *p)
{
    for (int64_t child = 2 * at + 1; child < n; child = 2 * at + 1) {
        if (child + 1 < n && is_worse(p, heap[child + 1], heap[child]))
            child++;
        if (!is_worse(p, heap[child], place))
            break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = place;
}

int64_t rvl_top_places(int64_t *best, const rvl_places *p, int64_t k)
{
    int64_t n = 0;
    int64_t j = 0;

    for (; j < p->m && n < k; j++)
        if (!p->barred || !p->barred[j])
            best[n++] = j;
    for (int64_t at = n / 2 - 1; at >= 0; at--)
        sink(best, n, at, best[at], p);
    for (; j < p->m && n > 0; j++)
        if (is_worse(p, best[0], j) && !(p->barred && p->barred[j]))
            sink(best, n, 0, j, p);
    for (int64_t left = n - 1; left > 0; left--) { /* the worst goes to the end */
        const int64_t last = best[left];
        best[left] = best[0];
        sink(best, left, 0, last, p);
    }
    return n;
}
