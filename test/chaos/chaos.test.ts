import { expect, test } from 'vitest';
import { runIn } from '../install/checkout.ts';
import { PROJECT } from '../../local/stack/home.ts';

test('every process, connection and provider breaks under load, and no accepted order is lost', async () => {
  const { code, output } = await runIn(PROJECT, ['npm', 'run', 'chaos', '--', '--short']);
  expect(code, output).toBe(0);
}, 600_000);
