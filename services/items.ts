/** Loops over items outside of activities. */
import type { Logger } from 'pino';
import { isDatabaseUnavailable } from '../prisma/client/errors.ts';
import type { ItemLoop } from '../telemetry/items.ts';

/** Failures go into the process's log. An unavailable database ends the loop. */
export function itemLoop<T>(
  { log }: { readonly log: Logger },
  loop: string,
  idOf: (item: T) => string,
): ItemLoop<T> {
  return {
    loop,
    idOf,
    warn: (about, message) => log.warn(about, message),
    isOutage: isDatabaseUnavailable,
  };
}
