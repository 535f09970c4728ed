/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file imaging/dicom_series.h
 * From files to volumes: which slices of a folder belong together, in which order, and whether they make a volume.
 *
 * A scan reads headers only. Slices of one series, matrix, orientation and pixel spacing form a stack; they are ordered
 * by their position along the slice normal, never by instance number. Where a position has several slices, identical
 * ones are dropped with a note, others are parted by what tells them apart (stack, temporal position, acquisition,
 * echo, diffusion, cardiac phase, thickness, kernel, image type, time). A stack that is no regular grid (slices
 * missing, distances that vary, a tilted gantry, slices shifted against each other, two slices in one place) is refused
 * with the place and the option that would take it: no volume is silently wrong. Frames of multi-frame and enhanced
 * objects are slices like others.
 *
 * Threads: a rvl_dicom_scan belongs to one thread; it uses `n_threads` itself (OpenMP). Processes that fork after an
 * OpenMP region should use n_threads 1 in the child.
 */
#ifndef RVL_IMAGING_DICOM_SERIES_H
#define RVL_IMAGING_DICOM_SERIES_H
#include "base/worker.h"
#include "imaging/dicom.h"
#include "imaging/geometry.h"

typedef struct rvl_dicom_scan rvl_dicom_scan;

/** What becomes of a stack whose slices are shifted along a row or column by a tilted gantry. */
typedef enum {
    RVL_TILT_REFUSE,
    RVL_TILT_KEEP,   /* voxels unchanged; the third axis of the volume's direction is not at a right angle */
    RVL_TILT_CORRECT /* each slice moved back within its plane (linear), sides grown so that nothing is lost */
} rvl_tilt;

typedef struct {
    rvl_limits   limits; /* of each file; max_voxels of a volume, too */
    rvl_tilt     tilt;
    bool         fill_gaps; /* missing slices and uneven distances: onto even steps, linear along the stack */
    int          n_threads; /* 0: as OpenMP says */
    rvl_workers *workers;   /* borrowed: parse headers and decode there, so that what a file does to its decoder costs
                               that file; must outlive the scan. NULL: in this process */
} rvl_series_opts;

typedef enum {
    RVL_NOTE_DUPLICATE, /* slices dropped: identical to others */
    RVL_NOTE_SPLIT,     /* the series gave several stacks, and by what */
    RVL_NOTE_GAP,       /* slices are missing, or distances vary: where */
    RVL_NOTE_TILT,      /* gantry tilt */
    RVL_NOTE_GEOMETRY,  /* position, orientation or spacing are not known, or contradict each other */
    RVL_NOTE_VALUES,    /* rescale differs between slices; unit not known; padding replaced */
    RVL_NOTE_LOCALISER
} rvl_series_note_kind;

/** Texts hold no identifier. */
typedef struct {
    rvl_series_note_kind kind;
    char                 text[200];
} rvl_series_note;

/** Slices that are one volume, or would be if `status` were OK. */
typedef struct {
    /* Opaque and personal: hash before showing or storing. */
    char patient_id[260], study_uid[65], series_uid[65], frame_of_reference_uid[65];

    int64_t     series_number;   /* -1: not known */
    int         i_part, n_parts; /* 0 of 1, unless the series gave several stacks */
    char        description[68]; /* of the series, UTF-8; "" if it repeats the patient's name or identifier */
    char        modality[20], body_part[68], image_type[200], kernel[68];
    int64_t     acquisition_number; /* of its first slice; -1 */
    bool        is_localiser, is_colour;
    int64_t     n_slices; /* that go into the volume; grid.depth is more where gaps are filled */
    rvl_grid    grid;     /* of the volume; has_geometry false for a single picture without a place */
    double      tilt_deg; /* between the slice normal and the line through the slices; 0 */
    rvl_status  status;
    const char *reason; /* why it is refused, with a hint; "" */
    const rvl_series_note *notes;
    int64_t                n_notes;
} rvl_dicom_stack;

typedef enum {
    RVL_SKIP_DAMAGED,  /* DICOM that cannot be read: `text` says why */
    RVL_SKIP_NO_IMAGE, /* reports, structures, segmentations, presentation states */
    RVL_SKIP_NOT_DICOM,
    RVL_SKIP_DIRECTORY /* DICOMDIR */
} rvl_skip_kind;
typedef struct {
    rvl_skip_kind kind;
    const char   *path; /* below the scanned folder */
    const char   *text;
} rvl_dicom_skip;

