/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cli/cmd_convert.c
 * rvl convert: one volume file to another, or the volumes of a DICOM folder to NIfTI.
 */
#include "base/json.h"
#include "base/str.h"
#include "cli/cmd.h"
#include "rvl/plan.h"
#include "rvl/verbs.h"
#include <stdio.h>
#include <string.h>

static int print_result(rvl_cli *cli, const rvl_convert_opts *o, const rvl_convert_result *r)
{
    json_t *j = json_object();
    json_t *shape = json_array();
    json_t *spacing = json_array();

    json_array_append_new(shape, json_integer(r->depth));
    json_array_append_new(shape, json_integer(r->height));
    json_array_append_new(shape, json_integer(r->width));
    for (int i = 0; i < 3; i++)
        json_array_append_new(spacing, json_real(r->spacing_mm[i]));
    rvl_json_set(j, "schema", json_string("rvl.convert/1"));
    rvl_json_set(j, "out", json_string(o->out));
    rvl_json_set(j, "shape", shape);
    rvl_json_set(j, "spacing_mm", r->has_spacing ? spacing : json_null());
    if (!r->has_spacing)
        json_decref(spacing);
    rvl_json_set(j, "unit", json_string(r->unit));
    rvl_json_set(j, "found", r->found[0] ? json_string(r->found) : json_null());
    rvl_json_set(j, "rescaled", json_boolean(r->was_rescaled));
    rvl_json_set(j, "padding_voxels", json_integer(r->n_padding));
    rvl_json_set(j, "filled_voxels", json_integer(r->n_non_finite));
    return cli_print_json(cli, j);
}

/* "scans-nifti" beside the current work, for "/data/scans/" and "/data/scans.dcm". */
static const char *series_folder(char *buf, size_t n_bytes, const char *input)
{
    size_t      n = strlen(input);
    size_t      from;
    const char *dot;

    while (n > 1 && input[n - 1] == '/')
        n--;
    for (from = n; from > 0 && input[from - 1] != '/';)
        from--;
    snprintf(buf, n_bytes, "%.*s", (int)(n - from), input + from);
    dot = strrchr(buf, '.');
    n = dot && dot > buf ? (size_t)(dot - buf) : strlen(buf);
    bool is_name = n > 0 && strcmp(buf, "/") != 0 && strcmp(buf, ".") != 0 && strcmp(buf, "..") != 0;
    snprintf(buf + (is_name ? n : 0), n_bytes - n, "%s", is_name ? "-nifti" : "dicom-nifti");
    return buf;
}

/* DICOM to a folder, a file a volume. */
static int convert_series(rvl_cli *cli, const rvl_convert_opts *one, rvl_convert_series_opts *o)
{
    rvl_convert_series_result r;
    rvl_error                 err = {0};
    json_t                   *root = NULL;
    char                      folder[1024];
    int                       code = 0;

    if (cli_excludes(cli, true, "DICOM to a folder",
                     (const char *const[]){"frame", "member", "fill", "source-spacing", "unit", "rescale", "window",
                                           "range", "orient", "spacing", "size", "convention", "nearest", "tiles",
                                           NULL}))
        return cli->exit_code;
    o->input = one->input;
    o->out = one->out ? one->out : series_folder(folder, sizeof folder, one->input);
    o->tilt = one->tilt;
    o->fill_gaps = one->fill_gaps;
    o->force = cli->force;
    if (rvl_convert_series_run(&r, o, &err))
        return cli_fail(cli, &err);
    if (cli->json)
        printf("%s\n", r.json);
    else if (rvl_json_parse(&root, r.json, strlen(r.json), "convert result", &err) == RVL_OK)
        code = cli_print_series(cli, json_object_get(root, "volumes"), root);
    json_decref(root);
    rvl_text_free(r.json);
    if (err.code)
        return cli_fail(cli, &err);
    cli_done(cli, "wrote %lld volumes to %s%s", (long long)r.n_written, o->out,
             r.n_failed ? "; what could not be written is in the table, with the reason" : "");
    if (r.n_failed)
        code = r.n_written ? 5 : 4;
    cli->exit_code = code;
    return code;
}

