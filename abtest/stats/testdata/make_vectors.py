"""Writes vectors.json, against which the tests of abtest/stats compare.

Everything here comes from SciPy and statsmodels or, where they have no such
thing, is computed in another way than the Go code does it: the mixtures of the
confidence sequences by numerical integration, their bounds by root finding, the
evidence of the sample ratio test from the Dirichlet-multinomial distribution
and, for shares that change, unit by unit in 60 digits.

Made with Python 3.11, numpy 2.4.6, scipy 1.17.1, statsmodels 0.15.0:

    python3 -m venv /tmp/stats-venv
    /tmp/stats-venv/bin/pip install numpy==2.4.6 scipy==1.17.1 statsmodels==0.15.0
    /tmp/stats-venv/bin/python abtest/stats/testdata/make_vectors.py
"""

import decimal
import json
import math
import pathlib
import sys
from decimal import Decimal
from fractions import Fraction

import numpy as np
import scipy
import statsmodels
from scipy import integrate, optimize, special, stats
from statsmodels.stats import multitest, power, proportion

rng = np.random.default_rng(20261126)


def chi_square():
    cases = [
        ([50, 50], [1, 1]),
        ([4950, 5050], [0.5, 0.5]),
        ([49500, 50500], [5000, 5000]),
        ([1, 0], [0.9, 0.1]),
        ([10, 20, 30, 40], [0.1, 0.2, 0.3, 0.4]),
        ([900, 480, 620], [50, 25, 25]),
        ([1_000_000, 1_003_000], [1, 1]),
        ([5200, 4800], [1, 1]),
        ([3, 9, 2, 0, 6, 4, 1], [1, 2, 1, 0.5, 1, 1, 1]),
    ]
    for observed, expected in cases:
        o, e = np.array(observed, float), np.array(expected, float)
        r = stats.chisquare(o, e / e.sum() * o.sum())
        yield {"observed": observed, "expected": expected, "statistic": r.statistic, "p": r.pvalue}


def wilson():
    for successes, n, alpha in [(0, 1, 0.05), (1, 1, 0.05), (0, 10, 0.05), (3, 10, 0.05), (10, 10, 0.01),
                                (120, 1000, 0.05), (120, 1000, 0.001), (1, 1_000_000, 0.05), (999_999, 1_000_000, 0.2),
                                (31_415_926, 100_000_000, 0.05)]:
        low, high = proportion.proportion_confint(successes, n, alpha=alpha, method="wilson")
        yield {"successes": successes, "n": n, "alpha": alpha, "low": low, "high": high}


def two_proportion_z():
    for c, nc, v, nv in [(100, 1000, 120, 1000), (100, 1000, 100, 1000), (0, 50, 3, 50), (5, 10, 10, 10),
                         (9_500, 95_000, 560, 5_000), (1, 1_000_000, 20, 1_000_000), (50_000, 100_000, 48_000, 100_000)]:
        z, p = proportion.proportions_ztest([v, c], [nv, nc])
        yield {"control": [c, nc], "variant": [v, nv], "z": z, "p": p}


def moments_of(x):
    """Count, mean and sum of squares: what the Go type holds."""
    x = np.asarray(x, float)
    return [len(x), float(x.mean()), float(((x - x.mean()) ** 2).sum())]


def moments():
    for x in [[3.5], [1, 2, 4, 8, 16], [0, 0, 1, 0, 1], (rng.normal(size=200)).tolist(),
              (1e9 + rng.normal(size=200)).tolist(), rng.lognormal(2, 1.5, size=300).tolist()]:
        yield {"values": x, "mean": float(np.mean([Fraction(v) for v in x])),
               "variance": float(np.var([Fraction(v) for v in x]) * len(x) / (len(x) - 1)) if len(x) > 1 else 0}