rvl_series_opts rvl_series_opts_default(void); /* default limits, tilt refused, gaps refused, OpenMP's threads */

/**
 * Read the headers of a file or of all files below a folder (links to folders are not followed) and form stacks,
 * ordered by study, series number, series and place. NOT_FOUND if the path is absent or no file below it is DICOM, IO,
 * NOMEM, CANCELLED, DEVICE in a build without DICOM; damaged files only become skips. On failure `*out` is NULL.
 */
RVL_MUST_USE rvl_status rvl_dicom_scan_open(rvl_dicom_scan **out, const char *path, const rvl_series_opts *opts,
                                            rvl_error *err);
/** The same of given files, whatever their folders. */
RVL_MUST_USE rvl_status rvl_dicom_scan_files(rvl_dicom_scan **out, const char *const *paths, int64_t n_paths,
                                             const rvl_series_opts *opts, rvl_error *err);
void                    rvl_dicom_scan_close(rvl_dicom_scan *s); /* NULL is allowed */
int64_t                 rvl_dicom_scan_count(const rvl_dicom_scan *s);
/** Borrowed until close. */
const rvl_dicom_stack  *rvl_dicom_scan_get(const rvl_dicom_scan *s, int64_t i_stack);
int64_t                 rvl_dicom_scan_n_files(const rvl_dicom_scan *s);
int64_t                 rvl_dicom_scan_n_skips(const rvl_dicom_scan *s);
rvl_dicom_skip          rvl_dicom_scan_skip(const rvl_dicom_scan *s, int64_t i); /* borrowed */
/** Path of the file that slice `i_slice` (of n_slices, in order) of a stack is from; borrowed. */
const char             *rvl_dicom_scan_path(const rvl_dicom_scan *s, int64_t i_stack, int64_t i_slice);

/**
 * Decode a stack, slice by slice, into its volume: whole numbers that fit become I16, others F32. Modality, unit and
 * padding as rvl_dicom_physical says (CT with rescale: HU, padding and what is below RVL_HU_PADDING_BELOW is air);
 * slope and intercept are each slice's own. The stack's status if that is not OK; errors of the reader name the file.
 * May add notes to the stack. On failure `*out` is NULL.
 */
RVL_MUST_USE rvl_status rvl_dicom_scan_load(rvl_volume **out, rvl_dicom_scan *s, int64_t i_stack, rvl_error *err);

/** Takes the planes of a volume one by one. */
typedef struct {
    /** First: the volume's facts, without voxels; borrowed for the call. */
    rvl_status (*begin)(void *context, const rvl_volume *facts, rvl_error *err);
    /** Plane z, borrowed for the call; in any order, from several threads at once. */
    rvl_status (*plane)(void *context, int64_t z, const void *voxels, size_t n_bytes, rvl_error *err);
    void *context;
} rvl_plane_sink;

/**
 * As rvl_dicom_scan_load, but the planes go to `sink` and no volume is held. Only for stacks that need nothing else:
 * whole uncompressed slices at even steps, neither tilted nor filled, whose values fit 16 bits. `*is_done` is false,
 * with RVL_OK, for others, which are to be loaded: what the sink was given then is worth nothing.
 */
RVL_MUST_USE rvl_status rvl_dicom_scan_stream(bool *is_done, rvl_dicom_scan *s, int64_t i_stack,
                                              const rvl_plane_sink *sink, rvl_error *err);

/** In a worker: what scans with workers ask for. */
RVL_MUST_USE rvl_status rvl__series_serve(rvl_worker_answer *answer, rvl_span request, rvl_error *err);

const char *rvl_series_note_text(rvl_series_note_kind kind); /* "duplicate", "split", "gap", ... */
const char *rvl_skip_text(rvl_skip_kind kind);               /* "damaged", "no image", ... */
/** "keep", "correct" or "refuse". */
bool        rvl_tilt_parse(rvl_tilt *out, const char *text);
#endif /* RVL_IMAGING_DICOM_SERIES_H */
