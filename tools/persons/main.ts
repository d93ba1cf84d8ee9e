/**
 * `npm run erase` and `npm run export`, beside a running stack or with DATABASE_URL: erases or exports
 * the person with an e-mail, as the API's calls do. Exits with 1 when orders are under way.
 */
import { randomUUID } from 'node:crypto';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { personBody } from '../../api/schemas/persons.ts';
import { readStackConfig } from '../../config.ts';
import { closeDatabase, createDatabase, type Database } from '../../prisma/client/client.ts';
import { erasePerson, exportPerson, type PersonRequest } from '../../services/persons.ts';
import { findPlaces } from '../audit/options.ts';
import { UsageError, usageChecked } from '../usage.ts';

/** As the audit: Prisma needs a second connection now and then. */
const POOL_SIZE = 2;
const USAGE = `Usage: npm run erase -- --email <address> [--by <name>]
       npm run --silent export -- --email <address> [--by <name>] > person.json
  --by NAME   who does it, for the audit log (command-line)`;

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`${error.message}\n${USAGE}\n`);
  process.exitCode = 2;
}

async function main(args: readonly string[]): Promise<number> {
  const { verb, request } = readRequest(args);
  const { databaseUrl } = await findPlaces(readStackConfig());
  const db = createDatabase({ url: databaseUrl, poolSize: POOL_SIZE });
  try {
    return await (verb === 'erase' ? erase(db, request) : exportAll(db, request));
  } finally {
    await closeDatabase(db);
  }
}

/** Throws UsageError. */
function readRequest(args: readonly string[]) {
  const options = {
    email: { type: 'string', default: '' },
    by: { type: 'string', default: 'command-line' },
  } as const;
  const { positionals, values } = usageChecked(() =>
    parseArgs({ args: [...args], options, allowPositionals: true }),
  );
  const [verb, ...rest] = positionals;
  if ((verb !== 'erase' && verb !== 'export') || rest.length > 0) {
    throw new UsageError('Give erase or export, and --email.');
  }
  const parsed = personBody.safeParse({ email: values.email });
  if (!parsed.success) throw new UsageError('--email needs an e-mail address.');
  const by = { apiKeyId: values.by, correlationId: randomUUID() };
  return { verb, request: { ...parsed.data, by } } as const;
}

async function erase(db: Database, request: PersonRequest): Promise<number> {
  const outcome = await erasePerson({ db }, { ...request, withinMs: Number.POSITIVE_INFINITY });
  const erased = `${outcome.orders} orders were erased`;
  switch (outcome.kind) {
    case 'erased':
      process.stdout.write(`${erased}, and the customer ${outcome.customerId}.\n`);
      return 0;
    case 'unknown':
      process.stdout.write('No record has this e-mail.\n');
      return 0;
    case 'under_way': {
      const { orderIds } = outcome;
      process.stderr.write(
        `${erased}. These are under way, or their refunds are: ${orderIds.join(', ')}.\n` +
          'Cancel them, or repeat the command when they are settled.\n',
      );
      return 1;
    }
    case 'incomplete':
      throw new Error('without a time limit every erasure ends');
  }
}

async function exportAll(db: Database, request: PersonRequest): Promise<number> {
  process.stdout.write(`${JSON.stringify(await exportPerson({ db }, request), null, 2)}\n`);
  return 0;
}
