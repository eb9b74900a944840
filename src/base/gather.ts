/**
 * Answers many questions with one: those that are asked while an answer is on its way wait and are then asked together,
 * so each answer was looked up after its question.
 * @param ask answers of many; a key without one is answered with undefined
 */
export function gather<K, V>(
  ask: (keys: K[]) => Promise<ReadonlyMap<K, V>>,
  atMost = 1000,
): (key: K) => Promise<V | undefined> {
  let waiting = new Map<K, PromiseWithResolvers<V | undefined>>();
  let asking = false;

  async function answer(): Promise<void> {
    while (waiting.size > 0) {
      const all = [...waiting];
      const now = all.slice(0, atMost);
      waiting = new Map(all.slice(atMost));
      try {
        const answers = await ask(now.map(([key]) => key));
        for (const [key, { resolve }] of now) resolve(answers.get(key));
      } catch (error) {
        for (const [, { reject }] of now) reject(error);
      }
    }
    asking = false;
  }

  return (key) => {
    const one = waiting.get(key) ?? Promise.withResolvers<V | undefined>();
    waiting.set(key, one);
    if (!asking) {
      asking = true;
      setImmediate(() => void answer());
    }
    return one.promise;
  };
}
