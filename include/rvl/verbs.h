/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file rvl/verbs.h
 * One function per command of the program: options in, result out. This is where rooms are combined, and the level at
 * which another program uses the library.
 *
 * Paths and names in options are borrowed for the call. Zero and NULL in an option mean what the comment in
 * parentheses says; rvl_<verb>_opts_default() fills the defaults. Interrupted runs return RVL_ERR_CANCELLED with their
 * state saved.
 */
#ifndef RVL_VERBS_H
#define RVL_VERBS_H
#include "rvl/status.h"
RVL_BEGIN_DECLS

/* ---- training ------------------------------------------------------------------------------------------------- */

typedef struct {
    const char *cohort;                         /* folder made by ingest */
    const char *split;                          /* ("train") */
    const char *val_split;                      /* ("val"); "" trains without validation */
    const char *labels;                         /* source of a cohort's labels: "rules", ... (its own table's) */
    const char *runs;                           /* folder of run folders ("runs") */
    const char *name;                           /* (date and time) */
    const char *resume;                         /* NULL: a new run; "": the latest complete step; else "step-12000" */
    int64_t     epochs;                         /* (30) */
    int64_t     steps;                          /* optimizer steps in place of epochs (0: by epochs) */
    int64_t     batch_size;                     /* studies an optimizer step sees (16) */
    int64_t     micro_batch;                    /* studies held at once (batch size); BatchNorm groups have this size */
    double      lr, weight_decay, beta1, beta2; /* peak (3e-4), (0.05), (0.9), (0.98) */
    double      lr_min;                         /* where the cosine ends (0) */
    double      lr_head, lr_image;              /* peaks of what stands on the towers, of the image tower (-1: lr) */
    double      warmup;                         /* share of all steps (0.05) */
    double      clip_grad;                      /* global norm (1); 0: none */
    int64_t     seed, threads, limit;           /* threads (all); limit: first N cases (all) */
    bool        deterministic, augment, dry_run;
    bool        crop_only;        /* of augmentation only random crops, where a pack is larger than the model's grid */
    int64_t     memory_limit_mib; /* (none) */
    int64_t     log_every, save_every;             /* steps (10), (each epoch) */
    int64_t     eval_every, keep_last, keep_every; /* epochs (1), (3), multiples of steps (none) */
    const char *config_json; /* resolved configuration with origins, to be stored in the run; NULL: {} */
    const char *argv_text;   /* command line, to be stored; NULL: "" */
    /* the image tower */
    const char *image_tower;   /* start from a run, bundle or weight file (random) */
    const char *allow_missing; /* comma-separated prefixes of keys that may be absent */
    /* resnet18, resnet34, resnet50; of volumes r3d_18, r3d_18_lite, r3d_18_video, i3_resnet152; vit_tiny, vit_small,
     * vit_base, efficientnet_lite0 ("": a ResNet by its sizes) */
    const char *arch;
    int64_t     patch;         /* side of a vision transformer's patches (16) */
    const char *image_pooling; /* of a vision transformer: cls or mean ("cls") */
    int64_t     in_channels;   /* of the first layer: 1 or 3 (1); images have one, three get it three times */
    bool        sum_channels;  /* an image_tower of several channels becomes one of one: kernels are summed */
    int64_t     width;         /* of a ResNet: channels of the first stage (16) */
    const char *depth;         /* blocks a stage "1,1,1,1" ("2,2,2,2"); "resnet18" "resnet34" "resnet50" too */
    int64_t     stem_kernel, stem_stride; /* (7), (2) */
    bool        stem_pool, bottleneck;    /* (true), (false) */
    bool        lock_image;               /* frozen: no gradient, BatchNorm and dropout in evaluation mode */
} rvl_train_opts;

typedef struct {
    rvl_train_opts train;
    const char    *uncertain; /* ignore, present, absent or half ("ignore") */
    const char    *missing;   /* not mentioned: ignore or absent ("absent") */
    const char    *without;   /* comma-separated findings withheld from the labels (none) */
} rvl_pretrain_opts;

