#!/usr/bin/env python3
"""Reference implementation of Hotpath's experiment assignment.

Standard library only, written from the rules in abtest/doc.go and independent
of the Go code. Import Plan to compute assignments offline. It expects a Config
that the gateway accepts.

    reference.py vectors.json          check every vector
    reference.py --recompute FILE      recompute the assignments that Go wrote
"""

import base64
import hashlib
import hmac
import json
import os
import re
import sys
from datetime import datetime
from functools import cached_property, lru_cache

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


@lru_cache(maxsize=1 << 16)
def digest_of_key(key: str) -> int:
    return digest(key)


def bucket(key: str, unit: bytes) -> int:
    return fmix64(digest_of_key(key) ^ digest(unit)) * BUCKETS >> 64


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
    return _slots(tuple(sorted((n.encode(), n, w) for n, w in shares.items() if w > 0)))


@lru_cache(maxsize=None)
def _slots(ordered):
    names = [n for _, n, _ in ordered]
    want = [w for _, _, w in ordered]
    assert sum(want) == BUCKETS, want
    cost = [column(n) for n in names]
    bias = [log2(w, 16) << 20 for w in want]
    every = range(len(names))
    for _ in range(5):  # any biases will do; better ones leave fewer steps
        rows = zip(*([c - bias[v] for c in cost[v]] for v in every))
        owner = [row.index(min(row)) for row in rows]
        have = [owner.count(v) for v in every]
        bias = [b - ((log2(max(h, 1), 16) - log2(w, 16)) << 20) for b, h, w in zip(bias, have, want)]
    while have != want:
        step(owner, have, want, cost, every)
    return tuple(names[v] for v in owner)


def step(owner, have, want, cost, every):
    """Move one slot from a variant with too many to one with too few."""
    edge = {(u, v): min((cost[v][s] - cost[u][s], s) for s in mine)
            for u in every if (mine := [s for s in range(BUCKETS) if owner[s] == u])
            for v in every if v != u}
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


# Targeting.

def kind(x):
    return bool if isinstance(x, bool) else float if isinstance(x, (int, float)) else type(x)


def same(a, b) -> bool:
    return kind(a) is kind(b) and a == b


IDENTIFIERS = r"[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*"
VERSION = re.compile(rf"v?([0-9]+)(?:\.([0-9]+))?(?:\.([0-9]+))?(?:-({IDENTIFIERS}))?(?:\+{IDENTIFIERS})?", re.ASCII)


def version(text):
    """A key that sorts semantic versions by precedence; None if it is none."""
    m = VERSION.fullmatch(text) if isinstance(text, str) else None
    if not m:
        return None
    core = tuple(int(n or 0) for n in m.group(1, 2, 3))
    if m[4] is None:
        return core, 1, ()
    return core, 0, tuple((0, int(i), "") if i.isdigit() else (1, 0, i) for i in m[4].split("."))


def compare(op, value, want) -> bool:
    return {"eq": value == want, "gt": value > want, "gte": value >= want, "lt": value < want, "lte": value <= want}[op]


def test(op, want, found, value, lists) -> bool:
    if op == "exists":
        return want is found
    if not found:
        return False
    if op == "eq":
        return same(want, value)
    if op in ("in", "not_in"):
        return any(same(w, value) for w in want) is (op == "in")
    if op in ("in_list", "not_in_list"):
        return (kind(value) is str and value in lists[want]) is (op == "in_list")
    if op in ("prefix", "suffix", "contains"):
        return isinstance(value, str) and {"prefix": value.startswith, "suffix": value.endswith, "contains": value.__contains__}[op](want)
    if op.startswith("semver_"):
        return version(value) is not None and compare(op[7:], version(value), version(want))
    return kind(value) is float and compare(op, value, want)


class Request:
    """What a decision depends on beside the plan."""

    def __init__(self, user="", units=None, attributes=None, forced="", stored=None, now=0):
        self.user, self.units, self.attributes = user, units or {}, attributes or {}
        self.forced, self.stored, self.now = forced, stored or {}, now

    def unit(self, name: str):
        """The id of a unit; None where the request has none."""
        if name == "user":
            return self.user or None
        if self.units.get(name):
            return self.units[name]
        value = self.attributes.get(name)
        if isinstance(value, str):
            return value or None
        if kind(value) is float and abs(value) < 1 << 53 and value == int(value):
            return str(int(value))
        return None

    def bucket(self, domain: str, salt: str, unit: str):
        """The bucket of a unit under a salt; None where the request has no such unit."""
        id = self.unit(unit)
        return None if id is None else bucket(domain + "\0" + salt, id.encode())


