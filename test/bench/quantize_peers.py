"""Times k-means of scikit-learn, faiss and k-means-constrained on an array of float32, and prints medians and distortions as JSON.

    quantize_peers.py FILE N D JOBS

JOBS is JSON: [{"k", "restarts", "seed", "turns", "peers": ["lloyd", "elkan", "faiss", "rotated", "constrained"]}]. `rotated` is scikit-learn
in n dimensions after an exact rotation by numpy (Gram matrix, eigenvectors), the rotation counted.
"""

import json
import sys
import time
import warnings

import faiss
import numpy as np
from k_means_constrained import KMeansConstrained
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning

warnings.filterwarnings("ignore", category=ConvergenceWarning)


def sklearn(points, job, algorithm):
    means = KMeans(
        job["k"],
        init="k-means++",
        n_init=job["restarts"],
        max_iter=300,
        algorithm=algorithm,
        random_state=job["seed"],
    )
    return means.fit(points).inertia_ / len(points)


def rotated(points):
    """Coordinates in the span of the centred samples: the eigenvectors of the Gram matrix, scaled."""
    centred = points - points.mean(0)
    values, vectors = np.linalg.eigh(centred @ centred.T)
    return vectors * np.sqrt(np.maximum(values, 0))


def faiss_means(points, job):
    means = faiss.Kmeans(
        points.shape[1],
        job["k"],
        niter=100,
        nredo=job["restarts"],
        seed=job["seed"] + 1,
        min_points_per_centroid=1,
        max_points_per_centroid=len(points),
    )
    means.train(points)
    return float(means.index.search(points, 1)[0].astype(np.float64).mean())


def constrained(points, job):
    size = len(points) // job["k"]
    means = KMeansConstrained(
        job["k"],
        size_min=size,
        size_max=size + (len(points) % job["k"] > 0),
        n_init=job["restarts"],
        random_state=job["seed"],
    )
    return means.fit(points).inertia_ / len(points)


PEERS = {
    "constrained": constrained,
    "lloyd": lambda points, job: sklearn(points, job, "lloyd"),
    "elkan": lambda points, job: sklearn(points, job, "elkan"),
    "rotated": lambda points, job: sklearn(rotated(points), job, "lloyd"),
    "faiss": faiss_means,
}


def main():
    path, n, d, jobs = sys.argv[1:]
    points = np.fromfile(path, np.float32).reshape(int(n), int(d))
    KMeans(2, n_init=1).fit(points[:100])
    answers = []
    for job in json.loads(jobs):
        times, distortions = {}, {}
        for turn in range(job["turns"]):
            for peer in job["peers"]:
                begin = time.perf_counter()
                found = PEERS[peer](points, {**job, "seed": job["seed"] + 100 * turn})
                times.setdefault(peer, []).append(1e3 * (time.perf_counter() - begin))
                distortions.setdefault(peer, []).append(float(found))
        answers.append(
            {
                "ms": {peer: float(np.median(all)) for peer, all in times.items()},
                "distortion": {peer: float(np.median(all)) for peer, all in distortions.items()},
            }
        )
    print(json.dumps(answers))


main()
