import { createSocket, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';
import { BeatLink, type Instant, type LinkGist, type LinkVerdict } from './link.ts';
import type { BeatThreadData, FromBeatThread, ToBeatThread } from './protocol.ts';
import { nothingToSay, type OwnWord } from './word.ts';

/**
 * The beat's own thread: socket, timers and detector on an event loop of their own, so that nothing else in the prober can
 * delay a beat or a verdict.
 */

/** The level, while nothing changes: also the prober's sign of life. */
const levelMs = 1_000;
/** Time from one attempt to open the socket to the next: the address may not be there yet at boot. */
const rebindMs = 1_000;
/** Beats that say goodbye, and the milliseconds between them: 30 % loss leaves no chance of losing all. */
const farewells = 8;
const farewellSpacing = 10;

const { identity, bind, peer, resumed } = workerData as BeatThreadData;
const { downAfter } = identity.settings;
const startedMs = performance.now();
const link = new BeatLink(identity, startedMs, resumed);

let word: OwnWord = nothingToSay;
let stateUntilMs = 0;
let socket: Socket | null = null;
let fault: string | null = null;
let lastGist: LinkGist | null = null;
let lastFault: string | null = null;
let lastPostedMs = 0;
let leaving = false;
let pace = link.pace;
let beating = setTimeout(due, pace);

function post(message: FromBeatThread): void {
  parentPort?.postMessage(message);
}

function instant(): Instant {
  return { nowMs: performance.now(), wallMs: Date.now() };
}

function open(): void {
  const family = isIPv6(bind.address) ? 6 : 4;
  const opening = createSocket({
    type: `udp${family}`,
    // Addresses are never names: the resolver, which is asked for each datagram else, has nothing to do.
    lookup: (address, _options, found) => found(null, address, family),
  });
  opening.on('message', take);
  opening.on('listening', () => {
    socket = opening;
    reportFault(null);
  });
  opening.on('error', (error: NodeJS.ErrnoException) => {
    socket = null;
    reportFault(`${bind.address} port ${bind.port}: ${socketFault(error)}`);
    opening.close();
    setTimeout(open, rebindMs);
  });
  opening.bind(bind.port, bind.address);
}

function socketFault({ code, message }: NodeJS.ErrnoException): string {
  return code === 'EACCES' ? 'EACCES, ports below 1024 need CAP_NET_BIND_SERVICE' : (code ?? message);
}

function reportFault(now: string | null): void {
  if (now === fault) return;
  fault = now;
  post({ kind: 'socket', fault });
}

function send(now: Instant, done: () => void): void {
  // A send fails while the link has no route: the peer's silence says the same, and the next beat tries again.
  if (socket) socket.send(link.next(now), peer.port, peer.address, done);
  else done();
}

function take(datagram: Buffer): void {
  const now = instant();
  if (link.receive(datagram, now) && !leaving && link.answers(now.nowMs)) beat(now);
}

/** Sent, or not: nothing follows. */
function sent(): void {}

function beat(now: Instant): void {
  const { nowMs } = now;
  if (word.state !== null && nowMs > stateUntilMs) say({ ...nothingToSay, api: word.api });
  send(now, sent);
  link.tick(nowMs);
  schedule();
  report(nowMs);
}

/** The next beat comes one pace after this one. */
function schedule(): void {
  if (link.pace === pace) {
    beating.refresh();
    return;
  }
  clearTimeout(beating);
  pace = link.pace;
  beating = setTimeout(due, pace);
}

function due(): void {
  beat(instant());
}

/** Posts the verdict when something a reader acts on changed, and else as a level. */
function report(nowMs: number): void {
  const gist = link.gist(nowMs);
  if (nowMs - lastPostedMs < levelMs && fault === lastFault && lastGist && sameGist(gist, lastGist)) return;
  const verdict = judge(nowMs);
  // A verdict is near: until then the last one of the prober before this one stays in force.
  if (verdict.status === 'unknown' && nowMs - startedMs < 2 * downAfter) return;
  lastGist = gist;
  lastFault = fault;
  lastPostedMs = nowMs;
  post({ kind: 'verdict', verdict });
}

function sameGist(one: LinkGist, other: LinkGist): boolean {
  return (
    one.phase === other.phase &&
    one.word === other.word &&
    one.oneWay === other.oneWay &&
    one.restarting === other.restarting
  );
}

/** Who cannot listen cannot tell silence from death. */
function judge(nowMs: number): LinkVerdict {
  const verdict = link.verdict(nowMs);
  if (fault === null) return verdict;
  return { ...verdict, status: 'unknown', reason: `cannot listen for beats on ${fault}` };
}

function say(next: OwnWord): void {
  word = next;
  link.say(word);
}

function farewell(left: number): void {
  send(instant(), () => {
    if (left > 1) setTimeout(farewell, farewellSpacing, left - 1);
    else process.exit(0);
  });
}

function obey(message: ToBeatThread): void {
  switch (message.kind) {
    case 'state':
      stateUntilMs = performance.now() + message.ttlMs;
      say({ ...word, ...message.word });
      break;
    case 'api':
      say({ ...word, api: message.status });
      break;
    case 'farewell':
      clearTimeout(beating);
      leaving = true;
      say({ ...word, restartingMs: message.restartingMs, leaving: message.restartingMs === null });
      farewell(farewells);
      break;
  }
}

open();
parentPort?.on('message', obey);
