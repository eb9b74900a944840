export interface WallClock {
  /** What the clock shows at a moment, as if it were UTC; whole seconds. */
  shows(moment: Date): Date;
  /** When the clock first shows that; where it never does, since it was put forward, the moment at which it was. */
  momentOf(wall: Date): Date;
}

const DAY_MS = 24 * 3_600_000;

/** @throws RangeError for what is no IANA time zone */
export function wallClock(timeZone: string): WallClock {
  const format = new Intl.DateTimeFormat('en-US', {
    ...{ timeZone, hourCycle: 'h23', year: 'numeric', month: 'numeric', day: 'numeric' },
    ...{ hour: 'numeric', minute: 'numeric', second: 'numeric' },
  });
  const shows = (moment: Date) => {
    const parts = Object.fromEntries(format.formatToParts(moment).map(({ type, value }) => [type, Number(value)]));
    const { year, month, day, hour, minute, second } = parts as Record<string, number>;
    return new Date(Date.UTC(year!, month! - 1, day, hour, minute, second));
  };
  const offsetMs = (ms: number) => shows(new Date(ms)).getTime() - Math.floor(ms / 1000) * 1000;

  return {
    shows,
    momentOf(wall) {
      const ms = wall.getTime();
      const [before, behind] = [offsetMs(ms - DAY_MS), offsetMs(ms + DAY_MS)];
      const found = [ms - before, ms - behind].filter((at) => at + offsetMs(at) === ms);
      if (found.length > 0) return new Date(Math.min(...found));
      // It lies in a gap: the clock was put forward between what it would be by the offset before and by the one after.
      let [low, high] = [ms - Math.max(before, behind), ms - Math.min(before, behind)];
      while (high - low > 1000) {
        const middle = Math.floor((low + high) / 2000) * 1000;
        if (offsetMs(middle) === before) low = middle;
        else high = middle;
      }
      return new Date(high);
    },
  };
}
