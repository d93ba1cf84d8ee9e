/**
 * One direction of one proxied connection: a bounded queue between two sockets that keeps the order
 * of bytes while it delays, throttles and slices them.
 */
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { FULL_SPEED, MAX_PATTERN_BYTES } from './network-fault.ts';
import type { Decision, Direction, Pace, Passing } from './network-fault.ts';

export interface PipeEnds {
  readonly from: Socket;
  readonly to: Socket;
  readonly direction: Direction;
  readonly decide: (passing: Passing) => Decision;
  /** Called when a chunk was dropped: bytes are missing from here on. */
  readonly onSwallowed: () => void;
  /** Called for a cut, after the bytes still to be delivered are queued. */
  readonly onCut: () => void;
}

/** Beyond this the sender is not read: it feels the back-pressure of a slow connection. */
const MAX_QUEUED_BYTES = 256 * 1024;
const MS_PER_SECOND = 1000;

interface Queued {
  readonly chunk: Buffer;
  readonly pace: Pace;
  readonly arrivedAtMs: number;
}

interface Pipe extends PipeEnds {
  readonly queue: Queued[];
  readonly closed: AbortController;
  queuedBytes: number;
  isPumping: boolean;
  hasEnded: boolean;
}

/** Carries bytes from one socket to the other until one of them closes. */
export function openPipe(ends: PipeEnds): void {
  const pipe: Pipe = {
    ...ends,
    queue: [],
    closed: new AbortController(),
    queuedBytes: 0,
    isPumping: false,
    hasEnded: false,
  };
  let bytesBefore = 0;
  let tail = Buffer.alloc(0);
  let isCut = false;
  pipe.from.on('data', (chunk: Buffer) => {
    if (isCut) return;
    const decision = pipe.decide({ chunk, direction: pipe.direction, bytesBefore, tail });
    bytesBefore += chunk.length;
    tail = Buffer.concat([tail, chunk]).subarray(-MAX_PATTERN_BYTES);
    if (decision.kind === 'swallow') return pipe.onSwallowed();
    if (decision.kind === 'pass') return enqueue(pipe, chunk, decision.pace);
    isCut = true;
    enqueue(pipe, decision.deliver, FULL_SPEED);
    pipe.hasEnded = true;
    pipe.onCut();
  });
  pipe.from.on('end', () => {
    pipe.hasEnded = true;
    void pump(pipe);
  });
  pipe.to.once('close', () => pipe.closed.abort());
}

function enqueue(pipe: Pipe, chunk: Buffer, pace: Pace): void {
  pipe.queue.push({ chunk, pace, arrivedAtMs: performance.now() });
  pipe.queuedBytes += chunk.length;
  if (pipe.queuedBytes > MAX_QUEUED_BYTES) pipe.from.pause();
  void pump(pipe);
}

/** Runs once at a time per pipe; ends when the queue is empty or the receiver has closed. */
async function pump(pipe: Pipe): Promise<void> {
  if (pipe.isPumping) return;
  pipe.isPumping = true;
  try {
    for (let next = pipe.queue.shift(); next !== undefined; next = pipe.queue.shift()) {
      await carry(pipe, next);
      pipe.queuedBytes -= next.chunk.length;
      if (pipe.queuedBytes <= MAX_QUEUED_BYTES) pipe.from.resume();
    }
    if (pipe.hasEnded && pipe.to.writable) pipe.to.end();
  } catch (error) {
    if (!pipe.closed.signal.aborted) throw error;
    pipe.queue.length = 0;
    pipe.queuedBytes = 0;
    // Unread bytes would keep the socket open.
    pipe.from.resume();
  } finally {
    pipe.isPumping = false;
  }
}

async function carry(pipe: Pipe, { chunk, pace, arrivedAtMs }: Queued): Promise<void> {
  const { signal } = pipe.closed;
  const waitMs = pace.latencyMs - (performance.now() - arrivedAtMs);
  if (waitMs > 0) await delay(waitMs, undefined, { signal });
  const sliceBytes = Math.min(pace.sliceBytes, Math.max(1, chunk.length));
  for (let at = 0; at < chunk.length; at += sliceBytes) {
    const slice = chunk.subarray(at, at + sliceBytes);
    if (!pipe.to.writable) return;
    if (!pipe.to.write(slice)) await drained(pipe);
    const throttleMs = (slice.length / pace.bytesPerSecond) * MS_PER_SECOND;
    if (throttleMs > 0) await delay(throttleMs, undefined, { signal });
  }
}

/** Settles when the receiver accepts more bytes, or has closed. */
function drained({ to }: Pipe): Promise<void> {
  return new Promise((resolve) => {
    const settle = (): void => {
      to.off('drain', settle);
      to.off('close', settle);
      resolve();
    };
    to.once('drain', settle);
    to.once('close', settle);
    if (to.destroyed) settle();
  });
}
