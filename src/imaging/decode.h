/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file imaging/decode.h
 * From the file of an image or volume to the codes of a pack, in a worker process (base/worker.h): nothing that a file
 * does to its decoder reaches the program. Several files at a time, each in a slot of its own.
 */
#ifndef RVL_IMAGING_DECODE_H
#define RVL_IMAGING_DECODE_H
#include "base/worker.h"
#include "imaging/hu.h"
#include "imaging/preprocess.h"

/** What to read and how. Strings are borrowed until the job is finished. */
typedef struct {
    const char    *path;      /* the file; of a CT volume also the folder of a DICOM series */
    bool           is_series; /* `path` is a list of DICOM files, joined by line ends */
    const char    *name;      /* what messages call it; never its path */
    rvl_preprocess spec;
    rvl_hu_opts    hu;
    bool           refuse_burned_in; /* DICOM files that say so: the text may name the patient. UNSUPPORTED */
    rvl_view       view;             /* the table's word, which beats the file's; UNKNOWN: the file's */
    rvl_vec3       spacing_mm; /* of a volume whose file does not say how it lies, along columns, rows, slices; its axes
                                  are then LPS, as axial slices have them. Zeros: not known */
} rvl_decode_job;

typedef struct {
    rvl_view view;
    char     laterality; /* 'L', 'R', 'B' or 0 */
    bool     is_flat;
} rvl_decode_facts;

/** Bytes of the codes that a spec asks for. */
size_t rvl_decode_bytes(const rvl_preprocess *spec);

/** Do the job in this process. `codes` has room for rvl_decode_bytes. The errors are those of the readers and of
 *  preprocessing; the text names the file by its name. */
RVL_MUST_USE rvl_status rvl_decode_run(void *codes, rvl_decode_facts *facts, const rvl_decode_job *job, rvl_error *err);
/** The last step, for voxels that are in memory already: `v` gets view, modality and body part as the job says. */
RVL_MUST_USE rvl_status rvl_decode_volume(void *codes, rvl_decode_facts *facts, const rvl_decode_job *job,
                                          rvl_volume *v, rvl_error *err);

/** Does what imaging asks workers for (imaging/work.h); a program's handler hands on to it. */
rvl_status rvl_decode_serve(rvl_worker_answer *answer, rvl_span request, rvl_error *err);

/** Several jobs at a time. Belongs to one thread. */
typedef struct rvl_decoder rvl_decoder;
/** `opts` may be NULL. Where no worker can be had, jobs are done in this process, without limits; the log says so. */
RVL_MUST_USE rvl_status    rvl_decoder_open(rvl_decoder **out, const rvl_worker_opts *opts, rvl_error *err);
void                       rvl_decoder_close(rvl_decoder *d); /* NULL is allowed */
int                        rvl_decoder_slots(const rvl_decoder *d);
/** Begin `job` in slot `i`, whose last job is finished. */
void                       rvl_decoder_start(rvl_decoder *d, int i, const rvl_decode_job *job);
/** Its result. Besides the errors of rvl_decode_run: LIMIT if it took too long or too much memory, FORMAT if its
 *  decoder crashed. NOMEM is this process's own. */
RVL_MUST_USE rvl_status rvl_decoder_finish(void *codes, rvl_decode_facts *facts, rvl_decoder *d, int i, rvl_error *err);

#endif /* RVL_IMAGING_DECODE_H */
