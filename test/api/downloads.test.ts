import { expect, test } from 'vitest';
import type { JobId } from '../../domain/ids.ts';
import type { JobFile } from '../../domain/jobs.ts';
import { newId } from '../../prisma/client/ids.ts';
import { createSecretCipher } from '../../prisma/client/secret-cipher.ts';
import { checkDownload, signDownload } from '../../prisma/jobs/download-links.ts';
import { createScheduledJob } from '../../prisma/jobs/jobs.ts';
import { runJobOf } from '../support/job-runs.ts';
import { problemOf } from '../support/responses.ts';
import { CIPHER, useShop } from '../support/shop.ts';
import { times } from '../support/times.ts';

const shop = useShop();
const file: JobFile = 'output.csv';
const HOUR_MS = 3_600_000;
/** Of base64url (RFC 4648 §5). */
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

async function requestedReport(): Promise<JobId> {
  const id = newId('report');
  const params = {
    time_zone: 'UTC',
    from: '2026-01-01T00:00:00.000Z',
    to: '2026-02-01T00:00:00.000Z',
  };
  await createScheduledJob(shop.db, { id, kind: 'report', type: 'refunds', params });
  return id;
}

async function writtenReport(): Promise<JobId> {
  const id = await requestedReport();
  await runJobOf(shop.services, id);
  return id;
}

async function statusOf(path: string): Promise<number> {
  const response = await shop.request('GET', path, { role: null });
  await response.text();
  return response.status;
}

test('a link needs no key, and is of no use changed, for another file, after its time, or before the report is done', async () => {
  const id = await requestedReport();
  expect(await statusOf(signDownload(CIPHER, { id, file }).path)).toBe(404);
  await runJobOf(shop.services, id);
  const { path, expiresAt } = signDownload(CIPHER, { id, file });
  expect(await statusOf(path)).toBe(200);
  expect(await statusOf(path.replace('output.csv', 'output.json'))).toBe(403);
  // One of these stands for the same bytes, because the last character has two bits too many.
  for (const last of ALPHABET.replace(path.at(-1) ?? '', '')) {
    expect(await statusOf(path.replace(/.$/, last))).toBe(403);
  }
  expect(await statusOf(path.replace(/\?.*/, ''))).toBe(403);
  const other = createSecretCipher([{ id: 'other', key: Buffer.alloc(32, 'another key') }]);
  expect(await statusOf(signDownload(other, { id, file }).path)).toBe(403);
  const [, token = ''] = path.split('token=');
  const asked = { id, file, token };
  expect(checkDownload(CIPHER, asked, Date.parse(expiresAt) - 1)).toBe('valid');
  expect(checkDownload(CIPHER, asked, Date.parse(expiresAt))).toBe('expired');
  const old = signDownload(CIPHER, { id, file }, Date.now() - 26 * HOUR_MS);
  const response = await shop.request('GET', old.path, { role: null });
  expect(await problemOf(response)).toMatchObject({ status: 410, code: 'link_expired' });
});

test('at most eight files are sent at once, and a client that leaves makes room', async () => {
  const id = await writtenReport();
  const { path } = signDownload(CIPHER, { id, file });
  const open = await Promise.all(times(8, () => shop.request('GET', path, { role: null })));
  const refused = await problemOf(await shop.request('GET', path, { role: null }));
  expect(refused).toMatchObject({ status: 503, code: 'overloaded', retryable: true });
  await open[0]?.body?.cancel();
  expect(await statusOf(path)).toBe(200);
  for (const response of open.slice(1)) await response.body?.cancel();
});

test('a client that leaves before its file is sent holds no place', async () => {
  const id = await writtenReport();
  const { path } = signDownload(CIPHER, { id, file });
  const gone = { role: null, signal: AbortSignal.abort() };
  const client = new AbortController();
  const leaving = { role: null, signal: client.signal };
  for (const _ of times(8, () => null)) await shop.request('GET', path, gone);
  const unread = await Promise.all(times(8, () => shop.request('GET', path, leaving)));
  expect(unread.map(({ status }) => status)).toEqual(times(8, () => 200));
  client.abort();
  expect(await statusOf(path)).toBe(200);
});
