/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cli/commands.c
 * The verb table, in the order of the work.
 */
#include "base/str.h"
#include "cli/cli.h"
#include "cli/cmd.h"
#include <string.h>

const rvl_command cli_commands[] = {
    {"synth images", cmd_synth_images, "prepare", "draw phantom radiographs or CT with truth and reports",
     "rvl synth images -n 1000 -o raw\nrvl synth images --modality ct -n 300 -o thorax"},
    {"ingest", cmd_ingest, "prepare", "read images and reports into a cohort",
     "rvl ingest raw -o cohort\nrvl ingest FOLDER --map cxr.yaml -o cohort --check"},
    {"label", cmd_label, "prepare", "labels from reports: rules, language models, classifiers; audit",
     "rvl label reports.csv --schema ct-rate-18 --rules -o labels.csv\n"
     "rvl label reports.csv --text-column findings,impression --schema chexpert-14 --rules -o labels.jsonl\n"
     "rvl label reports.csv --schema ct-rate-18 --rules --audit gold.csv --html audit.html"},
    {"convert", cmd_convert, "prepare", "DICOM folders to NIfTI; one volume file to another; units, axes, spacing",
     "rvl convert scans/\n"
     "rvl convert ct.nii.gz axial.png --unit auto\n"
     "rvl convert ct.nii.gz small.nii.gz --unit auto --orient LPS --spacing 1.5,1.5,3"},
    {"inspect", cmd_inspect, "prepare", "show what a thing is: image, volume, cohort, bundle, run, index, schema",
     "rvl inspect scans/\nrvl inspect cohort\nrvl inspect runs/clip --json"},
    {"pretrain", cmd_pretrain, "train", "supervise the image tower with labels, or a classifier of reports",
     "rvl pretrain cohort --name pre\nrvl pretrain cohort --name pre --resume"},
    {"align", cmd_align, "train", "train an image tower and a text tower to agree (CLIP)",
     "rvl align cohort --image-tower runs/pre --name clip"},
    {"probe", cmd_probe, "train", "a linear classifier per finding on frozen features",
     "rvl probe cohort -m runs/pre -o probe.safetensors\nrvl probe cohort --index clip.safetensors --json"},
    {"embed", cmd_embed, "use", "studies and reports to embeddings",
     "rvl embed -m runs/clip cohort -o clip.safetensors"},
    {"search", cmd_search, "use", "find similar studies by text, image or case",
     "rvl search clip.safetensors --text \"left pleural effusion\" -k 5"},
    {"zeroshot", cmd_zeroshot, "use", "a probability per finding from prompts",
     "rvl zeroshot -m runs/clip cohort --split test --json"},
    {"bench", cmd_bench, "judge", "measure a model, or predictions made elsewhere",
     "rvl bench cohort -m runs/clip --suite retrieval,zeroshot --split test\n"
     "rvl bench --predictions p.csv --labels l.csv"},
    {NULL, NULL, NULL, NULL, NULL},
};

const rvl_command *cli_find(int argc, char **argv, int *n_words)
{
    for (int i = 0; cli_commands[i].name; i++) {
        const char *name = cli_commands[i].name;
        const char *space = strchr(name, ' ');
        if (!space && argc >= 1 && strcmp(argv[0], name) == 0) {
            *n_words = 1;
            return &cli_commands[i];
        }
        if (space && argc >= 2 && strlen(argv[0]) == (size_t)(space - name) &&
            strncmp(argv[0], name, (size_t)(space - name)) == 0 && strcmp(argv[1], space + 1) == 0) {
            *n_words = 2;
            return &cli_commands[i];
        }
    }
    return NULL;
}

const char *cli_nearest_command(const char *word)
{
    const char *best = NULL;
    int         best_distance = 4;
    for (int i = 0; cli_commands[i].name; i++) {
        int d = rvl_str_distance(cli_commands[i].name, word);
        if (rvl_str_starts(cli_commands[i].name, word))
            d = 0;
        if (d < best_distance) {
            best_distance = d;
            best = cli_commands[i].name;
        }
    }
    return best;
}
