/** Runs a command of this repository and returns its exit code and output. */
import { once } from 'node:events';
import { environment } from '../../config.ts';
import { launch, nodeCommand } from '../../local/stack/commands.ts';

export interface Ran {
  readonly code: unknown;
  readonly output: string;
}

/** `database` is its DATABASE_URL, or further variables with it; null: unset. */
export async function runScript(
  script: string,
  args: readonly string[],
  database: string | null | Readonly<Record<string, string>>,
): Promise<Ran> {
  // An empty variable counts as missing, and a file .env does not replace it.
  const given = typeof database === 'string' ? { DATABASE_URL: database } : database;
  const env = { ...environment(), DATABASE_URL: '', ...given };
  const child = launch(nodeCommand(script, args, env), 'pipe');
  let output = '';
  const keep = (chunk: Buffer): void => void (output += chunk.toString());
  child.stdout?.on('data', keep);
  child.stderr?.on('data', keep);
  const [code]: unknown[] = await once(child, 'close');
  return { code, output };
}
