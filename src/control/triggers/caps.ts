import { type SkipReason, type TriggerPolicy, type TriggerUsage } from './rows.ts';

/** A trigger that fires what fires it again would do so for ever. */
const LONGEST_CHAIN = 8;

export interface Held {
  reason: SkipReason | 'QUEUED';
  detail: string;
}

/**
 * Why a trigger must not fire for what it has led to itself.
 * @param chain triggers that led to the event, the first one first
 */
export function loopOf(triggerId: string, chain: readonly string[], nameOf: (id: string) => string): Held | null {
  const told = [...chain, triggerId].map(nameOf).join(' -> ');
  if (chain.includes(triggerId)) {
    return { reason: 'LOOP', detail: `it led to this event itself: ${told}` };
  }
  if (chain.length < LONGEST_CHAIN) return null;
  return { reason: 'LOOP', detail: `expected at most ${LONGEST_CHAIN} triggers one after another, got ${told}` };
}

/** What its policy does not let through now. */
export function heldBack(policy: TriggerPolicy, usage: TriggerUsage, launches: boolean): Held | null {
  const { cooldownSeconds, rateMax, rateSeconds, maxInFlight, whenBusy } = policy;
  const { firedSecondsAgo, fired, inFlight } = usage;
  if (cooldownSeconds !== null && firedSecondsAgo !== null && firedSecondsAgo < cooldownSeconds) {
    return {
      reason: 'COOLDOWN',
      detail: `it fired ${Math.floor(firedSecondsAgo)} s ago, and rests for ${cooldownSeconds} s`,
    };
  }
  if (rateMax !== null && fired >= rateMax) {
    return { reason: 'RATE', detail: `it fired ${fired} times in the last ${rateSeconds} s, and may ${rateMax} times` };
  }
  const spent = launches ? overspent(policy, usage) : null;
  if (spent) return spent;
  if (launches && maxInFlight !== null && inFlight >= maxInFlight) {
    const detail = `${inFlight} runs of it are in flight, and ${maxInFlight} may be`;
    return { reason: whenBusy === 'SKIP' ? 'IN_FLIGHT' : 'QUEUED', detail };
  }
  return null;
}

export function overspent({ monthlyUsd }: TriggerPolicy, { spentUsd }: TriggerUsage): Held | null {
  if (monthlyUsd === null || spentUsd < monthlyUsd) return null;
  return {
    reason: 'BUDGET',
    detail: `its runs cost ${spentUsd.toFixed(2)} US dollars in this month, and may cost ${monthlyUsd.toFixed(2)}`,
  };
}
