/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cli/cmd_convert.c
 * rvl convert: one volume file to another.
 */
#include "base/json.h"
#include "base/str.h"
#include "cli/cmd.h"
#include "rvl/verbs.h"

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

int cmd_convert(int argc, char **argv, rvl_cli *cli)
{
    rvl_convert_opts   o = rvl_convert_opts_default();
    rvl_convert_result r;
    rvl_error          err = {0};
    const cli_opt      opts[] = {
             OPT_GROUP("input"),
             OPT_ARG("IN", &o.input, "volume: .nii, .nii.gz, .hdr with .img, .npz, .npy, or a picture"),
             OPT_ARG("OUT", &o.out, ".nii.gz or .nii, .npy (float32), or .png (slices side by side)"),
             OPT_INT("frame", 0, &o.frame, "of a 4-D file, counted from 0"),
             OPT_STR("member", 0, &o.member, "NAME", "array of an npz [ct, arr_0 or data]"),
             OPT_STR("fill", 0, &o.fill, "VALUE", "replaces NaN and Inf, which are refused otherwise"),
             OPT_STR("source-spacing", 0, &o.source_spacing, "X,Y,Z", "mm, where the file does not say"),
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
    if (cli_excludes(cli, !rvl_str_ends(o.out, ".png"), "an OUT that is no .png",
                     (const char *const[]){"tiles", NULL}) ||
        cli_excludes(cli, !o.spacing, "unchanged spacing", (const char *const[]){"nearest", NULL}))
        return cli->exit_code;
    o.force = cli->force;
    if (rvl_convert_run(&r, &o, &err))
        return cli_fail(cli, &err);
    if (cli->json) {
        int code = print_result(cli, &o, &r);
        if (code)
            return code;
    }
    cli_done(cli, "wrote %s: %lld x %lld x %lld%s%s%s", o.out, (long long)r.depth, (long long)r.height,
             (long long)r.width, r.found[0] ? ", values found to be " : "", r.found,
             r.was_rescaled ? ", rescaled to HU" : "");
    return 0;
}
