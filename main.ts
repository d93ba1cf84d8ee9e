/** The entry point. ROLE selects API, worker or both. */
import { runProgram } from './run.ts';

await runProgram();
