/** Where the Prisma CLI finds things. The app itself connects through prisma/client/client.ts. */
import { defineConfig } from 'prisma/config';
import { environment } from './config.ts';

const url = environment()['DATABASE_URL'];

export default defineConfig({
  schema: 'prisma/schema.prisma',
  migrations: { path: 'prisma/migrations' },
  ...(url !== undefined && { datasource: { url } }),
});
