/** Starts that wait until their stage may have more pods. */
export interface Line<T> {
  /** @param most pods that the stage may have at once */
  add(stage: string, most: number, some: readonly T[]): void;
  /** Hands on whatever there is room for now. */
  admit(): void;
}

/**
 * A Job bounds its own pods alone, and a stage has several: one for each retry, and for each slot that becomes free. So a further
 * one is no larger than what those before it leave, while the first takes all that there is.
 * @param largest handed on at once at most
 * @param podsOf how many pods the Jobs of a stage may have from here on
 * @param handOn resolves once `podsOf` counts what it was given, or that is given up; never rejects
 * @param hold told of each that has to wait. `giveUp` takes it out, and is false where it waits no more
 */
export function createLine<T>(of: {
  largest: number;
  podsOf(stage: string): number;
  handOn(some: T[]): Promise<void>;
  hold(one: T, giveUp: () => boolean): void;
}): Line<T> {
  /** `beginning` counts the pods of Jobs that are being created. */
  const stages = new Map<string, { most: number; waiting: T[]; beginning: number }>();

  function admit(name: string): void {
    const stage = stages.get(name)!;
    const { most, waiting } = stage;
    if (waiting.length > 0) {
      const pods = stage.beginning + of.podsOf(name);
      const some = waiting.splice(0, pods === 0 ? of.largest : Math.max(0, most - pods));
      if (some.length > 0) void begin(name, some);
    }
    if (waiting.length === 0 && stage.beginning === 0) stages.delete(name);
  }

  async function begin(name: string, some: T[]): Promise<void> {
    const stage = stages.get(name)!;
    const pods = Math.min(some.length, stage.most);
    stage.beginning += pods;
    await of.handOn(some);
    stage.beginning -= pods;
    admit(name);
  }

  return {
    add(name, most, some) {
      const stage = stages.get(name) ?? { most, waiting: [], beginning: 0 };
      stages.set(name, stage);
      const { waiting } = stage;
      waiting.push(...some);
      admit(name);
      const giveUp = (one: T) => {
        const at = waiting.indexOf(one);
        if (at >= 0) waiting.splice(at, 1);
        return at >= 0;
      };
      for (const one of some) if (waiting.includes(one)) of.hold(one, () => giveUp(one));
    },
    admit: () => [...stages.keys()].forEach(admit),
  };
}
