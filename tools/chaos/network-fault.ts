/** The faults of a proxied connection, and what they do to one chunk of its bytes. */

/** `to_server`: what the client sends; `to_client`: what the server responds. */
export type Direction = 'to_server' | 'to_client';

/**
 * `slow` delays, throttles or slices. `swallow` drops bytes on an open connection, which is then
 * half open. `cut_after` and `cut_on` reset a connection once so many bytes have passed in it, or
 * once the pattern appears; `times` is how often (without it: always). With `deliver` the pattern
 * and what was sent with it still reach the server before the reset: effect done, response lost. `refuse` resets everything.
 */
export type NetworkFault =
  | {
      readonly kind: 'slow';
      readonly direction?: Direction;
      readonly latencyMs?: number;
      readonly bytesPerSecond?: number;
      readonly sliceBytes?: number;
    }
  | { readonly kind: 'swallow'; readonly direction?: Direction }
  | {
      readonly kind: 'cut_after';
      readonly direction: Direction;
      readonly bytes: number;
      readonly times?: number;
    }
  | {
      readonly kind: 'cut_on';
      readonly direction: Direction;
      readonly pattern: Buffer;
      readonly deliver: boolean;
      readonly times?: number;
    }
  | { readonly kind: 'refuse' };

export type NetworkFaultKind = NetworkFault['kind'];

/** PostgreSQL's response to a change that is committed: the CommandComplete of the INSERT of its event. */
export const CHANGE_DONE = Buffer.from('INSERT 0 1\0', 'latin1');
/** A change of an order on its way to PostgreSQL: its text, or the name of the prepared statement. */
export const CHANGE_REQUEST = Buffer.from('WITH locked AS');

/** How fast a chunk travels. */
export interface Pace {
  readonly latencyMs: number;
  readonly bytesPerSecond: number;
  readonly sliceBytes: number;
}

export type Decision =
  | { readonly kind: 'pass'; readonly pace: Pace }
  | { readonly kind: 'swallow' }
  /** `deliver` still arrives at the other side; then the connection is reset. */
  | { readonly kind: 'cut'; readonly deliver: Buffer };

/** One chunk, with what is known of the bytes before it in the same direction. */
export interface Passing {
  readonly chunk: Buffer;
  readonly direction: Direction;
  readonly bytesBefore: number;
  /** The last bytes before the chunk: a pattern may begin there. */
  readonly tail: Buffer;
}

export interface NetworkFaults {
  add(fault: NetworkFault): void;
  clear(): void;
  readonly isRefusing: boolean;
  decide(passing: Passing): Decision;
  /** How often each kind fired: chunks delayed or dropped, connections cut or refused. */
  readonly fired: Readonly<Record<NetworkFaultKind, number>>;
  countRefusal(): void;
}

/** A pattern is found across this many bytes of two chunks. */
export const MAX_PATTERN_BYTES = 256;
const MAX_FAULTS = 100;
export const FULL_SPEED: Pace = { latencyMs: 0, bytesPerSecond: Infinity, sliceBytes: Infinity };

export function createNetworkFaults(): NetworkFaults {
  const armed: { readonly fault: NetworkFault; left: number }[] = [];
  const fired = { slow: 0, swallow: 0, cut_after: 0, cut_on: 0, refuse: 0 };
  return {
    fired,
    get isRefusing() {
      return armed.some(({ fault }) => fault.kind === 'refuse');
    },
    countRefusal: () => {
      fired.refuse += 1;
    },
    add: (fault) => {
      if (armed.length >= MAX_FAULTS) throw new RangeError(`more than ${MAX_FAULTS} faults`);
      if (fault.kind === 'cut_on' && !isPattern(fault.pattern)) {
        throw new RangeError(`a pattern has 1 to ${MAX_PATTERN_BYTES} bytes`);
      }
      armed.push({ fault, left: 'times' in fault ? (fault.times ?? Infinity) : Infinity });
    },
    clear: () => {
      armed.length = 0;
    },
    decide: (passing) => {
      let pace = FULL_SPEED;
      for (const each of armed) {
        const { fault } = each;
        if (each.left <= 0 || !concerns(fault, passing.direction)) continue;
        const decision = apply(fault, passing, pace);
        if (decision === null) continue;
        fired[fault.kind] += 1;
        if (decision.kind !== 'pass') {
          each.left -= 1;
          return decision;
        }
        pace = decision.pace;
      }
      return { kind: 'pass', pace };
    },
  };
}

function isPattern(pattern: Buffer): boolean {
  return pattern.length > 0 && pattern.length <= MAX_PATTERN_BYTES;
}

function concerns(fault: NetworkFault, direction: Direction): boolean {
  if (fault.kind === 'refuse') return false;
  return fault.direction === undefined || fault.direction === direction;
}

/** What the fault does to the chunk; null: nothing. */
function apply(fault: NetworkFault, passing: Passing, pace: Pace): Decision | null {
  const { chunk, bytesBefore, tail } = passing;
  switch (fault.kind) {
    case 'slow': {
      const latencyMs = Math.max(pace.latencyMs, fault.latencyMs ?? 0);
      const bytesPerSecond = Math.min(pace.bytesPerSecond, fault.bytesPerSecond ?? Infinity);
      const sliceBytes = Math.max(1, Math.min(pace.sliceBytes, fault.sliceBytes ?? Infinity));
      return { kind: 'pass', pace: { latencyMs, bytesPerSecond, sliceBytes } };
    }
    case 'swallow':
      return { kind: 'swallow' };
    case 'refuse':
      return null;
    case 'cut_after': {
      const room = Math.max(0, fault.bytes - bytesBefore);
      return chunk.length < room ? null : { kind: 'cut', deliver: chunk.subarray(0, room) };
    }
    case 'cut_on': {
      const before = tail.subarray(Math.max(0, tail.length - fault.pattern.length + 1));
      const at = Buffer.concat([before, chunk]).indexOf(fault.pattern);
      if (at === -1) return null;
      const end = fault.deliver ? chunk.length : at - before.length;
      return { kind: 'cut', deliver: chunk.subarray(0, Math.max(0, end)) };
    }
  }
}
