/**
 * Finds Temporal's time-skipping test server: the one in the user's cache, else the SDK's own
 * download, else the Java build of it from Maven Central behind a small launcher.
 */
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { chmod, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import type { StackConfig } from '../../config.ts';
import { run } from './commands.ts';
import { isWritable, cacheDir } from './home.ts';
import { downloaded, isDownloadReachable } from './sdk-download.ts';

const VERSION = '1.32.1';
const MAVEN_TIMEOUT_MS = 300_000;

/**
 * The path of an executable for `createTimeSkipping({ server: { executable } })`. Throws one
 * sentence that says what to install when there is no way to get one.
 */
export async function findTestServer(options: {
  readonly config: StackConfig;
  readonly say: (line: string) => void;
}): Promise<string> {
  const dir = cacheDir(`temporal-test-server-${VERSION}`, options.config);
  const launcher = join(dir, 'temporal-test-server');
  if (existsSync(launcher)) return launcher;
  const fetched = (await downloaded(dir)) ?? (await download(dir, options.say));
  if (fetched !== null) return fetched;
  options.say(`fetching the time-skipping test server ${VERSION} with Maven (once, 33 MB)`);
  try {
    await fetchWithMaven(dir);
  } catch (error) {
    throw new Error(
      'The time-skipping test server could not be fetched: neither the SDK download nor Maven and ' +
        'Java worked. Install Java 11+ and Maven, or allow access to temporal.download.',
      { cause: error },
    );
  }
  return launcher;
}

async function download(dir: string, say: (line: string) => void): Promise<string | null> {
  if (process.arch !== 'x64' || !(await isDownloadReachable())) return null;
  say('fetching the time-skipping test server (once)');
  await mkdir(dir, { recursive: true });
  try {
    const executable = { type: 'cached-download', downloadDir: dir, ttl: '3650 days' } as const;
    const environment = await TestWorkflowEnvironment.createTimeSkipping({
      server: { executable },
    });
    await environment.teardown();
    return await downloaded(dir);
  } catch {
    // Maven is the other way; its failure is the one a person is told.
    return null;
  }
}

/** Everything is put together aside and renamed, so that half a result is never found. */
async function fetchWithMaven(dir: string): Promise<void> {
  const partial = `${dir}.${process.pid}.partial`;
  await rm(partial, { recursive: true, force: true });
  await mkdir(partial, { recursive: true });
  try {
    await writeFile(join(partial, 'pom.xml'), POM);
    const repository = isWritable(homedir()) ? [] : [`-Dmaven.repo.local=${partial}/repository`];
    await run(
      {
        file: process.platform === 'win32' ? 'mvn.cmd' : 'mvn',
        args: ['-B', '-q', 'dependency:copy-dependencies', '-DoutputDirectory=jars', ...repository],
        cwd: partial,
      },
      { timeoutMs: MAVEN_TIMEOUT_MS },
    );
    await run({ file: 'java', args: ['-version'] }, { timeoutMs: 30_000 });
    await writeFile(join(partial, 'temporal-test-server'), LAUNCHER);
    await chmod(join(partial, 'temporal-test-server'), 0o755);
    await rm(dir, { recursive: true, force: true });
    await rename(partial, dir);
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
}

const POM = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>holdfast</groupId>
  <artifactId>test-server</artifactId>
  <version>1</version>
  <dependencies>
    <dependency>
      <groupId>io.temporal</groupId>
      <artifactId>temporal-test-server</artifactId>
      <version>${VERSION}</version>
    </dependency>
    <dependency>
      <groupId>org.slf4j</groupId>
      <artifactId>slf4j-nop</artifactId>
      <version>1.7.36</version>
    </dependency>
  </dependencies>
</project>
`;

/** Quick to start rather than quick for long: each test file starts one. */
const LAUNCHER = `#!/bin/sh
here=$(dirname "$0")
exec java -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xmx256m -cp "$here/jars/*" \\
  io.temporal.testserver.TestServer "$@"
`;
