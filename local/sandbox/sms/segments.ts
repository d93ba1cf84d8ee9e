/**
 * How many SMS a text takes: https://www.twilio.com/docs/glossary/what-sms-character-limit. In the alphabet of
 * GSM 03.38 one has 160 characters, in UCS-2 70; of several each has 7 or 3 less for its number.
 */

const GSM =
  '@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !"#¤%&\'()*+,-./0123456789:;<=>?' +
  '¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà';
/** Each takes two places. */
const GSM_EXTENDED = '\f^{}\\[~]|€';

export function segmentsOf(text: string): number {
  const units = Array.from(text);
  const extended = units.filter((each) => GSM_EXTENDED.includes(each)).length;
  const isGsm = units.every((each) => GSM.includes(each) || GSM_EXTENDED.includes(each));
  const [one, ofMany] = isGsm ? [160, 153] : [70, 67];
  const length = text.length + (isGsm ? extended : 0);
  return length <= one ? 1 : Math.ceil(length / ofMany);
}
