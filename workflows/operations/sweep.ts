/**
 * One sweep. Its parts run side by side, and one that fails does not keep the others from running: the
 * next sweep is a minute away.
 */
import { isCancellation, proxyActivities, setCurrentDetails } from '@temporalio/workflow';
import type { SweepActivities } from '../activities.ts';
import { details } from '../limits.ts';
import { SWEEP_HEARTBEAT_TIMEOUT_MS, type SweepResult } from './contract.ts';

const activities = proxyActivities<SweepActivities>({
  startToCloseTimeout: '50 seconds',
  heartbeatTimeout: SWEEP_HEARTBEAT_TIMEOUT_MS,
  scheduleToCloseTimeout: '2 minutes',
  retry: { maximumAttempts: 2 },
});

export async function sweep(): Promise<SweepResult> {
  const counts: Record<string, number> = {};
  const failed: string[] = [];
  const part = async (
    name: string,
    work: () => Promise<Readonly<Record<string, number>>>,
  ): Promise<void> => {
    try {
      Object.assign(counts, await work());
    } catch (error) {
      if (isCancellation(error)) throw error;
      failed.push(name);
    }
  };
  await Promise.all([
    part('expirePending', () => activities.expirePending()),
    part('checkStuckOrders', () => activities.checkStuckOrders()),
    part('checkStuckRefunds', () => activities.checkStuckRefunds()),
    part('checkStuckJobs', () => activities.checkStuckJobs()),
    part('purgeExpired', () => activities.purgeExpired()),
  ]);
  setCurrentDetails(details(card(counts, failed)));
  if (failed.length === 0) await activities.recordSweep({ counts });
  return { counts, failed };
}

function card(counts: Readonly<Record<string, number>>, failed: readonly string[]): string {
  const rows = Object.entries(counts).map(([name, count]) => `| ${name} | ${count} |`);
  const trouble = failed.length === 0 ? [] : ['', `Failed: ${failed.join(', ')}`];
  return ['| what | count |', '|---|---|', ...rows, ...trouble].join('\n');
}
