/** What the phases of a run share. */
import type { Database } from '../../prisma/client/client.ts';
import type { ClientOptions } from './client.ts';
import type { FaultInjector } from './connection-faults.ts';
import type { Environment } from './environment.ts';
import type { InvariantWatch } from './invariant-watch.ts';
import type { Killer } from './killer.ts';
import type { Load } from './load.ts';
import type { ChaosOptions } from './options.ts';
import type { Receiver } from './receiver.ts';

export interface RunOptions {
  readonly options: ChaosOptions;
  readonly environment: Environment;
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

export interface RunContext extends RunOptions {
  readonly db: Database;
  readonly client: ClientOptions;
  readonly receiver: Receiver | null;
}

/** The first phase after its end. */
export interface Faulted {
  readonly load: Load;
  readonly killer: Killer;
  readonly injectors: readonly FaultInjector[];
  readonly watch: InvariantWatch;
}
