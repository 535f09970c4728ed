/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file imaging/dicom/series.h
 * Slices and stacks inside the assembly: facts of a frame (series_facts.c), which belong together (series_group.c), in
 * which order and on which grid (series_order.c), from files (series_scan.c) to voxels (series_load.c).
 */
#ifndef RVL_IMAGING_DICOM_SERIES_INTERNAL_H
#define RVL_IMAGING_DICOM_SERIES_INTERNAL_H
#include "imaging/dicom/internal.h"
#include "imaging/dicom_series.h"

/** What may tell slices of one place apart, in the order in which it is tried. */
typedef enum {
    RVL__KEY_STACK,
    RVL__KEY_TEMPORAL,
    RVL__KEY_ACQUISITION,
    RVL__KEY_ECHO,
    RVL__KEY_DIFFUSION,
    RVL__KEY_PHASE, /* of the heart, or trigger time */
    RVL__KEY_THICKNESS,
    RVL__KEY_KERNEL,
    RVL__KEY_IMAGE_TYPE,
    RVL__KEY_TIME, /* of the acquisition, else of the content */
    RVL__N_KEYS
} rvl__slice_key;

/** value = slope * stored + intercept, or padding: stored low .. high (none if low > high). */
typedef struct {
    double  slope, intercept;
    int64_t padding_low, padding_high;
} rvl__scale;

/** A frame that lies in the file as whole numbers of 8 or 16 bits in this machine's order: it needs no decoder. */
typedef struct {
    bool           is_native; /* else nothing of the others is set */
    rvl_dicom_type type;      /* U8, I8, U16, I16 */
    int64_t        at_bytes;  /* from the file's begin; a multiple of the type's size */
    rvl__scale     scale;
} rvl__native;

/** A frame as its header tells it; numbers are finite. */
typedef struct {
    int64_t         i_file, i_frame, n_frames; /* of its file */
    int64_t         i_series;                  /* equal for slices of one series */
    rvl_dicom_frame frame;
    int64_t         instance_number; /* orders slices of one place only */
    int64_t         rows, columns;
    int             samples;
    bool            is_localiser, is_hu, has_burned_in;
    uint64_t        frame_of_reference, instance; /* hashes; 0: not said */
    uint64_t        keys[RVL__N_KEYS];            /* hashes of what the header says; 0: nothing */
    rvl__native     native;
    double          at_mm; /* along the normal of its stack */
} rvl__slice;

/** Slices that belong together, by index, and what was found out about them. */
typedef struct {
    int64_t         *slices; /* owned; in order */
    int64_t          n_slices;
    rvl_series_note *notes; /* owned */
    int64_t          n_notes, notes_capacity;
    rvl_grid         grid;    /* of the slices as they lie */
    rvl_grid         upright; /* of the volume, where a tilt is corrected; else depth 0 */
    bool             is_even; /* slice i of the volume is slice i of the stack */
    double           tilt_deg;
    rvl_vec3         shear_mm; /* in-plane way per step along row (x) and column (y) */
    rvl_status       status;
    char             reason[RVL_ERROR_TEXT_BYTES];
} rvl__stack;

typedef struct {
    rvl__stack *stacks; /* owned */
    int64_t     n_stacks, capacity;
} rvl__stacks;

/** Whether two slices hold the same pixels and rescale; errors end the grouping. */
typedef rvl_status rvl__slice_equal(bool *out, void *context, const rvl__slice *a, const rvl__slice *b, rvl_error *err);

/** Stacks of `n` slices, which must be sorted by series; sets at_mm. Every slice is in one stack, or dropped from it as
 *  identical to another with a note. Stacks of a series follow one another. NOMEM, and what `equal` returns. */
RVL_MUST_USE rvl_status rvl__series_group(rvl__stacks *out, rvl__slice *slices, int64_t n, const rvl_series_opts *opts,
                                          rvl__slice_equal *equal, void *context, rvl_error *err);
void                    rvl__stacks_fini(rvl__stacks *s);

/** Find the grid of slices that are in order of at_mm: fills grid, tilt, status, reason and notes. They share
 *  orientation, spacing and matrix. */
RVL_MUST_USE rvl_status rvl__series_order(rvl__stack *st, const rvl__slice *slices, const rvl_series_opts *opts,
                                          rvl_error *err);
/** Whether slices in order of at_mm, no two at one place, lie at even steps along a straight line. */
bool                    rvl__series_is_even(const int64_t *order, int64_t n, const rvl__slice *slices);
/** Slices closer than this are at one place. */
#define RVL__SAME_PLACE_MM 0.005

RVL_MUST_USE rvl_status rvl__stack_note(rvl__stack *st, rvl_error *err, rvl_series_note_kind kind, const char *format,
                                        ...) RVL_PRINTF(4, 5);