/* One volume to one file. */
static int convert_one(rvl_cli *cli, rvl_convert_opts *o)
{
    rvl_convert_result r;
    rvl_error          err = {0};

    if (!o->out)
        return cli_usage(cli, "rvl convert wants OUT, unless IN is a DICOM file or a folder");
    const bool is_dicom = rvl_convert_is_dicom(o->input);
    if (cli_excludes(cli, true, "one OUT file", (const char *const[]){"localisers", "to", NULL}) ||
        cli_excludes(cli, is_dicom, "DICOM",
                     (const char *const[]){"frame", "member", "fill", "source-spacing", "rescale", NULL}) ||
        cli_excludes(cli, !is_dicom, "an IN that is no DICOM", (const char *const[]){"tilt", "fill-gaps", NULL}) ||
        cli_excludes(cli, !rvl_str_ends(o->out, ".png"), "an OUT that is no .png",
                     (const char *const[]){"tiles", NULL}) ||
        cli_excludes(cli, !o->spacing, "unchanged spacing", (const char *const[]){"nearest", NULL}))
        return cli->exit_code;
    o->force = cli->force;
    if (rvl_convert_run(&r, o, &err))
        return cli_fail(cli, &err);
    if (cli->json) {
        int code = print_result(cli, o, &r);
        if (code)
            return code;
    }
    cli_done(cli, "wrote %s: %lld x %lld x %lld%s%s%s", o->out, (long long)r.depth, (long long)r.height,
             (long long)r.width, r.found[0] ? ", values found to be " : "", r.found,
             r.was_rescaled ? ", rescaled to HU" : "");
    return 0;
}

int cmd_convert(int argc, char **argv, rvl_cli *cli)
{
    rvl_convert_opts        o = rvl_convert_opts_default();
    rvl_convert_series_opts series = rvl_convert_series_opts_default();
    const cli_opt           opts[] = {
                  OPT_GROUP("input"),
                  OPT_ARG("IN", &o.input, "DICOM folder or file, .nii, .nii.gz, .hdr with .img, .npz, .npy, or a picture"),
                  OPT_ARG_MAYBE("OUT", &o.out,
                                ".nii.gz or .nii, .npy (float32), .png (slices side by side); of DICOM a folder [IN-nifti]"),
                  OPT_INT("frame", 0, &o.frame, "of a 4-D file, counted from 0"),
                  OPT_STR("member", 0, &o.member, "NAME", "array of an npz [ct, arr_0 or data]"),
                  OPT_STR("fill", 0, &o.fill, "VALUE", "replaces NaN and Inf, which are refused otherwise"),
                  OPT_STR("source-spacing", 0, &o.source_spacing, "X,Y,Z", "mm, where the file does not say"),
                  OPT_GROUP("dicom"),
                  OPT_STR("tilt", 0, &o.tilt, "HOW", "tilted gantry: refuse, keep (oblique axis) or correct (resample) [refuse]"),
                  OPT_FLAG("fill-gaps", 0, &o.fill_gaps, "interpolate missing slices and uneven distances"),
                  OPT_FLAG("localisers", 0, &series.localisers, "write them too"),
                  OPT_STR("to", 0, &series.format, "FORMAT", "of the files in a folder: nii.gz or nii [nii.gz]"),
                  OPT_GROUP("values"),
                  OPT_STR("unit", 0, &o.unit, "UNIT", "stored, auto, hu, raw, hu/1000 or arbitrary [stored]"),
                  OPT_STR("rescale", 0, &o.rescale, "S,I", "slope, intercept of raw CT values, from a table"),
                  OPT_STR("window", 0, &o.window, "LOW,HIGH", "clip, in the volume's unit"),
                  OPT_STR("range", 0, &o.range, "LOW,HIGH", "map the window to this range (float32)"),
                  OPT_GROUP("grid"),
                  OPT_STR("orient", 0, &o.orient, "CODES", "where indices grow to: LPS, RAS, ... [as it is]"),
                  OPT_STR("spacing", 0, &o.spacing, "X,Y,Z", "mm between voxel centres [as it is]"),
                  OPT_STR("size", 0, &o.size, "D,H,W", "crop and pad about the middle [as it is]"),
                  OPT_STR("convention", 0, &o.convention, "NAME", "of the grid: centre or ct-clip [centre]"),
                  OPT_FLAG("nearest", 0, &o.nearest, "nearest voxel, for masks, instead of trilinear"),
                  OPT_GROUP("picture"),
                  OPT_INT("tiles", 0, &o.tiles, "slices shown [20]"),
                  OPT_END,
    };

    if (!cli_parse(cli, CLI_FORCE | CLI_JSON, opts, argc, argv))
        return cli->exit_code;
    return rvl_convert_is_series(o.input, o.out) ? convert_series(cli, &o, &series) : convert_one(cli, &o);
}
