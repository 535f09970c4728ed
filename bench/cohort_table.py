#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Print a cohort's labels (1, 0, empty) or its split, view, age and sex as CSV, one line a case."""
import csv
import os
import sqlite3
import sys

PRESENT, ABSENT = 1, 2  # rvl_label_state


def labels(db):
    findings = [row[0] for row in db.execute("SELECT DISTINCT finding FROM labels ORDER BY finding")]
    states = {(study, finding): state for study, finding, state in
              db.execute("SELECT i_study, finding, state FROM labels")}
    yield ["case", "patient"] + findings
    for study, case, patient in db.execute(
            "SELECT i_study, case_id, patient_id FROM studies JOIN patients USING(i_patient) ORDER BY i_study"):
        cells = [states.get((study, finding)) for finding in findings]
        yield [case, patient] + [{PRESENT: 1, ABSENT: 0}.get(state, "") for state in cells]


def metadata(db):
    yield ["case", "patient", "split", "view", "age", "sex"]
    yield from db.execute(
        "SELECT case_id, patient_id, split, min(view), age_years, sex FROM studies JOIN patients USING(i_patient)"
        " JOIN splits USING(i_study) JOIN images USING(i_study) GROUP BY i_study ORDER BY i_study")


def main():
    if len(sys.argv) != 3 or sys.argv[2] not in ("labels", "metadata"):
        sys.exit("usage: cohort_table.py COHORT labels|metadata")
    db = sqlite3.connect(os.path.join(sys.argv[1], "cohort.db"))
    csv.writer(sys.stdout, lineterminator="\n").writerows({"labels": labels, "metadata": metadata}[sys.argv[2]](db))


if __name__ == "__main__":
    main()
