/** Imports on the wire. */
import { z } from '@hono/zod-openapi';
import { IMPORT_COLUMNS } from '../../domain/import.ts';

export const importQuery = z.object({
  type: z.enum(['products', 'stock']).openapi({
    example: 'products',
    description: Object.entries(IMPORT_COLUMNS)
      .map(([type, columns]) => `\`${type}\`: the columns ${columns.join(', ')}.`)
      .concat('Prices in other currencies are columns such as price_minor_USD.')
      .join(' '),
  }),
  dry_run: z.enum(['true', 'false']).default('false').openapi({
    description: '`true`: every row is checked, and nothing is changed.',
  }),
});

export const importFile = z.string().openapi({
  description:
    'CSV (RFC 4180) in UTF-8 with a header, at most 4 MiB and 50,000 rows. Its columns are in any order.',
  example: 'sku,name,description,price_minor,currency\nmug-blue,Blue mug,,1300,EUR\n',
});
