/** Runs work of each key side by side, `atMost` at once; what comes beyond that waits, in order. */
export function createLanes(atMost: number): <T>(key: string, work: () => Promise<T>) => Promise<T> {
  const lanes = new Map<string, { running: number; waiting: (() => void)[] }>();
  return async (key, work) => {
    const lane = lanes.get(key) ?? { running: 0, waiting: [] };
    lanes.set(key, lane);
    if (lane.running < atMost) lane.running += 1;
    // Whoever ends hands on its place.
    else await new Promise<void>((go) => lane.waiting.push(go));
    try {
      return await work();
    } finally {
      const next = lane.waiting.shift();
      if (next) next();
      else if (--lane.running === 0) lanes.delete(key);
    }
  };
}
