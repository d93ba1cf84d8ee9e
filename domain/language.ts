/** The languages of messages to customers. */

/** ISO 639-1. Each has its texts in activities/checkout/messages. */
export const LANGUAGES = ['en', 'de'] as const;
export type Language = (typeof LANGUAGES)[number];
