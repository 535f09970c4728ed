/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file imaging/apart.h
 * Volumes and images read in a worker process and handed over whole: what a file does to its decoder is an error here.
 * `w` may be NULL: then the file is read here (imaging/work.h).
 */
#ifndef RVL_IMAGING_APART_H
#define RVL_IMAGING_APART_H
#include "base/worker.h"
#include "imaging/hu.h"
#include "imaging/preprocess.h"
#include "imaging/volume_file.h"

/** As rvl_volume_load with default limits; `n_non_finite` gets the NaN and Inf that were counted. Besides its errors
 *  LIMIT and FORMAT for a worker that was stopped or crashed. */
RVL_MUST_USE rvl_status rvl_volume_load_apart(rvl_volume **out, int64_t *n_non_finite, rvl_workers *w, const char *path,
                                              const rvl_volume_opts *opts, rvl_error *err);
/** As rvl_preprocess_load, `hu` by default; one file or folder for a model, asked for by hand. */
RVL_MUST_USE rvl_status rvl_preprocess_load_apart(rvl_volume **out, rvl_workers *w, const rvl_preprocess *spec,
                                                  const char *path, rvl_error *err);
/** In a worker: what the two ask for. */
RVL_MUST_USE rvl_status rvl__apart_serve(rvl_worker_answer *answer, rvl_span request, rvl_error *err);
#endif /* RVL_IMAGING_APART_H */