def welch():
    samples = [
        (rng.normal(10, 2, 12), rng.normal(11, 4, 9)),
        (rng.normal(0, 1, 500), rng.normal(0.2, 1, 60)),
        (rng.lognormal(0, 1, 2000), rng.lognormal(0.05, 1.2, 3000)),
        (np.array([1.0, 2.0]), np.array([5.0, 9.0])),
        (rng.normal(5, 1, 30), np.full(40, 5.0)),
    ]
    for alpha in (0.05, 0.001):
        for c, v in samples:
            r = stats.ttest_ind(v, c, equal_var=False)
            ci = r.confidence_interval(1 - alpha)
            yield {"control": moments_of(c), "variant": moments_of(v), "alpha": alpha,
                   "diff": float(v.mean() - c.mean()), "low": ci.low, "high": ci.high, "p": r.pvalue}
    # Sizes of which no sample is made.
    for nc, nv, diff, sc, sv, alpha in [(1e6, 1e6, 0.002, 1, 1.1, 0.05), (3e8, 1e8, 1e-4, 1, 2, 0.05), (4e11, 4e11, 2e-6, 1, 1, 0.01)]:
        r = stats.ttest_ind_from_stats(diff, sv, nv, 0, sc, nc, equal_var=False)
        ec, ev = sc**2 / nc, sv**2 / nv
        df = (ec + ev) ** 2 / (ec**2 / (nc - 1) + ev**2 / (nv - 1))
        half = math.sqrt(ec + ev) * stats.t.isf(alpha / 2, df)
        yield {"control": [nc, 0, sc**2 * (nc - 1)], "variant": [nv, diff, sv**2 * (nv - 1)], "alpha": alpha,
               "diff": diff, "low": diff - half, "high": diff + half, "p": r.pvalue}


def holm():
    for p in [[0.01], [0.01, 0.04, 0.03, 0.005], [0.2, 0.9, 0.5], [0.02, 0.02, 0.02], [0, 1, 1e-9, 0.3, 0.04, 0.011]]:
        yield {"p": p, "adjusted": multitest.multipletests(p, method="holm")[1].tolist()}


def rho(alpha, tune):
    """The tightest mixture at a sample size, by Lambert's W (Waudby-Smith et al., appendix)."""
    w = special.lambertw(-alpha**2 / math.e, k=-1).real
    return math.sqrt((-w - 1) / tune)


def evidence(z, n, r):
    """The mixture of exp(l*S - l^2*n/2) over l ~ Normal(0, r^2) at S = z*sqrt(n), integrated."""
    s = z * math.sqrt(n)
    top = s / (n + 1 / r**2)  # the integrand's maximum, and its width there
    width = 1 / math.sqrt(n + 1 / r**2)
    peak = top * s - top**2 * n / 2 + stats.norm.logpdf(top, 0, r)

    def f(u):
        l = top + u * width
        return width * math.exp(l * s - l**2 * n / 2 + stats.norm.logpdf(l, 0, r) - peak)

    return integrate.quad(f, -40, 40, points=[0], epsabs=0, epsrel=1e-12, limit=500)[0], peak


def log_evidence(z, n, r):
    area, peak = evidence(z, n, r)
    return math.log(area) + peak


def reach(n, alpha, r):
    """The z at which the evidence is 1/alpha."""
    return optimize.brentq(lambda z: log_evidence(z, n, r) + math.log(alpha), 1e-6, 1e6, xtol=1e-13, rtol=1e-13)


def mean_sequence():
    for n, mean, sd, alpha, tune in [(2, 1, 1, 0.05, 100), (100, 0.1, 0.3, 0.05, 1000), (10_000, 0.1, 0.3, 0.05, 10_000),
                                     (10_000, 0.1, 0.3, 0.001, 500), (1e9, -5, 20, 0.1, 10_000), (500, 1e6, 3, 0.05, 1e7)]:
        half = reach(n, alpha, rho(alpha, tune)) * sd / math.sqrt(n)
        yield {"moments": [n, mean, sd**2 * (n - 1)], "alpha": alpha, "tune": tune, "low": mean - half, "high": mean + half}


def errors(nc, mc, vc, nv, mv, vv):
    """Squared errors of two means and the units of an even split as precise: the larger of own and pooled."""
    n = nc + nv
    mean = (nc * mc + nv * mv) / n
    v = (vc * (nc - 1) + vv * (nv - 1) + nc * (mc - mean) ** 2 + nv * (mv - mean) ** 2) / (n - 1)
    if v / nc + v / nv >= vc / nc + vv / nv:
        return v / nc, v / nv, 4 * v / (v / nc + v / nv)
    return vc / nc, vv / nv, 2 * (vc + vv) / (vc / nc + vv / nv)


