/**
 * Mail over SMTP with a small pool of connections. Reasons contain SMTP codes only: a server's text
 * repeats the address. TLS and credentials are part of the URL, e.g. `smtps://user:pass@host` or
 * `smtp://host?requireTLS=true`.
 */
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { createTransport } from 'nodemailer';
import { AccessRefused, Inconclusive, ProviderFault } from '../resilience/faults.ts';
import { createGuard } from '../resilience/guard.ts';
import { MAIL_LIMITS } from '../resilience/limits.ts';
import type { MailLimits } from '../resilience/limits.ts';
import { inSpan } from '../../telemetry/tracing.ts';
import type { Mail, Mailer, SendOutcome } from './mailer.ts';
import { followTransmission, Transmission } from './transmission.ts';
import type { BreakerListener } from '../resilience/outcome.ts';

export interface SmtpMailerOptions {
  readonly smtpUrl: string;
  /** `Name <address>` or an address. Its domain is the domain of every Message-ID. */
  readonly from: string;
  readonly limits?: MailLimits | undefined;
  readonly onBreakerChange?: BreakerListener | undefined;
}

export interface SmtpMailer extends Mailer {
  /** Closes the pooled connections. Mails in flight end as they would. */
  close(): void;
}

/** Opens nothing until the first mail. Throws TypeError when `from` has no address. */
export function createSmtpMailer(options: SmtpMailerOptions): SmtpMailer {
  const limits = options.limits ?? MAIL_LIMITS;
  const sending = createGuard({
    name: 'mail.send',
    ...limits.send,
    onChange: options.onBreakerChange,
  });
  const domain = domainOf(options.from);
  const { deadlineMs, maxConcurrent } = limits.send;
  const acceptMs = Math.min(ACCEPT_TIMEOUT_MS, deadlineMs);
  const transport = createTransport({
    url: options.smtpUrl,
    pool: true,
    maxConnections: maxConcurrent,
    maxMessages: MAILS_PER_CONNECTION,
    // The pool would resend after a lost connection. Only Temporal retries.
    maxRequeues: 0,
    greetingTimeout: acceptMs,
    socketTimeout: deadlineMs,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  transport.getSocket = ({ host, port, secure }, done) => {
    const defaultPort = secure === true ? SMTPS_PORT : SUBMISSION_PORT;
    openSocket({ host: host ?? 'localhost', port: port ?? defaultPort, timeoutMs: acceptMs }, done);
  };
  transport.use('stream', followTransmission);

  async function deliver(mail: Mail, transmission: Transmission): Promise<SendOutcome> {
    try {
      const message = { transmission, from: options.from, ...messageOf(mail, domain) };
      await Promise.race([transport.sendMail(message), transmission.begunWithin(acceptMs)]);
      return { kind: 'sent' };
    } catch (error) {
      // With a reply the server has said that it did not take the mail.
      if (typeof field(error, 'responseCode') === 'number') transmission.state = 'begun';
      return readFailure(error);
    }
  }

  return {
    async send(mail) {
      const transmission = new Transmission();
      const outcome = await sending.run(() => inSpan(SPAN, () => deliver(mail, transmission)));
      if (outcome.kind !== 'unknown' || transmission.state !== 'complete') return outcome;
      return { kind: 'unconfirmed', reason: outcome.reason };
    },
    breakers: () => [sending.view()],
    close: () => transport.close(),
  };
}

function messageOf(mail: Mail, domain: string) {
  return {
    // An object is always one address, even with commas or line breaks in it.
    to: { name: '', address: mail.to },
    subject: mail.subject,
    text: mail.text,
    ...(mail.html !== null && { html: mail.html }),
    // RFC 3282; and, by RFC 3834, that no machine shall answer it.
    headers: { 'Content-Language': mail.language, 'Auto-Submitted': 'auto-generated' },
    messageId: `<${mail.messageKey}@${domain}>`,
  };
}

/** Until the server takes the mail; its last reply may be much later (limits.ts). */
const ACCEPT_TIMEOUT_MS = 10_000;

interface Destination {
  readonly host: string;
  readonly port: number;
  readonly timeoutMs: number;
}

type Opened = (error: Error | null, opened?: { readonly connection: Socket }) => void;

/**
 * Connects with Nagle's algorithm off, which the library leaves on: it writes a mail in small pieces,
 * and each would wait 40 ms for the server's delayed acknowledgement.
 */
function openSocket({ host, port, timeoutMs }: Destination, done: Opened): void {
  const socket = connect({ host, port, noDelay: true, timeout: timeoutMs });
  const fail = (): void => {
    socket.destroy();
    // The message of the system's error names hosts.
    done(Object.assign(new Error('no connection'), { code: 'ECONNECTION' }));
  };
  socket.once('error', fail);
  socket.once('timeout', fail);
  socket.once('connect', () => {
    socket.off('error', fail);
    socket.off('timeout', fail);
    socket.setTimeout(0);
    done(null, { connection: socket });
  });
}

/** Of one mail. A mail server gets no trace. */
const SPAN = { name: 'send mail', kind: 'client' } as const;

/** RFC 8314, 3.3. */
const SMTPS_PORT = 465;
const SUBMISSION_PORT = 587;

/** Servers close long sessions; ending them first avoids a lost mail. */
const MAILS_PER_CONNECTION = 100;

/** nodemailer's codes for failures of network and server; its other codes are our mistakes. */
const EXTERNAL: readonly string[] = [
  'ECONNECTION',
  'ETIMEDOUT',
  'ESOCKET',
  'EDNS',
  'ETLS',
  'EPROXY',
  'EPROTOCOL',
  'EENVELOPE',
  'EMESSAGE',
  'EMAXLIMIT',
  'EAUTH',
];

/** Replies that ask for other or for any credentials (RFC 4954 §6). */
const ACCESS_REPLIES: readonly unknown[] = [530, 534, 535, 538];
/** The mail is too large (RFC 5321 §4.2.2, RFC 1870). */
const TOO_LARGE = 552;

/**
 * What a failed mail means, by reply and command (RFC 5321 §4.2.1, §4.3.2). RCPT TO is about the
 * mailbox, so that a full or greylisted one says nothing about the server; DATA is about the mail;
 * MAIL FROM is about us, the sender; every other command is about the server.
 */
function readFailure(error: unknown): SendOutcome {
  if (error instanceof ProviderFault) throw error;
  const code = field(error, 'code');
  if (typeof code !== 'string' || !EXTERNAL.includes(code)) throw error;
  const reply = field(error, 'responseCode');
  if (typeof reply !== 'number') {
    // Rejected before anything was sent: an invalid address, a mail above the size limit.
    if (code === 'EENVELOPE' || code === 'EMESSAGE') {
      return { kind: 'refused', reason: `smtp_${code.toLowerCase()}` };
    }
    const reason = `smtp_${code.toLowerCase()}`;
    throw code === 'EAUTH' ? new AccessRefused(reason) : new ProviderFault(reason);
  }
  const reason = `smtp_${reply}`;
  if (ACCESS_REPLIES.includes(reply)) throw new AccessRefused(reason);
  const isPermanent = reply >= 500;
  switch (field(error, 'command')) {
    case 'RCPT TO':
      if (isPermanent) return { kind: 'refused', reason };
      throw new Inconclusive(reason);
    case 'DATA':
      if (isPermanent) return { kind: 'refused', reason };
      throw new ProviderFault(reason);
    case 'MAIL FROM':
      if (reply === TOO_LARGE) return { kind: 'refused', reason };
      throw isPermanent ? new AccessRefused(reason) : new ProviderFault(reason);
    default:
      throw isPermanent && code === 'EAUTH' ? new AccessRefused(reason) : new ProviderFault(reason);
  }
}

function field(error: unknown, name: string): unknown {
  return error instanceof Error ? Reflect.get(error, name) : undefined;
}

function domainOf(from: string): string {
  const domain = /@([^\s@<>]+)>?\s*$/.exec(from)?.[1];
  if (domain === undefined) throw new TypeError('the sender of mails needs an address');
  return domain;
}
