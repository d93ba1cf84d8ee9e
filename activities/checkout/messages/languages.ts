/** The texts of each language: one line for each. */
import type { Language } from '../../../domain/language.ts';
import { de } from './de.ts';
import { en } from './en.ts';
import type { Messages } from './messages.ts';

const MESSAGES: Readonly<Record<Language, Messages>> = { en, de };

/** The texts of the language. */
export function messagesIn(language: Language): Messages {
  return MESSAGES[language];
}
