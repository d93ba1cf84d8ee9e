import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, inject, onTestFinished, test } from 'vitest';
import { readStackConfig, readTemporalConfig, type Environment } from '../../config.ts';
import { chooseAddresses, environmentBeside } from '../../local/stack/addresses.ts';
import { createHome, makeHome } from '../../local/stack/home.ts';
import { temporalPart } from '../../local/stack/parts.ts';
import { createPart } from '../../local/stack/supervisor.ts';
import { choosePort } from '../support/ports.ts';
import { makeDir } from '../support/run-files.ts';

const CLOUD = { TEMPORAL_API_KEY: 'key', TEMPORAL_TLS: 'true', TEMPORAL_PROFILE: 'cloud' };

/** A user's environment with Temporal's settings of another server, and such a file. */
function userEnvironment(): Environment {
  const file = join(makeDir('config'), 'temporal.toml');
  const profiles = ['default', 'cloud'].map((name) => `[profile.${name}]\napi_key = "key"\n`);
  writeFileSync(file, profiles.join(''));
  return { ...CLOUD, TEMPORAL_CONFIG_FILE: file, LANG: 'C' };
}

function newHome() {
  const home = createHome(makeDir('addresses'));
  makeHome(home);
  return home;
}

test('an app beside a Temporal of the stack connects without TLS, whatever the user has set', async () => {
  const { addresses } = await chooseAddresses(readStackConfig({}), newHome());
  const env = environmentBeside(addresses, userEnvironment());
  expect(env).toMatchObject({ LANG: 'C', TEMPORAL_API_KEY: '' });
  const { connectionOptions, namespace } = readTemporalConfig(env);
  expect(connectionOptions).toEqual({ address: addresses.temporal });
  expect(namespace).toBe('default');
});

test('an app beside an external Temporal connects with the settings of the user', async () => {
  const config = readStackConfig({ TEMPORAL_ADDRESS: 'cloud.example:7233' });
  const { addresses } = await chooseAddresses(config, newHome());
  const { connectionOptions } = readTemporalConfig(environmentBeside(addresses, userEnvironment()));
  expect(connectionOptions).toMatchObject({ address: 'cloud.example:7233', apiKey: 'key' });
});

test('the Temporal of the stack has the namespace of TEMPORAL_NAMESPACE, also with older data', async () => {
  const home = newHome();
  for (const namespace of ['default', 'shop-7']) {
    const [port, uiPort] = [await choosePort(), await choosePort()];
    const ports = { TEMPORAL_PORT: String(port), TEMPORAL_UI_PORT: String(uiPort) };
    const config = readStackConfig({ ...ports, TEMPORAL_NAMESPACE: namespace });
    const { addresses } = await chooseAddresses(config, home);
    const server = { binary: inject('temporalPath'), port, uiPort };
    const part = createPart(temporalPart(home, addresses, server), home);
    onTestFinished(() => part.stop());
    // It is ready once it knows the namespace and its search attributes.
    await part.start();
    await part.stop();
    expect(addresses.environment).toMatchObject({ TEMPORAL_NAMESPACE: namespace });
  }
});
