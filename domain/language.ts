/** The languages of messages to customers. */

/** ISO 639-1. Each has its texts in activities/checkout/messages. */
export const LANGUAGES = ['en', 'de'] as const;
export type Language = (typeof LANGUAGES)[number];

/** The language of a stored code; the first of `LANGUAGES` for one that is not spoken any more. */
export function toLanguage(code: string): Language {
  return LANGUAGES.find((language) => language === code) ?? LANGUAGES[0];
}
