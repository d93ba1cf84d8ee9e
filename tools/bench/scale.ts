/**
 * `npm run bench:model [-- --write]`: how many instances carry 100, 1,000 and 10,000 orders a second
 * (model.ts), by what `npm run bench` measured on the stack of HOLDFAST_HOME, else by the documented
 * cost. `--write` puts the tables of the documented cost into docs/scale.md.
 */
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { readStackConfig } from '../../config.ts';
import { createHome, PROJECT } from '../../local/stack/home.ts';
import { DOCUMENTED_COST, tablesOf, withTables, type OrderCost } from './model.ts';

const DOCUMENT = join(PROJECT, 'docs', 'scale.md');

const costSchema = z.object({
  '32 customers': z.object({
    cpuMs: z.object({ app: z.number(), postgres: z.number(), temporal: z.number() }),
    walBytes: z.number(),
  }),
});

const { write } = parseArgs({ options: { write: { type: 'boolean', default: false } } }).values;
const measured = write ? null : await readMeasured();
process.stdout.write(`${measured === null ? 'Documented' : 'Measured'} cost of an order\n\n`);
process.stdout.write(`${tablesOf(measured ?? DOCUMENTED_COST)}\n`);
if (write) await writeFile(DOCUMENT, withTables(await readFile(DOCUMENT, 'utf8')));

async function readMeasured(): Promise<OrderCost | null> {
  const file = join(createHome(readStackConfig().HOLDFAST_HOME).path, 'bench.json');
  if (!existsSync(file)) return null;
  return costSchema.parse(JSON.parse(await readFile(file, 'utf8')))['32 customers'];
}