/** A text tower: BERT by sizes, or from a file. */
typedef struct {
    const char *text_tower;                                   /* start from a run, bundle or weight file (random) */
    bool        lock_text;                                    /* frozen, as lock_image */
    double      lr_text;                                      /* peak of the text tower (-1: lr) */
    const char *vocabulary;                                   /* WordPiece file (learned from the training reports) */
    int64_t     vocabulary_size;                              /* when learned (1000) */
    int64_t     text_layers, text_width, text_heads, max_tok; /* (2), (128), (4), (64) */
    double      dropout;                                      /* (0.1) */
    const char *pooling;                                      /* cls, mean, last4 or pooler ("mean") */
} rvl_text_tower_opts;

typedef struct {
    rvl_train_opts      train;
    rvl_text_tower_opts tower;
    int64_t             embed_dim;         /* (128) */
    const char         *similarity;        /* cosine or dot ("cosine") */
    double              temperature;       /* start or fixed value (0.07) */
    bool                learn_temperature; /* (true) */
    const char         *text;              /* findings, impression or both ("both") */
    bool                sample_sentences;  /* train on random subsets of a report's sentences (true) */
    double              label_loss; /* weight of both embeddings' BCE on the findings through one linear layer (0) */
    const char         *duplicates; /* equal texts in a batch: share (all are right alike) or ignore ("share") */
} rvl_align_opts;

/** A classifier of reports: a text tower under the findings. train.cohort is a cohort, or a table (CSV) of reports. */
typedef struct {
    rvl_train_opts      train;
    rvl_text_tower_opts tower;
    const char         *text;         /* of a cohort: findings, impression or both ("both") */
    const char         *text_columns; /* of a table, by commas ("report") */
    const char         *split_column; /* of a table (one report in ten, by a hash of its text, is "val") */
    const char         *schema;       /* of a table: built-in name or path; a cohort has its own */
    const char         *uncertain;    /* as in rvl_pretrain_opts; cells of a table may be probabilities too */
    const char         *missing;
    const char         *without;
} rvl_pretrain_text_opts;

typedef struct {
    char    run[512];
    int64_t n_steps, n_epochs, best_step;
    char    metric[64]; /* what chose the best checkpoint: "macro AUROC on val", ... */
    double  best_value, last_loss, seconds;
} rvl_train_result;

RVL_API rvl_pretrain_opts       rvl_pretrain_opts_default(void);
RVL_API RVL_MUST_USE rvl_status rvl_pretrain_run(rvl_train_result *out, const rvl_pretrain_opts *opts, rvl_error *err);
RVL_API rvl_pretrain_text_opts  rvl_pretrain_text_opts_default(void);
RVL_API RVL_MUST_USE rvl_status rvl_pretrain_text_run(rvl_train_result *out, const rvl_pretrain_text_opts *opts,
                                                      rvl_error *err);
RVL_API rvl_align_opts          rvl_align_opts_default(void);
RVL_API RVL_MUST_USE rvl_status rvl_align_run(rvl_train_result *out, const rvl_align_opts *opts, rvl_error *err);

/* ---- preparing ------------------------------------------------------------------------------------------------ */

typedef struct {
    const char *engine;        /* ("phantom") */
    const char *modality;      /* ("cxr") */
    const char *out;           /* folder */
    int64_t     n, seed, size; /* (200), (0), side in pixels (0: 256 for cxr, 128 for ct) */
    const char *split;         /* "TRAIN,VAL,TEST": shares of the patients (0.8,0.1,0.1) */
    int64_t     recons;        /* ct: volumes made of a scan at most, 1..4 (2) */
    bool        twin;          /* ct: draw each scan's radiograph too */
    bool        no_masks;      /* ct: leave the truth masks out */
    bool        force, dry_run;
} rvl_synth_images_opts;
typedef struct {
    int64_t n_cases, n_drawn, n_kept; /* kept: complete from an earlier run */
    int64_t n_images;                 /* volumes or radiographs that the cases have together */
} rvl_synth_images_result;
RVL_API rvl_synth_images_opts   rvl_synth_images_opts_default(void);
RVL_API RVL_MUST_USE rvl_status rvl_synth_images_run(rvl_synth_images_result *out, const rvl_synth_images_opts *opts,
                                                     rvl_error *err);

