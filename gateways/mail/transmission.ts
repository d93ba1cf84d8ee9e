/** How much of a mail its server has got: what was sent whole, and not confirmed, may have arrived. */
import { Readable } from 'node:stream';
import { ProviderFault } from '../resilience/faults.ts';

/** One mail on its way, as `transmission` in the data of the message. */
export class Transmission {
  state: 'waiting' | 'begun' | 'complete' | 'abandoned' = 'waiting';

  /** The mail, read when the server is ready for it. Throws when it is ready too late. */
  async *pass(mime: AsyncIterable<unknown>): AsyncGenerator {
    if (this.state === 'abandoned') throw new ProviderFault('deadline');
    this.state = 'begun';
    yield* mime;
    this.state = 'complete';
  }

  /** Rejects, and the mail is abandoned, when the server is not ready for it in time. */
  begunWithin(timeoutMs: number): Promise<never> {
    return new Promise((_, reject) => {
      const abandon = (): void => {
        if (this.state !== 'waiting') return;
        this.state = 'abandoned';
        reject(new ProviderFault('deadline'));
      };
      setTimeout(abandon, timeoutMs).unref();
    });
  }
}

interface ComposedMessage {
  readonly data: object;
  readonly message: { processFunc(pass: (mime: Readable) => Readable): void };
}

/** A plugin of nodemailer, at the step `stream`. */
export function followTransmission({ data, message }: ComposedMessage, done: () => void): void {
  const transmission: unknown = Reflect.get(data, 'transmission');
  if (transmission instanceof Transmission) {
    message.processFunc((mime) => Readable.from(transmission.pass(mime), { objectMode: false }));
  }
  done();
}
