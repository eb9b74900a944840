"""Writes d4m_reference.json: centroids that scikit-learn 1.9.1 with numpy 2.4.6 makes of the same samples, in the same order.

    python -m venv venv && venv/bin/pip install scikit-learn==1.9.1 numpy==2.4.6
    venv/bin/python d4m_reference.py > d4m_reference.json
"""

import json

import numpy as np
from sklearn.cluster import MiniBatchKMeans


def samples(n, d, modes, rare):
    """Park and Miller's generator, which d4m.test.ts runs too. Every `rare`-th sample lies far away."""
    state, values = 1, np.empty((n, d), np.float32)
    for i in range(n):
        for j in range(d):
            state = state * 16807 % 2147483647
            values[i, j] = state / 2147483647 + 3 * ((7 * i + j) % modes)
        if rare and i % rare == 1:
            values[i] += 32
    return values


def d4m(points, k):
    means = MiniBatchKMeans(n_clusters=k, n_init="auto", random_state=0)
    for at in range(0, len(points) - k + 1, k):
        means.partial_fit(points[at : at + k])
    return sorted(means.cluster_centers_.astype(float).tolist())


cases = [(400, 4, 5, 0, 8), (1203, 3, 4, 0, 10), (900, 2, 2, 1000, 3), (2000, 5, 11, 1999, 12), (50, 3, 3, 0, 1)]
print(
    json.dumps(
        [
            {"n": n, "d": d, "modes": modes, "rare": rare, "k": k, "centroids": d4m(samples(n, d, modes, rare), k)}
            for n, d, modes, rare, k in cases
        ]
    )
)