typedef struct {
    const char *input, *out;    /* out: .nii.gz, .nii, .npy (float32) or .png (slices side by side) */
    int64_t     frame;          /* of a 4-D file, from 0 (-1: refused if there is more than one) */
    const char *member;         /* array of an npz (ct, arr_0 or data) */
    const char *fill;           /* a number that replaces NaN and Inf (refused) */
    const char *source_spacing; /* "X,Y,Z" mm of a file that does not say it */
    const char *unit;           /* stored, auto, hu, raw, hu/1000, arbitrary ("stored"): imaging/hu.h */
    const char *rescale;        /* "SLOPE,INTERCEPT" of raw CT values */
    const char *orient;         /* "LPS", ... (as it is) */
    const char *spacing;        /* "X,Y,Z" mm (as it is) */
    const char *size;           /* "D,H,W": cropped, padded with air (HU) or 0 (as it is) */
    const char *window, *range; /* "LOW,HIGH": clipped; mapped to (the values stay) */
    const char *convention;     /* centre or ct-clip ("centre"): imaging/resample.h; ct-clip clips to the window before
                                   it resamples and makes arrays (depth, file's x, file's y) */
    bool        nearest, force; /* nearest voxel instead of trilinear; replace `out` */
    int64_t     tiles;          /* of a .png (20) */
    const char *tilt;           /* DICOM: refuse, keep, correct ("refuse") */
    bool        fill_gaps;      /* DICOM: missing slices and uneven distances, linear along the stack */
} rvl_convert_opts;
typedef struct {
    int64_t     depth, height, width;
    bool        has_spacing, was_rescaled; /* slope and intercept, or a factor of 1000, were applied */
    double      spacing_mm[3];             /* x, y, z */
    int64_t     n_non_finite, n_padding;   /* voxels that were filled; that became air */
    const char *unit;                      /* "hu", "arbitrary", "display", "unknown" */
    const char *found;                     /* what the values were found to be: "hu", "raw", "hu/1000"; "" not asked */
} rvl_convert_result;
RVL_API rvl_convert_opts        rvl_convert_opts_default(void);
/** One volume file to another. The input may be a DICOM file or folder that holds one volume. Integer voxels keep their
 * type, rounded half up, unless `range` is given. STATE if `out` exists and `force` is not set; on failure nothing is
 * written. */
RVL_API RVL_MUST_USE rvl_status rvl_convert_run(rvl_convert_result *out, const rvl_convert_opts *opts, rvl_error *err);

typedef struct {
    const char *input, *out; /* a folder of DICOM files, or one; the folder that gets the volumes */
    const char *format;      /* nii.gz or nii ("nii.gz") */
    const char *tilt;        /* of the gantry: refuse, keep, correct ("refuse") */
    bool        fill_gaps;   /* missing slices and uneven distances, linear along the stack */
    bool        localisers;  /* write them too */
    bool        force;       /* replace files that are there */
} rvl_convert_series_opts;
typedef struct {
    int64_t n_written, n_failed; /* volumes; refused or unreadable stacks, and damaged files */
    char   *json;                /* rvl_text_free; schema "rvl.convert/1": volumes, skipped, files */
} rvl_convert_series_result;
RVL_API rvl_convert_series_opts rvl_convert_series_opts_default(void);
/** Whether rvl_convert_series_run is meant: a folder or a DICOM file, and `out` (may be NULL) names no volume file. */
RVL_API bool                    rvl_convert_is_series(const char *input, const char *out);
RVL_API bool                    rvl_convert_is_dicom(const char *input); /* a folder or a DICOM file */
/** One NIfTI file a volume, named by series number and description, no identifier in it. STATE if a file exists and
 *  `force` is not set (nothing is written then), NOT_FOUND without DICOM; refused series are in the result. */
