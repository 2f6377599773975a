#!/usr/bin/env python3
"""Reference implementation of Hotpath's experiment assignment.

Standard library only, written from the rules in abtest/doc.go and independent
of the Go code. Run it with a vectors file to check every vector; import Plan to
compute assignments offline. It expects a Config that the gateway accepts.
"""

import hashlib
import json
import sys
from functools import lru_cache

MASK = (1 << 64) - 1
BUCKETS = 10000
INFINITE = float("inf")


def fnv1a(data: bytes) -> int:
    h = 0xCBF29CE484222325
    for b in data:
        h = ((h ^ b) * 0x100000001B3) & MASK
    return h


def fmix64(h: int) -> int:
    h = ((h ^ (h >> 33)) * 0xFF51AFD7ED558CCD) & MASK
    h = ((h ^ (h >> 33)) * 0xC4CEB9FE1A85EC53) & MASK
    return h ^ (h >> 33)


def digest(text) -> int:
    return fmix64(fnv1a(text if isinstance(text, bytes) else text.encode()))


def bucket(key: str, unit: bytes) -> int:
    return fmix64(digest(key) ^ digest(unit)) * BUCKETS >> 64


def log2(x: int, bits: int) -> int:
    e = x.bit_length() - 1
    m, r = x << (63 - e), e
    for _ in range(bits):
        m = m * m >> 63
        r *= 2
        if m >= 1 << 64:
            m >>= 1
            r += 1
    return r


@lru_cache(maxsize=None)
def gumbel(i: int) -> int:
    return log2((17 << 32) - log2(2 * i + 1, 32), 16)


@lru_cache(maxsize=None)
def column(name: str):
    key, costs = digest("slot\0" + name), []
    for s in range(BUCKETS):
        h = fmix64((key + s * 0x9E3779B97F4A7C15) & MASK)
        costs.append((gumbel(h >> 48) << 20) + (h & 0xFFFFF))
    return costs


def slots(shares: dict):
    """The owner, by name, of each bucket. shares maps names to basis points."""
    return list(_slots(tuple(sorted((n.encode(), n, w) for n, w in shares.items() if w > 0))))


@lru_cache(maxsize=None)
def _slots(ordered):
    names = [n for _, n, _ in ordered]
    want = [w for _, _, w in ordered]
    assert sum(want) == BUCKETS, want
    cost = [column(n) for n in names]
    bias = [log2(w, 16) << 20 for w in want]
    every = range(len(names))
    owner = [min(every, key=lambda v: (cost[v][s] - bias[v], v)) for s in range(BUCKETS)]
    have = [owner.count(v) for v in every]
    while have != want:
        step(owner, have, want, cost, every)
    return tuple(names[v] for v in owner)


def step(owner, have, want, cost, every):
    """Move one slot from a variant with too many to one with too few."""
    edge = {}
    for s, u in enumerate(owner):
        for v in every:
            rise = cost[v][s] - cost[u][s]
            if v != u and ((u, v) not in edge or rise < edge[u, v][0]):
                edge[u, v] = (rise, s)
    dist = [0 if have[v] > want[v] else INFINITE for v in every]
    came = [None for _ in every]
    for _ in every:
        for (u, v), (rise, _) in sorted(edge.items()):
            if dist[u] + rise < dist[v]:
                dist[v], came[v] = dist[u] + rise, u
    v = min((v for v in every if have[v] < want[v]), key=lambda v: (dist[v], v))
    have[v] += 1
    moves = []
    while came[v] is not None:
        moves.append((edge[came[v], v][1], v))
        v = came[v]
    have[v] -= 1
    for s, v in moves:
        owner[s] = v


def kind(x):
    return bool if isinstance(x, bool) else float if isinstance(x, (int, float)) else type(x)


def same(a, b) -> bool:
    return kind(a) is kind(b) and a == b


def holds(cond: dict, attributes: dict) -> bool:
    if "all" in cond:
        return all(holds(c, attributes) for c in cond["all"])
    if "any" in cond:
        return any(holds(c, attributes) for c in cond["any"])
    if "not" in cond:
        return not holds(cond["not"], attributes)
    found = cond["attribute"] in attributes
    value = attributes.get(cond["attribute"])
    return all(test(op, want, found, value) for op, want in cond.items() if op != "attribute")


