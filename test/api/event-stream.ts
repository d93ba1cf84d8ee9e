/** A client of server-sent events for tests: reads frames one by one and can leave. */
import { z } from 'zod';

export interface Frame {
  readonly id: string;
  readonly event: string;
  readonly data: z.infer<typeof message>;
}

const message = z.looseObject({ id: z.string(), type: z.string() });

export interface StreamClient {
  /** The next `count` events; comments are skipped and counted. */
  take(count: number): Promise<Frame[]>;
  readonly comments: string[];
  /** The place the server named last, where a client resumes; reads on until there is one. */
  place(): Promise<string>;
  /** Resolves when the server has ended the stream. Rejects when it cut it. */
  ended(): Promise<void>;
  leave(): Promise<void>;
}

/** Throws when the response is not an event stream. */
export function readStream(response: Response): StreamClient {
  const type = response.headers.get('content-type');
  if (!type?.startsWith('text/event-stream') || response.body === null) {
    throw new Error(`${response.status} is ${type}`);
  }
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  const comments: string[] = [];
  const frames: Frame[] = [];
  let rest = '';
  let place = '';
  const readBlock = (block: string): void => {
    const fields = fieldsOf(block);
    place = fields.get('id') ?? place;
    const comment = fields.get('');
    if (comment !== undefined) comments.push(comment);
    // Without data a block is no event (WHATWG HTML §9.2.6).
    if (fields.has('data')) frames.push(frameOf(fields));
  };
  /** False at the end of the stream. */
  const readMore = async (): Promise<boolean> => {
    const { done, value = '' } = await reader.read();
    const blocks = (rest + value).split('\n\n');
    rest = blocks.pop() ?? '';
    for (const block of blocks) readBlock(block);
    return !done;
  };
  const readOn = async (): Promise<void> => {
    if (!(await readMore())) throw new Error('the stream has ended');
  };
  return {
    comments,
    async take(count) {
      while (frames.length < count) await readOn();
      return frames.splice(0, count);
    },
    async place() {
      while (place === '') await readOn();
      return place;
    },
    async ended() {
      while (await readMore());
    },
    leave: () => reader.cancel(),
  };
}

/** By name; a comment has the empty name. */
function fieldsOf(block: string): ReadonlyMap<string, string> {
  return new Map(
    block.split('\n').map((line) => {
      const at = line.indexOf(': ');
      return [line.slice(0, at), line.slice(at + 2)];
    }),
  );
}

function frameOf(fields: ReadonlyMap<string, string>): Frame {
  const data: unknown = JSON.parse(fields.get('data') ?? '');
  return {
    id: fields.get('id') ?? '',
    event: fields.get('event') ?? '',
    data: message.parse(data),
  };
}