/** One file of a scan. */
typedef struct {
    char           *path;  /* owned, as it is opened */
    rvl_dicom_stack facts; /* what a stack takes from its first file */
    rvl__slice     *slices;
    int64_t         n_slices;
    bool            is_skipped;
    rvl_skip_kind   skip;
    char           *text; /* owned; why it is skipped */
} rvl__scan_file;
/** Read the header of file->path; damage only marks the file as skipped. NOMEM. */
RVL_MUST_USE rvl_status rvl__series_file_read(rvl__scan_file *file, int64_t i_file, const rvl_limits *limits,
                                              rvl_error *err);
/** The same of a header that is parsed. */
RVL_MUST_USE rvl_status rvl__series_facts_read(rvl__scan_file *file, const rvl_dicom *d, int64_t i_file,
                                               rvl_error *err);
void                    rvl__series_file_fini(rvl__scan_file *file);
/** Mark a file as skipped. NOMEM. */
RVL_MUST_USE rvl_status rvl__series_skip(rvl__scan_file *file, rvl_skip_kind kind, const char *text, rvl_error *err);

struct rvl_dicom_scan {
    rvl_series_opts  opts;
    size_t           n_root; /* bytes of a path before what is below the folder */
    rvl__scan_file  *files;
    int64_t          n_files, files_capacity;
    int64_t         *skips; /* files that are skipped */
    int64_t          n_skips;
    rvl__slice      *slices;
    int64_t          n_slices;
    rvl__stacks      stacks;
    rvl_dicom_stack *facts; /* one a stack */
};

/** Physical values of one slice into a plane of the volume: I16 if `to` is I16 and all fit (`*fits`), else F32, NaN
 * where there is padding and the unit is not HU. */
RVL_MUST_USE rvl_status rvl__series_plane(void *plane, rvl_voxel_type to, bool *fits, int64_t *n_padding,
                                          const rvl_dicom *d, int64_t i_frame, bool is_hu, rvl_error *err);
/** The same of a native slice, whose pixels begin at `bytes`. NUMERIC. */
RVL_MUST_USE rvl_status rvl__series_native_plane(void *plane, rvl_voxel_type to, bool *fits, int64_t *n_padding,
                                                 const rvl__slice *slice, bool is_hu, const void *bytes,
                                                 rvl_error *err);
/** Where frame slice->i_frame lies, if it is native; `file` are the bytes that the header was parsed from. */
rvl__native             rvl__series_native_find(const rvl_dicom *d, const rvl__slice *slice, const void *file);

/* ---- by workers (series_apart.c): s->opts.workers is not NULL ---- */

/** Headers of all files; a file whose worker died is skipped as damaged. NOMEM, CANCELLED, DEVICE. */
RVL_MUST_USE rvl_status rvl__series_headers_apart(rvl_dicom_scan *s, rvl_error *err);
/** As rvl__slice_equal. */
RVL_MUST_USE rvl_status rvl__series_equal_apart(bool *out, const rvl_dicom_scan *s, const rvl__slice *a,
                                                const rvl__slice *b, rvl_error *err);
/** Planes that a worker makes of one file, for worker `i`. */
typedef struct {
    const char    *path;
    rvl_limits     limits;
    rvl_voxel_type type;
    bool           is_hu;
    int64_t        rows, columns, n_frames;
    const int64_t *frames;
} rvl__planes_job;
void                    rvl__series_planes_send(rvl_workers *w, int i, const rvl__planes_job *job);
/** Plane f goes to planes[f]. */
RVL_MUST_USE rvl_status rvl__series_planes_take(void *const *planes, bool *fits, int64_t *n_padding, rvl_workers *w,
                                                int i, const rvl__planes_job *job, rvl_error *err);
/** The planes of some frames of a file, in this process. */
RVL_MUST_USE rvl_status rvl__series_planes_read(void *const *planes, bool *fits, int64_t *n_padding,
                                                const rvl__planes_job *job, rvl_error *err);
/** Whether two frames of two files hold the same pixels, in this process. */
RVL_MUST_USE rvl_status rvl__series_pixels_equal(bool *out, const char *const path[2], const int64_t i_frame[2],
                                                 const rvl_limits *limits, rvl_error *err);

/** The grid that rvl__series_unshear makes. */
rvl_grid                rvl__series_unshear_grid(const rvl_grid *g, rvl_vec3 shear_mm);
/** Move the slices of `v` back by shear_mm * i within their planes, onto right angles; sides grow. */
RVL_MUST_USE rvl_status rvl__series_unshear(rvl_volume **out, const rvl_volume *v, rvl_vec3 shear_mm, rvl_error *err);
#endif /* RVL_IMAGING_DICOM_SERIES_INTERNAL_H */
