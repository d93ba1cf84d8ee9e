import { expect, inject, onTestFinished, test } from 'vitest';
import { readStackConfig } from '../../config.ts';
import { chooseAddresses } from '../../local/stack/addresses.ts';
import { createHome, makeHome, type Home } from '../../local/stack/home.ts';
import { postgresPart, sandboxPart, temporalPart } from '../../local/stack/parts.ts';
import { createPostgres } from '../../local/stack/postgres.ts';
import { createPart, type PartSpec } from '../../local/stack/supervisor.ts';
import { choosePort } from '../support/ports.ts';
import { makeDir } from '../support/run-files.ts';

function newHome(): Home {
  const home = createHome(makeDir('ports'));
  makeHome(home);
  return home;
}

/** The first stack has the port; the second chose the same one at the same time. */
async function startTwice(specOf: (home: Home) => PartSpec | Promise<PartSpec>): Promise<void> {
  for (const home of [newHome(), newHome()]) {
    const part = createPart(await specOf(home), home);
    onTestFinished(() => part.stop());
    await part.start();
  }
}

const refusal = (port: number, variable: string): string =>
  `Port ${port} is in use by another program: start again, or set ${variable} to another.`;

test('a second PostgreSQL on a port fails and names it, instead of using the first', async () => {
  const port = await choosePort();
  const started = startTwice(async (home) => {
    const postgres = await createPostgres({ dataDir: home.postgres, durable: false });
    await postgres.initialize();
    return postgresPart(postgres, port);
  });
  await expect(started).rejects.toThrow(refusal(port, 'POSTGRES_PORT'));
}, 120_000);

test('a second sandbox on a port fails and names it, instead of using the first', async () => {
  const [port, smtpPort] = [await choosePort(), await choosePort()];
  const config = readStackConfig({ SANDBOX_PORT: String(port), SMTP_PORT: String(smtpPort) });
  const { addresses } = await chooseAddresses(config, newHome());
  const started = startTwice((home) => sandboxPart(home, addresses));
  await expect(started).rejects.toThrow(refusal(port, 'SANDBOX_PORT'));
}, 120_000);

test.runIf(process.platform === 'linux')(
  'a second Temporal on a port fails and names it, instead of using the first',
  async () => {
    const [port, uiPort] = [await choosePort(), await choosePort()];
    const ports = { TEMPORAL_PORT: String(port), TEMPORAL_UI_PORT: String(uiPort) };
    const { addresses } = await chooseAddresses(readStackConfig(ports), newHome());
    const server = { binary: inject('temporalPath'), port, uiPort };
    const started = startTwice((home) => temporalPart(home, addresses, server));
    await expect(started).rejects.toThrow(refusal(port, 'TEMPORAL_PORT'));
  },
  120_000,
);