RVL_API RVL_MUST_USE rvl_status rvl_convert_series_run(rvl_convert_series_result     *out,
                                                       const rvl_convert_series_opts *opts, rvl_error *err);

typedef struct {
    const char *input;        /* reports (CSV, JSON lines) or a cohort */
    const char *out;          /* .csv or .jsonl, one row a report; for a cohort NULL: into its catalogue */
    const char *schema;       /* name or YAML file (the cohort's) */
    const char *text_columns; /* comma-separated, joined in this order ("report"); not for a cohort */
    const char *id_column;    /* (report_id, case_id, study_id, VolumeName, AccessionNo or id; else the row) */
    const char *rules;        /* NULL: no rules; "": the schema's own; else a name or YAML file */
    const char *model;        /* run or bundle of a text classifier; with `rules` both make one probability */
    const char *source;       /* name under which the catalogue keeps the labels (the labeller's) */
    bool        states, evidence, force; /* more columns; replace `out`, begin a journal anew */
    int64_t     limit, threads;
    /* A language model, alone or, with `rules`, where these are unsure. Reports go to llm_url if it is given. */
    const char *llm;                 /* GGUF file, run in this process */
    const char *llm_url, *llm_model; /* a server of chat completions (".../v1") and its model; key in RVL_LLM_KEY */
    const char *prompt;              /* name or file ("json") */
    int64_t     together;            /* reports in one batch (4); requests at a time (8) */
    int64_t     context_tok;         /* in process: of prompt, report and answer (4096) */
    int64_t     votes, tries;        /* at a server: answers a report (1), tries of a request (5) */
    double      timeout_s;           /* of a request (120) */
    double      requests_per_min;    /* 0: as many as go */
    double      price_in, price_out; /* of a million tokens of prompt, of answer (0) */
    double      budget;              /* the run ends before it costs more: CANCELLED (0: none) */
    bool        dry_run;             /* estimate tokens and cost; nothing is sent or written */
} rvl_label_opts;
typedef struct {
    int64_t n_reports, n_texts; /* rows; distinct texts that were labelled */
    int64_t n_empty, n_failed;  /* reports without text; reports that could not be labelled: both are listed */
    int64_t n_kept;             /* texts that an earlier, interrupted run had labelled */
    double  seconds;            /* spent in labelling */
    char    failures[512];      /* JSON lines of what was not labelled; "" if nothing */
    char    source[64], version[96];
    int64_t n_requests, n_retries, prompt_tok, shared_tok, answer_tok; /* of a language model; shared: the beginning */
    double  cost;
    bool    is_estimated; /* tokens: by dry_run, or because the server did not count */
} rvl_label_result;
RVL_API rvl_label_opts          rvl_label_opts_default(void);
/** Labels from reports. A file of reports gets OUT with one column a finding: the probability that it is present; rows
 *  without text have empty cells. Killed and run again it continues from OUT.journal. Labels of a cohort go into its
 *  catalogue, table report_labels (docs/formats/cohort.md). STATE if `out` exists and `force` is not set. */
RVL_API RVL_MUST_USE rvl_status rvl_label_run(rvl_label_result *out, const rvl_label_opts *opts, rvl_error *err);

