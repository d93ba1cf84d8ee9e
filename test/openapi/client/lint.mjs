// Prints every finding of the recommended rules of Redocly and Spectral as JSON.
import { readFile } from 'node:fs/promises';
import { createConfig, lint } from '@redocly/openapi-core';
import spectral from '@stoplight/spectral-core';
import rulesets from '@stoplight/spectral-rulesets';

const [, , file] = process.argv;
// An id has a prefix, so `/v1/dead-letters/redrives/{id}` is never `/v1/dead-letters/{id}/redrive`.
const rules = { 'no-ambiguous-paths': 'off' };
const config = await createConfig({ extends: ['recommended'], rules });
const found = (await lint({ ref: file, config })).map(({ ruleId, message, location }) => ({
  rule: `redocly/${ruleId}`,
  message,
  at: location[0]?.pointer,
}));

const linter = new spectral.Spectral();
linter.setRuleset({ extends: [[rulesets.oas, 'recommended']] });
for (const { code, message, path } of await linter.run(JSON.parse(await readFile(file, 'utf8')))) {
  found.push({ rule: `spectral/${code}`, message, at: path.join('/') });
}
console.log(JSON.stringify(found, null, 2));
