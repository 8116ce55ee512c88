import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { findBinary } from '../../shared/binaries/find.ts';
import { freePort } from '../../shared/process/ports.ts';
import { TestAuthority } from '../certificates.ts';
import { startTwonodeEtcd, startTwonodeEtcdAt } from '../etcd-servers.ts';

/** The flags of `twonode etcd` about where it listens, with the real etcdctl. */

interface Context {
  etcdctl: string;
  folder: string;
}
const test = suite<Context>('flags of twonode etcd');
const run = promisify(execFile);

test.before(async (context) => {
  context.etcdctl = await findBinary('etcdctl');
  context.folder = mkdtempSync(join(tmpdir(), 'twonode-flags-'));
});
test.after(({ folder }) => rmSync(folder, { recursive: true, force: true }));

/** What etcdctl prints, whether it succeeds or not. */
async function etcdctl(program: string, ...args: string[]): Promise<string> {
  const { stdout, stderr } = await run(program, ['--command-timeout', '1s', ...args]).catch(
    (error: { stdout: string; stderr: string }) => error,
  );
  return `${stdout}${stderr}`.trim();
}

test('TLS: clients check the server', async ({ etcdctl: program, folder }) => {
  const authority = new TestAuthority(folder, 'ca');
  const { cert, key } = authority.issue('server');
  const url = `https://127.0.0.1:${await freePort()}`;
  const server = await startTwonodeEtcdAt(url, '--cert-file', cert, '--key-file', key);
  const at = ['--endpoints', url];
  assert.is(await etcdctl(program, ...at, '--cacert', authority.file, 'put', 'a', 'b'), 'OK');
  const stranger = new TestAuthority(folder, 'stranger');
  assert.match(await etcdctl(program, ...at, '--cacert', stranger.file, 'get', 'a'), 'deadline exceeded');
  await server.stop();
});

// As in etcd, a CA for clients alone says that, too.
for (const flags of [['--client-cert-auth'], []]) {
  test(`TLS: clients show a certificate: --trusted-ca-file ${flags.join('')}`, async ({
    etcdctl: program,
    folder,
  }) => {
    const authority = new TestAuthority(folder, 'ca2');
    const { cert, key } = authority.issue('server2');
    const url = `https://127.0.0.1:${await freePort()}`;
    const tls = ['--cert-file', cert, '--key-file', key, '--trusted-ca-file', authority.file];
    const server = await startTwonodeEtcdAt(url, ...tls, ...flags);
    const at = ['--endpoints', url, '--cacert', authority.file];
    const as = (files: { cert: string; key: string }) => ['--cert', files.cert, '--key', files.key];
    assert.is(await etcdctl(program, ...at, ...as(authority.issue('client')), 'put', 'a', 'b'), 'OK');
    assert.match(await etcdctl(program, ...at, 'get', 'a'), 'deadline exceeded');
    const stranger = new TestAuthority(folder, 'stranger2').issue('forged');
    assert.match(await etcdctl(program, ...at, ...as(stranger), 'get', 'a'), 'deadline exceeded');
    await server.stop();
  });
}

test('a unix socket, also where a killed process left its own', async ({ etcdctl: program, folder }) => {
  const url = `unix://${join(folder, 'etcd.sock')}`;
  const server = await startTwonodeEtcdAt(url);
  assert.is(await etcdctl(program, '--endpoints', url, 'put', 'a', 'b'), 'OK');
  await server.killAndRestart();
  assert.is(await etcdctl(program, '--endpoints', url, 'get', 'a', '--print-value-only'), 'b');
  await server.stop();
});

test('several URLs', async ({ etcdctl: program, folder }) => {
  const tcp = `http://127.0.0.1:${await freePort()}`;
  const socket = `unix://${join(folder, 'second.sock')}`;
  const server = await startTwonodeEtcdAt(`${tcp},${socket}`);
  assert.is(await etcdctl(program, '--endpoints', tcp, 'put', 'a', 'b'), 'OK');
  assert.is(await etcdctl(program, '--endpoints', socket, 'get', 'a', '--print-value-only'), 'b');
  await server.stop();
});