typedef struct {
    rvl_label_opts label; /* input: with a labeller reports to label (and, with `out`, to keep the labels); else labels:
                             CSV, or a cohort and label.source */
    const char    *gold;  /* CSV: ids, and a column a finding, "name" or "label_name", with label states; of a cohort
                             also a source of its labels ("table": those that came with it) */
    const char    *compare; /* a second source of labels, as gold is named; probabilities (none) */
    const char    *reports; /* file of the reports that labels from a CSV were read from, to show them (none) */
    const char    *uncertain, *missing; /* gold labels: ignore, present, absent ("ignore"); ignore, absent ("ignore") */
    const char    *html, *queue;        /* page; disagreements for a human, CSV or page by its ending (none) */
    int64_t        n_bootstrap, seed;   /* (1000), (0) */
} rvl_label_audit_opts;
RVL_API rvl_label_audit_opts    rvl_label_audit_opts_default(void);
/** Labels against gold, and two sources of labels against each other. JSON text, schema "rvl.label_audit/1"; free with
 *  rvl_text_free (rvl/plan.h). */
RVL_API RVL_MUST_USE rvl_status rvl_label_audit_run(char **json, const rvl_label_audit_opts *opts, rvl_error *err);

typedef struct {
    const char *input, *corrections; /* labels (CSV), or a cohort; CSV: report_id, finding, state, reviewer */
    const char *out;                 /* corrected labels; not for a cohort */
    const char *source;              /* of a cohort: where the corrections go ("human") */
    const char *schema;              /* (the cohort's) */
    const char *reviewer;            /* of rows that name none */
    bool        force;
} rvl_label_import_opts;
typedef struct {
    int64_t n_corrections, n_changed, n_empty; /* empty: rows of a queue that nobody decided */
} rvl_label_import_result;
/** Corrections by a human. In a table of labels the corrected finding gets probability 1, 0.5 (uncertain) or 0 and its
 *  state; in a cohort rows of a source of its own, with the reviewer. Refused as a whole if a row is wrong. */
RVL_API RVL_MUST_USE rvl_status rvl_label_import_run(rvl_label_import_result *out, const rvl_label_import_opts *opts,
                                                     rvl_error *err);

/** What `path` is (cohort, run, bundle, index, image, DICOM file, schema), as JSON text, schema "rvl.inspect/1"; free
 *  with rvl_text_free (rvl/plan.h). With `stats`, of an image, volume or array file: "stored" (shape, dtype, min, max,
 *  mean, sha256 of the values as little-endian C-order bytes) and "physical" (unit, min, max, mean). No patient
 *  identifier is in it. */
RVL_API RVL_MUST_USE rvl_status rvl_inspect_run(char **json, const char *path, bool stats, rvl_error *err);

/* ---- using ---------------------------------------------------------------------------------------------------- */

typedef struct {
    const char *model, *input; /* input: cohort or image file */
    const char *split;         /* of a cohort ("all") */
    const char *prompts;       /* schema name or YAML file (the model's own) */
    bool        force;         /* other modality or view than the model's */
    int64_t     limit, threads;
    const char *modality, *view; /* of an image file, which does not say so itself: "cxr", "pa", ... (not known) */
} rvl_zeroshot_opts;

/** Scores: probability [i_case * n_findings + k] = softmax over (positive, negative) prompt embeddings' similarity to
 *  the image, prompts of one polarity averaged (ensembled) in the embedding space. */
typedef struct {
    int64_t n_cases;
    int     n_findings;
    char  **case_ids; /* or the file name */
    char  **findings; /* names */
    float  *probability;
    char    model_id[33];
} rvl_scores;
RVL_API RVL_MUST_USE rvl_status rvl_zeroshot_run(rvl_scores **out, const rvl_zeroshot_opts *opts, rvl_error *err);
RVL_API void                    rvl_scores_free(rvl_scores *scores);

typedef struct {
    const char *model, *cohort, *split; /* split ("all") */
    const char *kind;                   /* image, text or both ("both"; "image" where there are no reports) */
    const char *out;                    /* index file */
    bool        append, force;
    int64_t     limit, threads;
} rvl_embed_opts;
typedef struct {
    int64_t n_cases, n_new;
    int     embed_dim;
    bool    has_image, has_text;
    int64_t n_truncated_reports;
} rvl_embed_result;
RVL_API RVL_MUST_USE rvl_status rvl_embed_run(rvl_embed_result *out, const rvl_embed_opts *opts, rvl_error *err);

