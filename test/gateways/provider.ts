/** A provider of a few lines for what the sandbox cannot do, and limits short enough for tests. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { RequestListener } from 'node:http';
import { typeid, TypeID } from 'typeid-js';
import { isOrderId } from '../../domain/ids.ts';
import type { OrderId } from '../../domain/ids.ts';
import type { CallLimits } from '../../gateways/guard.ts';

export interface TestProvider {
  readonly url: string;
  close(): Promise<void>;
}

/** An HTTP server on a free port of the loopback interface. */
export async function startProvider(listener: RequestListener): Promise<TestProvider> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (!isAddressInfo(address)) throw new Error('the server has no port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Limits under which a breaker opens, probes and closes within a test. */
export function quickLimits(changes: Partial<CallLimits> = {}): CallLimits {
  return {
    deadlineMs: 1_000,
    maxConcurrent: 8,
    maxQueued: 8,
    breakAfter: 3,
    halfOpenAfterMs: 50,
    ...changes,
  };
}

/** An order id made at the given time, as the API would have made it. */
export function newOrderId(madeAt = new Date()): OrderId {
  const bytes = typeid('ord').toUUIDBytes();
  for (let i = 0; i < 6; i += 1) bytes[i] = Math.floor(madeAt.getTime() / 256 ** (5 - i)) % 256;
  const id = TypeID.fromUUIDBytes('ord', bytes).toString();
  if (!isOrderId(id)) throw new Error('typeid made an id that is none of ours');
  return id;
}

function isAddressInfo(address: AddressInfo | string | null): address is AddressInfo {
  return typeof address === 'object' && address !== null;
}
