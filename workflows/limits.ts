/**
 * The limits of a Temporal server on what operators see of a workflow. Whatever grows with an order is
 * cut to them here, because the server refuses a start or an update of attributes that exceeds one:
 * then the order would be stuck because of what is only shown. The defaults of the server (dynamic
 * configuration `frontend.searchAttributes...` and `limit.userMetadata...`, which Temporal Cloud has
 * too): 2,048 bytes per search attribute, 40 KB for all of them, 400 bytes for a summary, 20,000 for
 * details. A memo may have 2 MB. Ours holds two ids and an address;
 * an input holds ids and amounts.
 */
import { defaultPayloadConverter } from '@temporalio/common';

const ATTRIBUTE_BYTES = 2_048;
/** Less the protobuf around the text: its encoding and the lengths, some 30 bytes. */
const SUMMARY_BYTES = 360;
const DETAILS_BYTES = 19_000;
const MORE = '…';

/**
 * The first of the values that fit into a search attribute of type KeywordList. The others are left
 * out: the workflow is not found by them, the database knows them all.
 */
export function keywords(values: readonly string[]): string[] {
  const kept: string[] = [];
  // The brackets of the list.
  let bytes = 2;
  for (const value of values) {
    bytes += bytesOf(value) + 1;
    if (bytes > ATTRIBUTE_BYTES) break;
    kept.push(value);
  }
  return kept;
}

/** The text as a workflow's summary: one line in lists. A longer one ends in `…`. */
export function summary(text: string): string {
  return cut(text, SUMMARY_BYTES);
}

/** The text as a workflow's details. A longer one ends in `…`. */
export function details(text: string): string {
  return cut(text, DETAILS_BYTES);
}

/** By whole characters: an emoji is not cut in half. */
function cut(text: string, limit: number): string {
  if (bytesOf(text) <= limit) return text;
  let kept = '';
  // The quotes of the text and the dots.
  let bytes = bytesOf(MORE);
  for (const character of text) {
    bytes += bytesOf(character) - 2;
    if (bytes > limit) break;
    kept += character;
  }
  return kept + MORE;
}

/** As the server counts them: the bytes of the value's JSON. */
function bytesOf(value: string): number {
  return defaultPayloadConverter.toPayload(value).data?.length ?? 0;
}
