/**
 * Who uses the console: a signed cookie with the id of an API key and an expiry. The key is read at
 * each request, so a revoked one is signed out at once. No client can choose the identity of a call:
 * it is handed to the API under a symbol.
 */
import { getSignedCookie, setSignedCookie, deleteCookie } from 'hono/cookie';
import type { CookieOptions } from 'hono/utils/cookie';
import { findApiKeyById, type ApiKey } from '../../prisma/access/api-keys.ts';
import type { Services } from '../context.ts';
import type { ConsoleContext } from './page.ts';

const COOKIE = 'holdfast_console';
/** A working day: then the key must be entered again. */
const SESSION_SECONDS = 12 * 3_600;
const PURPOSE = 'console session';
/** Read by the API for every call of the console, so only the console gets it. */
const PATH = '/console';

type SessionDeps = Pick<Services, 'cipher' | 'db' | 'production'>;

export async function startSession(
  c: ConsoleContext,
  { cipher, production }: SessionDeps,
  apiKey: ApiKey,
): Promise<void> {
  const [secret] = cipher.deriveKeys(PURPOSE);
  if (secret === undefined) throw new TypeError('no encryption key');
  const expiresAt = Math.floor(Date.now() / 1_000) + SESSION_SECONDS;
  const options = { ...cookieOptions(production), maxAge: SESSION_SECONDS };
  await setSignedCookie(c, COOKIE, `${apiKey.id}.${expiresAt}`, secret, options);
}

export function endSession(c: ConsoleContext, { production }: SessionDeps): void {
  deleteCookie(c, COOKIE, cookieOptions(production));
}

/** The API key of the session; null without a valid one. Throws when the database is unavailable. */
export async function findSession(
  c: ConsoleContext,
  { cipher, db }: SessionDeps,
): Promise<ApiKey | null> {
  for (const secret of cipher.deriveKeys(PURPOSE)) {
    const value = await getSignedCookie(c, secret, COOKIE);
    // `false`: signed with another key, perhaps one that is being replaced.
    if (typeof value !== 'string') continue;
    const [id = '', expiresAt] = value.split('.');
    if (!(Number(expiresAt) * 1_000 > Date.now())) return null;
    const apiKey = await findApiKeyById(db, id);
    return apiKey?.role === 'storefront' ? null : apiKey;
  }
  return null;
}

function cookieOptions(secure: boolean): CookieOptions {
  return { httpOnly: true, sameSite: 'Strict', secure, path: PATH };
}
