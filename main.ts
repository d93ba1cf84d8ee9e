/** The program: API, worker, or both, as ROLE says. */
import { runProgram } from './run.ts';

await runProgram();
