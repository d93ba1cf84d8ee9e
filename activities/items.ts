/** Loops over items in activities. */
import { Context, log } from '@temporalio/activity';
import { isDatabaseUnavailable } from '../prisma/client/errors.ts';
import type { ItemLoop } from '../telemetry/items.ts';
import { isProviderAway } from './failures.ts';

/**
 * Failures go into the activity's log, and each item ends with a heartbeat. An outage ends the loop, and
 * Temporal repeats the activity.
 */
export function itemLoop<T>(loop: string, idOf: (item: T) => string, concurrency = 1): ItemLoop<T> {
  return {
    loop,
    idOf,
    concurrency,
    warn: ({ err, ...about }, message) => log.warn(message, { ...about, error: err }),
    isOutage: (error) => isDatabaseUnavailable(error) || isProviderAway(error),
    afterItem: () => Context.current().heartbeat(),
  };
}