typedef struct {
    const char *index;
    const char *model;               /* (the bundle named in the index) */
    const char *text, *image, *like; /* exactly one */
    const char *target;              /* what to rank: image or text ("image") */
    const char *html;                /* contact sheet path */
    int64_t     k;                   /* (10) */
    bool        force;
} rvl_search_opts;
typedef struct {
    int     n;
    char  **case_ids;
    char  **snippets; /* start of the report, "" without */
    double *scores;
    char    similarity[16];
} rvl_hits;
RVL_API RVL_MUST_USE rvl_status rvl_search_run(rvl_hits **out, const rvl_search_opts *opts, rvl_error *err);
RVL_API void                    rvl_hits_free(rvl_hits *hits);

/* ---- judging -------------------------------------------------------------------------------------------------- */

typedef struct {
    const char *cohort, *model, *split; /* split ("test") */
    const char *val_split;              /* thresholds are chosen here ("val") */
    const char *suite;                  /* comma-separated: supervised, zeroshot, retrieval (what the model can) */
    const char *predictions, *labels, *val_predictions, *val_labels; /* CSV files made elsewhere */
    const char *image_embeddings, *text_embeddings, *pairs;          /* npy, npz, safetensors or CSV; CSV */
    const char *similarity;   /* of embeddings made elsewhere: cosine or dot ("cosine") */
    const char *group;        /* reconstructions of a scan count once: scan, scan-first (each volume for itself) */
    const char *map;          /* CT-RATE's classes as RAD-ChestCT's: rad-chestct-16, rad-chestct-15 (none) */
    const char *train_split;  /* the baselines are fitted on ("train") */
    const char *metadata;     /* CSV with an id and what is known without the image, for the metadata baseline (none) */
    const char *train_labels; /* of predictions made elsewhere: CSV that the baselines are fitted on (none) */
    const char *prompts;
    const char *uncertain, *missing; /* as in pretrain ("ignore"), ("absent") */
    const char *html;                /* page to write (none) */
    const char *predictions_out;     /* CSV of every score, for other tools (none) */
    int64_t     n_bootstrap;         /* (1000) */
    int64_t     seed, threads, limit;
} rvl_bench_opts;
/** JSON text, schema "rvl.bench/1"; free with rvl_text_free (rvl/plan.h). */
RVL_API rvl_bench_opts          rvl_bench_opts_default(void);
RVL_API RVL_MUST_USE rvl_status rvl_bench_run(char **json, const rvl_bench_opts *opts, rvl_error *err);

typedef struct {
    const char *cohort;                         /* its labels are what is probed for */
    const char *model, *index;                  /* features of a model, or of an index of its embeddings: one of them */
    const char *features;                       /* of a model: pooled or embedding ("pooled") */
    const char *split, *val_split, *test_split; /* fit ("train"), choose lambda ("val"), measure ("test") */
    const char *findings;                       /* comma-separated (all) */
    const char *uncertain, *missing;            /* ignore, present, absent ("ignore"); ignore, absent ("absent") */
    const char *out;                            /* safetensors with the classifiers (none) */
    const char *predictions_out;                /* CSV with the test split's probabilities (none) */
    int64_t     n_bootstrap;                    /* (1000) */
    int64_t     seed, threads;
    bool        force; /* replace `out` */
} rvl_probe_opts;
/** One L2-regularised logistic regression per finding on standardised, frozen features. JSON text, schema
 *  "rvl.probe/1"; free with rvl_text_free (rvl/plan.h). */
RVL_API rvl_probe_opts          rvl_probe_opts_default(void);
RVL_API RVL_MUST_USE rvl_status rvl_probe_run(char **json, const rvl_probe_opts *opts, rvl_error *err);

RVL_END_DECLS
#endif /* RVL_VERBS_H */
