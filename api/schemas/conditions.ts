/** Request headers that are no one's duty to send, as the reference shows them; handlers read them. */
import { z } from '@hono/zod-openapi';

const told = (description: string, example: string) =>
  z.string().optional().openapi({ description, example });

export const ifNoneMatch = {
  'if-none-match': told('The ETag of what you have: 304 when it is still that.', '"v2"'),
};
export const ifMatch = {
  'if-match': told(
    'The ETag of what you would change, or *: 412 when it is another by now.',
    '"v2"',
  ),
};
export const prefer = {
  prefer: told('wait=N holds the answer until the order rests, N seconds at most.', 'wait=20'),
};
export const lastEventId = {
  'last-event-id': told('For a stream: the id of the last event you had; wins over `after`.', '2'),
};
