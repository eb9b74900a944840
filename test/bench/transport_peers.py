"""POT's exact solver on arrays of files: milliseconds and values, with the costs given and with their computation in the time."""

import json
import sys
import time
import warnings

import numpy as np
import ot

warnings.simplefilter("error")  # the solver warns where it gives up


def timed(work, turns):
    work()
    times = []
    for _ in range(turns):
        begin = time.perf_counter()
        value = work()
        times.append(1e3 * (time.perf_counter() - begin))
    return {"ms": times, "value": float(value)}


def main(path):
    with open(path) as file:
        task = json.load(file)
    n, k, d, turns = (task[name] for name in ("n", "k", "d", "turns"))
    cost = np.fromfile(task["cost"], np.float64).reshape(n, k)
    points = np.fromfile(task["points"], np.float32).reshape(n, d)
    centroids = np.fromfile(task["centroids"], np.float32).reshape(k, d)
    points64, centroids64 = points.astype(np.float64), centroids.astype(np.float64)
    samples = np.full(n, 1 / n)
    answers = {}
    for name, file in task["weights"].items():
        weights = np.fromfile(file, np.float64)
        answers[name] = {
            "given": timed(lambda: ot.emd2(samples, weights, cost, numItermax=10_000_000), turns),
            "float32": timed(
                lambda: ot.emd2(samples, weights, ot.dist(points, centroids).astype(np.float64), numItermax=10_000_000),
                turns,
            ),
            "float64": timed(
                lambda: ot.emd2(samples, weights, ot.dist(points64, centroids64), numItermax=10_000_000), turns
            ),
        }
    json.dump(answers, sys.stdout)


main(sys.argv[1])
