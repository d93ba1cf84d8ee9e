/** One test per failpoint: an order reaches it, the process dies there, a new one takes over. */
import { afterAll, beforeAll, describe, expect } from 'vitest';
import type { OrderId } from '../../../domain/ids.ts';
import type { Moment, Seam } from '../../../tools/failpoints/failpoints.ts';
import { eventually } from '../../support/eventually.ts';
import { test } from '../matrix-case.ts';
import { SCENARIOS, type ScenarioName } from './scenarios.ts';
import { openStackPool, type TestStack, type StackPool } from './test-stack.ts';
import { pointOf, type Kill } from './points.ts';
import { expectDelivered, expectEventuallyConsistent } from './consistent.ts';

/** As many as Vitest runs concurrently (`maxConcurrency`): starts and waits overlap. */
const STACKS = 5;
const OPEN_TIMEOUT_MS = 180_000;
const MOMENTS: readonly Moment[] = ['before', 'after'];

const MARKED_WITHIN = { timeoutMs: 60_000, everyMs: 50 };

interface SweepOptions {
  readonly parcelsLeaveAfterMs?: number;
  /** Kills of scenarios that reach a failpoint in another way than its own scenario. */
  readonly also?: readonly Kill[];
}

/** Both moments of every seam given, on test stacks of their own. */
export function sweep(seams: readonly Seam[], { also = [], ...more }: SweepOptions = {}): void {
  let pool: StackPool | null = null;
  const open = (): StackPool => {
    if (!pool) throw new Error('the test stacks are not open');
    return pool;
  };
  beforeAll(async () => {
    pool = await openStackPool(STACKS, more);
  }, OPEN_TIMEOUT_MS);
  afterAll(() => pool?.close());

  describe.concurrent('a process killed at a failpoint', () => {
    // Ordered by moment, so that tests that wait out a long timeout run beside others.
    for (const { seam, moment, scenario, cells } of [...also, ...killsAt(seams)]) {
      const name = `${seam}:${moment}`;
      const named = [`failpoint/${name}`, ...cells].map((id) => `[${id}]`).join(' ');
      test(`${named} a process killed at ${name} in scenario "${wordsOf(scenario)}" is replaced, and nothing happens twice`, async (proof) => {
        await open().use((stack) => dieAt(stack, name, SCENARIOS[scenario]));
        proof.fired(1);
      });
    }
  });

  test('after the kills every shop has caught up, breaks no invariant and counts each event once', async () => {
    expect(open().all.length).toBeGreaterThan(0);
    for (const stack of open().all) await expectEventuallyConsistent(stack);
  });
}

function killsAt(seams: readonly Seam[]): readonly Kill[] {
  return MOMENTS.flatMap((moment) =>
    seams.map((seam) => ({ seam, moment, ...pointOf(seam, moment) })),
  );
}

/** Runs the scenario with the failpoint armed: the process dies there, and the scenario still ends well. */
async function dieAt(
  stack: TestStack,
  name: string,
  scenario: (stack: TestStack) => Promise<OrderId>,
) {
  const { app, sandbox } = stack;
  const doomed = app.pid;
  app.arm(name);
  try {
    const orderId = await scenario(stack);
    await eventually(() => expect(app.mark()).toBe(`${name} ${doomed}\n`), MARKED_WITHIN);
    // Not disarmed before it is replaced: then nothing would replace it.
    await eventually(() => expect(app.pid).not.toBe(doomed), MARKED_WITHIN);
    await expectDelivered(stack, orderId);
  } finally {
    app.disarm();
    sandbox.faults.clear();
  }
}

function wordsOf(scenario: ScenarioName): string {
  return scenario.replaceAll(/[A-Z]/g, (capital) => ` ${capital.toLowerCase()}`);
}
