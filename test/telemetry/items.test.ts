import fc from 'fast-check';
import { expect, test } from 'vitest';
import { eachItem, itemFailures, OutageError, type ItemFailure } from '../../telemetry/items.ts';

type Outcome = 'done' | 'fails' | 'stops' | 'away';
const outcomes = fc.array(
  fc.constantFrom<Outcome>('done', 'done', 'done', 'fails', 'fails', 'stops', 'away'),
  { maxLength: 40 },
);

async function countOf(loop: string): Promise<number> {
  const { values } = await itemFailures.get();
  return values.find(({ labels }) => labels.loop === loop)?.value ?? 0;
}

/** Works on one item per outcome; gives what was worked on and reported. */
async function run(loop: string, given: readonly Outcome[], concurrency: number) {
  const worked: number[] = [];
  const warned: ItemFailure[] = [];
  const items = given.map((outcome, id) => ({ id, outcome }));
  const failed = await eachItem(
    items,
    {
      loop,
      concurrency,
      idOf: ({ id }) => String(id),
      warn: (about) => void warned.push(about),
      isOutage: (error) => error === 'database',
    },
    async ({ id, outcome }) => {
      worked.push(id);
      if (outcome === 'fails') throw new Error('no');
      if (outcome === 'away') throw id % 2 === 0 ? new OutageError('away') : 'database';
      return outcome === 'stops' ? 'stop' : 'next';
    },
  ).then(
    (each) => each.map(({ item }) => item.id),
    () => 'outage' as const,
  );
  return { worked, failed, warned: warned.map(({ item }) => Number(item)) };
}

test('a loop looks at every item up to a stop or an outage, and counts and logs each that fails', async () => {
  await fc.assert(
    fc.asyncProperty(outcomes, async (given) => {
      const before = await countOf('one');
      const { worked, failed, warned } = await run('one', given, 1);
      const ended = given.findIndex((each) => each === 'stops' || each === 'away');
      const looked = ended === -1 ? given : given.slice(0, ended + 1);
      const failing = looked.flatMap((each, id) => (each === 'fails' ? [id] : []));
      expect(worked).toEqual([...looked.keys()]);
      expect(warned).toEqual(failing);
      expect(failed).toEqual(looked.at(-1) === 'away' ? 'outage' : failing);
      expect((await countOf('one')) - before).toBe(failing.length);
    }),
  );
});

test('a loop over several items at once looks at every item when none ends it', async () => {
  const endless = outcomes.map((given) =>
    given.filter((each) => each === 'done' || each === 'fails'),
  );
  await fc.assert(
    fc.asyncProperty(endless, fc.integer({ min: 2, max: 10 }), async (given, concurrency) => {
      const { worked, warned } = await run('many', given, concurrency);
      expect(worked).toEqual([...given.keys()]);
      expect(warned).toEqual(given.flatMap((each, id) => (each === 'fails' ? [id] : [])));
    }),
  );
});
