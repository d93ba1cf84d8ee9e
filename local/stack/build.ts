/** `npm run build`: fills dist/ with what a server needs to run the app with Node alone. */
import { join } from 'node:path';
import { bundleWorkflows } from './bundle.ts';
import { NODE_FLAGS } from './commands.ts';
import { compilePrograms, DIST } from './compile.ts';
import { generateClient } from './prisma-client.ts';

const BUNDLE = join(DIST, 'workflow-bundle.js');

await generateClient();
await compilePrograms();
await bundleWorkflows(BUNDLE);
console.log(
  `dist/ is up to date. Run it: WORKFLOW_BUNDLE=dist/workflow-bundle.js MALLOC_ARENA_MAX=1 node ${NODE_FLAGS.join(' ')} dist/main.js`,
);
