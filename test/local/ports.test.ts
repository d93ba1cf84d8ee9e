import { createServer } from 'node:net';
import type { Server } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { choosePorts, explainFault, freePort } from '../../local/stack/ports.ts';

const servers: Server[] = [];

afterEach(async () => {
  const closing = servers.splice(0);
  await Promise.all(closing.map((server) => new Promise((resolve) => server.close(resolve))));
});

async function takenPort(): Promise<number> {
  const port = await freePort();
  const server = createServer();
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return port;
}

describe('the ports of the local stack', () => {
  it('a default port in use is replaced by a higher one, and the choice names the one replaced', async () => {
    const taken = await takenPort();
    const [chosen] = await choosePorts([
      { variable: 'PORT', defaultPort: taken, requested: undefined },
    ]);
    expect(chosen?.port).toBeGreaterThan(taken);
    expect(chosen?.insteadOf).toBe(taken);
  });

  it('a requested port in use is rejected with an error that names its variable', async () => {
    const asked = await takenPort();
    const wish = { variable: 'SANDBOX_PORT', defaultPort: 4000, requested: asked };
    await expect(choosePorts([wish])).rejects.toThrow(`Port ${asked}, requested by SANDBOX_PORT`);
  });

  it('a requested port that needs privileges is rejected as such, and the variable is named', () => {
    // By the code alone: a system may let everybody listen there.
    const message = explainFault({ variable: 'PORT', requested: 80 }, 'EACCES');
    expect(message).toBe(
      'Port 80, requested by PORT, cannot be listened on (ports below 1024 may need privileges): set PORT to another.',
    );
  });

  it('two parts never get the same port, and two requests for one port are rejected', async () => {
    const port = await freePort();
    const chosen = await choosePorts([
      { variable: 'PORT', defaultPort: port, requested: undefined },
      { variable: 'SANDBOX_PORT', defaultPort: 1, requested: port },
    ]);
    expect(new Set(chosen.map((one) => one.port)).size).toBe(2);
    const both = ['PORT', 'SMTP_PORT'].map((variable) => ({
      variable,
      defaultPort: 1,
      requested: port,
    }));
    await expect(choosePorts(both)).rejects.toThrow('SMTP_PORT and PORT both request');
  });
});