def test(op, want, found, value) -> bool:
    if op == "exists":
        return want is found
    if not found:
        return False
    if op == "eq":
        return same(want, value)
    if op == "in":
        return any(same(w, value) for w in want)
    if op == "not_in":
        return not any(same(w, value) for w in want)
    if op == "prefix":
        return isinstance(value, str) and value.startswith(want)
    if kind(value) is not float:
        return False
    return {"gt": value > want, "gte": value >= want, "lt": value < want, "lte": value <= want}[op]


def basis_points(percent) -> int:
    return round(percent * 100)


class Experiment:
    def __init__(self, config: dict, layers: dict):
        self.config = config
        self.name = config["name"]
        self.enabled = config.get("enabled", True)
        self.salt = config.get("salt") or self.name
        self.layer = layers.get(config.get("layer"))
        self.answering = [v for v in config["variants"] if not v.get("shadow")]
        self.shadows = [v for v in config["variants"] if v.get("shadow")]
        self.shares = {v["name"]: basis_points(v["weight"]) for v in self.answering}

    def bucket(self, unit: bytes) -> int:
        return bucket("assign\0" + self.salt, unit)

    def enrols(self, unit: bytes, attributes: dict) -> str:
        if "targeting" in self.config and not holds(self.config["targeting"], attributes):
            return "not_targeted"
        low, high = self.config.get("range", [0, BUCKETS])
        if self.layer and not low <= bucket("layer\0" + self.layer, unit) < high:
            return "out_of_range"
        return "split"

    def sampled(self, unit: bytes):
        """The names of the shadows that score this unit."""
        return [v["name"] for v in self.shadows
                if bucket("shadow\0" + self.salt + "\0" + v["name"], unit) < basis_points(v.get("sample", 100))]


class Plan:
    def __init__(self, config: dict):
        layers = {l["name"]: l.get("salt") or l["name"] for l in config.get("layers", [])}
        self.experiments = [Experiment(e, layers) for e in config.get("experiments", [])]

    def assign(self, model: str, unit: bytes, attributes: dict, forced: str = "") -> dict:
        about = [e for e in self.experiments if e.config["model"] == model]
        live = [e for e in about if e.enabled]
        unknown = False
        if forced:
            for e in live:
                for v in e.answering:
                    if forced in (v["name"], e.name + "/" + v["name"]):
                        return self.answer(e, v["name"], "forced", unit)
            unknown = True
        for e in live:
            for name, units in e.config.get("overrides", {}).items():
                if unit in [u.encode() for u in units]:
                    return self.answer(e, name, "override", unit, unknown)
        reasons = ["default"] + ["disabled"] * len(about)
        for e in live:
            reasons.append(e.enrols(unit, attributes))
            if reasons[-1] == "split":
                name = slots(e.shares)[e.bucket(unit)]
                return self.answer(e, name, "split", unit, unknown)
        order = ["default", "disabled", "not_targeted", "out_of_range"]
        return {"experiment": "", "variant": "", "bucket": 0, "reason": max(reasons, key=order.index),
                "forced_unknown": unknown, "shadows": []}

    @staticmethod
    def answer(e, variant, reason, unit, unknown=False) -> dict:
        return {"experiment": e.name, "variant": variant, "bucket": e.bucket(unit), "reason": reason,
                "forced_unknown": unknown, "shadows": e.sampled(unit)}


def check(vectors: dict) -> int:
    n = 0

    def equal(got, want, what):
        nonlocal n
        n += 1
        if got != want:
            sys.exit(f"{what}: got {got}, want {want}")

    for h in vectors["hashes"]:
        unit = bytes.fromhex(h["unit_hex"])
        equal(f"{digest(unit):016x}", h["digest"], f"digest of {unit!r}")
        equal(bucket(h["key"], unit), h["bucket"], f"bucket of {h['key']!r} and {unit!r}")
    for c in vectors["costs"]:
        equal(column(c["variant"])[c["slot"]], c["cost"], f"cost of slot {c['slot']} to {c['variant']}")
    for t in vectors["slots"]:
        names = slots(t["basis_points"])
        equal(hashlib.sha256("\n".join(names).encode()).hexdigest(), t["sha256"], f"slots of {t['basis_points']}")
    for p in vectors["plans"]:
        plan = Plan(p["config"])
        for a in p["assignments"]:
            got = plan.assign(a["model"], a["unit"].encode(), a.get("attributes") or {}, a.get("forced", ""))
            equal(got, a["want"], f"{p['name']}: {a['unit']} for {a['model']}")
    return n


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as f:
        print(check(json.load(f)), "vectors agree")
