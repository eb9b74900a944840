"""
Writes reference.json beside this file: small transport problems with the values that two independent solvers give, scipy's linear
programming (HiGHS) and POT's network simplex. Run with scipy 1.17.1, POT 0.9.7.post1 and numpy 2.4.6.
"""

import json
import pathlib

import numpy as np
import ot
import scipy
from scipy.optimize import linprog

rng = np.random.default_rng(20250107)


def squared_distances(points, centroids):
    return ((points[:, None, :] - centroids[None, :, :]) ** 2).sum(axis=2)


def solved(name, cost, supplies, demands, **fields):
    n, k = cost.shape
    rows = np.kron(np.eye(n), np.ones(k))
    columns = np.kron(np.ones(n), np.eye(k))
    answer = linprog(
        cost.ravel(), A_eq=np.vstack([rows, columns]), b_eq=np.concatenate([supplies, demands]), method="highs"
    )
    assert answer.success, answer.message
    return {
        "name": name,
        "cost": cost.tolist(),
        "supplies": supplies.tolist(),
        "demands": demands.tolist(),
        "linprog": float(answer.fun),
        "pot": float(ot.emd2(supplies, demands, cost)),
        **fields,
    }


def uniform(n):
    return np.full(n, 1 / n)


points = rng.normal(size=(60, 3)).round(4)
centroids = rng.normal(size=(5, 3)).round(4)
voronoi = squared_distances(points, centroids)
weights = np.bincount(voronoi.argmin(axis=1), minlength=5) / 60
with_a_zero = np.append(rng.dirichlet(np.ones(4)), 0)

problems = [
    solved("whole samples", rng.uniform(size=(42, 6)).round(4), uniform(42), uniform(6)),
    solved("parts of samples, one sink without demand", rng.uniform(size=(30, 5)).round(4), uniform(30), with_a_zero),
    solved("costs of both signs", rng.normal(size=(25, 8)).round(4), uniform(25), rng.dirichlet(np.ones(8))),
    solved("both sides weighted", rng.uniform(size=(24, 7)).round(4), rng.dirichlet(np.ones(24)), rng.dirichlet(np.ones(7))),
    solved("more sinks than samples", rng.uniform(size=(5, 19)).round(4), rng.dirichlet(np.ones(5)), rng.dirichlet(np.ones(19))),
    solved("ties", rng.integers(0, 4, size=(33, 6)).astype(float), uniform(33), rng.dirichlet(np.ones(6))),
    solved(
        "voronoi",
        voronoi,
        uniform(60),
        weights,
        points=points.tolist(),
        centroids=centroids.tolist(),
    ),
]
tools = {"scipy": scipy.__version__, "POT": ot.__version__, "numpy": np.__version__}
path = pathlib.Path(__file__).with_name("reference.json")
path.write_text(json.dumps({"tools": tools, "problems": problems}) + "\n")