def holds(cond: dict, request: Request, unit: str, lists: dict) -> bool:
    if "all" in cond:
        return all(holds(c, request, unit, lists) for c in cond["all"])
    if "any" in cond:
        return any(holds(c, request, unit, lists) for c in cond["any"])
    if "not" in cond:
        return not holds(cond["not"], request, unit, lists)
    if "percent" in cond:
        b = request.bucket("percent", cond["salt"], cond.get("unit") or unit)
        return b is not None and b < basis_points(cond["percent"])
    if "attribute" in cond:
        found, value = cond["attribute"] in request.attributes, request.attributes.get(cond["attribute"])
    else:
        value = request.unit(cond["unit"])
        found = value is not None
    return all(test(op, want, found, value, lists) for op, want in cond.items() if op not in ("attribute", "unit"))


# Experiments.

def basis_points(percent) -> int:
    return round(percent * 100)


def moment(text, absent):
    return int(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()) if text else absent


class Holdout:
    def __init__(self, config: dict, unit: str, salt: str):
        self.share = basis_points(config["share"])
        self.salt, self.unit = config.get("salt") or salt, config.get("unit") or unit

    def has(self, request: Request) -> bool:
        b = request.bucket("holdout", self.salt, self.unit)
        return b is not None and b < self.share


class Layer:
    def __init__(self, config: dict):
        self.salt, self.unit = config.get("salt") or config["name"], config.get("unit") or "user"
        self.holdouts = [Holdout(config["holdout"], self.unit, config["name"])] if config.get("holdout") else []

    def bucket(self, request: Request):
        return request.bucket("layer", self.salt, self.unit)


ASSIGNS = ("paused", "split", "sticky", "override", "forced")
REASONS = ("default", "not_running", "not_started", "ended", "no_unit", "holdout", "prerequisite", "out_of_range",
           "not_targeted", "outside_ramp") + ASSIGNS


class Experiment:
    def __init__(self, config: dict, plan):
        self.config, self.plan = config, plan
        self.name = config["name"]
        self.state = config.get("state") or "running"
        self.salt = config.get("salt") or self.name
        self.unit = config.get("unit") or "user"
        self.layer = plan.layers.get(config.get("layer"))
        self.low, self.high = config.get("range") or [0, BUCKETS]
        self.start, self.end = moment(config.get("start"), -INFINITE), moment(config.get("end"), INFINITE)
        self.ramp = [(moment(s.get("at"), -INFINITE), basis_points(s["share"])) for s in config.get("ramp") or []]
        self.holdouts = plan.holdouts + (self.layer.holdouts if self.layer else [])
        self.answering = {v["name"]: basis_points(v["weight"]) for v in config["variants"] if not v.get("shadow")}
        self.shadows = [v for v in config["variants"] if v.get("shadow")]
        self.listed = {u: v for v, users in (config.get("overrides") or {}).items() for u in users}
        for v, names in (config.get("override_lists") or {}).items():
            self.listed.update({u: v for name in names for u in plan.lists[name]})

    @cached_property
    def owners(self):
        return slots(self.answering)

    def bucket(self, request: Request):
        return request.bucket("assign", self.salt, self.unit)

    def open(self, now) -> str:
        if self.state not in ("running", "paused"):
            return "not_running"
        return "not_started" if now < self.start else "ended" if now >= self.end else ""

    def override(self, request: Request):
        if self.state == "running" and not self.open(request.now):
            return self.listed.get(request.user)

    def sticky(self, request: Request):
        if self.config.get("sticky") and self.state == "running" and not self.open(request.now) and self.bucket(request) is not None:
            name = request.stored.get(self.name)
            return name if self.answering.get(name) else None

    def share(self, now) -> int:
        if not self.ramp:
            return BUCKETS
        return ([0] + [share for at, share in self.ramp if now >= at])[-1]

    def enrol(self, request: Request) -> str:
        """The first thing in the way of this open experiment; paused or split: nothing."""
        if self.bucket(request) is None:
            return "no_unit"
        if any(h.has(request) for h in self.holdouts):
            return "holdout"
        if not all(self.plan.named[p["experiment"]].has(request, p.get("variants")) for p in self.config.get("prerequisites") or []):
            return "prerequisite"
        if self.layer and not self.owns(request):
            return "out_of_range"
        if self.config.get("targeting") and not holds(self.config["targeting"], request, self.unit, self.plan.lists):
            return "not_targeted"
        if request.bucket("ramp", self.salt, self.unit) >= self.share(request.now):
            return "outside_ramp"
        return "paused" if self.state == "paused" else "split"

    def owns(self, request: Request) -> bool:
        b = self.layer.bucket(request)
        return b is not None and self.low <= b < self.high

    def variant_of(self, request: Request, reason: str):
        if reason == "split":
            return self.owners[self.bucket(request)]
        return self.config.get("fallback") or None

    def has(self, request: Request, variants) -> bool:
        """Whether this experiment by itself gives the request one of the variants."""
        if self.open(request.now):
            return False
        name = self.override(request) or self.sticky(request)
        if name is None and self.enrol(request) == "split":
            name = self.variant_of(request, "split")
        return name is not None and name in (variants or self.answering)

    def sampled(self, request: Request):
        """The names of the shadows that score this request."""
        id = (request.unit(self.unit) or "").encode()
        return [v["name"] for v in self.shadows
                if bucket("shadow\0" + self.salt + "\0" + v["name"], id) < basis_points(v.get("sample", 100))]


