/** `npm run build`: fills dist/ with what a server needs to run the app with Node alone. */
import { join } from 'node:path';
import { bundleWorkflows } from './bundle.ts';
import { MALLOC, NODE_FLAGS } from './commands.ts';
import { compilePrograms, DIST } from './compile.ts';
import { generateClient } from './prisma-client.ts';

const BUNDLE = join(DIST, 'workflow-bundle.js');

await generateClient();
await compilePrograms();
await bundleWorkflows(BUNDLE);
const variables = Object.entries({ WORKFLOW_BUNDLE: 'dist/workflow-bundle.js', ...MALLOC })
  .map(([name, value]) => `${name}=${value}`)
  .join(' ');
console.log(`dist/ is up to date. Run it: ${variables} node ${NODE_FLAGS.join(' ')} dist/main.js`);
