/**
 * Finds Temporal's time-skipping test server: cached, downloaded by the SDK, or its Java build from
 * Maven Central with a small launcher.
 */
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { chmod, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { StackConfig } from '../../config.ts';
import { run } from './commands.ts';
import { isWritable, cacheDir } from './home.ts';
import { downloadServer } from './sdk-download.ts';

const VERSION = '1.32.1';
const MAVEN_TIMEOUT_MS = 300_000;

/**
 * The path of an executable for `createTimeSkipping({ server: { executable } })`. Throws a message
 * that says what to install when there is no way to get one.
 */
export async function findTestServer(options: {
  readonly config: StackConfig;
  readonly say: (line: string) => void;
}): Promise<string> {
  const dir = cacheDir(`temporal-test-server-${VERSION}`, options.config);
  const launcher = join(dir, 'temporal-test-server');
  if (existsSync(launcher)) return launcher;
  const hasDownload = process.arch === 'x64';
  const downloaded = hasDownload
    ? await downloadServer('time-skipping test server', dir, options.say)
    : null;
  if (downloaded !== null) return downloaded;
  options.say(`downloading the time-skipping test server ${VERSION} with Maven (once, 33 MB)`);
  try {
    await fetchWithMaven(dir);
  } catch (error) {
    throw new Error(
      'The time-skipping test server could not be downloaded: neither the SDK nor Maven and Java ' +
        'worked. Install Java 11+ and Maven, or allow access to temporal.download.',
      { cause: error },
    );
  }
  return launcher;
}

/** Built in another folder and renamed, so that an incomplete result is never used. */
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

/** Optimized for a quick start: each test file starts one. */
const LAUNCHER = `#!/bin/sh
here=$(dirname "$0")
exec java -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xmx256m -cp "$here/jars/*" \\
  io.temporal.testserver.TestServer "$@"
`;
