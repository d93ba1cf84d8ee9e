/** Requests as bytes on a socket, for what no client library would send. */
import { createConnection } from 'node:net';

export interface Sent {
  readonly headers?: readonly string[];
  readonly body?: string | Buffer;
  readonly version?: '1.0' | '1.1';
  /** Without Host, API key and Content-Length, which the row gives itself. */
  readonly bare?: boolean;
  /** What `{name}` stands for in the target and the headers; `{uuid}` is a new one each time. */
  readonly known?: Readonly<Record<string, string>>;
}
export interface Received {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly text: string;
}

/** A stream is read until its headers have come. */
export async function send(
  port: number,
  call: { readonly method: string; readonly target: string },
  sent: Sent = {},
): Promise<Received> {
  const headers = [...(sent.headers ?? []), 'Connection: close'];
  const bytes = await exchange(port, [message(call, { ...sent, headers })]);
  const [head = '', ...rest] = bytes.split('\r\n\r\n');
  const [line = '', ...fields] = head.split('\r\n');
  const pairs = fields.map((field) => {
    const [name = '', ...value] = field.split(':');
    return [name.toLowerCase(), value.join(':').trim()] as const;
  });
  return {
    status: Number(line.split(' ')[1]),
    headers: new Map(pairs),
    text: rest.join('\r\n\r\n'),
  };
}

/** What comes back until the connection is closed; of a stream its beginning. */
export async function exchange(port: number, messages: readonly Buffer[]): Promise<string> {
  const socket = createConnection({ port, host: '127.0.0.1' });
  for (const each of messages) socket.write(each);
  let received = '';
  for await (const chunk of socket) {
    received += String(chunk);
    if (/^content-type: text\/event-stream[\s\S]*\r\n\r\n/im.test(received)) break;
  }
  return received;
}

export function message(
  { method, target }: { readonly method: string; readonly target: string },
  sent: Sent,
): Buffer {
  const { body = '', headers = [], version = '1.1', bare = false } = sent;
  const fields = headers.join('\r\n');
  const length = /^(?:content-length|transfer-encoding):/im.test(fields) || body.length === 0;
  const lines = [
    `${method} ${target} HTTP/${version}`,
    ...(bare ? [] : ['Host: shop.test', 'Authorization: Bearer hf_local_admin']),
    ...(length ? [] : [`Content-Length: ${Buffer.byteLength(body)}`]),
    ...headers,
  ].join('\r\n');
  const head = `${lines}\r\n\r\n`
    .replaceAll('{uuid}', () => crypto.randomUUID())
    .replaceAll(/\{(\w+)\}/g, (whole, name: string) => sent.known?.[name] ?? whole);
  return Buffer.concat([Buffer.from(head, 'latin1'), Buffer.from(body)]);
}
