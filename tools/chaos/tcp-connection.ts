/**
 * One direction of one proxied connection: a bounded queue between two sockets that keeps the order
 * of bytes while it delays, throttles and slices them. It knows nothing about why.
 */
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { MAX_PATTERN_BYTES } from './network-fault.ts';
import type { Direction, Judgement, Pace, Passing } from './network-fault.ts';

export interface LaneEnds {
  readonly from: Socket;
  readonly to: Socket;
  readonly direction: Direction;
  readonly evaluate: (passing: Passing) => Judgement;
  /** Called once a chunk was swallowed: the line can never be whole again. */
  readonly onSwallowed: () => void;
  /** Called when a cut was judged; what is to be delivered is queued before it. */
  readonly onCut: () => void;
}

/** Beyond this the sender is not read: it feels the back-pressure a slow line gives. */
const MAX_QUEUED_BYTES = 256 * 1024;
const AT_ONCE: Pace = { latencyMs: 0, bytesPerSecond: Infinity, sliceBytes: Infinity };
const MS_PER_SECOND = 1000;

interface Queued {
  readonly chunk: Buffer;
  readonly pace: Pace;
  readonly arrivedAtMs: number;
}

interface Lane extends LaneEnds {
  readonly queue: Queued[];
  readonly gone: AbortController;
  queuedBytes: number;
  isPumping: boolean;
  hasEnded: boolean;
}

/** Carries bytes from one socket to the other until either is gone. */
export function openLane(ends: LaneEnds): void {
  const lane: Lane = {
    ...ends,
    queue: [],
    gone: new AbortController(),
    queuedBytes: 0,
    isPumping: false,
    hasEnded: false,
  };
  let bytesBefore = 0;
  let tail = Buffer.alloc(0);
  let isCut = false;
  lane.from.on('data', (chunk: Buffer) => {
    if (isCut) return;
    const judgement = lane.evaluate({ chunk, direction: lane.direction, bytesBefore, tail });
    bytesBefore += chunk.length;
    tail = Buffer.concat([tail, chunk]).subarray(-MAX_PATTERN_BYTES);
    if (judgement.kind === 'swallow') return lane.onSwallowed();
    if (judgement.kind === 'pass') return enqueue(lane, chunk, judgement.pace);
    isCut = true;
    enqueue(lane, judgement.deliver, AT_ONCE);
    lane.hasEnded = true;
    lane.onCut();
  });
  lane.from.on('end', () => {
    lane.hasEnded = true;
    void pump(lane);
  });
  lane.to.once('close', () => lane.gone.abort());
}

function enqueue(lane: Lane, chunk: Buffer, pace: Pace): void {
  lane.queue.push({ chunk, pace, arrivedAtMs: performance.now() });
  lane.queuedBytes += chunk.length;
  if (lane.queuedBytes > MAX_QUEUED_BYTES) lane.from.pause();
  void pump(lane);
}

/** One at a time per lane; ends when the queue is empty or the receiver is gone. */
async function pump(lane: Lane): Promise<void> {
  if (lane.isPumping) return;
  lane.isPumping = true;
  try {
    for (let next = lane.queue.shift(); next !== undefined; next = lane.queue.shift()) {
      await carry(lane, next);
      lane.queuedBytes -= next.chunk.length;
      if (lane.queuedBytes <= MAX_QUEUED_BYTES) lane.from.resume();
    }
    if (lane.hasEnded && lane.to.writable) lane.to.end();
  } catch (error) {
    if (!lane.gone.signal.aborted) throw error;
    lane.queue.length = 0;
    lane.queuedBytes = 0;
    // Whatever still comes is for nobody; unread it would keep the socket open.
    lane.from.resume();
  } finally {
    lane.isPumping = false;
  }
}

async function carry(lane: Lane, { chunk, pace, arrivedAtMs }: Queued): Promise<void> {
  const { signal } = lane.gone;
  const waitMs = pace.latencyMs - (performance.now() - arrivedAtMs);
  if (waitMs > 0) await delay(waitMs, undefined, { signal });
  const sliceBytes = Math.min(pace.sliceBytes, Math.max(1, chunk.length));
  for (let at = 0; at < chunk.length; at += sliceBytes) {
    const slice = chunk.subarray(at, at + sliceBytes);
    if (!lane.to.writable) return;
    if (!lane.to.write(slice)) await drained(lane);
    const throttleMs = (slice.length / pace.bytesPerSecond) * MS_PER_SECOND;
    if (throttleMs > 0) await delay(throttleMs, undefined, { signal });
  }
}

/** Settles when the receiver takes more, or is gone. */
function drained({ to }: Lane): Promise<void> {
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
