/** Generated files are made again when their sources change: a hash of those is kept beside them. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';

export interface Generated {
  readonly output: string;
  /** The file with the hash. */
  readonly stamp: string;
  readonly sources: readonly string[];
  readonly generate: () => Promise<void>;
}

/** True when it generated. */
export async function generateIfStale(generated: Generated): Promise<boolean> {
  const { output, stamp, sources, generate } = generated;
  const digest = createHash('sha256');
  for (const file of sources.toSorted()) digest.update(file).update(await readFile(file));
  const hash = digest.digest('hex');
  if (existsSync(output) && existsSync(stamp) && (await readFile(stamp, 'utf8')) === hash)
    return false;
  await generate();
  await writeFile(stamp, hash);
  return true;
}