def difference_sequence():
    cases = [
        (95_000, 0.10, 0.09, 200, 0.0, 0.0, 0.05, 10_000),  # nobody converted yet
        (9_000, 10, 30, 1_000, 9, 10, 0.05, 10_000),
        (1000, 0.10, 0.09, 1000, 0.12, 0.1056, 0.05, 10_000),
        (5000, 0.10, 0.09, 5000, 0.12, 0.1056, 0.05, 10_000),
        (50_000, 0.10, 0.09, 50_000, 0.10, 0.09, 0.05, 10_000),
        (95_000, 10, 25, 5_000, 10.4, 36, 0.01, 20_000),
        (3, 1, 2, 4, 5, 0.5, 0.05, 100),
        (1e8, 5, 4, 1e8, 5.001, 4, 0.05, 1e6),
        (400, 0.02, 0.0196, 600, 0.05, 0.0475, 0.2, 3000),
        (20_000, -3, 4, 20_000, -3.2, 4, 0.05, 10_000),
        (2000, 0.01, 5, 2000, 0.02, 5, 0.05, 10_000),  # a control's mean that can be 0
    ]
    for nc, mc, vc, nv, mv, vv, alpha, tune in cases:
        ec, ev, n = errors(nc, mc, vc, nv, mv, vv)
        r = rho(alpha, tune)
        k = reach(n, alpha, r)
        se, diff = math.sqrt(ec + ev), mv - mc
        case = {"control": [nc, mc, vc * (nc - 1)], "variant": [nv, mv, vv * (nv - 1)], "alpha": alpha, "tune": tune,
                "diff": diff, "low": diff - k * se, "high": diff + k * se,
                "p": min(1, math.exp(-log_evidence(diff / se, n, r)))}

        def outside(ratio):
            return (mv - ratio * mc) ** 2 - k**2 * (ev + ratio**2 * ec)

        case["lift"] = mv / mc - 1
        case["bounded"] = bool(mc**2 > k**2 * ec)
        if case["bounded"]:
            step = 1.0
            while outside(mv / mc - step) < 0 or outside(mv / mc + step) < 0:
                step *= 2
            case["lift_low"] = optimize.brentq(outside, mv / mc - step, mv / mc, xtol=1e-15) - 1
            case["lift_high"] = optimize.brentq(outside, mv / mc, mv / mc + step, xtol=1e-15) - 1
        yield case


def proportion_sequence():
    """The bounds are where the likelihood under Jeffreys' prior is 1/alpha times that of the rate."""
    for successes, n, alpha in [(0, 10, 0.05), (1, 1, 0.05), (3, 10, 0.05), (0, 5000, 0.05), (120, 1000, 0.01), (100_000, 1_000_000, 0.05), (40, 40, 0.2)]:
        def log_e(rate):
            return stats.betabinom.logpmf(successes, n, 0.5, 0.5) - stats.binom.logpmf(successes, n, rate) + math.log(alpha)

        rate = successes / n
        low = optimize.brentq(log_e, 1e-300, rate, xtol=1e-16) if successes > 0 else 0
        high = optimize.brentq(log_e, rate, 1 - 1e-16, xtol=1e-16) if successes < n else 1
        yield {"successes": successes, "n": n, "alpha": alpha, "low": low, "high": high}


CONCENTRATION = 1000


def srm():
    """Shares that stay: the ratio of two likelihoods of the counts, whatever their order."""
    for shares, counts in [([0.5, 0.5], [600, 400]), ([0.5, 0.5], [5050, 4950]), ([0.9, 0.1], [17_500, 2_500]),
                           ([0.5, 0.25, 0.25], [1000, 400, 600]), ([0.2, 0.2, 0.6], [20, 10, 70])]:
        n = sum(counts)
        log = (stats.dirichlet_multinomial.logpmf(counts, CONCENTRATION * np.array(shares), n)
               - stats.multinomial.logpmf(counts, n, shares))
        yield {"shares": shares, "counts": counts, "log_e": float(log)}


def srm_changing():
    """Shares that change: unit by unit, in 60 digits."""
    decimal.getcontext().prec = 60
    for stages in [[([9000, 1000], 300, [0.9, 0.1]), ([5000, 5000], 300, [0.62, 0.38])],
                   [([1, 1, 0], 200, [0.5, 0.5, 0]), ([2, 1, 1], 300, [0.4, 0.3, 0.3]), ([0, 1, 3], 200, [0, 0.4, 0.6])]]:
        arms = len(stages[0][0])
        counts, expected, e, most = [0] * arms, [Decimal(0)] * arms, Decimal(1), Decimal(0)
        out = []
        for weights, n, real in stages:
            p = [Decimal(w) / sum(weights) for w in weights]
            units = rng.choice(arms, size=n, p=real).tolist()
            for arm in units:
                ratio = [(CONCENTRATION * p[i] + counts[i]) / (CONCENTRATION * p[i] + expected[i]) if p[i] else 0 for i in range(arms)]
                e *= ratio[arm] / sum(p[i] * ratio[i] for i in range(arms))
                counts[arm] += 1
                expected = [expected[i] + p[i] for i in range(arms)]
                most = max(most, e)
            out.append({"shares": weights, "units": units})
        yield {"stages": out, "log_e": float(e.ln()), "most": float(most.ln()), "expected": [float(x) for x in expected]}


