#!/usr/bin/env python3
"""Runs assign.sql with SQLite and compares it with reference.py.

    assign_sql.py UNITS    so many users, in each of a few experiments
"""

import os
import sqlite3
import sys

import reference

CONFIG = {
    "holdout": {"share": 5, "salt": "global-2027"},
    "layers": [{"name": "pages", "salt": "page-layer"}, {"name": "mails"}],
    "experiments": [
        {"name": "plain", "model": "a", "variants": [{"name": "control", "weight": 50}, {"name": "treatment", "weight": 50}]},
        {"name": "ramped", "model": "b", "salt": "ramped-2027", "ramp": [{"share": 20}, {"at": "2027-01-02T00:00:00Z", "share": 62.5}],
         "variants": [{"name": "control", "weight": 90}, {"name": "treatment", "weight": 10}]},
        {"name": "layered", "model": "c", "layer": "pages", "range": [1000, 8000], "ramp": [{"share": 80}],
         "variants": [{"name": "a", "weight": 33.33}, {"name": "b", "weight": 33.33}, {"name": "c", "weight": 33.34}]},
        {"name": "größer", "model": "d", "layer": "mails", "range": [0, 10000], "variants": [{"name": "on", "weight": 0.01}, {"name": "off", "weight": 99.99}]},
    ],
}
NOW = 1798848000  # 2027-01-02


def load(db, plan, units):
    db.execute("CREATE TABLE units (unit TEXT)")
    db.execute("CREATE TABLE experiments (name, salt, layer_salt, low, high, holdout_salt, holdout, ramp)")
    db.execute("CREATE TABLE slots (experiment, bucket, variant, PRIMARY KEY (experiment, bucket))")
    db.executemany("INSERT INTO units VALUES (?)", [(u,) for u in units])
    for e in plan.experiments:
        held = e.holdouts[0]
        db.execute("INSERT INTO experiments VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                   (e.name, e.salt, e.layer and e.layer.salt, e.low, e.high, held.salt, held.share, e.share(NOW)))
        db.executemany("INSERT INTO slots VALUES (?, ?, ?)", [(e.name, b, v) for b, v in enumerate(e.owners)])


def main(n: int) -> int:
    plan = reference.Plan(CONFIG)
    units = [f"user-{i}" for i in range(n)] + ["Zoë", "日本語", "k" * 256]
    db = sqlite3.connect(":memory:")
    load(db, plan, units)
    with open(os.path.join(os.path.dirname(__file__), "assign.sql"), encoding="utf-8") as f:
        rows = db.execute(f.read()).fetchall()
    if len(rows) != len(units) * len(plan.experiments):
        sys.exit(f"{len(rows)} rows for {len(units)} units")
    for name, unit, bucket, reason, variant in rows:
        e, request = plan.named[name], reference.Request(unit, now=NOW)
        want = (e.bucket(request), e.enrol(request))
        if (bucket, reason) != want or variant != (e.variant_of(request, reason) if reason == "split" else None):
            sys.exit(f"{name}, {unit}: got {bucket}, {reason}, {variant}, want {want}")
    return len(rows)


if __name__ == "__main__":
    print(main(int(sys.argv[1])), "rows agree")