test('metrics with the names of etcd', async ({ etcdctl: program }) => {
  const metrics = `http://127.0.0.1:${await freePort()}`;
  const server = await startTwonodeEtcd('--listen-metrics-urls', metrics);
  await etcdctl(program, '--endpoints', server.address, 'put', 'a', 'b');
  const text = await (await fetch(`${metrics}/metrics`)).text();
  const put = 'grpc_service="etcdserverpb.KV",grpc_method="Put",grpc_type="unary"';
  for (const line of [
    'etcd_server_has_leader 1',
    'etcd_server_is_leader 1',
    'etcd_debugging_mvcc_keys_total 1',
    'etcd_debugging_mvcc_current_revision 2',
    'etcd_server_proposals_pending 0',
    `grpc_server_started_total{${put}} 1`,
    `grpc_server_handled_total{${put},grpc_code="OK"} 1`,
  ]) {
    assert.match(text, `\n${line}\n`);
  }
  assert.match(text, /etcd_mvcc_db_total_size_in_bytes [1-9]/);
  assert.match(text, /etcd_network_client_grpc_received_bytes_total [1-9]/);
  assert.is((await fetch(`${metrics}/healthz`)).status, 200);
  await server.stop();
});

const wrong: [string, string[], RegExp][] = [
  ['a URL that is none', ['--listen-client-urls', '127.0.0.1'], /is not a URL such as http/],
  ['a URL of another scheme', ['--listen-client-urls', 'ftp://127.0.0.1:1'], /is not a URL such as http/],
  ['a URL without a port', ['--listen-client-urls', 'http://127.0.0.1'], /has no port/],
  ['a URL with a path', ['--listen-client-urls', 'http://127.0.0.1:1/x'], /must not have a path/],
  ['https without a certificate', ['--listen-client-urls', 'https://127.0.0.1:1'], /needs --cert-file/],
  ['a certificate without its key', ['--cert-file', 'x'], /go together/],
  ['client certificates without a CA', ['--client-cert-auth'], /needs --trusted-ca-file/],
  ['a CA without a certificate', ['--trusted-ca-file', 'x'], /needs --cert-file/],
  [
    'a file that is not there',
    ['--cert-file', '/none', '--key-file', '/none'],
    /cannot read \/none \(ENOENT\)/,
  ],
  ['a file that is no PEM', ['--cert-file', 'LICENSE', '--key-file', 'LICENSE'], /cannot be used: /],
];
for (const [title, args, text] of wrong) {
  test(`${title} is one sentence`, async ({ folder }) => {
    const { status, stderr } = await twonodeEtcd(folder, ...args);
    assert.match(stderr, text);
    assert.is(stderr.trim().split('\n').length, 1);
    assert.is(status, 1);
  });
}

test('a port in use is named', async ({ folder }) => {
  const port = await freePort();
  const taken = createServer().listen(port, '127.0.0.1');
  await once(taken, 'listening');
  const { status, stderr } = await twonodeEtcd(folder, '--listen-client-urls', `http://127.0.0.1:${port}`);
  assert.is(
    stderr,
    `twonode: port ${port} on 127.0.0.1, of --listen-client-urls, is in use by another program\n`,
  );
  assert.is(status, 1);
  taken.close();
});

async function twonodeEtcd(folder: string, ...args: string[]): Promise<{ status: number; stderr: string }> {
  const command = ['bin/twonode.js', 'etcd', '--data-dir', join(folder, 'data'), ...args];
  const ended = await run(process.execPath, command, { timeout: 20_000 }).catch(
    (error: { code: number; stderr: string }) => error,
  );
  return { status: 'code' in ended ? ended.code : 0, stderr: ended.stderr };
}

test.run();