def design():
    """Fixed size, by statsmodels: its first sample is the variant's, its ratio the control's size over that."""
    for rate, effect, ratio, alpha, wanted in [(0.1, 0.005, 1, 0.05, 0.8), (0.1, -0.01, 1, 0.05, 0.9), (0.02, 0.002, 0.25, 0.01, 0.8),
                                               (0.5, 0.1, 3, 0.05, 0.8), (0.9, 0.05, 1 / 19, 0.05, 0.95)]:
        def at(nv):
            return proportion.power_proportions_2indep(effect, rate, nv, ratio=1 / ratio, alpha=alpha, return_results=False)

        nv = optimize.brentq(lambda n: at(n) - wanted, 2, 1e9, xtol=1e-9, rtol=1e-14)
        half = nv * (1 + 1 / ratio) / 2
        yield {"proportion": True, "mean": rate, "stddev": 0, "effect": effect, "ratio": ratio, "alpha": alpha, "power": wanted,
               "n": nv * (1 + 1 / ratio), "half": float(at(half / (1 + 1 / ratio)))}
    for mean, sd, effect, ratio, alpha, wanted in [(20, 40, 1, 1, 0.05, 0.8), (20, 40, -2, 0.5, 0.01, 0.9), (0, 1, 0.01, 4, 0.05, 0.8)]:
        solver = power.NormalIndPower()
        nv = solver.solve_power(effect / sd, power=wanted, alpha=alpha, ratio=1 / ratio)
        yield {"proportion": False, "mean": mean, "stddev": sd, "effect": effect, "ratio": ratio, "alpha": alpha, "power": wanted,
               "n": nv * (1 + 1 / ratio), "half": float(solver.power(effect / sd, nv / 2, alpha, ratio=1 / ratio))}


def design_sequential():
    """By the width of the sequence, which comes from the integral."""
    for prop, mean, sd, effect, ratio, alpha, wanted, tune in [(True, 0.1, 0, 0.005, 1, 0.05, 0.8, 10_000), (True, 0.1, 0, 0.02, 0.25, 0.01, 0.9, 50_000),
                                                               (True, 0.1, 0, -0.02, 0.25, 0.01, 0.9, 50_000),
                                                               (False, 20, 40, 1, 1, 0.05, 0.8, 10_000)]:
        def at(n):
            nc, nv = n / (1 + ratio), n * ratio / (1 + ratio)
            vc, vv = (mean * (1 - mean), (mean + effect) * (1 - mean - effect)) if prop else (sd**2, sd**2)
            ec, ev, units = errors(nc, mean, vc, nv, mean + effect, vv)
            bound = reach(units, alpha, rho(alpha, tune)) * math.sqrt(ec + ev)
            se = math.sqrt(vc / nc + vv / nv)
            return stats.norm.cdf((abs(effect) - bound) / se) + stats.norm.cdf((-abs(effect) - bound) / se)

        n = optimize.brentq(lambda n: at(n) - wanted, 100, 1e8, xtol=1e-6, rtol=1e-12)
        yield {"proportion": prop, "mean": mean, "stddev": sd, "effect": effect, "ratio": ratio, "alpha": alpha, "power": wanted,
               "tune": tune, "n": n, "half": float(at(n / 2))}


def main():
    parts = [chi_square, wilson, two_proportion_z, moments, welch, holm, mean_sequence, difference_sequence, proportion_sequence, srm, srm_changing,
             design, design_sequential]
    made = {"python": sys.version.split()[0], "numpy": np.__version__, "scipy": scipy.__version__, "statsmodels": statsmodels.__version__}
    text = '{\n"made_with": ' + json.dumps(made)
    for part in parts:
        text += f',\n"{part.__name__}": [\n' + ",\n".join(json.dumps(case, default=float) for case in part()) + "\n]"
    text += "\n}"
    pathlib.Path(__file__).with_name("vectors.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
