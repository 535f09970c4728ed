#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Mean over folds of the retrieval figures in the JSON files of `rvl bench --suite retrieval`.

    python3 bench/fold_summary.py fold0.json fold1.json ...

The interval is Student's t over the folds (95 %). A figure has a signal only if the interval of its difference from
chance, taken fold by fold, lies on the better side of 0; else "no signal". The chance of a median rank is (n + 1) / 2
where each query has one right item (diagonal); for the other two definitions it depends on the groups and is left out.
"""
import json
import math
import sys

T_975 = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262}


def interval(values):
    n, mean = len(values), sum(values) / len(values)
    half = T_975[n - 1] * math.sqrt(sum((v - mean) ** 2 for v in values) / (n - 1) / n)
    return {"value": mean, "low": mean - half, "high": mean + half}


def summary(values, chances, low_is_good):
    out = interval(values) | {"folds": values}
    if chances is not None:
        sign = -1 if low_is_good else 1
        gain = interval([sign * (v - c) for v, c in zip(values, chances)])
        out |= {"chance": sum(chances) / len(chances), "better_than_chance_by": gain,
                "verdict": "signal" if gain["low"] > 0 else "no signal"}
    return out


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    folds = []
    for path in sys.argv[1:]:
        with open(path, encoding="utf-8") as f:
            folds.append(json.load(f)["retrieval"])
    out = {"n_folds": len(folds), "pools": [f["pool"] for f in folds], "n_patients": [f["n_patients"] for f in folds]}
    for direction in ("image_to_text", "text_to_image"):
        out[direction] = {}
        for kind in ("diagonal", "unique", "duplicates"):
            parts = [f[direction] if kind == "diagonal" else f[direction][kind] for f in folds]
            middle = [(f["pool"] + 1) / 2 for f in folds] if kind == "diagonal" else None
            out[direction][kind] = {
                f"recall_at_{k}": summary([p[f"recall_at_{k}"]["value"] for p in parts],
                                          [p[f"chance_at_{k}"] for p in parts], False) for k in (1, 5)}
            out[direction][kind]["median_rank"] = summary([p["median_rank"]["value"] for p in parts], middle, True)
    json.dump(out, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
