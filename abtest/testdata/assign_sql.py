#!/usr/bin/env python3
"""Runs assign.sql with SQLite and compares.

    assign_sql.py UNITS               with reference.py: so many users, in each of a few experiments
    assign_sql.py --recompute FILE    with the assignments that Go wrote
"""

import json
import os
import sqlite3
import sys

import reference

CONFIG = {
    "holdout": {"share": 5, "salt": "global-2027"},
    "layers": [{"name": "pages", "salt": "page-layer"}, {"name": "mails", "holdout": {"share": 10}}],
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
BATCH = 2000  # units at once: SQLite takes more than twice as long for twice as many

with open(os.path.join(os.path.dirname(__file__), "assign.sql"), encoding="utf-8") as f:
    SQL = f.read()


def holdout(holdouts):
    """The salt and the share of the only holdout, or none."""
    return (holdouts[0].salt, holdouts[0].share) if holdouts else (None, None)


def assigned(plan, units, now):
    """The rows that the SQL gives."""
    db = sqlite3.connect(":memory:")
    db.execute("CREATE TABLE units (unit TEXT)")
    db.execute("CREATE TABLE experiments (name, salt, layer_salt, low, high, everywhere_salt, everywhere, holdout_salt, holdout, ramp)")
    db.execute("CREATE TABLE slots (experiment, bucket, variant, PRIMARY KEY (experiment, bucket))")
    for e in plan.experiments:
        layer = (e.layer.salt, e.low, e.high) if e.layer else (None, None, None)
        held = holdout(plan.holdouts) + holdout(e.layer.holdouts if e.layer else [])
        db.execute("INSERT INTO experiments VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (e.name, e.salt) + layer + held + (e.share(now),))
        db.executemany("INSERT INTO slots VALUES (?, ?, ?)", [(e.name, b, v) for b, v in enumerate(e.owners)])
    for i in range(0, len(units), BATCH):
        db.execute("DELETE FROM units")
        db.executemany("INSERT INTO units VALUES (?)", [(u,) for u in units[i:i + BATCH]])
        yield from db.execute(SQL)


def compare(rows, want) -> int:
    """want has what (experiment, unit) is to be; it is used up."""
    n = 0
    for name, unit, *got in rows:
        n += 1
        expected = want.pop((name, unit))
        if tuple(got) != tuple(expected):
            sys.exit(f"{name}, {unit}: got {got}, want {expected}")
    if want:
        sys.exit(f"{len(want)} rows are missing, such as {next(iter(want))}")
    return n


def agree(n: int) -> int:
    plan = reference.Plan(CONFIG)
    units = [f"user-{i}" for i in range(n)] + ["Zoë", "日本語", "k" * 256]
    want = {}
    for e in plan.experiments:
        for unit in units:
            request = reference.Request(unit, now=NOW)
            reason = e.enrol(request)
            want[e.name, unit] = (e.bucket(request), reason, e.variant_of(request, reason) if reason == "split" else None)
    return compare(assigned(plan, units, NOW), want)


def recompute(lines) -> int:
    """Each line is a config, the time, and the assignments of users."""
    n = 0
    for line in lines:
        a = json.loads(line)
        want = {(name, unit): (bucket, reason, variant or None) for name, unit, bucket, reason, variant in a["rows"]}
        units = list(dict.fromkeys(unit for _, unit in want))
        n += compare(assigned(reference.Plan(a["config"]), units, a["now"]), want)
    return n


if __name__ == "__main__":
    if sys.argv[1] == "--recompute":
        with open(sys.argv[2], encoding="utf-8") as f:
            print(recompute(f), "assignments agree")
    else:
        print(agree(int(sys.argv[1])), "rows agree")
