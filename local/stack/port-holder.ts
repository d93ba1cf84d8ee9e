/** Which process listens on a port, where the system shows it to everybody. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

const LISTENING = '0A';
const LOOPBACK = '0100007F';

/**
 * False when another process than those of the group listens on the port of 127.0.0.1, or none. True
 * where it is not known: without Linux's table of connections.
 */
export function listensOn(port: number, group: number | undefined): boolean {
  const table = ifThere(() => readFileSync('/proc/net/tcp', 'utf8'));
  if (table === null) return true;
  const socket = socketOn(port, table);
  return socket !== null && processesOf(group).some((pid) => socketsOf(pid).includes(socket));
}

/** As the link of a file descriptor names it. */
function socketOn(port: number, table: string): string | null {
  const address = `${LOOPBACK}:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const fields = table.split('\n').map((line) => line.trim().split(/\s+/));
  const found = fields.find(([, local, , state]) => local === address && state === LISTENING);
  return found?.[9] === undefined ? null : `socket:[${found[9]}]`;
}

function processesOf(group: number | undefined): readonly number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0 && groupOf(pid) === group);
}

function groupOf(pid: number): number {
  // The name, in parentheses, may have spaces; state, parent and group follow it.
  const stat = ifThere(() => readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? '';
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[2]);
}

function socketsOf(pid: number): readonly (string | null)[] {
  const dir = `/proc/${pid}/fd`;
  const files = ifThere(() => readdirSync(dir)) ?? [];
  return files.map((file) => ifThere(() => readlinkSync(`${dir}/${file}`)));
}

/** Null when there is no such file, or not any more. */
function ifThere<T>(read: () => T): T | null {
  try {
    return read();
  } catch {
    return null;
  }
}
