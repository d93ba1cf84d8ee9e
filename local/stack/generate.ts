/** `npm run generate`: writes the Prisma client when the schema has changed. */
import { generateClient } from './prisma-client.ts';

const startedAt = performance.now();
const generated = await generateClient();
const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
console.log(generated ? `Prisma client generated in ${seconds} s` : 'Prisma client is up to date');
