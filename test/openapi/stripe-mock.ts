/**
 * Stripe's own mock of its API (https://github.com/stripe/stripe-mock), built once with Go into the
 * user's cache, with the OpenAPI document that it has inside. It refuses a request that the document
 * does not allow, and keeps no state: its answers are samples.
 */
import { copyFile, rename } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { environment, readStackConfig } from '../../config.ts';
import { launch, run, stop } from '../../local/stack/commands.ts';
import { buildWithGo } from '../../local/stack/go-build.ts';
import { cacheDir } from '../../local/stack/home.ts';
import { eventually } from '../support/eventually.ts';
import { choosePort } from '../support/ports.ts';
import { serverLog } from '../support/run-files.ts';

const VERSION = '0.203.0';
const MODULE = 'github.com/stripe/stripe-mock';
const MODULE_TIMEOUT_MS = 300_000;
/** For a test's hook. */
export const BUILD_TIMEOUT_MS = 1_800_000;

export interface StripeMock {
  readonly binary: string;
  /** Stripe's OpenAPI document. */
  readonly specFile: string;
}

/** Null where there is none and none can be built; says why. */
export async function findStripeMock(): Promise<StripeMock | null> {
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  const dir = cacheDir(`stripe-mock-${VERSION}`, readStackConfig());
  const [binary, specFile] = [join(dir, 'stripe-mock'), join(dir, 'spec3.json')];
  const title = `stripe-mock ${VERSION} (a minute, once)`;
  try {
    if (!existsSync(binary)) {
      await buildWithGo({ module: `${MODULE}@v${VERSION}`, title, binary, say });
    }
    if (!existsSync(specFile)) await copySpec(specFile);
    return { binary, specFile };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    say(
      `Stripe's schema is not compared with calls and sandbox: no stripe-mock was built: ${reason}`,
    );
    return null;
  }
}

/** From the module's source, where Go has it from the build. Renamed, so that it is never incomplete. */
async function copySpec(specFile: string): Promise<void> {
  const args = ['mod', 'download', '-json', `${MODULE}@v${VERSION}`];
  const cwd = dirname(specFile);
  const output = await run(
    { file: 'go', args, cwd, env: environment() },
    { timeoutMs: MODULE_TIMEOUT_MS },
  );
  // Go prints its downloads before.
  const answer = JSON.parse(output.slice(output.indexOf('{')));
  const { Dir: dir } = z.object({ Dir: z.string() }).parse(answer);
  const partial = `${specFile}.${process.pid}.partial`;
  await copyFile(join(dir, 'embedded', 'openapi', 'spec3.json'), partial);
  await rename(partial, specFile);
}

/** On a free port of the loopback interface, until `close`. */
export async function startStripeMock({ binary }: StripeMock) {
  const address = `127.0.0.1:${await choosePort()}`;
  const command = { file: binary, args: ['-http-addr', address] };
  const child = launch(command, { logFile: serverLog('stripe-mock') });
  const close = () => stop(child, { signal: 'SIGTERM', timeoutMs: 5_000 });
  const url = `http://${address}`;
  try {
    await eventually(() => fetch(url));
  } catch (error) {
    await close();
    throw error;
  }
  return { url, close };
}
