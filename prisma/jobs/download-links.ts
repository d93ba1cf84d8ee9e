/**
 * Links to a job's files that need no API key: anyone with one may read that file until it expires. The
 * token is an HMAC-SHA256 over file and expiry, under a key derived for this purpose alone.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { JobId } from '../../domain/ids.ts';
import type { JobFile } from '../../domain/jobs.ts';
import type { SecretCipher } from '../client/secret-cipher.ts';

export interface DownloadLink {
  /** Path and query. */
  readonly path: string;
  /** ISO 8601. */
  readonly expiresAt: string;
}

interface FileOfJob {
  readonly id: JobId;
  readonly file: JobFile;
}

const PURPOSE = 'job downloads';
const LIFETIME_SECONDS = 24 * 3_600;
/** Links of one hour are the same, so that a job that did not change reads the same. */
const ROUND_TO_SECONDS = 3_600;

/** A link that expires in a day, rounded up to the hour. */
export function signDownload(
  cipher: SecretCipher,
  { id, file }: FileOfJob,
  nowMs: number = Date.now(),
): DownloadLink {
  const [key] = cipher.deriveKeys(PURPOSE);
  if (key === undefined) throw new TypeError('no encryption key');
  const soonest = Math.floor(nowMs / 1_000) + LIFETIME_SECONDS;
  const expires = Math.ceil(soonest / ROUND_TO_SECONDS) * ROUND_TO_SECONDS;
  const token = `${expires}.${signature(key, { id, file, expires })}`;
  return {
    path: `/downloads/${id}/${file}?token=${token}`,
    expiresAt: new Date(expires * 1_000).toISOString(),
  };
}

/** `invalid`: for another file, changed, or signed with a key that is gone. */
export function checkDownload(
  cipher: SecretCipher,
  { id, file, token }: FileOfJob & { readonly token: string },
  nowMs: number = Date.now(),
): 'valid' | 'invalid' | 'expired' {
  const [, digits, given = ''] = /^(\d{1,12})\.([\w-]{43})$/.exec(token) ?? [];
  const expires = Number(digits);
  // The texts are compared: the last character of another text can stand for the same bytes.
  const isGenuine = cipher
    .deriveKeys(PURPOSE)
    .map((key) => signature(key, { id, file, expires }))
    .some(
      (own) => own.length === given.length && timingSafeEqual(Buffer.from(own), Buffer.from(given)),
    );
  if (!isGenuine) return 'invalid';
  return expires * 1_000 > nowMs ? 'valid' : 'expired';
}

function signature(
  key: Uint8Array,
  { id, file, expires }: FileOfJob & { readonly expires: number },
): string {
  return createHmac('sha256', key).update(`${id}/${file}/${expires}`).digest('base64url');
}