def read_list(path: str) -> set:
    """The values of a list file: one a line, empty lines and those that begin with # left out."""
    with open(path, encoding="utf-8-sig", newline="") as file:
        values = {line.strip(" \t\r\n") for line in file.read().split("\n")}
    return {v for v in values if v and not v.startswith("#")}


class Plan:
    def __init__(self, config: dict, directory: str = "."):
        """directory is that of the experiments file, for its list_files."""
        self.lists = {name: set(values) for name, values in (config.get("lists") or {}).items()}
        self.lists |= {name: read_list(os.path.join(directory, path)) for name, path in (config.get("list_files") or {}).items()}
        self.holdouts = [Holdout(config["holdout"], "user", "global")] if config.get("holdout") else []
        self.layers = {l["name"]: Layer(l) for l in config.get("layers") or []}
        self.experiments = [Experiment(e, self) for e in config.get("experiments") or []]
        self.named = {e.name: e for e in self.experiments}

    def assign(self, model: str, request: Request) -> dict:
        about = [e for e in self.experiments if e.config["model"] == model]
        unknown = False
        if request.forced:
            for e in about:
                for v in e.answering if e.state in ("running", "paused") else []:
                    if request.forced in (v, e.name + "/" + v):
                        return self.answer(e, v, "forced", request)
            unknown = True
        for reason in ("override", "sticky"):
            for e in about:
                name = getattr(e, reason)(request)
                if name is not None:
                    return self.answer(e, name, reason, request, unknown)
        why, first = self.first(about, request)
        if first and first.variant_of(request, why):
            return self.answer(first, first.variant_of(request, why), why, request, unknown)
        return {"experiment": "", "variant": "", "bucket": 0, "reason": why, "forced_unknown": unknown, "shadows": []}

    def first(self, about, request: Request):
        """The first experiment that enrols the request, or the reason that came closest."""
        reasons, asked = ["default"] + ["not_running"] * len(about), set()
        for e in about:
            if e.state not in ("running", "paused"):
                continue
            if e.layer:
                b = e.layer.bucket(request)
                if b is None:
                    reasons.append("no_unit")
                    continue
                asked.add(e.layer)
                if not e.low <= b < e.high:
                    continue  # of a layer only the owner of the bucket is asked
                asked.add((e.layer, "owned"))
            reasons.append(e.open(request.now) or e.enrol(request))
            if reasons[-1] in ASSIGNS:
                return reasons[-1], e
        for layer in asked:
            if isinstance(layer, Layer) and (layer, "owned") not in asked:
                held = any(h.has(request) for h in self.holdouts + layer.holdouts)
                reasons.append("holdout" if held else "out_of_range")
        return max(reasons, key=REASONS.index), None

    @staticmethod
    def answer(e, variant, reason, request, unknown=False) -> dict:
        id = (request.unit(e.unit) or "").encode()
        return {"experiment": e.name, "variant": variant, "bucket": bucket("assign\0" + e.salt, id), "reason": reason,
                "forced_unknown": unknown, "shadows": e.sampled(request) if reason != "paused" else []}


def force_token(key: bytes, forced: str, expires: int) -> str:
    claim = f"{forced}:{expires}"
    code = hmac.new(key, b"hotpath force 1\0" + claim.encode(), hashlib.sha256).digest()
    return claim + ":" + base64.urlsafe_b64encode(code).decode().rstrip("=")


# Checks.

def request_of(a: dict) -> Request:
    return Request(a.get("user", ""), a.get("units"), a.get("attributes"), a.get("forced", ""), a.get("stored"), a.get("now", 0))


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
    for m in vectors["moments"]:
        equal(moment(m["text"], None), m["unix"], m["text"])
    for a, b in zip(vectors["versions"], vectors["versions"][1:]):
        equal(version(a) < version(b), True, f"{a} before {b}")
    for t in vectors["tokens"]:
        equal(force_token(t["key"].encode(), t["forced"], t["expires"]), t["token"], f"token of {t['forced']}")
    for p in vectors["plans"]:
        plan = Plan(p["config"])
        for a in p["assignments"]:
            equal(plan.assign(a["model"], request_of(a)), a["want"], f"{p['name']}: {a}")
    return n


def recompute(lines) -> int:
    """Each line is a config, or a request under the config before it."""
    n, plan = 0, None
    for line in lines:
        a = json.loads(line)
        if "config" in a:
            plan = Plan(a["config"])
            continue
        n += 1
        got = plan.assign(a["model"], request_of(a))
        if got != a["want"]:
            sys.exit(f"assignment {n}: got {got}, want {a['want']}: {line}")
    return n


if __name__ == "__main__":
    if sys.argv[1] == "--recompute":
        with open(sys.argv[2], encoding="utf-8") as f:
            print(recompute(f), "assignments agree")
    else:
        with open(sys.argv[1], encoding="utf-8") as f:
            print(check(json.load(f)), "vectors agree")
