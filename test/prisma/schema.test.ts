import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestDatabase } from '../support/database.ts';
import { read } from '../support/documents.ts';
import { useOpened } from '../support/use-opened.ts';

/** Each column is written twice: in prisma/schema.prisma, for the client, and in the migrations. */
const database = useOpened(createTestDatabase);
let client: pg.Client;

beforeAll(async () => {
  client = new pg.Client({ connectionString: database.url });
  await client.connect();
});
afterAll(async () => {
  await client.end();
});

test('the migrated database has the columns of the schema, with their types, and null where it says so', async () => {
  const declared = columnsOf(read('prisma/schema.prisma'));
  expect(declared.length).toBeGreaterThan(250);
  expect(await migratedColumns()).toEqual(declared);
});

test('a column that the schema lacks, one of another type and one that may be null are differences', async () => {
  const declared = columnsOf(read('prisma/schema.prisma'));
  await client.query(`ALTER TABLE products ADD COLUMN extra text,
    ALTER COLUMN version TYPE bigint, ALTER COLUMN name DROP NOT NULL`);
  const migrated = await migratedColumns();
  expect(migrated.filter((column) => !declared.includes(column))).toEqual([
    'products.extra text null',
    'products.name text null',
    'products.version bigint',
  ]);
});

/** PostgreSQL's types of Prisma's, by the native type where the schema has one. */
const TYPES: Readonly<Record<string, string>> = {
  String: 'text',
  Int: 'integer',
  BigInt: 'bigint',
  Boolean: 'boolean',
  Json: 'jsonb',
  Bytes: 'bytea',
  Uuid: 'uuid',
  'Timestamptz(3)': 'timestamp(3) with time zone',
};

/** The columns that a Prisma schema declares, sorted. A type that is unknown here is a relation. */
function columnsOf(schema: string): readonly string[] {
  const enums = Object.fromEntries(blocksOf(schema, 'enum').map((each) => [each.name, each.map]));
  const columns = blocksOf(schema, 'model').flatMap(({ map: table, body }) =>
    [...body.matchAll(/^ {2}(\w+) +(\w+)(?:\("(\w+)"\))?(\[\])?(\?)?(.*)$/gm)].flatMap(
      ([, field = '', type = '', unsupported, list = '', optional, attributes = '']) => {
        const [, native = type] = /@db\.(\w+(?:\(\d+\))?)/.exec(attributes) ?? [];
        const sql = unsupported ?? TYPES[native] ?? enums[type];
        const [, column = field] = /@map\("(\w+)"\)/.exec(attributes) ?? [];
        return sql === undefined
          ? []
          : [`${table}.${column} ${sql}${list}${optional === undefined ? '' : ' null'}`];
      },
    ),
  );
  return columns.toSorted();
}

/** The models or enums of the schema, with their names in the database. */
function blocksOf(schema: string, kind: 'model' | 'enum') {
  const blocks = schema.matchAll(new RegExp(`^${kind} (\\w+) \\{([\\s\\S]*?)^\\}`, 'gm'));
  return [...blocks].map(([, name = '', body = '']) => {
    const [, map = name] = /@@map\("(\w+)"\)/.exec(body) ?? [];
    return { name, map, body };
  });
}

async function migratedColumns(): Promise<readonly string[]> {
  const { rows } = await client.query<{ column: string }>(`
    SELECT c.relname || '.' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
      || CASE WHEN a.attnotnull THEN '' ELSE ' null' END AS column
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace
      AND a.attnum > 0 AND NOT a.attisdropped AND c.relname <> '_prisma_migrations'`);
  return rows.map(({ column }) => column).toSorted();
}
