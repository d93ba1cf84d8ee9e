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
  /** Resolves when the server has ended the stream. Rejects when it cut it. */
  ended(): Promise<void>;
  leave(): Promise<void>;
}

/** Throws when the answer is no event stream. */
export function readStream(response: Response): StreamClient {
  const type = response.headers.get('content-type');
  if (!type?.startsWith('text/event-stream') || response.body === null) {
    throw new Error(`${response.status} is ${type}`);
  }
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  const comments: string[] = [];
  const frames: Frame[] = [];
  let rest = '';
  /** False at the end of the stream. */
  const readOn = async (): Promise<boolean> => {
    const { done, value = '' } = await reader.read();
    const blocks = (rest + value).split('\n\n');
    rest = blocks.pop() ?? '';
    for (const block of blocks) {
      if (block.startsWith(':')) comments.push(block.slice(1).trim());
      else if (!block.startsWith('retry:')) frames.push(parseFrame(block));
    }
    return !done;
  };
  return {
    comments,
    async take(count) {
      while (frames.length < count) {
        if (!(await readOn())) throw new Error('the stream has ended');
      }
      return frames.splice(0, count);
    },
    async ended() {
      while (await readOn());
    },
    leave: () => reader.cancel(),
  };
}

function parseFrame(block: string): Frame {
  const fields = new Map(
    block.split('\n').map((line) => {
      const at = line.indexOf(': ');
      return [line.slice(0, at), line.slice(at + 2)];
    }),
  );
  const data: unknown = JSON.parse(fields.get('data') ?? '');
  return {
    id: fields.get('id') ?? '',
    event: fields.get('event') ?? '',
    data: message.parse(data),
  };
}
