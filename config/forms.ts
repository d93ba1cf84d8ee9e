/** The forms of values: what each is parsed from, and how the error describes it. */
import { isTimeZone } from '../domain/time-zone.ts';
import { z } from 'zod';
import { isLine } from '../domain/text.ts';
import { LEAST_RETENTION_DAYS } from '../domain/retention.ts';
import { listOf } from './values.ts';

/** A number in digits alone: Number() would also read `0x10`, `1e3` and `0.5e1`. */
export const wholeNumber = (min: number, max: number) =>
  z
    .string()
    .regex(/^-?\d{1,15}$/, { error: 'must be a whole number' })
    .transform(Number)
    .pipe(z.number().min(min).max(max));
export const port = wholeNumber(1, 65_535);

/** A share between 0 and 1. */
export const share = z
  .string()
  .regex(/^(?:0(?:\.\d{1,9})?|1(?:\.0{1,9})?)$/, { error: 'must be a number between 0 and 1' })
  .transform(Number);

/** A required text or address. `expected` describes the value in the error. */
export const required = (expected: string) => ({
  error: ({ input }: { readonly input?: unknown }) =>
    input === undefined ? `required, ${expected}` : `not valid, expected ${expected}`,
});

/** The secrets that the Standard Webhooks library accepts, with or without padding. */
export const BASE64_SECRET =
  /^whsec_(?=.{4})(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{3}=?|[A-Za-z0-9+/]{2}(?:==)?)$/;
export const SECRET_FORM =
  'whsec_ followed by base64, e.g. from: echo "whsec_$(openssl rand -base64 32)"';

/** One or more values, separated by commas or spaces: during a rotation both secrets are accepted. */
export const secrets = (expected: string, form: RegExp) =>
  z
    .string(required(expected))
    .transform(listOf)
    .refine((list) => list.length > 0 && list.every((secret) => form.test(secret)), {
      error: `not valid, expected ${expected}`,
    });

const KEY_FORM = /^([\w.-]{1,32}):([A-Za-z0-9+/_-]{43}=?)$/;
const KEY_EXPECTED =
  'an id, a colon and 32 bytes in base64, e.g. from: echo "k1:$(openssl rand -base64 32)"';

/** The first key encrypts; every key decrypts what was encrypted under its id. */
export const encryptionKeys = secrets(KEY_EXPECTED, KEY_FORM)
  .transform((list) =>
    list.map((text) => {
      const [, id = '', key = ''] = KEY_FORM.exec(text) ?? [];
      return { id, key: Buffer.from(key, 'base64') };
    }),
  )
  .refine((keys) => new Set(keys.map(({ id }) => id)).size === keys.length, {
    error: 'must have a different id for each key',
  });

export const databaseUrl = z.url({
  protocol: /^postgres(?:ql)?$/,
  ...required('the PostgreSQL database, e.g. postgresql://user:password@host:5432/shop'),
});

export const webUrl = (expected: string) =>
  z.url({
    protocol: /^https?$/,
    hostname: /./,
    error: ({ input }) =>
      input === undefined ? `required, ${expected}` : `must be a URL, ${expected}`,
  });

/** A server as a whole: what follows its port would be used by some calls and lost by others. */
export const serverUrl = (expected: string) =>
  webUrl(expected).refine(
    (url) => !URL.canParse(url) || new URL(url).href === `${new URL(url).origin}/`,
    { error: `must end after host and port, without a user, path, query or fragment, ${expected}` },
  );

/** Text on one line. */
export const line = (maxLength: number) =>
  z.string().refine((value) => isLine(value, maxLength), {
    error: `must be one line of at most ${maxLength} characters`,
  });

const ORDER_PLACEHOLDERS = ['{order_id}', '{order_number}'];

/** The page of an order in the shop. */
export const orderUrl = webUrl('e.g. https://shop.example/orders/{order_id}').refine(
  (url) => {
    const found = url.match(/\{[^}]*\}/g) ?? [];
    return found.length > 0 && found.every((each) => ORDER_PLACEHOLDERS.includes(each));
  },
  { error: `must have ${ORDER_PLACEHOLDERS.join(' or ')} in it, and no other placeholder` },
);

/** A retention period; a longer one than 100 years is a typing error. */
export const days = wholeNumber(LEAST_RETENTION_DAYS, 36_500);

/** An IANA name. Offsets are refused: PostgreSQL reads their sign the other way round. */
export const timeZone = z.string().refine(isTimeZone, {
  error: 'must be a time zone by its IANA name, e.g. Europe/Berlin',
});

export const sender = z.string().regex(/^[^@]*[^\s@<]@[^\s@<>]+>?\s*$/, {
  error: 'Name <address> or an address, e.g. My shop <orders@shop.example>',
});

export const accountSid = z.string().regex(/^AC[0-9a-f]{32}$/, {
  error: "Twilio's account SID, AC and 32 hexadecimal digits",
});

/** A number in E.164, a messaging service, or an alphanumeric sender ID, which has a letter. */
export const smsSender = z
  .string()
  .regex(/^(?:\+[1-9]\d{6,14}|MG[0-9a-f]{32}|(?=.*[A-Za-z])[A-Za-z0-9 ]{1,11})$/, {
    error:
      'a number such as +15005550006, a messaging service (MG...), or a sender ID of at most 11 letters and digits',
  });
